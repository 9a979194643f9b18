"""The trajectories of symnb.data.mechanics keep what theory says they keep, and bad arguments are refused."""
import numpy as np
import pytest

from symnb.data import mechanics as mech

pytestmark = pytest.mark.exact


def test_a_spring_is_a_cosine():
    times = np.linspace(0, 20, 50)
    x = mech.trajectories(lambda q: -q, np.array([[1.0, 0.0], [0.0, 2.0]]), times)
    assert x.shape == (2, 50, 2)
    np.testing.assert_allclose(x[0], np.stack([np.cos(times), -np.sin(times)], 1), atol=1e-6)
    np.testing.assert_allclose(x[1, :, 0], 2 * np.sin(times), atol=1e-6)


@pytest.mark.parametrize("bend", [0.0, 0.1])
def test_kepler_conserves_energy_and_angular_momentum(bend):
    x = mech.kepler(300, 3, bend=bend, duration=100.0, random_state=0)
    assert x.shape == (3, 300, 4)
    np.testing.assert_allclose(mech.kepler_energy(x, bend), -0.5, atol=1e-6)  # −1/(2a), a = 1
    assert np.ptp(mech.angular_momentum(x), axis=1).max() < 1e-6


def laplace(x):
    "The Laplace vector of states (..., 4) in V = −1/r."
    q, p = x[..., :2], x[..., 2:]
    L = mech.angular_momentum(x)[..., None]
    return L * np.stack([p[..., 1], -p[..., 0]], -1) - q / np.linalg.norm(q, axis=-1, keepdims=True)


def test_the_laplace_vector_is_lost_with_the_bend_only():
    closed, turning = (mech.kepler(500, 2, bend=bend, duration=150.0, random_state=0) for bend in (0.0, 0.1))
    assert np.ptp(laplace(closed), axis=1).max() < 1e-5
    directions = np.arctan2(*np.moveaxis(laplace(turning), -1, 0)[::-1])
    assert np.ptp(directions, axis=1).min() > 6  # all around


def test_radii_of_the_rosette_are_those_of_an_ellipse():
    x = mech.kepler(4000, 1, (0.4, 0.4), bend=0.1, duration=200.0, random_state=0)[0]
    r = np.hypot(x[:, 0], x[:, 1])
    assert abs(r.min() - 0.6) < 1e-3 and abs(r.max() - 1.4) < 1e-3


def test_henon_heiles_stays_on_its_shell_and_in_the_well():
    for energy in (0.05, 1 / 12, 0.166):
        x = mech.henon_heiles(200, 4, energy, duration=300.0, random_state=0)
        assert x.shape == (4, 200, 4)
        np.testing.assert_allclose(mech.henon_heiles_energy(x), energy, atol=1e-6)
        assert x[..., 1].max() < 1 and x[..., 1].min() > -0.5


@pytest.mark.parametrize("force, energy, d", [
    (mech.kepler_force, lambda q: mech.kepler_energy(np.concatenate([q, 0 * q], -1)), 2),
    (lambda q: mech.kepler_force(q, 0.3), lambda q: mech.kepler_energy(np.concatenate([q, 0 * q], -1), 0.3), 3),
    (mech.henon_heiles_force, lambda q: mech.henon_heiles_energy(np.concatenate([q, 0 * q], -1)), 2),
    (lambda q: mech.molecule_force(q, (1, 2, 3), 0.5), lambda q: mech.molecule_energy(q, (1, 2, 3), 0.5), 9)])
def test_forces_are_minus_the_gradient(force, energy, d):
    q = np.random.default_rng(0).uniform(0.3, 0.9, (5, d))
    step = 1e-6 * np.eye(d)
    slope = (energy(q[:, None] + step) - energy(q[:, None] - step)) / 2e-6
    np.testing.assert_allclose(force(q), -slope, atol=1e-6)


def test_neighbours_part_fast_in_chaos_only():
    fast, slow = (
        mech.separation_rate(mech.henon_heiles_force, mech.henon_heiles(1, 6, E, duration=1.0, random_state=0)[:, 0])
        for E in (0.166, 0.05)
    )
    assert np.median(fast) > 0.03 and slow.max() < 0.02


def test_a_spring_does_not_part():
    rate = mech.separation_rate(lambda q: -q, np.array([[1.0, 0.0]]), duration=2 * np.pi)
    assert abs(rate[0]) < 1e-3


def test_a_molecule_keeps_its_centre_and_a_cold_one_its_shape():
    bonds = lambda q: np.linalg.norm(q.reshape(-1, 3, 3)[:, [0, 0, 1]] - q.reshape(-1, 3, 3)[:, [1, 2, 2]], axis=-1)
    cold, hot = (mech.molecule(1000, T, random_state=0) for T in (1e-4, 0.1))
    for q in (cold, hot):
        assert q.shape == (1000, 9) and abs(q.reshape(-1, 3, 3).mean(1)).max() < 1e-9
        assert np.linalg.matrix_rank(q, tol=1e-6) == 6
    assert abs(bonds(cold) - 1).max() < 0.05 < bonds(hot).std()


def test_a_squashed_molecule_is_flatter():
    q = mech.molecule(2000, 0.02, squash=2.0, random_state=0).reshape(-1, 3, 3)
    assert q[..., 2].std() < 0.8 * q[..., 0].std()


@pytest.mark.parametrize(
    "make",
    [
        lambda n, **k: mech.kepler(n, duration=30.0, **k),
        lambda n, **k: mech.henon_heiles(n, duration=50.0, **k),
        lambda n, **k: mech.molecule(n, n_starts=3, **k),
    ],
)
def test_noise_and_seeds(make):
    clean, again, other = make(50, random_state=1), make(50, random_state=1), make(50, random_state=2)
    assert (clean == again).all() and not (clean == other).all()
    assert 0.05 < (make(50, noise=0.1, random_state=1) - clean).std() < 0.15


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: mech.kepler(0), "n=0"),
        (lambda: mech.kepler(5, 0), "n_orbits=0"),
        (lambda: mech.kepler(5, bend=-1), "bend=-1"),
        (lambda: mech.kepler(5, eccentricity=(0.2, 1.0)), "eccentricity=1.0"),
        (lambda: mech.henon_heiles(5, energy=0.2), "energy=0.2"),
        (lambda: mech.henon_heiles(5, duration=0), "duration=0"),
        (lambda: mech.molecule(5, temperature=0), "temperature=0"),
        (lambda: mech.molecule(5, stiffness=(1, 1, 0)), "stiffness=0"),
        (lambda: mech.molecule(5, n_starts=0), "n_starts=0"),
        (lambda: mech.molecule(5, noise=-1), "noise=-1"),
        (lambda: mech.kepler(5, random_state="a"), "random_state"),
        (lambda: mech.trajectories(lambda q: -q, np.ones(2), np.array([1.0])), "start has shape"),
        (lambda: mech.trajectories(lambda q: -q, np.ones((1, 3)), np.array([1.0])), "start has shape"),
        (lambda: mech.trajectories(lambda q: -q, np.ones((1, 2)), np.array([2.0, 1.0])), "times"),
        (lambda: mech.separation_rate(lambda q: -q, np.ones((1, 2)), distance=0), "distance=0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_singularity_is_reported():
    with pytest.raises(ValueError, match="singularity"):
        mech.trajectories(lambda q: q**3 * 1e3, np.array([[1.0, 1.0]]), np.array([50.0]))
