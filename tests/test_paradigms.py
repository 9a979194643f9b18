"""Frames, their invariants, and learning with and without them; the group is the truth."""
import math

import numpy as np
import pytest
import torch

from symnb.compare.frames import (
    METRIC,
    boson_pairs,
    log_matrix_element,
    lorentz,
    products,
    rotate,
    rotation_invariants,
    rotations,
)
from symnb.compare.paradigms import (
    OBJECTIVES,
    Way,
    bootstrap_loss,
    contrastive_loss,
    invariance_error,
    learn,
    measure,
    pretrain,
    represent,
    samples_for,
    scaled_like,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Frames

@pytest.mark.exact
def test_rotations_and_lorentz_transformations_keep_their_metric():
    turns, frames = rotations((50,), seeded()), lorentz((5, 10), (0, 2), seeded())
    assert torch.allclose(turns @ turns.mT, torch.eye(3).double().expand(50, 3, 3))
    assert torch.allclose(torch.linalg.det(turns), torch.ones(50).double())
    assert torch.allclose(frames.mT @ METRIC @ frames, METRIC.expand(5, 10, 4, 4), atol=1e-9)


def test_rotations_are_uniform():
    assert rotations((20_000,), seeded()).mean(0).abs().max() < 0.03


def test_the_rapidity_is_the_one_asked_for():
    gamma = lorentz((200,), (1.5, 2.5), seeded())[:, 0, 0]
    assert math.cosh(1.5) <= gamma.min() < math.cosh(1.7) and math.cosh(2.3) < gamma.max() <= math.cosh(2.5)


@pytest.mark.parametrize("rapidity", [(-1, 1), (2, 1)])
def test_a_rapidity_range_must_be_one(rapidity):
    with pytest.raises(ValueError, match="rapidity"):
        lorentz((3,), rapidity, seeded())


@pytest.mark.exact
def test_bosons_come_from_a_scalar_at_rest_and_off_their_mass_shell():
    p = boson_pairs(500, seeded())
    mass = products(p)[:, [0, 2]].sqrt()
    assert p.sum(1)[:, 1:].abs().max() < 1e-12 and 0.2 <= mass.min() and mass.max() <= 0.8
    ratio = p.sum(1)[:, 0] / mass.sum(1)
    assert 1.02 <= ratio.min() and ratio.max() <= 1.5


@pytest.mark.exact
def test_the_matrix_element_is_a_lorentz_scalar_and_no_euclidean_one():
    p = boson_pairs(200, seeded())
    there = p @ lorentz((200,), (2, 2), seeded(1)).mT
    assert torch.allclose(log_matrix_element(there), log_matrix_element(p), atol=1e-8)
    four = torch.linalg.qr(torch.randn(4, 4, generator=seeded(2)).double())[0]
    assert torch.allclose(products(p @ four.T, torch.eye(4)), products(p, torch.eye(4)))
    assert not torch.allclose(products(p @ four.T), products(p), atol=0.1)


def test_rotate_turns_counter_clockwise_and_composes():
    image = torch.rand(2, 9, 9, generator=seeded())
    assert torch.allclose(rotate(image, torch.full((2,), math.pi / 2)), image.rot90(1, (1, 2)), atol=1e-4)
    assert torch.allclose(rotate(image, torch.zeros(2)), image, atol=1e-5)


@pytest.mark.parametrize("shape", [(14, 14), (8, 8)])
def test_the_normal_decides_about_mirror_images(shape):
    pytest.importorskip("e3nn")
    image = torch.rand(4, *shape, generator=seeded())
    for normal in (True, False):
        here, there, mirrored = (rotation_invariants(i, normal) for i in (image, image.rot90(2, (1, 2)), image.flip(1)))
        assert (here - there).abs().max() < 5e-3
        assert ((here - mirrored).abs().max() < 5e-3) != normal


def test_the_invariants_tell_different_images_apart():
    pytest.importorskip("e3nn")
    f = rotation_invariants(torch.rand(6, 14, 14, generator=seeded()))
    assert torch.cdist(f, f).add(torch.eye(6) * 99).min() > 0.1


# Learning

def test_each_network_sees_only_its_samples():
    x = torch.linspace(-1, 1, 300)[:, None]
    asked = []

    def view(i, generator):
        asked.append(i.clone())
        return x[i]
    learn(view, x[:, 0], (2, 30, 300), n_seeds=2, hidden=(4,), steps=20, random_state=0)
    seen = torch.cat(asked, 1)
    assert [len(row.unique()) for row in seen][0::3] == [2, 2] and max(len(row.unique()) for row in seen[1::3]) <= 30
    assert set(seen[0].tolist()) <= set(seen[2].tolist()) and set(seen[0].tolist()) != set(seen[3].tolist())


def test_classes_are_probabilities_and_errors_are_shares():
    x = torch.randn(400, 2, generator=seeded())
    y = (x[:, 0] > 0).long()
    learners = learn(x, y, (20, 400), n_seeds=2, hidden=(8,), steps=300, random_state=0)
    p = learners.predict(x)
    assert p.shape == (2, 2, 400, 2) and torch.allclose(p.sum(-1), torch.ones(2, 2, 400))
    assert learners.error(x, y)[:, 1].max() < 0.1


def test_a_regression_predicts_in_the_units_of_the_target():
    x = torch.randn(500, 1, generator=seeded())
    learners = learn(x, 100 + 30 * x[:, 0], (500,), n_seeds=2, hidden=(8,), steps=600, random_state=0)
    assert (learners.predict(x)[:, 0, :, 0] - 100 - 30 * x[:, 0]).abs().mean() < 5


def test_a_representation_of_its_own_for_each_seed():
    x = torch.randn(300, 1, generator=seeded())
    learners = learn(
        torch.stack([x, torch.zeros_like(x)]), x[:, 0], (300,), n_seeds=2, hidden=(), steps=800, random_state=0
    )
    error = learners.error(torch.stack([x, torch.zeros_like(x)]), x[:, 0])[:, 0]
    assert error[0] < 0.1 < 0.9 < error[1]


@pytest.mark.parametrize("sizes", [(), (0, 5), (10, 5), (5, 5), (5, 500)])
def test_sizes_must_rise_within_the_samples(sizes):
    with pytest.raises(ValueError, match="sizes"):
        learn(torch.zeros(100, 2), torch.zeros(100), sizes)


def test_the_same_seed_gives_the_same_errors():
    x = torch.randn(100, 2, generator=seeded())
    once, again, other = (
        learn(x, x[:, 0], (10, 100), 2, hidden=(4,), steps=30, random_state=r).error(x, x[:, 0]) for r in (0, 0, 1)
    )
    assert (once == again).all() and (once != other).any()


def test_samples_for_interpolates_bounds_and_gives_up():
    curves = np.array([[1, 0.1], [1, 0.9], [0.01, 0.01]])
    assert samples_for((10, 1000), curves, np.full(3, 0.1 ** 0.5)).round(6).tolist() == [100, np.inf, 10]


def test_invariance_error_is_a_ratio_of_spreads():
    x = torch.randn(1, 300, 2, generator=seeded())
    assert invariance_error(x.expand(3, -1, -1)) == 0
    assert np.isclose(
        invariance_error(torch.stack([5 * x[0] + 1, 5 * x[0] - 1])),
        math.sqrt(2) / (5 * x[0].var(0, correction=0).sum().sqrt()),
    )
    with pytest.raises(ValueError, match="copies"):
        invariance_error(x)


@pytest.mark.exact
def test_contrastive_and_bootstrap_losses_at_known_points():
    a = torch.eye(5)[None]
    assert contrastive_loss(a, a, 0.01) < 1e-6 and contrastive_loss(a, a.roll(1, 1), 0.01) > 50
    assert bootstrap_loss(a, 3 * a).abs().max() < 1e-6 and bootstrap_loss(a, a.roll(1, 1)).allclose(torch.tensor(2.0))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_pretraining_keeps_what_the_views_share(objective):
    radius = 0.2 + torch.rand(1200, generator=seeded())

    def view(i, generator):
        angle = 2 * math.pi * torch.rand(i.shape, generator=generator)
        return torch.stack([angle.cos(), angle.sin()], -1) * radius[i].unsqueeze(-1)
    encoder = pretrain(view, 1000, objective, 2, width=32, n_features=8, steps=400, random_state=0)
    new, generator = torch.arange(1000, 1200)[None], seeded(1)
    inputs = torch.stack([view(new, generator) for _ in range(8)])
    learned = invariance_error(torch.stack([represent(encoder, x) for x in inputs]))
    assert learned.mean() < invariance_error(inputs)[0] / 2


def test_an_unknown_objective_is_named():
    with pytest.raises(ValueError, match="objective='magic'"):
        pretrain(lambda i, g: i.unsqueeze(-1).float(), 10, "magic")


def test_measure_finds_the_invariant_way_invariant():
    p = boson_pairs(600, seeded())
    y = log_matrix_element(p)
    there = [p @ lorentz((600,), (1, 2), seeded(s)).mT for s in (1, 2)]
    flat, scale = lambda x: x.flatten(-2).float(), scaled_like(products(p))
    ways = {"plain": Way(flat(p), flat, (8,)), "invariant": Way(scale(products(p)), lambda x: scale(products(x)), (8,))}
    found = {
        k: measure(w, y, (50, 500), 2, p, y, {"moved": there}, there, steps=200, random_state=0)
        for k, w in ways.items()
    }
    assert found["invariant"]["moved"].max() < 1e-5 and found["plain"]["moved"].min() > 0.1
    assert np.ptp(found["invariant"]["scan"], 1).max() < 1e-5 and found["invariant"]["error"][:, 1].max() < 0.5
