"""Autoencoders of the flows: what principal components can do is the floor, and shapes, scales and errors are facts."""
import numpy as np
import pytest
import torch

from symnb.flows.latents import platonic, principal_axes, train_autoencoder

FAST = dict(steps=400, batch_size=100, random_state=0, device="cpu")


def curve(n=800, seed=0):
    "A closed curve in five dimensions that is no straight line: its coordinates (n, 5)."
    t = np.random.default_rng(seed).uniform(0, 2, (n, 1))
    return np.concatenate([np.cos(3 * t), np.sin(3 * t), t, t**2, np.cos(2 * t)], 1)


def pca_unexplained(x, k):
    variance = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    return variance[k:].sum() / variance.sum()


@pytest.fixture(scope="module")
def trained():
    return train_autoencoder(curve(), 1, n_models=2, **FAST)


# What is learned

def test_it_beats_principal_components_with_as_many_latents(trained):
    assert trained.unexplained.max() < 0.2 * pca_unexplained(curve(), 1)


def test_the_error_is_that_of_the_reconstruction_of_held_out_events():
    held_out = curve(seed=1)
    one = train_autoencoder(curve(), 1, held_out=held_out, **FAST)
    error = (one.decode(one.encode(held_out)) - torch.tensor(held_out)).square().mean()
    np.testing.assert_allclose(one.mse, [float(error)], rtol=1e-4)


def test_latents_have_one_scale_and_keep_their_relative_sizes():
    "Three directions of unequal variance: the latents' variances average to 1 and stay unequal."
    x = np.random.default_rng(0).normal(size=(2000, 3)) * [5, 2, 1]
    z = train_autoencoder(x, 3, **FAST).encode(torch.tensor(x))
    np.testing.assert_allclose(z.var(0).mean(), 1, atol=0.1)
    np.testing.assert_allclose(z.mean(0), np.zeros(3), atol=0.1)
    eigenvalues = np.linalg.eigvalsh(np.cov(z.numpy().T))
    assert eigenvalues[-1] > 2 * eigenvalues[0]


@pytest.mark.parametrize("factor, shift", [(1e-6, 0.0), (1e6, 1e6)])
def test_the_unit_of_the_events_does_not_matter(factor, shift):
    other = train_autoencoder(curve() * factor + shift, 1, **FAST)
    same = train_autoencoder(curve(), 1, **FAST)
    np.testing.assert_allclose(other.unexplained, same.unexplained, rtol=0.3, atol=1e-3)


def test_columns_in_other_units_need_the_scale_of_each():
    "The second column is a function of a latent of its own, in units a thousand times smaller."
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 1000, 1))
    x = np.concatenate([a, a**2, 1e-3 * b, 1e-3 * b**2], 1)
    def small(scale):
        model = train_autoencoder(x, 2, scale=scale, **FAST)
        rest = model.decode(model.encode(torch.tensor(x))).numpy()[:, 2:] - x[:, 2:]
        return rest.var() / x[:, 2:].var(0).mean()
    assert small("feature") < 0.1 < 0.5 < small("global")


def test_the_same_seed_gives_the_same_numbers(trained):
    again = train_autoencoder(curve(), 1, n_models=2, **FAST)
    np.testing.assert_array_equal(trained.mse, again.mse)
    assert trained.mse[0] != trained.mse[1]


# Shapes and types

def test_shapes_of_many_and_of_one(trained):
    x, one = torch.tensor(curve(30)), trained.select(1)
    assert trained.encode(x).shape == (2, 30, 1) and trained.decode(trained.encode(x)).shape == (2, 30, 5)
    assert one.encode(x).shape == (30, 1) and one.encode(x.expand(3, -1, -1)).shape == (3, 30, 1)
    near = dict(atol=1e-5, rtol=1e-4)  # the networks compute in single precision
    torch.testing.assert_close(one.encode(x), trained.encode(x)[1], **near)
    torch.testing.assert_close(one.decode(one.encode(x)), trained.decode(trained.encode(x))[1], **near)
    assert one.mse == trained.mse[1] and (one.n_models, one.latent_dim, one.n_features) == (1, 1, 5)


def test_precision_follows_the_argument_and_pixels_may_be_bytes(trained):
    one = trained.select(0)
    assert (
        one.encode(curve(5)).dtype == torch.float64 and one.encode(curve(5).astype(np.float32)).dtype == torch.float32
    )
    assert one.encode(np.ones((2, 5), dtype=np.uint8)).dtype == torch.float32


def test_decoding_is_differentiable(trained):
    z = torch.zeros(4, 1, requires_grad=True)
    trained.select(0).decode(z).sum().backward()
    assert z.grad.abs().min() > 0


def test_few_features_are_only_rotated_and_many_are_cut():
    x = torch.randn(400, 300, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -6, 300)
    axes = principal_axes(x)
    assert axes.forth.shape == (300, 256)
    torch.testing.assert_close(axes.inverse(axes(x)), x, atol=1e-4, rtol=1e-3)
    assert principal_axes(x[:, :200]).forth.shape == (200, 200)


def test_platonic_points_are_the_centres_of_the_classes():
    z = torch.arange(24.0).reshape(2, 6, 2)
    classes, centres = platonic(z, [7, 3, 7, 3, 7, 3])
    assert classes.tolist() == [3, 7]
    torch.testing.assert_close(centres, torch.stack([z[:, 1::2].mean(1), z[:, ::2].mean(1)], 1))


# What is refused

@pytest.mark.parametrize("x, latent_dim, error, word", [
    (np.ones((50, 3)), 2, ValueError, "does not vary"),
    (np.full((50, 3), np.nan), 2, ValueError, "missing or infinite"),
    (curve(50).reshape(50, 5, 1), 2, ValueError, "flatten"),
    (curve(50), 6, ValueError, "latent_dim=6"),
    (curve(50), 0, ValueError, "latent_dim=0"),
    (curve(50), 2.0, TypeError, "latent_dim=2.0"),
    (curve(10), 2, ValueError, "at least 20"),
    (np.full((50, 3), "a"), 2, TypeError, "numbers"),
])
def test_bad_events_are_named(x, latent_dim, error, word):
    with pytest.raises(error, match=word):
        train_autoencoder(x, latent_dim, **FAST)


def test_bad_arguments_are_named(trained):
    with pytest.raises(ValueError, match="scale='both'"):
        train_autoencoder(curve(50), 1, scale="both", **FAST)
    with pytest.raises(ValueError, match="held_out"):
        train_autoencoder(curve(50), 1, held_out=curve(50)[:, 0], **FAST)
    with pytest.raises(ValueError, match=r"\(n, 5\)"):
        trained.encode(curve(9)[:, :4])
    with pytest.raises(ValueError, match="select"):
        trained.encode(torch.zeros(3, 9, 5))
    with pytest.raises(ValueError, match="one label for each"):
        platonic(torch.zeros(4, 2), [0, 1])
