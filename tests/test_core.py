"""The ground floor: devices, profiles, batched networks and the fit loop."""
import numpy as np
import pytest
import torch

from symnb.core import BatchedMLP, SymnbWarning, fit, jacobian, pick, resolve_device, torch_generator


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_missing_gpu_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="device='cuda' was asked for.*use device='auto' or 'cpu'"):
        resolve_device("cuda")


@pytest.mark.parametrize("device", ["abacus", "meta", 3.5])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ValueError, match="device="):
        resolve_device(device)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"


def test_profiles():
    assert [pick(p, smoke=1, quick=2, paper=3) for p in ("smoke", "quick", "paper")] == [1, 2, 3]
    with pytest.raises(ValueError, match="profile='huge' is unknown: use one of smoke, quick, paper"):
        pick("huge", smoke=1, quick=2, paper=3)


def test_global_random_states_are_left_alone():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    BatchedMLP(2, (3, 4, 1), generator=torch_generator(0, torch.device("cpu")))
    assert (np.random.get_state()[1] == before[0]).all() and torch.equal(torch.random.get_rng_state(), before[1])


@pytest.mark.parametrize("sizes", [(3, 2), (2, 8, 4), (4, 16, 16, 1)])
def test_jacobian_agrees_with_finite_differences(sizes):
    mlp = BatchedMLP(2, sizes, activation=torch.tanh, generator=generator()).double()
    x = torch.randn(2, 5, sizes[0], generator=generator(1), dtype=torch.float64)
    J, step = jacobian(mlp, x), 1e-6
    for i in range(sizes[0]):
        shift = step * torch.eye(sizes[0], dtype=torch.float64)[i]
        torch.testing.assert_close(J[..., i], (mlp(x + shift) - mlp(x - shift)) / (2 * step), atol=1e-8, rtol=1e-6)


def line_fit(targets, **options):
    "Fit K constants to K targets from minibatches of noisy values."
    theta = torch.zeros(len(targets), requires_grad=True)
    noise, values = torch.randn(1000, generator=generator(2)), torch.tensor(targets)
    loss = lambda i: ((theta[:, None] - values[:, None] - 0.01 * noise[i]) ** 2).mean(1)
    return theta, fit(loss, [theta], len(targets), 1000, generator=generator(), lr=3e-2, tol=1e-4, **options)


def test_every_run_of_a_batch_finds_its_own_minimum():
    theta, record = line_fit([0.5, -1.0, 2.0], hold=(300, 3000))
    torch.testing.assert_close(theta.detach(), torch.tensor([0.5, -1.0, 2.0]), atol=2e-3, rtol=0)
    assert record.converged.all() and record.loss.shape[1] == 3


def test_the_rule_trains_longer_when_the_way_is_longer():
    assert line_fit([20.0], hold=(100, 5000))[1].steps > line_fit([0.1], hold=(100, 5000))[1].steps


def test_a_fixed_length_is_kept_and_an_unfinished_training_is_told():
    assert line_fit([1.0], hold=(200, 200), decay=0.5)[1].steps == 300
    with pytest.warns(SymnbWarning, match="still improving after 300 steps"):
        record = line_fit([1000.0], hold=(100, 300))[1]
    assert not record.converged.any()


def test_a_plateau_hands_over_to_the_caller():
    seen = []
    def on_plateau(reached):
        seen.append(int(reached.sum()))
        return reached & (sum(seen) == 1)  # go on once
    _, record = line_fit([0.1], hold=(100, 5000), on_plateau=on_plateau)
    _, short = line_fit([0.1], hold=(100, 5000))
    assert record.steps > short.steps and sum(seen) == 2
