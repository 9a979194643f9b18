"The shares that a reconstruction keeps, against the closed form of the linear autoencoder and shapes with noise."
import numpy as np
import pytest
import torch

from symnb.data.geometry import gaussian, sphere
from symnb.probe.dimension import count_kept, kept_spectrum
from symnb.probe.sweep import probe_sweep
from symnb.probe.vae import BatchedVAE


@pytest.mark.parametrize("s2", [0.05, 0.25, 0.8])
@pytest.mark.exact
def test_linear_autoencoder_keeps_what_theory_says(s2):
    v, rotation = np.array([4.0, 1.0, 0.5]), np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    kept = np.sqrt(np.maximum(v - s2, 0))
    vae = BatchedVAE(1, 3, 3, hidden=()).double()
    vae.decoder.weights[0].data = torch.tensor(np.diag(kept) @ rotation)[None]
    vae.encoder.weights[0].data = torch.tensor(np.hstack([rotation.T @ np.diag(kept / v), np.zeros((3, 3))]))[None]
    vae.encoder.biases[0].data = torch.tensor(np.append(np.zeros(3), np.log(np.minimum(s2 / v, 1))))[None, None]
    share = kept_spectrum(vae, torch.randn(1, 7, 3).double(), torch.tensor([[s2]]).double())
    np.testing.assert_allclose(share, [np.maximum(1 - s2 / v, 0)], atol=1e-12)


@pytest.mark.exact
def test_a_rotation_of_the_data_changes_nothing():
    vae = BatchedVAE(2, 4, 3, hidden=(8,), generator=torch.Generator().manual_seed(1)).double()
    x, s2 = (
        torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(2)).double(),
        torch.tensor([[0.1], [0.2]]).double(),
    )
    before, turn = (
        kept_spectrum(vae, x, s2),
        torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(3)).double())[0],
    )
    vae.encoder.weights[0].data = turn.T @ vae.encoder.weights[0].data
    for part in (vae.decoder.weights[-1], vae.decoder.biases[-1]):
        part.data = part.data @ turn
    np.testing.assert_allclose(kept_spectrum(vae, x @ turn, s2), before, atol=1e-12)
    assert before.shape == (2, 4) and (np.diff(before) <= 0).all()


@pytest.mark.parametrize(
    "share, truth",
    [
        ([1, 1, 1], 3),
        ([0.3, 0.2, 0], 0),
        ([1.3, 0.9, 0.55, 0.1], 3),
        ([1, 0.8, 0.4, 0.05], 2),
        ([0.95, 0.6, 0.36, 0.34], 1),
        ([0.9, 0.8, 0.7, -0.1], 3),
    ],
)
@pytest.mark.exact
def test_count(share, truth):
    assert count_kept(np.array(share)) == truth


def test_noise_below_the_resolution_does_not_count():
    rng = np.random.default_rng(0)
    flat = gaussian(800, 2, random_state=0) @ np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    shapes = [flat, np.pad(sphere(800, random_state=0), ((0, 0), (0, 2)))]
    data = [x + 0.2 * x.std(0) * rng.normal(size=x.shape) for x in shapes]
    found = probe_sweep(data, 0.25, schedules=("standard",), max_steps=1000, random_state=0)
    share = kept_spectrum(found.runs.vae, torch.as_tensor(found.x[:, :200], dtype=torch.float32), found.runs.s2)
    assert count_kept(share).tolist() == [2, 2]
    assert (share[:, 1] > 0.6).all() and (share[:, 2] < 0.5).all()
