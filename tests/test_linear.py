"""The linear VAE against what can be written down: the closed form, and the loss of any other parameters."""
import numpy as np
import pytest
import torch

from symnb.probe.linear import linear_loss, linear_optimum, train_linear_vae
from symnb.probe.vae import kl_terms

pytestmark = pytest.mark.exact
EIGENVALUES, S2 = np.array([3.0, 1.5, 0.6, 0.1]), 0.3


@pytest.fixture(scope="module")
def axes():
    return np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]


@pytest.fixture(scope="module")
def covariance(axes):
    return axes @ np.diag(EIGENVALUES) @ axes.T


@pytest.fixture(scope="module")
def trained(covariance):
    return train_linear_vae(np.stack([covariance] * 3), np.full(3, S2), 4, steps=3000, random_state=0)


def best_parameters(axes):
    "The optimum as tensors W, V, log σ² with a leading axis."
    optimum = linear_optimum(EIGENVALUES, S2)
    W = axes * np.sqrt(np.maximum(EIGENVALUES - S2, 0))
    V = (optimum.sigma**2 / S2 * W).T
    return [torch.as_tensor(a)[None] for a in (W, V, 2 * np.log(optimum.sigma))]


def test_optimum_is_stationary_and_best(axes, covariance):
    C, s2 = torch.as_tensor(covariance)[None], torch.tensor([S2], dtype=torch.float64)
    parameters = [p.requires_grad_() for p in best_parameters(axes)]
    loss = linear_loss(*parameters, C, s2)
    loss.sum().backward()
    assert max(p.grad.abs().max() for p in parameters) < 1e-12
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        moved = [p.detach() + 0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        assert linear_loss(*moved, C, s2) > loss


def test_loss_of_optimum_is_sum_of_gains(axes, covariance):
    C, s2 = torch.as_tensor(covariance)[None], torch.tensor([S2], dtype=torch.float64)
    nothing = EIGENVALUES.sum() / (2 * S2)
    assert linear_loss(*best_parameters(axes), C, s2).item() == pytest.approx(
        nothing - linear_optimum(EIGENVALUES, S2).gain.sum()
    )


def test_loss_is_the_sampled_elbo(axes, covariance):
    generator = torch.Generator().manual_seed(1)
    x = (
        torch.randn(200_000, 4, generator=generator, dtype=torch.float64)
        @ torch.linalg.cholesky(torch.as_tensor(covariance)).T
    )
    C = (x.T @ x / len(x))[None]
    W, V, log_var = [p + 0.2 for p in best_parameters(axes)]
    mu = x @ V[0].T
    z = mu + (0.5 * log_var[0]).exp() * torch.randn(mu.shape, generator=generator, dtype=torch.float64)
    sampled = ((x - z @ W[0].T) ** 2).sum(1) / (2 * S2) + kl_terms(mu, log_var.expand_as(mu)).sum(1)
    exact = linear_loss(W, V, log_var, C, torch.tensor([S2], dtype=torch.float64))
    assert sampled.mean().item() == pytest.approx(exact.item(), abs=5 * sampled.std().item() / len(x) ** 0.5)


def test_training_reaches_optimum(trained):
    optimum = linear_optimum(EIGENVALUES, S2)
    assert np.allclose(-np.sort(-trained.relevance), optimum.rho, atol=0.05)
    assert np.allclose(trained.loss, EIGENVALUES.sum() / (2 * S2) - optimum.gain.sum(), atol=0.01)


def test_decoder_columns_are_principal_axes(trained, axes):
    for W, rho in zip(trained.decoder, trained.relevance):
        columns = W[:, np.argsort(-rho)][:, :3]
        assert (abs((columns / np.linalg.norm(columns, axis=0) * axes[:, :3]).sum(0)) > 0.99).all()


def test_too_few_latents_keep_the_largest_axes(covariance, axes):
    "Their plane is found soon, and the loss with it; how the two latents turn in the plane comes later."
    trained = train_linear_vae(covariance[None], [S2], 2, steps=1000, random_state=1)
    plane = np.linalg.qr(trained.decoder[0])[0]
    assert np.linalg.svd(axes[:, :2].T @ plane)[1].min() > 0.99
    best = EIGENVALUES.sum() / (2 * S2) - linear_optimum(EIGENVALUES[:2], S2).gain.sum()
    assert trained.loss[0] == pytest.approx(best, abs=0.2)  # with the third axis for the second it is 1 more


def test_optimum_over_several_noises():
    optimum = linear_optimum(EIGENVALUES, np.array([[0.05], [10.0]]))
    assert (optimum.rho[0] > 0).all() and (optimum.rho[1] == 0).all() and (optimum.sigma[1] == 1).all()
    assert np.allclose(optimum.kl, -np.log(optimum.sigma))


@pytest.mark.parametrize(
    "eigenvalues, s2, word",
    [([1.0], 0.0, "s2"), ([1.0], [-1.0], "s2"), ([-0.1], 1.0, "eigenvalues"), ([np.nan], 1.0, "eigenvalues")],
)
def test_optimum_refuses(eigenvalues, s2, word):
    with pytest.raises(ValueError, match=word):
        linear_optimum(eigenvalues, s2)


@pytest.mark.parametrize("shape, s2", [((3, 3), [1.0]), ((1, 2, 3), [1.0]), ((2, 3, 3), [1.0]), ((1, 3, 3), [0.0])])
def test_training_refuses(shape, s2):
    with pytest.raises(ValueError, match="covariance"):
        train_linear_vae(np.zeros(shape), s2, 2)
