"""The shapes of symnb.data.geometry obey their equations, are uniform, and refuse bad arguments."""
import numpy as np
import pytest
from scipy.stats import kstest

from symnb.data import geometry as geo

pytestmark = pytest.mark.exact
N = 4000
RARE = 1e-6  # the right distribution is refused once in a million seeds, a wrong one always
SHAPES = [
    geo.arc,
    geo.circle,
    geo.disk,
    geo.gaussian,
    geo.ring,
    geo.ellipse,
    geo.sphere,
    geo.torus,
    geo.helix,
    geo.swiss_roll,
]


def matrix(d, entries):
    "A (d, d) matrix from {(row, column): value}."
    out = np.zeros((d, d))
    for place, value in entries.items():
        out[place] = value
    return out


def rotations(d):
    return np.array([matrix(d, {(i, j): 1, (j, i): -1}) for i in range(d) for j in range(i)])


def lorentz():
    "Three rotations and three boosts of (E, px, py, pz)."
    boosts = [matrix(4, {(0, i): 1, (i, 0): 1}) for i in (1, 2, 3)]
    return np.array([np.pad(g, ((1, 0), (1, 0))) for g in rotations(3)] + boosts)


def angle(x):
    return np.arctan2(x[:, 1], x[:, 0]) % (2 * np.pi)


def p_uniform(values, high, low=0.0):
    "p-value of the Kolmogorov-Smirnov test against the uniform distribution on [low, high]."
    return kstest(values, "uniform", args=(low, high - low)).pvalue


# ---- on the manifold ------------------------------------------------------------------------------------------------

EQUATIONS = {
    "circle": (geo.circle, dict(radius=2.5), lambda x: (x**2).sum(1) - 2.5**2),
    "ring of width 0": (geo.ring, dict(radius=2.5, width=0.0), lambda x: (x**2).sum(1) - 2.5**2),
    "ellipse": (geo.ellipse, dict(a=3.0, b=0.5), lambda x: (x[:, 0] / 3) ** 2 + (x[:, 1] / 0.5) ** 2 - 1),
    "sphere": (geo.sphere, dict(radius=0.7), lambda x: (x**2).sum(1) - 0.49),
    "5-sphere": (geo.sphere, dict(dim=5), lambda x: (x**2).sum(1) - 1),
    "torus": (
        geo.torus,
        dict(major=3.0, minor=0.5),
        lambda x: (np.hypot(x[:, 0], x[:, 1]) - 3) ** 2 + x[:, 2] ** 2 - 0.25,
    ),
    "helix": (
        geo.helix,
        dict(radius=1.5, pitch=0.8),
        lambda x: x[:, :2] - 1.5 * np.stack([np.cos(2 * np.pi * x[:, 2] / 0.8), np.sin(2 * np.pi * x[:, 2] / 0.8)], 1),
    ),
    "swiss roll": (
        geo.swiss_roll,
        {},
        lambda x: x[:, 0] - np.hypot(x[:, 0], x[:, 2]) * np.cos(np.hypot(x[:, 0], x[:, 2])),
    ),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_points_obey_the_equation_of_the_manifold(name):
    shape, lengths, residual = EQUATIONS[name]
    np.testing.assert_allclose(residual(shape(N, **lengths, random_state=0)), 0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_dtype_and_determinism(shape):
    x = shape(17, random_state=3)
    assert x.dtype == np.float64 and x.ndim == 2 and len(x) == 17 and np.isfinite(x).all()
    np.testing.assert_array_equal(x, shape(17, random_state=3))
    np.testing.assert_array_equal(x, shape(17, random_state=np.random.RandomState(3)))
    assert not np.array_equal(x, shape(17, random_state=4))
    generated = [shape(17, random_state=np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*generated)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_an_isotropic_gaussian_on_top_of_the_same_points(shape):
    blur = shape(N, noise=0.3, random_state=1) - shape(N, random_state=1)
    np.testing.assert_allclose(np.cov(blur.T), 0.09 * np.eye(blur.shape[1]), atol=0.09 * 5 * np.sqrt(2 / N))


# ---- uniform on the manifold ----------------------------------------------------------------------------------------

def test_angles_are_uniform():
    for shape in (geo.circle, geo.disk, geo.ring):
        assert p_uniform(angle(shape(N, random_state=0)), 2 * np.pi) > RARE
    for opening in (np.pi, 1.5 * np.pi):
        phi = angle(geo.arc(N, opening, random_state=0))
        assert phi.max() < opening and p_uniform(phi, opening) > RARE
    assert p_uniform(angle(geo.ellipse(N, 3.0, 0.5, random_state=0) / [3, 0.5]), 2 * np.pi) > RARE


def test_disk_is_uniform_by_area():
    r2 = (geo.disk(N, radius=2.0, random_state=0)**2).sum(1)
    assert r2.max() <= 4 and p_uniform(r2, 4) > RARE


def test_ring_width_is_the_radial_standard_deviation():
    r = np.linalg.norm(geo.ring(N, radius=2.0, width=0.2, random_state=0), axis=1)
    assert kstest(r, "norm", args=(2.0, 0.2)).pvalue > RARE


def test_gaussian_has_the_standard_deviation_asked_for():
    x = geo.gaussian(N, dim=3, std=2.0, random_state=0)
    assert x.shape == (N, 3) and kstest(x.ravel(), "norm", args=(0, 2.0)).pvalue > RARE


def test_sphere_heights_are_uniform():
    "Archimedes: the slices of a 2-sphere of equal height have equal area."
    for axis in geo.sphere(N, radius=3.0, random_state=0).T:
        assert p_uniform(axis, 3, -3) > RARE


@pytest.mark.parametrize("dim", [1, 3, 5])
def test_sphere_moments(dim):
    "E[x_i²] = 1/(dim+1) and E[x_i⁴] = 3/((dim+1)(dim+3)) on the unit sphere in R^(dim+1)."
    x, d = geo.sphere(20_000, dim=dim, random_state=0), dim + 1
    np.testing.assert_allclose((x**2).mean(0), 1 / d, rtol=0.05)
    np.testing.assert_allclose((x**4).mean(0), 3 / (d * (d + 2)), rtol=0.1)


def test_torus_is_uniform_by_area():
    "The tube's angle v has the density (1 + (r/R) cos v)/2π, so v + (r/R) sin v is uniform."
    x = geo.torus(N, major=2.0, minor=1.5, random_state=0)
    v = np.arctan2(x[:, 2], np.hypot(x[:, 0], x[:, 1]) - 2) % (2 * np.pi)
    assert p_uniform(v + 0.75 * np.sin(v), 2 * np.pi) > RARE
    assert p_uniform(angle(x), 2 * np.pi) > RARE


def test_swiss_roll_is_uniform_by_area():
    x = geo.swiss_roll(N, turns=1.5, height=10.0, random_state=0)
    t = np.hypot(x[:, 0], x[:, 2])
    length = lambda t: (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2
    assert p_uniform(length(t), length(4.5 * np.pi), length(1.5 * np.pi)) > RARE
    assert p_uniform(x[:, 1], 10) > RARE


def test_helix_is_uniform_by_length():
    assert p_uniform(geo.helix(N, turns=3, pitch=2.0, random_state=0)[:, 2], 6) > RARE


# ---- group orbits ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("d", [2, 3, 4])
def test_rotations_cover_the_sphere_uniformly(d):
    x = geo.group_orbit(rotations(d), 2 * np.eye(d)[0], N, random_state=0)
    np.testing.assert_allclose((x**2).sum(1), 4)
    expected = geo.sphere(20_000, dim=d - 1, radius=2.0, random_state=1)
    for axis in range(d):
        assert kstest(x[:, axis], expected[:, axis]).pvalue > RARE


def test_so3_as_nine_features_is_haar():
    R = geo.group_orbit(rotations(3), np.eye(3), N, random_state=0)
    assert R.shape == (N, 9)
    R = R.reshape(-1, 3, 3)
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-10)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    turn = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert p_uniform(turn - np.sin(turn), np.pi) > RARE  # the Haar density of the angle of rotation is (1 - cos)/π


def test_two_rotations_generate_the_third():
    "Two generators of so(3) generate SO(3), so a matrix moves over all three dimensions of the group."
    R = geo.group_orbit(rotations(3)[:2], np.eye(3), N, random_state=0).reshape(-1, 3, 3)
    turn = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert p_uniform(turn - np.sin(turn), np.pi) > RARE


def test_a_slow_generator_still_goes_all_the_way_round():
    x = geo.group_orbit([0.01 * rotations(2)[0]], [1, 0], N, random_state=0)
    assert p_uniform(angle(x), 2 * np.pi) > RARE


@pytest.mark.parametrize("p", [(1, 0, 0, 0), (2, 0, 0.5, 1), (1, 0, 0, 1), (0, 1, 2, 0)])
def test_lorentz_orbits_keep_the_minkowski_norm(p):
    x = geo.group_orbit(lorentz(), p, N, random_state=0)
    norm = lambda p: p[..., 0]**2 - (p[..., 1:]**2).sum(-1)
    np.testing.assert_allclose(norm(x), norm(np.array(p, dtype=float)), atol=1e-9 * (x**2).sum(1).max())


def test_boosts_stay_within_the_range_asked_for():
    boost = lorentz()[5:]
    rapidity = np.arctanh(
        np.divide(*geo.group_orbit(boost, [1, 0, 0, 0], N, scale=0.7, n_factors=1, random_state=0)[:, [3, 0]].T)
    )
    assert p_uniform(rapidity, 0.7, -0.7) > RARE
    free = geo.group_orbit(boost, [1, 0, 0, 0], N, random_state=0)
    assert 1.5 < free[:, 0].max() < np.cosh(2)


def test_one_scale_for_each_generator():
    x = geo.group_orbit(lorentz(), [1, 0, 0, 0], N, scale=[3.0] * 3 + [1e-6] * 3, random_state=0)
    np.testing.assert_allclose(x, [[1, 0, 0, 0]] * N, atol=1e-4)


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "bad",
    [
        dict(n=0),
        dict(n=-3),
        dict(n=2.5),
        dict(n="many"),
        dict(n=True),
        dict(noise=-0.1),
        dict(noise=np.nan),
        dict(noise=np.inf),
        dict(random_state="seven"),
        dict(random_state=-1),
    ],
)
def test_every_shape_refuses(shape, bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}=.* must be "):
        shape(**bad)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: geo.circle(radius=0), "radius"),
        (lambda: geo.disk(radius=-1), "radius"),
        (lambda: geo.disk(radius=None), "radius"),
        (lambda: geo.gaussian(std=-1), "std"),
        (lambda: geo.gaussian(dim=0), "dim"),
        (lambda: geo.sphere(dim=1.5), "dim"),
        (lambda: geo.arc(angle=0), "angle"),
        (lambda: geo.arc(angle=6.3), "angle"),
        (lambda: geo.ring(width=-0.1), "width"),
        (lambda: geo.ellipse(a=0), "a="),
        (lambda: geo.ellipse(b=np.inf), "b="),
        (lambda: geo.torus(minor=2.0), "minor"),
        (lambda: geo.torus(major=-1), "major"),
        (lambda: geo.helix(pitch=0), "pitch"),
        (lambda: geo.helix(turns=-1), "turns"),
        (lambda: geo.swiss_roll(height=0), "height"),
    ],
)
def test_bad_lengths_are_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()


SO2 = rotations(2)


@pytest.mark.parametrize("call, message", [
    (lambda: geo.group_orbit(SO2[0], [1, 0]), r"generators has shape \(2, 2\)"),
    (lambda: geo.group_orbit(np.zeros((0, 2, 2)), [1, 0]), "generators has shape"),
    (lambda: geo.group_orbit(np.ones((1, 2, 3)), [1, 0]), "square"),
    (lambda: geo.group_orbit([SO2[0], np.eye(3)], [1, 0]), "generators is not an array"),
    (lambda: geo.group_orbit([["a", "b"], ["c", "d"]], [1, 0]), "generators is not an array"),
    (lambda: geo.group_orbit(SO2 * np.nan, [1, 0]), "generators has NaN"),
    (lambda: geo.group_orbit(SO2 * 0, [1, 0]), "leave it out"),
    (lambda: geo.group_orbit(SO2, [1, 0, 0]), r"vector has shape \(3,\)"),
    (lambda: geo.group_orbit(SO2, 1.0), "vector has shape"),
    (lambda: geo.group_orbit(SO2, [1, np.inf]), "vector has NaN"),
    (lambda: geo.group_orbit(SO2, [1, 0], scale=-1), "scale"),
    (lambda: geo.group_orbit(SO2, [1, 0], scale=[1, 2]), "scale has shape"),
    (lambda: geo.group_orbit(SO2, [1, 0], n_factors=0), "n_factors"),
    (lambda: geo.group_orbit(SO2, [1, 0], n=0), "n=0"),
    (lambda: geo.group_orbit([np.diag([1.0, -1.0])], [1, 1], scale=800.0), "use a smaller one")])
def test_bad_orbits_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
