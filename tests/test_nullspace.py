"The null space: the group decides what is found, and where there is no group nothing is claimed."
import subprocess
import sys

import numpy as np
import pytest
import torch

from symnb.core import SymnbWarning
from symnb.flows.families import affine, field, field_jacobian, linear, make_family, matrices, polynomial, sparse_basis
from symnb.flows.nullspace import count_null, ensemble_jacobian, null_space, own_halves
from symnb.flows.oracle import oracle_jacobian, train_oracle
from symnb.flows.system import whiten
from symnb.lie import closure, field_closure, identify

pytestmark = pytest.mark.exact


def events(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def search(oracle, x, family="linear", **how):
    return null_space(oracle_jacobian(oracle, x), x, family, **how)


def form(*signs):
    return lambda x: (x**2 * torch.tensor(signs, dtype=x.dtype)).sum(-1, keepdim=True)


@pytest.mark.parametrize(
    "signs, n, name",
    [
        ((1, 1), 1, None),
        ((1, 1, 1), 3, "so(3)"),
        ((1, 1, -1), 3, "so(1,2)"),
        ((1, 1, 1, 1), 6, "so(4)"),
        ((1, -1, -1, -1), 6, "so(1,3)"),
        ((1, 1, -1, -1), 6, "so(2,2)"),
        ((1,) * 5, 10, "so(5)"),
    ],
)
def test_orthogonal_groups(signs, n, name):
    x = events(300, len(signs))
    space, fresh = search(form(*signs), x), events(100, len(signs), seed=1)
    assert space.n == n
    J, metric = space.coefficients, torch.diag(torch.tensor(signs, dtype=torch.float64))
    assert (metric @ J + J.mT @ metric).abs().max() < 1e-12
    assert torch.einsum("nkd,and->ank", oracle_jacobian(form(*signs), fresh), space(fresh)).abs().max() < 1e-11
    if n > 1:
        c = closure(J)
        assert c.residual < 1e-20 and identify(c.constants).name == name


def test_so10_closes_to_machine_precision():
    x = events(1000, 10)
    space = search(form(*[1] * 10), x)
    assert space.n == 45 and space.gap > 1e7
    assert closure(space.coefficients).residual / 45**2 <= 1e-20


def test_a_system_too_large_for_a_full_eigendecomposition():
    x = events(1500, 26)  # 676 unknowns
    space = search(form(*[1] * 26), x)
    assert space.n == 325 and len(space.singular_values) == 676
    assert (space.coefficients + space.coefficients.mT).abs().max() < 1e-11


@pytest.mark.parametrize(
    "oracle, d, n, name",
    [
        (lambda x: x[:, :1].sin(), 2, 3, "Bianchi V"),
        (lambda x: x[:, 2:] - (x[:, :2] ** 2).sum(-1, keepdim=True) / 2, 3, 3, "e(2)"),
        (lambda x: ((x[:, :2] - x[:, 2:]) ** 2).sum(-1, keepdim=True), 4, 11, None),
        (lambda x: ((x - 3) ** 2).sum(-1, keepdim=True), 3, 3, "so(3)"),
    ],
)
def test_affine_symmetries(oracle, d, n, name):
    space = search(oracle, events(300, d), "affine")
    c = closure(matrices(space.family, space.coefficients))
    assert space.n == n and c.residual < 1e-20 and identify(c.constants).name == name


def test_polynomial_fields():
    "Rotations after the shear y → y + x² are cubic; the quadratic fields along parabolas do not close."
    sheared = lambda x: x[:, :1] ** 2 + (x[:, 1:] - x[:, :1] ** 2) ** 2
    x = events(400, 2)
    assert search(sheared, x, "polynomial", degree=2).n == 0
    cubic = search(sheared, x, "polynomial", degree=3)
    fresh = events(50, 2, seed=1)
    assert (
        cubic.n == 1 and torch.einsum("nkd,and->ank", oracle_jacobian(sheared, fresh), cubic(fresh)).abs().max() < 1e-9
    )
    parabola = search(lambda x: x[:, 1:] - x[:, :1] ** 2, x, "polynomial", degree=2)
    G, DG = parabola(x), field_jacobian(parabola.family, parabola.coefficients, x)
    assert parabola.n == 3 and field_closure(G, DG).relative > 0.1  # h (∂x + 2x ∂y), h = 1, x, y; [xV, yV] has x² V


def test_several_outputs_leave_only_common_symmetries():
    both = lambda x: torch.cat([form(1, 1, 1)(x), x[:, 2:]], 1)
    assert search(both, events(300, 3)).expressions() == ["-y ∂x + x ∂y"]
    twice = lambda x: torch.cat([form(1, 1, 1)(x), 5 + 1e3 * form(1, 1, 1)(x)], 1)  # a Jacobian of rank 1
    assert search(twice, events(300, 3)).n == 3


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_units_do_not_matter(scale):
    x = events(300, 3) * torch.tensor([1.0, scale, 1 / scale])
    oracle = lambda x: scale * ((x / torch.tensor([1.0, scale, 1 / scale])) ** 2).sum(-1, keepdim=True)
    assert search(oracle, x).n == 3


def test_a_small_singular_value_is_not_null():
    "Rotations about z exactly, the others broken at 1e-4."
    space = search(lambda x: form(1, 1, 1)(x) + 1e-4 * x[:, 2:] ** 3, events(500, 3))
    assert space.n == 1 and 1e-5 < space.singular_values[1] < 2e-4


def test_single_precision():
    x = events(500, 3).float()
    assert search(form(1, 1, 1), x).n == 3
    hidden = search(lambda x: form(1, 1, 1)(x.float()).double(), x.double())
    assert hidden.n in (0, 3)  # float32 inside a float64 Jacobian: found, or refused with advice
    assert hidden.n == 3 or "noise=" in hidden.message


def test_anisotropic_gaussian_only_has_its_own_rotations():
    A = events(3, 3, seed=5)
    P = A @ A.T + torch.eye(3)
    space = search(lambda x: -(x @ P * x).sum(-1, keepdim=True) / 2, events(400, 3))
    assert space.n == 3
    assert (P @ space.coefficients + space.coefficients.mT @ P).abs().max() < 1e-10


def relu_network(x):
    W = torch.randn(3, 20, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    return torch.relu(x @ W).sum(-1, keepdim=True)


@pytest.mark.parametrize(
    "oracle, why",
    [
        (lambda x: 0 * x[:, :1], "constant"),
        (lambda x: torch.relu(form(1, 1, 1)(x) - 2), "no gradient at"),
        (relu_network, "across the level sets"),
        (lambda x: x[:, :1].sin() + x[:, :1] * x[:, 1:2] + x[:, 2:] ** 3, "across the level sets"),
        (lambda x: torch.tanh(x @ events(3, 9, 1)) @ events(9, 1, 2), "across the level sets"),
    ],
)
def test_nothing_is_claimed_and_the_message_says_why(oracle, why):
    space = search(oracle, events(500, 3))
    assert space.n == 0 and space.coefficients.shape == (0, 3, 3)
    assert space.message.startswith("no symmetry is claimed") and why in space.message


def test_random_labels():
    x, labels = events(600, 3), events(600, 1, seed=1)[:, 0]
    half = own_halves(600, 4, torch.Generator().manual_seed(0))
    oracles = train_oracle(x[half], labels[half].numpy(), task="quantity", hidden=(32, 32), steps=300, random_state=0)
    fresh = events(300, 3, seed=2)
    space = null_space(oracle_jacobian(oracles, fresh.expand(4, -1, -1)), fresh)
    assert space.n == 0 and "uncertain" in space.message
    assert null_space(oracle_jacobian(oracles.select(0), fresh), fresh).n == 0


def test_learned_oracle_counts_right_and_names_its_noise():
    x = events(1000, 3)
    y = form(1, 1, 1)(x)[:, 0] + 0.3 * events(1000, 1, seed=1)[:, 0]
    half = own_halves(1000, 4, torch.Generator().manual_seed(0))
    oracles = train_oracle(x[half], y[half].numpy(), task="quantity", hidden=(48, 48), steps=600, random_state=0)
    fresh = events(500, 3, seed=2)
    jac = oracle_jacobian(oracles, fresh.expand(4, -1, -1))
    space = null_space(jac, fresh)
    assert space.n == 3 and 0.01 < space.noise < 0.2 and space.singular_values[2] < 1.5 * space.noise
    assert null_space(jac[0], fresh).n == 0  # taken for exact, nothing is
    assert null_space(jac[0], fresh, noise=space.noise).n == 3


def test_disagreement_is_unbiased():
    truth, draw = events(2000, 3)[:, None], torch.Generator().manual_seed(1)
    jac = truth + 0.1 * torch.randn(6, 2000, 1, 3, generator=draw, dtype=torch.float64)
    mean, noise = ensemble_jacobian(
        jac * torch.tensor([1, 1, 7, 1, 1, 0.1])[:, None, None, None]
    )  # scales are no disagreement
    assert noise == pytest.approx(0.1, rel=0.05)


def test_own_halves_are_different_halves():
    half = own_halves(100, 5, torch.Generator().manual_seed(0))
    assert (
        half.shape == (5, 50)
        and all(len(set(h.tolist())) == 50 for h in half)
        and len({tuple(sorted(h.tolist())) for h in half}) == 5
    )


def test_confined_events_are_named():
    flat = events(300, 3) * torch.tensor([1, 1, 0.0])
    with pytest.warns(SymnbWarning, match="vanish on all events"):
        space = search(form(1, 1, 1), flat)
    assert space.n == 3 and len(space.singular_values) == 6
    angle = 7 * events(300, 1)
    with pytest.warns(SymnbWarning, match="quadric"):
        search(lambda x: x[:, :1] + 0 * x, torch.cat([angle.cos(), angle.sin()], 1))


def test_too_few_events():
    with pytest.raises(ValueError, match="x has 8 events, which give 8 conditions for 9 unknown"):
        search(form(1, 1, 1), events(8, 3))
    assert search(form(1, 1, 1), events(9, 3)).n == 3


@pytest.mark.parametrize(
    "values, noise, n",
    [
        ([1e-16, 0.5], 1e-11, 1),
        ([0.5, 0.6], 1e-11, 0),
        ([0.02, 0.03, 0.5], 0.03, 2),
        ([0.02, 0.03, 0.08], 0.03, 0),
        ([0.04, 0.5, 0.6], 0.03, 1),
        ([0.05, 0.5, 0.6], 0.03, 0),
    ],
)
def test_count_null(values, noise, n):
    assert count_null(torch.tensor(values, dtype=torch.float64), noise)[0] == n


@pytest.mark.parametrize(
    "change, error",
    [
        (dict(jac=torch.ones(5, 2)), "jac has shape"),
        (dict(jac=torch.ones(9, 1, 2)), "jac has shape"),
        (dict(jac=torch.ones(10, 1, 3)), "jac has shape"),
        (dict(noise=-1.0), "noise"),
        (dict(noise=float("nan")), "noise"),
        (dict(family="cubic"), "family"),
        (dict(family=linear(3)), "family"),
        (dict(family="polynomial", degree=0), "degree"),
        (dict(jac=torch.full((10, 1, 2), float("nan"))), "not finite"),
    ],
)
def test_bad_arguments(change, error):
    with pytest.raises(ValueError, match=error):
        null_space(**{**dict(jac=torch.ones(10, 1, 2), x=torch.ones(10, 2)), **change})


@pytest.mark.parametrize("family", [linear(3), affine(3), polynomial(3, 1), polynomial(3, 3)])
def test_field_jacobian_is_the_derivative(family):
    C, x, step = events(6, family.n_features, seed=1).reshape(2, 3, -1), events(6, 3), 1e-6
    for j in range(3):
        e = step * torch.eye(3, dtype=torch.float64)[j]
        slope = (field(family, C, x + e) - field(family, C, x - e)) / (2 * step)
        assert torch.allclose(field_jacobian(family, C, x)[..., j], slope, atol=1e-7)


def test_whitening_and_sparse_basis_keep_the_space():
    f = polynomial(2, 2).features(events(100, 2))
    W, Z = whiten(f)
    assert Z.shape[1] == 0 and torch.allclose((f @ W).T @ (f @ W) / 100, torch.eye(6, dtype=torch.float64), atol=1e-10)
    C = events(12, 5).reshape(4, 3, 5)
    sparse = sparse_basis(C)
    assert np.linalg.matrix_rank(torch.cat([C, sparse]).flatten(1).numpy()) == 4
    assert ((sparse.flatten(1).abs() < 1e-12).sum(0) >= 3).sum() >= 4


def test_families_refuse():
    with pytest.raises(ValueError, match="x has 2 features"):
        linear(3).features(events(5, 2))
    with pytest.raises(ValueError, match="only linear and affine"):
        matrices(polynomial(2), torch.ones(1, 2, 6))
    with pytest.raises(ValueError, match="names has 2"):
        search(form(1, 1, 1), events(99, 3)).expressions(["x", "y"])
    assert make_family("affine", 2) == affine(2)


def test_one_unknown_that_is_no_symmetry():
    x = events(100, 1)
    assert null_space(2 * x[:, None], x).n == 0


# Weights

def sphere(n=400, d=3, seed=0):
    x = events(n, d, seed)
    return 2 * x[:, None], x


def test_whole_weights_are_repetitions():
    jac, x = sphere()
    often = torch.arange(400) % 4
    weighted = null_space(jac, x, "affine", weights=often)
    repeated = null_space(jac.repeat_interleave(often, 0), x.repeat_interleave(often, 0), "affine")
    assert weighted.n == repeated.n == 3
    assert torch.allclose(weighted.singular_values, repeated.singular_values, rtol=1e-10, atol=1e-13)
    space = torch.cat([weighted.coefficients, repeated.coefficients]).flatten(1)
    assert torch.linalg.matrix_rank(space, atol=1e-10) == 3
    assert weighted.n_effective == pytest.approx(600**2 / 1400) and repeated.n_effective == 600


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_weights_have_no_unit(unit):
    jac, x = sphere()
    weights = unit * events(400, 1, seed=3)[:, 0]
    space, other = null_space(jac, x, weights=weights), null_space(jac, x, weights=weights / unit)
    assert torch.allclose(space.singular_values, other.singular_values, rtol=1e-9, atol=1e-14) and space.n == 3
    assert space.n_effective == pytest.approx(other.n_effective)


def test_negative_weights_do_not_cancel_conditions():
    "Half of the events obey a sphere, half an ellipsoid: their common symmetry is one rotation, whatever the signs."
    x = events(800, 3)
    slope = torch.where(torch.arange(800) % 2 == 0, 1.0, 3.0)
    jac = 2 * (x * torch.stack([torch.ones(800), torch.ones(800), slope], 1))[:, None]
    for signs in (torch.ones(800), torch.where(slope > 1, -1.0, 1.0)):
        space = null_space(jac, x, weights=signs.double())
        assert space.n == 1 and space.expressions() == ["-y ∂x + x ∂y"]
    assert "400 of them are negative" in space.message and space.n_effective == 0
    copies = null_space(torch.cat([jac, jac]), torch.cat([x, x]), weights=torch.ones(1600).index_fill(
        0, torch.arange(800), -1.0))
    assert copies.n == 1 and copies.singular_values[1] > 0.05


def test_events_without_weight_do_not_count():
    jac, x = sphere()
    wrong = torch.cat([jac, events(100, 3, seed=5)[:, None]]), torch.cat([x, 50 + events(100, 3, seed=6)])
    weights = torch.cat([torch.ones(400), torch.zeros(100)]).double()
    space, plain = null_space(*wrong, weights=weights), null_space(jac, x)
    assert space.n == 3 and torch.allclose(space.singular_values, plain.singular_values, rtol=1e-9, atol=1e-13)
    assert null_space(*wrong, weights=weights + 1e-3).n == 0


def test_weights_too_small_to_tell_anything_are_no_conditions():
    jac, x = sphere()
    for faint in (0.0, 1e-30):
        with pytest.raises(ValueError, match="give 5 conditions for 9 unknown"):
            null_space(jac, x, weights=torch.where(torch.arange(400) < 5, 1.0, faint).double())


@pytest.mark.parametrize("noise", [1e-3, 0.02, 0.1])
def test_equal_weights_are_none(noise):
    "However noisy the oracle: the share of one event among many is no measure of what it tells."
    jac, x = sphere(3000)
    weighted, plain = (null_space(jac, x, noise=noise, weights=w) for w in (torch.ones(3000), None))
    assert weighted.n == plain.n == 3
    assert torch.allclose(weighted.singular_values, plain.singular_values, rtol=1e-9, atol=1e-13)


def test_weights_of_an_ensemble():
    "The oracles disagree only where the weights vanish."
    x, draw = events(1000, 3), torch.Generator().manual_seed(1)
    noise = torch.where(torch.arange(1000) < 500, 0.01, 1.0)[:, None, None]
    jac = 2 * x[:, None] + noise * torch.randn(4, 1000, 1, 3, generator=draw, dtype=torch.float64)
    weights = (torch.arange(1000) < 500).double()
    assert null_space(jac, x).noise > 0.3 and null_space(jac, x).n == 0
    space = null_space(jac, x, weights=weights)
    assert space.n == 3 and space.noise == pytest.approx(0.01 / 2, rel=0.1)


@pytest.mark.parametrize("weights, error", [
    (torch.ones(9), r"weights has shape \(9,\): give one number for each of the 10 events"),
    (torch.ones(10, 1), "weights has shape"),
    (torch.zeros(10), "weights are all zero"),
    (torch.full((10,), float("inf")), "weights has 10 values that are not finite"),
])
def test_bad_weights(weights, error):
    with pytest.raises(ValueError, match=error):
        null_space(torch.ones(10, 1, 2), events(10, 2), weights=weights)


# Chunks

def both(x):
    return torch.stack([(x[..., :2] ** 2).sum(-1), (x[..., 2:] ** 4).sum(-1)], -1)


@pytest.mark.parametrize("how", [{}, dict(noise=1e-3), dict(weights=events(500, 1, seed=2)[:, 0]), dict(exact=False)])
@pytest.mark.parametrize("family", ["linear", "affine", "polynomial"])
def test_chunks_change_nothing(family, how):
    x = events(500, 3)
    jac = oracle_jacobian(both, x)
    whole = null_space(jac, x, family, chunk=500, **how)
    for given in (jac, lambda x: oracle_jacobian(both, x)):
        parts = null_space(given, x, family, chunk=37, **how)
        assert parts.n == whole.n > 0 and parts.noise == whole.noise and parts.n_effective == whole.n_effective
        assert torch.allclose(parts.singular_values, whole.singular_values, rtol=1e-8, atol=1e-13)
        spaces = torch.cat([parts.coefficients, whole.coefficients]).flatten(1)
        assert torch.linalg.matrix_rank(spaces, atol=1e-9) == whole.n


def test_chunks_of_an_ensemble():
    x, draw = events(500, 3), torch.Generator().manual_seed(1)
    jac = 2 * x[:, None] + 0.05 * torch.randn(5, 500, 1, 3, generator=draw, dtype=torch.float64)
    jac = jac * torch.tensor([1, 3, 1, 0.1, 1])[:, None, None, None]
    whole, parts = null_space(jac, x), null_space(jac, x, chunk=64)
    assert whole.n == parts.n == 3 and parts.noise == pytest.approx(whole.noise) == pytest.approx(
        ensemble_jacobian(jac)[1])
    assert torch.allclose(parts.singular_values, whole.singular_values, rtol=1e-9)


def test_a_function_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"jac has shape \(2, 3\)"):
        null_space(lambda x: x, events(50, 3))
    with pytest.raises(ValueError, match="jac has shape"):
        null_space(lambda x: x[:2, None], events(50, 3))
    with pytest.raises(ValueError, match="not finite"):
        null_space(lambda x: x[:, None] / (x[:, :1, None] > -1), events(500, 3))
    with pytest.raises(ValueError, match="chunk=0"):
        null_space(*sphere(), chunk=0)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in other units")
def test_a_million_events_need_little_memory():
    "Less than the rows of the linear system, 160 MB, on top of events and Jacobians."
    code = """
import resource, torch
from symnb.flows.nullspace import null_space
torch.set_num_threads(1)
x = torch.randn(1_000_000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
jac = 2 * x[:, None] * torch.tensor([1.0, -1, -1, -1])
null_space(jac[:1000], x[:1000], "affine")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
space = null_space(jac, x, "affine")
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert space.n == 6 and space.singular_values[5] < 1e-12, space.message
assert more < 120_000, more
"""
    subprocess.run([sys.executable, "-c", code], check=True)
