"""The alternatives of section 8: facts about groups, densities and penalties, and what each says of simple shapes."""

import numpy as np
import pytest
import torch

from symnb.compare.autoencoders import (
    AutoencoderDimension,
    BetaTCVAE,
    BetaVAE,
    BottleneckDimension,
    FactorVAE,
    total_correlation,
)
from symnb.compare.densities import BatchedDenoiser, BatchedSplineFlow, DiffusionDimension, FlowDimension
from symnb.compare.finder import (
    NeighbourDimension,
    PCADimension,
    ProbeDimension,
    StaircaseDimension,
    check_runs,
    components,
    fit_finder,
)
from symnb.compare.groups import GroupVAE, invariants, metric_generators, orbit_dimension
from symnb.data.collider import COLUMNS, MOMENTA, ee_to_mumu
from symnb.data.geometry import circle, disk

LORENTZ = np.array([1.0, 1.0, 1.0, -1.0])
SHORT = dict(n_runs=2, max_steps=200, random_state=0)
TRAINED = [
    AutoencoderDimension,
    BottleneckDimension,
    BetaVAE,
    BetaTCVAE,
    FactorVAE,
    GroupVAE,
    FlowDimension,
    DiffusionDimension,
    ProbeDimension,
    StaircaseDimension,
]


def plane(n=300):
    "A plane in three dimensions, all columns with the same spread."
    return np.random.default_rng(0).normal(size=(n, 2)) @ np.array([[1, 0, 0.6], [0, 1, -0.8]])


@pytest.mark.parametrize("finder", TRAINED)
def test_interface(finder):
    X = disk(200, random_state=0)
    found = fit_finder(finder(n_runs=2, max_steps=20, hidden=(8,), random_state=0), X)
    assert (
        found.dim_.shape == (2,) and found.dim_.dtype.kind == "i" and len(found.spectrum_) == 2 and found.seconds_ > 0
    )
    assert all(values.shape == (2,) and np.isfinite(values).all() for values in found.readings_.values())
    again = fit_finder(finder(n_runs=2, max_steps=20, hidden=(8,), random_state=0), X)
    assert np.array_equal(found.spectrum_, again.spectrum_)


def test_the_staircase_counts_a_closed_orbit_once():
    found = fit_finder(StaircaseDimension(n_runs=2, max_steps=500, random_state=0), np.stack([circle(600), disk(600)]))
    assert found.dim_.tolist() == [1, 2] and found.spectrum_.shape == (2, 4)


def test_runs_see_their_own_sample():
    both = np.stack([plane(), np.repeat(plane()[:, :1], 3, 1)])
    assert PCADimension(n_runs=2).fit(both).dim_.tolist() == [2, 1]
    assert NeighbourDimension("MLE", n_runs=2).fit(both).dim_.tolist() == [2, 1]


def test_components_are_the_variance_above_the_resolution():
    x = np.random.default_rng(0).normal(size=(5000, 3)) * [1, 1, 0.1]
    count, share = components(x)
    assert count == 2 and np.isclose(share.sum(), 1) and components(x, 0.9999)[0] == 3


@pytest.mark.exact
def test_group_is_the_one_that_preserves_the_metric():
    eta = np.diag(LORENTZ)
    for T in metric_generators(LORENTZ):
        assert np.allclose(T.T @ eta + eta @ T, 0)
    assert np.linalg.matrix_rank(metric_generators(LORENTZ).reshape(6, 16)) == 6


@pytest.mark.exact
def test_dimension_of_orbits():
    p = np.random.default_rng(1).normal(size=(40, 2, 3))
    assert orbit_dimension(p, np.ones(3)) == 3                       # two momenta: nothing but the identity fixes both
    assert orbit_dimension(np.stack([p[:, 0], -p[:, 0]], 1), np.ones(3)) == 2
    v = ee_to_mumu(50, random_state=0)[COLUMNS].to_numpy().reshape(50, 2, 4)
    assert orbit_dimension(v, LORENTZ) == 5                          # SO(1,3) less the rotation about the momenta


@pytest.mark.exact
def test_invariants_are_invariant():
    from scipy.linalg import expm
    v = ee_to_mumu(50, random_state=0)[COLUMNS].to_numpy().reshape(50, 2, 4)
    boost = expm(np.einsum("a,aij->ij", [0.1, -0.2, 0.1, 0.2, 0.3, -0.1], metric_generators(LORENTZ)))
    ratio = invariants(v @ boost.T, LORENTZ) / invariants(v, LORENTZ)
    assert np.allclose(ratio, ratio.mean(0), rtol=1e-6)  # up to the length of the gradients, one number each


def test_right_group_and_wrong_group():
    X = circle(500, random_state=0)
    assert GroupVAE((1, 1), **SHORT).fit(X).dim_.tolist() == [1, 1]
    assert GroupVAE((1, -1), **SHORT | dict(max_steps=500)).fit(X).dim_.tolist() == [2, 2]
    assert GroupVAE((1, 1, 1), **SHORT).fit(ee_to_mumu(500, random_state=0)[MOMENTA].to_numpy()).dim_.tolist() == [2, 2]


@pytest.mark.exact
def test_flow_is_a_density():
    flow = BatchedSplineFlow(2, 2, (8,), torch.Generator().manual_seed(0))
    axis = torch.linspace(-8, 8, 401)
    grid = torch.cartesian_prod(axis, axis).expand(2, -1, -1)
    with torch.no_grad():
        mass = flow.log_prob(grid, torch.zeros(2, grid.shape[1], 1)).exp().sum(1) * (axis[1] - axis[0])**2
    assert (abs(mass - 1) < 0.02).all()


def test_denoiser_leaves_clean_events_alone():
    denoiser = BatchedDenoiser(1, 3, (8,), torch.Generator().manual_seed(0))
    y = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(denoiser(y, torch.full((1, 50, 1), 1e-6)), y, atol=1e-4)


def test_densities_see_the_plane():
    assert DiffusionDimension(n_runs=2, max_steps=400, random_state=0).fit(plane()).dim_.tolist() == [2, 2]
    assert FlowDimension(n_runs=1, max_steps=120, random_state=0).fit(plane()).dim_.tolist() == [2]


def test_circle_is_one_bottleneck_but_two_components():
    X = circle(500, random_state=0)
    settings = dict(n_runs=1, max_steps=500, random_state=0)
    assert BottleneckDimension(**settings).fit(X).dim_.tolist() == [1]
    assert AutoencoderDimension(**settings).fit(X).dim_.tolist() == [2]


def test_total_correlation_of_gaussians():
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(1, 2000, 2, generator=generator)
    tilted = torch.stack([mu[..., 0], 0.8 * mu[..., 0] + 0.6 * mu[..., 1]], -1)
    narrow = torch.full_like(mu, 2 * np.log(0.3))
    tc = [
        total_correlation(m + 0.3 * torch.randn(m.shape, generator=generator), m, narrow).item() for m in (tilted, mu)
    ]
    expected = -0.5 * np.log(1 - (0.8 / 1.09)**2)  # 0.39: a correlation of 0.8 where the variance is 1 + 0.3²
    assert abs(tc[0] - tc[1] - expected) < 0.1


@pytest.mark.parametrize("make, X, words", [
    (lambda: PCADimension(n_runs=2), np.ones((3, 20, 2)), "n_runs=2"),
    (lambda: PCADimension(), np.full((20, 2), np.nan), "NaN"),
    (lambda: PCADimension(), np.ones(20), "shape"),
    (lambda: PCADimension(n_runs=0), np.ones((20, 2)), "n_runs=0"),
    (lambda: BetaVAE(resolution=-1), np.ones((20, 2)), "resolution=-1"),
    (lambda: NeighbourDimension("Nobody"), np.ones((20, 2)), "Nobody"),
    (lambda: ProbeDimension("sometimes"), np.ones((20, 2)), "sometimes"),
    (lambda: GroupVAE((1, 1, 1)), np.ones((20, 2)), "metric"),
    (lambda: GroupVAE((1, 2)), np.ones((20, 2)), "metric"),
    (lambda: FlowDimension(), np.ones((20, 1)), "one column"),
])
def test_refuses(make, X, words):
    with pytest.raises(ValueError, match=words):
        make().fit(X)


def test_one_sample_for_all_runs():
    assert check_runs(plane(), 4).shape == (4, 300, 3)
