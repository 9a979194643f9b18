"""Oracles: known Jacobians, oracles that deserve no trust, and words for input that cannot be used."""
import numpy as np
import pytest
import torch
from torch import nn

from symnb.flows.health import check_oracle, dead_events, varying_outputs
from symnb.flows.labels import class_probabilities, keep_back, oracle_score, rare_class, read_labels
from symnb.flows.oracle import as_oracle, oracle_jacobian, row_space, train_oracle


def events(n=600, d=3, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def radius(x):
    return (x**2).sum(-1)


def half_space(x):
    return (x[:, 0] > 0).long()


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 128), nn.SiLU(), nn.Linear(128, 32), nn.SiLU(), nn.Linear(32, 1))


# What is known

@pytest.mark.exact
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_jacobian_of_two_known_functions(dtype):
    x = events(50).to(dtype)
    two = lambda x: torch.stack([radius(x), x[:, 0] * x[:, 1]], 1)
    zero = torch.zeros(50)
    expected = torch.stack([2 * x, torch.stack([x[:, 1], x[:, 0], zero], 1)], 1)
    torch.testing.assert_close(oracle_jacobian(two, x, chunk=7), expected.to(dtype))


@pytest.mark.exact
def test_jacobian_of_a_module_in_its_own_precision():
    x, net = events(20).double(), nn.Linear(3, 4)
    jac = oracle_jacobian(net, x)
    assert jac.dtype == torch.float64
    torch.testing.assert_close(jac, net.weight.double().expand(20, 4, 3))


@pytest.mark.exact
def test_jacobian_of_several_oracles_keeps_them_apart():
    x = events(40).expand(2, -1, -1)
    jac = oracle_jacobian(lambda x: torch.stack([radius(x[0]), x[1, :, 2]]), x)
    torch.testing.assert_close(jac[0, :, 0], 2 * x[0])
    torch.testing.assert_close(jac[1, :, 0], torch.eye(3)[2].expand(40, 3))


@pytest.mark.exact
def test_row_space_is_the_projector_on_the_rows():
    jac = torch.randn(30, 2, 5, generator=torch.Generator().manual_seed(1)).double()
    jac[:10, 1] = 3 * jac[:10, 0]
    rows, rank = row_space(jac)
    assert rank.tolist() == [1] * 10 + [2] * 20
    projector = torch.linalg.pinv(jac) @ jac
    torch.testing.assert_close(rows.mT @ rows, projector)
    torch.testing.assert_close(row_space(rows)[0].mT @ row_space(rows)[0], projector)


def test_learned_oracles_are_scored_on_events_they_have_not_seen():
    far = lambda x: (radius(x) > 2.4).long()  # half of the events; a linear function of x would be at chance
    x = events(2000)
    oracles = train_oracle(x, far(x), n_models=2, steps=300, hidden=(32,), random_state=0)
    fresh = events(2000, seed=1)
    accuracy, chance = oracle_score(oracles(fresh.expand(2, -1, -1)), far(fresh).expand(2, -1), True)
    assert accuracy.min() > 0.8 and abs(accuracy - oracles.score).max() < 0.1 and (chance < 0.6).all()
    single = oracles.select(1)
    torch.testing.assert_close(single(fresh), oracles(fresh.expand(2, -1, -1))[1])
    assert check_oracle(single, fresh, far(fresh)).ok


def test_each_data_set_has_its_own_oracle():
    x = torch.stack([events(800, seed=s) for s in range(2)])
    y = torch.stack([x[0, :, 0], x[1, :, 1]])
    oracles = train_oracle(x, y, steps=300, hidden=(32,), random_state=0)
    gradient = oracle_jacobian(oracles, x)[:, :, 0].mean(1)
    torch.testing.assert_close(gradient, torch.eye(3)[:2].to(gradient.dtype), atol=0.25, rtol=0)
    assert oracles.score.min() > 0.9


def test_training_repeats_itself():
    x = events(300)
    first, again = (train_oracle(x, radius(x), steps=50, hidden=(8,), random_state=3)(x[None]) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.exact
def test_labels_of_any_number_are_classes():
    x, y = events(300), np.array([4, -1, 9])[np.arange(300) % 3]
    labels = read_labels(y, x)
    assert labels.classes.tolist() == [-1, 4, 9] and np.array_equal(labels.classes[labels.values], y)
    assert train_oracle(x, y, steps=20, hidden=(8,)).select(0)(x).shape == (300, 3)


@pytest.mark.exact
def test_one_logit_is_that_of_the_second_class():
    p = class_probabilities(torch.tensor([[0.0], [20.0]]))
    torch.testing.assert_close(p, torch.tensor([[0.5, 0.5], [0.0, 1.0]]))


@pytest.mark.parametrize("y, task, classes", [
    (["b", "a"] * 100, "classes", ["a", "b"]), (np.array(["b", "a"] * 100, dtype=object), "classes", ["a", "b"]),
    ([True, False] * 100, "classes", [False, True]), ([2.0, 1.0] * 100, "classes", [1, 2]),
    (np.arange(200) % 18, "classes", list(range(18))), (np.arange(200) % 40, "quantity", None),
    ((np.arange(200) % 11) ** 2 + (np.arange(200) % 7) ** 2, "quantity", None),
    (np.linspace(0, 1, 200), "quantity", None)])
def test_classes_and_quantities_are_told_apart(y, task, classes):
    labels = read_labels(y, torch.zeros(200, 2))
    assert labels.task == task and (classes is None or labels.classes.tolist() == classes)
    assert labels[[3, 1]].task == task and len(labels[np.arange(10)]) == 10 and read_labels(labels, None) is labels


def test_eighteen_numbers_in_a_hundred_events_are_a_quantity():
    assert read_labels(np.arange(100) % 18, torch.zeros(100, 2)).task == "quantity"


@pytest.mark.exact
def test_no_class_is_missing_on_either_side():
    x, y = torch.zeros(400, 2), np.r_[np.zeros(388), np.ones(12)]
    for seed in range(20):
        labels, order = read_labels(y, x), np.random.default_rng(seed).permutation(400)
        test, train = keep_back(labels, order, 20)
        assert sorted([*test, *train]) == list(range(400)) and {0, 1} == {*y[test]} == {*y[train]}
    assert rare_class(labels) is None and rare_class(read_labels(np.linspace(0, 1, 400), x)) is None
    assert "3 events of the class 1.0, in 400" in rare_class(read_labels(np.r_[np.zeros(397), np.ones(3)], x))


# Oracles that no symmetry may be claimed from

@pytest.mark.parametrize("oracle, reason", [
    (lambda x: 0 * x[:, 0] + 3, "constant"),
    (lambda x: torch.ones(len(x)), "constant"),
    (lambda x: torch.relu(x[:, 0]), "flat at"),
    (lambda x: torch.relu(x[:, 0] + 1.5) + torch.relu(-x[:, 0] - 2.5), "flat at"),
    (lambda x: torch.sigmoid(40 * x[:, 0]), "flat at"),
    (lambda x: torch.round(3 * x[:, 0]), "step function"),
])
def test_flat_oracles_are_refused(oracle, reason):
    health = check_oracle(oracle, events())
    assert not health.ok and reason in health.message and health.dead_share > 0.01


def test_random_labels_are_refused():
    x, y = events(800), torch.randint(2, (800,), generator=torch.Generator().manual_seed(1))
    oracle = train_oracle(x, y, steps=300, random_state=0).select(0)
    fresh, labels = events(800, seed=2), torch.randint(2, (800,), generator=torch.Generator().manual_seed(3))
    health = check_oracle(oracle, fresh, labels)
    assert not health.ok and "chance" in health.message and abs(health.score - 0.5) < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_an_untrained_oracle_is_refused_even_when_it_is_lucky(seed):
    x = events(1000)
    health = check_oracle(network(seed), x, half_space(x))
    assert not health.ok and ("chance" in health.message or "not trained" in health.message)


def test_an_oracle_of_other_data_is_refused():
    x = events(1000)
    health = check_oracle(lambda x: 5 * x[:, 1], x, half_space(x))
    assert not health.ok and "chance" in health.message


@pytest.mark.parametrize("oracle, y", [(radius, None), (radius, radius), (lambda x: 3 * x[:, 0], half_space)])
def test_a_good_oracle_is_accepted(oracle, y):
    x = events()
    health = check_oracle(oracle, x, None if y is None else y(x))
    assert health.ok and health.rank == 1 and "rank 1 of 3" in health.message


def test_a_large_offset_is_no_constant():
    assert check_oracle(lambda x: 1e4 + radius(x), events()).ok


# Words for what cannot be used

@pytest.mark.parametrize("oracle, error, words", [
    (3, TypeError, "not callable"),
    (lambda x: x.argmax(1), TypeError, "not differentiable"),
    (lambda x: radius(x).detach(), TypeError, "not differentiable"),
    (lambda x: torch.tensor(np.sin(x.numpy())), TypeError, "not differentiable"),
    (lambda x: np.zeros(len(x)), TypeError, "torch Tensor"),
    (lambda x: x.log(), ValueError, "not finite"),
    (lambda x: x[:5, 0], ValueError, "one row for each event"),
    (lambda x: radius(x).sum(), ValueError, "one row for each event"),
    (lambda x: radius(x) - radius(x).mean(), ValueError, "mixes the events"),
    (lambda x: nn.BatchNorm1d(3, affine=False)(x), ValueError, "mixes the events"),
])
def test_unusable_oracles_are_named(oracle, error, words):
    for use in (as_oracle, check_oracle):
        with pytest.raises(error, match=words):
            use(oracle, events(20))


@pytest.mark.parametrize("x, error, words", [
    (torch.zeros(5), ValueError, "x has shape"), (torch.zeros(0, 3), ValueError, "x has shape"),
    (torch.full((5, 3), torch.nan), ValueError, "x has values"), ("abc", TypeError, "x is not an array"),
    (np.array([["a", "b"]] * 5), TypeError, "x is not an array")])
def test_unusable_events_are_named(x, error, words):
    for use in (lambda: check_oracle(radius, x), lambda: train_oracle(x, [0, 1, 0, 1, 0])):
        with pytest.raises(error, match=words):
            use()


@pytest.mark.parametrize("y, task, error, words", [
    (["a", "b"] * 10, "quantity", TypeError, "y has texts"), ([1j] * 20, "auto", TypeError, "y has labels of type"),
    (np.array(["a", None] * 10, dtype=object), "auto", ValueError, "missing labels"),
    ([0.5, 1.0] * 10, "classes", ValueError, "fractions"),
    ([1] * 20, "auto", ValueError, "one value only"), ([2.5] * 20, "auto", ValueError, "one value only"),
    ([0, 1] * 9, "auto", ValueError, "y has shape"), (np.zeros((3, 20)), "auto", ValueError, "y has shape"),
    ([0.0, np.nan] * 10, "auto", ValueError, "not finite"), (range(20), "classes", ValueError, "20 classes"),
    ([0, 1] * 10, "ranking", ValueError, "task='ranking'")])
def test_unusable_labels_are_named(y, task, error, words):
    with pytest.raises(error, match=words):
        train_oracle(torch.zeros(20, 2), y, task=task)


# Steep oracles, and outputs in any units

STEEP = {"exp": torch.exp, "log": torch.log, "power": lambda r2: r2**20, "inverse": lambda r2: r2**-0.5}


@pytest.mark.parametrize("name", STEEP)
def test_a_steep_oracle_is_not_flat(name):
    x = events().double()
    health = check_oracle(lambda x: STEEP[name](x.square().sum(1)), x)
    assert health.ok and health.dead_share < 0.01 and health.rank == 1


@pytest.mark.exact
def test_the_units_of_outputs_do_not_change_the_row_space():
    jac = torch.randn(50, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, rank = row_space(jac)
    scaled, again = row_space(jac * torch.tensor([1e7, 1.0, 1e-5], dtype=torch.float64)[:, None])
    assert (rank == 3).all() and (again == 3).all()
    torch.testing.assert_close(rows.mT @ rows, scaled.mT @ scaled)


@pytest.mark.exact
def test_an_output_that_is_constant_to_rounding_does_not_vary():
    x = events().double()
    value = torch.stack([x[:, 0], 1e6 + 1e-12 * x[:, 1], 1e-30 * x[:, 2]], 1)
    assert varying_outputs(value).tolist() == [True, False, True]
    assert dead_events(torch.ones(len(x)), value[:, :0]).all()
