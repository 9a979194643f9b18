"""Oracles: known Jacobians, oracles that deserve no trust, and words for input that cannot be used."""
import numpy as np
import pytest
import torch
from torch import nn

from symnb.flows.labels import class_probabilities, oracle_score, read_labels
from symnb.flows.oracle import as_oracle, check_oracle, oracle_jacobian, row_space, train_oracle


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
    target, classes = read_labels(y, x)
    assert classes.tolist() == [-1, 4, 9] and np.array_equal(classes[target], y)
    assert train_oracle(x, y, steps=20, hidden=(8,)).select(0)(x).shape == (300, 3)


@pytest.mark.exact
def test_one_logit_is_that_of_the_second_class():
    p = class_probabilities(torch.tensor([[0.0], [20.0]]))
    torch.testing.assert_close(p, torch.tensor([[0.5, 0.5], [0.0, 1.0]]))


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
    (["a", "b"] * 10, "auto", TypeError, "y has labels of type"),
    (np.array(["0", "1"] * 10, dtype=object), "auto", TypeError, "y has labels of type"),
    ([0.5, 1.0] * 10, "classes", ValueError, "not integers"),
    ([1] * 20, "auto", ValueError, "one value only"), ([2.5] * 20, "auto", ValueError, "one value only"),
    ([0, 1] * 9, "auto", ValueError, "y has shape"), (np.zeros((3, 20)), "auto", ValueError, "y has shape"),
    ([0.0, np.nan] * 10, "auto", ValueError, "not finite"), (range(20), "auto", ValueError, "20 classes"),
    ([0, 1] * 10, "ranking", ValueError, "task='ranking'")])
def test_unusable_labels_are_named(y, task, error, words):
    with pytest.raises(error, match=words):
        train_oracle(torch.zeros(20, 2), y, task=task)
