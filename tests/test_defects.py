"""Defects and regions: intervals hold the truth, closed orbits are recognised, and what is not covered is said."""

import warnings

import numpy as np
import pytest
import torch

from symnb import SymmetryFlows
from symnb.core import SymnbWarning
from symnb.flows.defects import measure_defects, measure_region
from symnb.flows.labels import Labels, keep_back
from symnb.flows.oracle import oracle_jacobian

TILT = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def pressed(epsilon):
    return lambda x: (x**2 * x.new_tensor([1, 1, 1 + epsilon])).sum(-1, keepdim=True)


def true_defect(epsilon):
    "Of the rotation about x, from many events: |∇φ·G| / |∇φ| over |G|, in the mean square."
    x = torch.tensor(normal(200_000, 3, 99))
    J, G = pressed(epsilon)(x), torch.einsum("ij,nj->ni", torch.tensor(TILT), x)
    J = 2 * x * x.new_tensor([1, 1, 1 + epsilon])
    return float((((J * G).sum(1) / J.norm(dim=1)) ** 2).mean().sqrt() / G.square().sum(1).mean().sqrt())


def test_the_defect_of_a_given_oracle_is_known_to_the_error_of_the_sample():
    for epsilon in (1e-4, 1e-2, 0.3):
        x = torch.tensor(normal(4000, 3))
        found = measure_defects(torch.einsum("ij,nj->ni", torch.tensor(TILT), x)[None],
                                oracle_jacobian(pressed(epsilon), x))
        assert found.estimate[0] == pytest.approx(true_defect(epsilon), rel=0.1)
        assert found.low[0] < found.estimate[0] < found.high[0] < 1.2 * found.low[0]


@pytest.mark.parametrize("noise", [0, 0.1, 0.5])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-3, 1e-2, 0.1, 0.3])
def test_the_interval_holds_the_truth_for_measured_labels(epsilon, noise):
    """95 % are promised at each end; at 90 % in all, 3 misses of 5 samples would have a probability of 1 %."""
    truth, held, seen = true_defect(epsilon), 0, 0
    for seed in range(5):
        X = normal(1500, 3, seed)
        y = (X**2 * [1, 1, 1 + epsilon]).sum(1) + noise * np.random.default_rng(100 + seed).normal(size=len(X))
        flows = SymmetryFlows("all", oracle="formula", generators="linear", random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SymnbWarning)
            found = flows.fit(X, y).defects(TILT)
        held += found.low[0] <= truth <= found.high[0]
        seen += found.low[0] > 0
    assert held >= 3
    assert noise or seen == 5


def test_units_of_events_and_oracle_play_no_part():
    x = torch.tensor(normal(1000, 3))
    G = torch.einsum("ij,nj->ni", torch.tensor(TILT), x)[None]
    jac = oracle_jacobian(pressed(0.1), x)
    same = [measure_defects(G, jac).estimate, measure_defects(3e5 * G, 1e-9 * jac).estimate]
    np.testing.assert_allclose(*same, rtol=1e-9)


def test_a_direction_across_has_the_defect_one():
    x = torch.tensor(normal(500, 3))
    found = measure_defects(x[None], oracle_jacobian(pressed(0.0), x))
    np.testing.assert_allclose([found.low, found.estimate, found.high], 1, atol=1e-9)


def approximate(epsilon, tolerance, noise=0.0, seed=0):
    X = normal(3000, 3, seed)
    y = (X**2).sum(1) + epsilon * X[:, 0] ** 3 + noise * np.random.default_rng(seed).normal(size=len(X))
    return SymmetryFlows("all", generators="linear", tolerance=tolerance, random_state=0).fit(X, y)


def test_approximate_symmetries_are_found_when_they_are_asked_for_and_told_as_such():
    exact, tolerant = approximate(0.01, None), approximate(0.01, 0.05)
    assert exact.n_generators_ == 1 and tolerant.algebra_.startswith("so(3)")
    assert (tolerant.defects_.low > 1e-3).sum() == 2 and (tolerant.defect_ < 0.02).all()
    words = str(tolerant.answer())
    assert "changes little" in words and "2 of them are approximate" in words
    assert "approximate" not in str(exact.answer())


def test_more_than_the_tolerance_is_not_claimed():
    assert approximate(0.3, 0.05).n_generators_ == 1


@pytest.mark.parametrize("degrees", [40, 120, 250, 360])
def test_a_rotation_in_a_sector_is_claimed_for_what_the_events_cover(degrees):
    rng = np.random.default_rng(0)
    angle, r = np.radians(rng.uniform(0, degrees, 3000)), np.sqrt(rng.uniform(0.1, 1, 3000))
    X = np.c_[r * np.cos(angle), r * np.sin(angle)]
    flows = SymmetryFlows("all", generators="linear", random_state=0).fit(X, r**2)
    assert flows.n_generators_ == 1
    assert flows.region_.share[0] == pytest.approx(degrees / 360, abs=0.06)
    assert ("they cover" in " ".join(str(flows.answer()).split())) == (degrees < 300)


def test_orbits_that_do_not_close_have_a_reach_and_no_share():
    x = torch.tensor(np.random.default_rng(0).uniform(1, np.e, size=(4000, 2)))
    region = measure_region(lambda z: z[None], x, x[:, :1] / x[:, 1:])  # a dilation
    assert np.isnan(region.share[0]) and 0.2 < np.ptp(region.reach[0]) < 1.2
    assert region.values[0, 0] == pytest.approx(float((x[:, 0] / x[:, 1]).min()))


def test_fields_that_blow_up_are_followed_as_far_as_events_are():
    x = torch.tensor(normal(500, 2))
    region = measure_region(lambda z: (z * z.square().sum(1, keepdim=True) ** 4)[None], x, x[:, :1])
    assert np.isfinite(region.reach).all()


def test_generators_of_another_shape_are_named():
    X = normal(200, 3)
    flows = SymmetryFlows("all", oracle=pressed(0.0), generators="linear", random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"generators has shape.*\(N, 3, 3\)"):
        flows.defects(np.eye(2))
    assert flows.defects(lambda z: z[None]).estimate[0] == pytest.approx(1)
    assert flows.defects(TILT, X[:50]).high[0] < 1e-9


def test_what_is_kept_back_is_what_the_oracle_has_not_seen():
    "Also where a rare class is shared out by hand, which reorders the events."
    y = np.where(np.arange(1000) < 12, 0, 1 + np.arange(1000) % 2)
    labels = Labels(torch.tensor(y), np.arange(3))
    X = np.c_[np.arange(1000.0), normal(1000, 2)]
    for seed in range(1000):
        order = np.random.RandomState(seed).permutation(1000)
        if set(test := keep_back(labels, order, 200)[0]) != set(order[: len(test)]):
            break
    logits = lambda x: torch.stack([k * (x[:, 1] ** 2 + x[:, 2] ** 2) for k in (1, 2, 3)], 1)
    flows = SymmetryFlows("all", oracle=logits, generators="linear", random_state=seed)
    with pytest.warns(SymnbWarning, match="at chance"):
        kept = flows.fit(X, y)._sample[: flows.n_kept_back_, 0]
    assert set(kept.astype(int)) == set(test)


def test_an_oracle_that_is_too_simple_shows_in_the_defects():
    """x² + y² + z² + 0.3 sin 4x: fits to halves agree on the sphere, and the bounds must cover what they all miss."""
    X = np.random.default_rng(1).normal(size=(2000, 3))
    noise = 0.05 * np.random.default_rng(2).normal(size=2000)
    flows = SymmetryFlows(generators="linear", oracle="formula", random_state=0)
    flows.fit(X, (X**2).sum(1) + 0.3 * np.sin(4 * X[:, 0]) + noise)
    turns = np.array([np.outer(a, b) - np.outer(b, a) for a, b in zip(np.eye(3), np.eye(3)[[1, 2, 0]])])
    slope = 2 * X + np.c_[1.2 * np.cos(4 * X[:, 0]), np.zeros((2000, 2))]
    moved = np.einsum("aij,nj->ani", turns, X)
    across = np.einsum("ani,ni->an", moved, slope / np.linalg.norm(slope, axis=1)[:, None])
    true = np.sqrt(np.square(across).sum(1) / np.square(moved).sum((1, 2)))
    found = flows.defects(turns)
    assert (found.high >= true).all() and true[[0, 2]].min() > 0.1
    assert (found.low[[0, 2]] > 0).all() and found.low[1] == 0 and found.high[1] < 0.15
