"""Weights of events: copies and weights teach the same, negative ones are shared among neighbours."""

import numpy as np
import pytest
import torch

from symnb import SymmetryFlows
from symnb.checks import check_weights, effective_number
from symnb.flows.formulas import fit_formula, least_squares, logistic
from symnb.flows.labels import Labels
from symnb.flows.oracle import train_oracle
from symnb.flows.weights import without_negative


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_weights_are_copies_for_least_squares_and_logistic_regression():
    x, copies = torch.tensor(normal(300, 3)), torch.tensor(np.random.default_rng(1).integers(1, 4, 300))
    y = torch.tensor(normal(300, 1, 2))
    many = torch.repeat_interleave(torch.arange(300), copies)
    torch.testing.assert_close(least_squares(x, y, copies.double()), least_squares(x[many], y[many]))
    label = (y[:, 0] + x[:, 0] > 0).long()
    torch.testing.assert_close(logistic(x, label, 2, copies.double()), logistic(x[many], label[many], 2), rtol=1e-4,
                               atol=1e-4)


def test_a_formula_follows_the_events_that_count():
    x = torch.tensor(normal(1000, 2))
    y = torch.where(torch.arange(1000)[:, None] < 500, x[:, :1] ** 2, x[:, 1:] ** 2)
    weight = (torch.arange(1000) < 500).double() + 1e-9
    oracle = fit_formula(x, Labels(y), 2, weight=weight)
    torch.testing.assert_close(oracle(x[None])[0], x[:, :1] ** 2, rtol=1e-3, atol=1e-3)


def test_a_network_follows_the_events_that_count():
    x = torch.tensor(normal(2000, 1))
    label = torch.where(torch.arange(2000) % 2 == 0, (x[:, 0] > 0).long(), (x[:, 0] < 0).long())
    weight = torch.where(torch.arange(2000) % 2 == 0, 1.0, 1e-3).double()
    one = train_oracle(x, label, steps=300, weight=weight, random_state=0).select(0)
    assert float(one(torch.tensor([[2.0]]).double())) > 1 > -1 > float(one(torch.tensor([[-2.0]]).double()))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4])
def test_negative_weights_are_shared_and_sums_over_regions_stay(share):
    x = normal(4000, 2)
    w = np.where(np.random.default_rng(3).random(4000) < share, -1.0, 1.0)
    positive = without_negative(x, w)
    assert positive.min() >= 0 and positive.sum() == pytest.approx(w.sum())
    assert effective_number(positive) >= 0.9 * effective_number(w)
    for a, b in ((-0.5, 0.5), (0, 1), (-2, 0)):
        inside = (x[:, 0] > a) & (x[:, 0] < b)
        assert positive[inside].sum() == pytest.approx(w[inside].sum(), rel=0.1)


def test_positive_weights_are_left_alone():
    w = np.random.default_rng(0).random(100)
    np.testing.assert_array_equal(without_negative(normal(100, 2), w), w)


def test_more_negative_than_positive_weights_teach_nothing():
    with pytest.raises(ValueError, match="negative weights outweigh"):
        without_negative(normal(10, 2), -np.ones(10))


@pytest.mark.parametrize("weight, words", [
    (np.ones(7), "shape"), (np.zeros(10), "zero for all"), ([np.nan] * 10, "not finite"), (["a"] * 10, "numbers"),
])
def test_weights_that_cannot_be_are_named(weight, words):
    with pytest.raises(ValueError, match=f"sample_weight.*{words}"):
        check_weights(weight, 10)


@pytest.mark.parametrize("weights", ["positive", "any sign"])
@pytest.mark.parametrize("learned", [False, True])
def test_a_rotation_survives_its_weights(weights, learned):
    X = normal(3000, 3)
    w = np.random.default_rng(4).exponential(size=3000)
    w = np.where(np.arange(3000) % 7 == 0, -w, w) if weights == "any sign" else w
    r2 = (X**2).sum(1) + 0.05 * np.random.default_rng(5).normal(size=3000)
    flows = SymmetryFlows("all", generators="linear", random_state=0,
                          oracle="formula" if learned else lambda x: (x**2).sum(1))
    flows.fit(X, r2 if learned else None, sample_weight=w)
    assert flows.algebra_.startswith("so(3)")
    assert ("negative" in flows.message_) == (weights == "any sign")


def test_events_without_weight_are_not_there():
    X = normal(2000, 3)
    y = np.where(np.arange(2000) < 1000, (X**2).sum(1), X[:, 0] ** 3)
    flows = SymmetryFlows("all", generators="linear", random_state=0)
    assert flows.fit(X, y, sample_weight=np.arange(2000) < 1000).algebra_.startswith("so(3)")


def test_events_without_weight_are_not_asked_of_a_given_oracle():
    X, there = normal(600, 3), normal(600, 3)[:, 2] > 0
    oracle = lambda x: torch.where(x[:, 2] > 0, (x[:, :2] ** 2).sum(1), torch.nan)
    flows = SymmetryFlows("all", oracle=oracle, generators="linear", random_state=0).fit(X, sample_weight=there)
    assert flows.n_generators_ == 4 and flows.defect_.max() < 1e-9
    with pytest.raises(ValueError, match="sample_weight leaves 3 events"):
        flows.fit(X, sample_weight=np.arange(600) < 3)


@pytest.mark.parametrize("seed", range(2))
def test_negative_weights_of_one_class_leave_the_other_alone(seed):
    "One class has twice its events and as many of weight -1 where x > 0: the odds are what they were."
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12_000, 2))
    y = rng.random(12_000) < 1 / (1 + np.exp(2 - (X**2).sum(1)))
    again = np.flatnonzero(y & (X[:, 0] > 0))
    near = lambda: X[again] + 0.02 * rng.normal(size=(len(again), 2))
    weight = np.r_[np.ones(12_000 + len(again)), -np.ones(len(again))]
    flows = SymmetryFlows("all", oracle="formula", generators="linear", random_state=0)
    flows.fit(np.r_[X, near(), near()], np.r_[y, y[again], y[again]], sample_weight=weight)
    side = np.array([[1.0, 0], [-1, 0]])
    assert abs(np.diff(flows.oracle_values(side)[:, 0])[0]) < 0.4


def test_counting_takes_weights():
    X = normal(1000, 2)
    oracle = lambda x: torch.where(x[:, 0] > 0, (x**2).sum(1), x[:, 0] ** 2 + x[:, 1] ** 4 + x[:, 0] * x[:, 1])
    flows = SymmetryFlows(oracle=oracle, generators="linear", random_state=0)
    assert flows.count(X, sample_weight=X[:, 0] > 0) == 1 != flows.count(X) == 0
    assert SymmetryFlows.count(X, oracle=oracle, generators="linear", sample_weight=X[:, 0] > 0) == 1


def test_a_number_of_generators_and_defects_count_weights():
    "Half of the events, nearly without weight, have another oracle: the rotation is found, and its defect is small."
    x = torch.as_tensor(normal(800, 2))
    y = torch.where(torch.arange(800) % 2 == 0, x.square().sum(1), (x * x.new_tensor([1.0, 5.0])).square().sum(1))
    w = np.where(np.arange(800) % 2 == 0, 1.0, 1e-9)

    def oracle(z):
        near = torch.cdist(z, x).argmin(1)
        stretch = torch.where(near % 2 == 0, 1.0, 5.0)[:, None] * z.new_tensor([0.0, 1.0]) + z.new_tensor([1.0, 0.0])
        return (z * stretch.clamp(min=1.0)).square().sum(1)
    flows = SymmetryFlows(1, generators="linear", oracle=oracle, random_state=0).fit(x.numpy(), y.numpy(), w)
    A = flows.generator_matrices_[0] / np.abs(flows.generator_matrices_[0]).max()
    np.testing.assert_allclose(A, A[0, 1] * np.array([[0, 1], [-1, 0]]), atol=1e-3)
    assert flows.solution_.found and flows.defect_[0] < 0.01
