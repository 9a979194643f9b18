"""The ground floor: devices, batched networks against plain ones, and the fit loop against closed forms."""
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

from symnb.core import (
    COLORS,
    PROFILES,
    SCHEDULE_COLORS,
    BatchedMLP,
    SymnbWarning,
    _Adam,
    figure_style,
    fit,
    jacobian,
    pick,
    product,
    resolve_device,
    torch_generator,
)

pytestmark = pytest.mark.exact
CPU = torch.device("cpu")


# Devices, seeds, profiles, style

def test_auto_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == resolve_device(CPU) == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"


def test_only_gpus_that_exist_are_accepted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    for device in ("cuda:2", torch.device("cuda", 2)):
        with pytest.raises(ValueError, match="cuda.*sees 2 GPUs"):
            resolve_device(device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(
            ValueError, match=f"device='{device}' .* sees 0 GPUs: use device='auto' or 'cpu', or install a GPU build"
        ):
            resolve_device(device)


@pytest.mark.parametrize(
    "device, words",
    [
        ("gpu", "is not a device: use"),
        (None, "is not a device: use"),
        (0.5, "is not a device: use"),
        ("meta", "is not supported: use"),
        ("mps", "is not supported: use"),
    ],
)
def test_what_is_no_device_is_refused(device, words):
    with pytest.raises(ValueError, match=f"device={device!r} {words} 'auto', 'cpu'"):
        resolve_device(device)


def test_random_states_are_those_of_scikit_learn():
    draws = lambda state: torch.rand(5, generator=torch_generator(state, CPU))
    assert draws(3).equal(draws(3)) and draws(3).equal(draws(np.random.RandomState(3)))
    assert not draws(3).equal(draws(4)) and not draws(None).equal(draws(None))
    state = np.random.RandomState(3)
    assert not draws(state).equal(draws(state))
    with pytest.raises(ValueError, match="seed"):
        torch_generator("three", CPU)


def test_global_random_states_are_left_alone():
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    BatchedMLP(2, (3, 4, 1), generator=torch_generator(0, CPU))
    fit_bowls(hold=(5, 5))
    assert (np.random.get_state()[1] == before[0]).all() and torch.equal(torch.random.get_rng_state(), before[1])


def test_a_profile_picks_its_value():
    assert [pick(p, smoke=1, quick=2, paper=3) for p in PROFILES] == [1, 2, 3]
    with pytest.raises(ValueError, match="profile='rough' is unknown: use one of smoke, quick, paper"):
        pick("rough", smoke=1, quick=2, paper=3)


def test_the_style_is_set_for_all_figures():
    with matplotlib.rc_context():
        figure_style()
        assert matplotlib.rcParams["savefig.dpi"] == 200
        assert (
            matplotlib.rcParams["axes.prop_cycle"].by_key()["color"][0] == COLORS["blue"] == SCHEDULE_COLORS["standard"]
        )


# K networks in one

def plain(model, k, activation):
    "Network k of a BatchedMLP as nn.Linear layers."
    layers = []
    for weight, bias in zip(model.weights, model.biases):
        linear = nn.Linear(*weight.shape[1:], dtype=weight.dtype)
        linear.weight.data, linear.bias.data = weight.data[k].T.clone(), bias.data[k, 0].clone()
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("function, activation", [(torch.relu, nn.ReLU), (torch.relu_, nn.ReLU), (torch.tanh, nn.Tanh)])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 16, 2), (1, 8, 8, 8, 5)])
def test_a_batched_network_is_k_plain_ones(sizes, function, activation):
    model = BatchedMLP(4, sizes, function, torch_generator(0, CPU)).double()
    x = torch.randn(4, 20, sizes[0], dtype=torch.float64)
    y = model(x)
    (y**2).sum().backward()
    assert y.shape == (4, 20, sizes[-1])
    for k in range(4):
        twin = plain(model, k, activation)
        torch.testing.assert_close(y[k], twin(x[k]))
        (twin(x[k]) ** 2).sum().backward()
        for layer, linear in enumerate(m for m in twin if isinstance(m, nn.Linear)):
            torch.testing.assert_close(model.weights[layer].grad[k], linear.weight.grad.T)
            torch.testing.assert_close(model.biases[layer].grad[k, 0], linear.bias.grad)


def test_weights_start_as_those_of_a_linear_layer():
    model = BatchedMLP(200, (9, 16), generator=torch_generator(0, CPU))
    for parameter in (*model.weights, *model.biases):
        assert parameter.abs().max() <= 1 / 3
        assert parameter.std().item() == pytest.approx(1 / 3 / 3**0.5, rel=0.05)  # uniform
    assert not model.weights[0][0].equal(model.weights[0][1])


def test_the_jacobian_of_a_linear_network_is_its_matrix():
    model = BatchedMLP(3, (4, 2), generator=torch_generator(0, CPU))
    J = jacobian(model, torch.randn(3, 7, 4))
    assert J.shape == (3, 7, 2, 4)
    torch.testing.assert_close(J, model.weights[0].mT[:, None].expand_as(J))


def test_the_jacobian_is_that_of_differences():
    model = BatchedMLP(2, (3, 16, 4), torch.tanh, torch_generator(0, CPU)).double()
    x, eps = torch.randn(2, 5, 3, dtype=torch.float64), 1e-6
    steps = eps * torch.eye(3, dtype=torch.float64)
    differences = torch.stack([(model(x + h) - model(x - h)) / (2 * eps) for h in steps], -1)
    torch.testing.assert_close(jacobian(model, x), differences, rtol=1e-6, atol=1e-8)


def test_the_jacobian_of_what_does_not_depend_on_its_input_is_zero():
    constant, bias = torch.ones(2, 5, 4), nn.Parameter(torch.ones(4))
    for network in (lambda x: constant, lambda x: constant + bias, lambda x: torch.sign(x[..., :1] + bias)):
        assert jacobian(network, torch.randn(2, 5, 3)).equal(torch.zeros(2, 5, 4, 3))


def test_the_jacobian_asks_for_gradients():
    with torch.inference_mode(), pytest.raises(RuntimeError, match="inference_mode"):
        jacobian(lambda x: x**2, torch.randn(2, 5, 3))


def test_the_jacobian_can_be_trained():
    "Σ J² of x ↦ a x² is 4 a² Σ x², the slope of which in a is 8 a Σ x²; it is a number where nobody asks for more."
    a, x = nn.Parameter(torch.tensor(3.0)), torch.randn(2, 5, 1)
    J = jacobian(lambda x: a * x**2, x, create_graph=True)
    torch.testing.assert_close(torch.autograd.grad(J.square().sum(), a)[0], 24 * x.square().sum())
    assert not jacobian(lambda x: a * x**2, x).requires_grad


def test_two_threads_do_not_share_a_jacobian():
    models = [BatchedMLP(2, (4, 16, 2), torch.tanh, torch_generator(seed, CPU)) for seed in range(3)]
    x = torch.randn(2, 200, 4)
    alone = [jacobian(model, x) for model in models]
    with ThreadPoolExecutor(3) as pool:
        together = [*pool.map(lambda k: jacobian(models[k % 3], x), range(90))]
    for k, J in enumerate(together):
        torch.testing.assert_close(J, alone[k % 3])


# The fit loop

TARGETS = torch.tensor([1.0, -2.0, 0.5])


def fit_bowls(seed=0, loss=lambda w, events: (w - TARGETS) ** 2, **options):
    "Fit three numbers; the default is (w - target)², whose minimum is known."
    w = nn.Parameter(torch.zeros(3))
    options = dict(generator=torch_generator(seed, CPU), hold=(200, 2000)) | options
    return w.detach(), fit(lambda events: loss(w, events), [w], 3, 50, **options)


def test_the_minimum_is_found_and_the_fit_stops():
    w, record = fit_bowls()
    torch.testing.assert_close(w, TARGETS, atol=1e-3, rtol=0)
    assert record.converged.all() and record.steps < 2 * 2000 and record.loss.shape == (len(record.loss), 3)
    assert (record.loss[-1] < 1e-5).all() and (record.loss[0] > record.loss[-1]).all()


def test_a_longer_way_is_trained_for_longer():
    steps = [
        fit_bowls(loss=lambda w, events: (w - distance) ** 2, hold=(100, 8000), lr=3e-2)[1].steps
        for distance in (0.1, 20.0)
    ]
    assert steps[0] < steps[1]


@pytest.mark.parametrize("hold, decay, steps", [((250, 250), 1.0, 500), ((200, 200), 0.5, 300), ((7, 7), 2.0, 21)])
def test_the_number_of_steps_can_be_fixed(hold, decay, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_bowls(hold=hold, decay=decay)[1].steps == steps


def test_the_rate_warms_up_holds_and_falls_as_a_cosine():
    "A constant gradient: Adam moves by the rate, Σ (i/100, i ≤ 100) + 100 + Σ (1 + cos πi/200)/2 = 251 steps' worth."
    w, _ = fit_bowls(loss=lambda w, events: w, hold=(200, 200), lr=1e-3)
    torch.testing.assert_close(w, torch.full((3,), -0.251), rtol=5e-4, atol=0)


def test_runs_that_still_improve_are_reported():
    with pytest.warns(SymnbWarning, match="3 of 3 runs were still improving after 500 steps"):
        _, record = fit_bowls(loss=lambda w, events: w, hold=(100, 500))
    assert not record.converged.any() and record.steps == 1000
    one = torch.tensor([1.0, 0.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # most have converged: no warning
        _, record = fit_bowls(loss=lambda w, events: one * w + (1 - one) * w**2, hold=(100, 500))
    assert record.converged.tolist() == [False, True, True]


def test_a_run_that_fails_does_not_touch_the_others():
    broken = torch.tensor([1.0, torch.nan, 1.0])
    w, _ = fit_bowls(loss=lambda w, events: broken * (w - TARGETS) ** 2)
    torch.testing.assert_close(w[[0, 2]], TARGETS[[0, 2]], atol=1e-3, rtol=0)


def test_every_run_draws_its_own_events():
    seen = []
    fit_bowls(loss=lambda w, events: (seen.append(events), w**2)[1], hold=(50, 50), batch_size=8)
    events = torch.stack(seen)
    assert events.shape == (100, 3, 8) and set(events.unique().tolist()) == set(range(50))
    assert not events[:, 0].equal(events[:, 1])


def test_the_callbacks_of_a_changing_problem():
    "A run that goes on after its first plateau has not converged until the next; the decay is announced once."
    offered, decays, goal = [], [], TARGETS.clone()
    def on_plateau(reached):
        go_on = reached & (goal == TARGETS)
        goal[go_on] += 1
        offered.append(reached)
        return go_on
    w, record = fit_bowls(
        loss=lambda w, events: (w - goal) ** 2, on_plateau=on_plateau, on_decay=lambda: decays.append(1)
    )
    assert record.converged.all() and decays == [1] and torch.stack(offered).sum(0).min() >= 2
    torch.testing.assert_close(w, TARGETS + 1, atol=1e-3, rtol=0)


def test_the_same_seed_gives_the_same_numbers():
    noisy = lambda w, events: (w - events.float().mean(1)) ** 2
    (w, one), (v, two), (u, _) = (fit_bowls(seed, noisy, hold=(100, 100)) for seed in (0, 0, 1))
    assert w.equal(v) and np.array_equal(one.loss, two.loss) and not w.equal(u)


def test_adam_forgets_what_vanished_and_nothing_else():
    adam = _Adam([torch.ones(3)], 0)
    adam.mean[0].copy_(torch.tensor([1e-36, -1e-25, 0.5]))
    adam.forget_vanished()
    torch.testing.assert_close(adam.mean[0], torch.tensor([0, -1e-25, 0.5]), rtol=0, atol=0)


def test_adam_takes_the_steps_of_torch():
    values = torch.linspace(-1, 2, 6).reshape(2, 3)
    (p, left), (q, _) = ([nn.Parameter(values.clone()), nn.Parameter(values.clone())] for _ in range(2))
    loss, adam, reference = lambda w: (w**4 - w).sum(), _Adam([p, left], 0.1), torch.optim.AdamW([q], weight_decay=0.1)
    for lr in (0.1, 0.02, 0.3):
        adam.descend(loss(p), lr)
        reference.param_groups[0]["lr"] = lr
        reference.zero_grad()
        loss(q).backward()
        reference.step()
    torch.testing.assert_close(p, q)
    assert left.equal(values) and not p.equal(values)


def test_a_training_does_not_wait_for_the_compiler_of_torch():
    code = ("import sys; from symnb.probe.estimator import SymmetryProbe; from symnb.data.geometry import circle; "
            "SymmetryProbe(max_steps=5, random_state=0).fit(circle(60, random_state=0)); "
            "sys.exit('torch._dynamo' in sys.modules)")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "torch._dynamo was imported"


@pytest.mark.parametrize("rows, inner, columns", [(128, 96, 7), (128, 7, 96), (5, 3, 1), (3, 4, 40), (1, 1, 1)])
def test_a_product_is_the_same_whichever_side_comes_first(rows, inner, columns):
    a, b, plus = (torch.randn(3, *shape, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
                  for i, shape in enumerate([(rows, inner), (inner, columns), (1, columns)]))
    torch.testing.assert_close(product(a, b), a @ b)
    torch.testing.assert_close(product(a, b, plus), a @ b + plus)
