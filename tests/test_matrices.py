"Gradient training against Lie theory: what exists is learned to machine precision, what does not is refused."
import pytest
import torch

from symnb.flows.families import linear, matrices
from symnb.flows.matrices import (
    closure_residual,
    invariance_factor,
    lbfgs,
    matrix_losses,
    train_finite_matrices,
    train_matrices,
)
from symnb.lie import closure, identify, killing_form, signature

pytestmark = pytest.mark.exact


def data(signs, seed=0, n=500):
    x = torch.randn(n, len(signs), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * x * torch.tensor(signs))[:, None], x


O3, O4, LORENTZ = (1, 1, 1), (1, 1, 1, 1), (1, -1, -1, -1)


@pytest.mark.parametrize(
    "signs, N, name, killing",
    [(O3, 3, "so(3)", (0, 3, 0)), (O4, 6, "so(4)", (0, 6, 0)), (LORENTZ, 6, "so(1,3)", (3, 3, 0))],
)
def test_the_algebra_is_learned(signs, N, name, killing):
    run = train_matrices(*data(signs), N, random_state=0)
    assert run.total_on(*data(signs, seed=1))[run.total.argmin()] <= 1e-12
    c = closure(run.coefficients).constants
    assert identify(c).name == name and signature(killing_form(c), tol=1e-6) == killing


@pytest.mark.parametrize("signs, N", [(O4, 2), (O4, 3), (O4, 4), (LORENTZ, 2), (LORENTZ, 3), (LORENTZ, 4)])
def test_subalgebras_are_learned(signs, N):
    run = train_matrices(*data(signs), N, n_replicas=6, random_state=0)
    assert run.total.min() <= 1e-12
    assert closure(run.coefficients).residual < 1e-10


@pytest.mark.parametrize("signs, N", [(O3, 2), (O3, 4), (O4, 5), (O4, 7), (LORENTZ, 5), (LORENTZ, 7)])
def test_what_does_not_exist_is_refused(signs, N):
    run = train_matrices(*data(signs), N, random_state=0)
    assert run.total.min() > 0.3 and run.total_on(*data(signs, seed=1)).min() > 0.3


def test_without_closure_two_rotations_are_fine():
    run = train_matrices(*data(O3), 2, closure=False, random_state=0)
    assert run.total.min() < 1e-18 and set(run.losses) == {"invariance", "normalization", "orthogonality"}


def test_so10():
    run = train_matrices(*data((1,) * 10, n=1000), 45, n_replicas=1, random_state=0)
    assert run.total.min() <= 1e-10
    assert (run.coefficients + run.coefficients.mT).abs().max() < 1e-8


def test_affine_generators_of_the_paraboloid():
    x = data(O3)[1]
    jac = torch.stack([-x[:, 0], -x[:, 1], torch.ones(len(x))], -1)[:, None]
    run = train_matrices(jac, x, 3, "affine", random_state=0)
    assert run.total.min() < 1e-12
    assert identify(closure(matrices(run.family, run.coefficients)).constants).name == "e(2)"


def test_replicas_are_the_same_alone_and_together():
    jac, x = data(O3)
    runs = train_matrices(jac, x, 3, n_replicas=5, random_state=3)
    assert runs.replicas.shape == (5, 3, 3, 3) and runs.total.shape == (5,)
    again = train_matrices(jac, x, 3, n_replicas=5, random_state=3)
    assert torch.equal(runs.replicas, again.replicas)
    assert runs(x).shape == (3, 500, 3)


def test_the_factor_replaces_the_events():
    jac, x = data(LORENTZ, n=5000)
    C = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = jac / jac.norm(dim=-1, keepdim=True)
    direct = (torch.einsum("nkd,adp,np->ank", unit, C, x) ** 2).sum((0, 2)).mean()
    assert torch.isclose(matrix_losses(linear(4), C, invariance_factor(linear(4), jac, x))["invariance"], direct)


def test_closure_residual_of_rotations_and_of_a_pair():
    L = torch.zeros(3, 3, 3, dtype=torch.float64)
    for a in range(3):
        L[a, (a + 1) % 3, (a + 2) % 3], L[a, (a + 2) % 3, (a + 1) % 3] = -1, 1
    assert closure_residual(L).abs().max() < 1e-15
    assert closure_residual(L[:2]).square().sum() == 4  # [L1, L2] = L3, twice


def test_lbfgs_minimises_every_loss_by_itself():
    target = torch.tensor([[1.0, -2], [30, 4], [0, 0]], dtype=torch.float64)
    stiff = torch.tensor([1.0, 1e4], dtype=torch.float64)
    w, value, steps = lbfgs(lambda w: (stiff * (w - target) ** 2).sum(1), torch.zeros(3, 2, dtype=torch.float64))
    assert torch.allclose(w, target, atol=1e-9) and (value < 1e-18).all() and steps < 60


def test_finite_transformations_find_reflections():
    oracle, x = (lambda x: (x**2).sum(-1, keepdim=True)), data(O3)[1]
    found = train_finite_matrices(oracle, x, n_replicas=16, random_state=0)
    M = found.coefficients[sum(found.losses.values()) < 1e-12]
    assert len(M) >= 8 and (M @ M.mT - torch.eye(3)).abs().max() < 1e-4
    assert set(torch.linalg.det(M).round().int().tolist()) == {1, -1}
    assert (oracle(found(x)[0]) - oracle(x)).abs().max() < 1e-4


def test_finite_transformations_of_a_half_line():
    "sign changes of x in x² + y: the mirror, and shears x → x + ..., never the identity."
    x = data((1, 1))[1]
    found = train_finite_matrices(lambda x: x[..., :1] ** 2 + 3 * x[..., 1:] ** 2, x, n_replicas=16, random_state=0)
    good = sum(found.losses.values()) < 1e-12
    metric = torch.diag(torch.tensor([1.0, 3], dtype=torch.float64))
    M = found.coefficients[good]
    assert good.any() and (M.mT @ metric @ M - metric).abs().max() < 1e-4


@pytest.mark.parametrize("N", [0, 10])
def test_impossible_numbers(N):
    with pytest.raises(ValueError, match="n_generators"):
        train_matrices(*data(O3), N)


def test_polynomials_do_not_close():
    with pytest.raises(ValueError, match="closure"):
        train_matrices(*data(O3), 2, "polynomial")
    assert train_matrices(*data(O3), 2, "polynomial", closure=False, random_state=0).total.min() < 1e-15
