"""The probe at all resolutions: closed forms, steps of a staircase, and the estimator that answers by them."""
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from symnb.core import BatchedMLP, SymnbWarning, jacobian
from symnb.probe.amortised import AmortisedVAE, loss_and_slopes, plan_amortised, train_amortised, without_lost
from symnb.probe.estimator import SymmetryProbe
from symnb.probe.linear import linear_bound, linear_optimum, principal_axes
from symnb.probe.relevance import relevance
from symnb.probe.results import choose_step
from symnb.probe.staircase import (
    ResolutionMap,
    find_plateaus,
    read_resolutions,
    share_of_directions,
    smooth_steps,
    tell_staircase,
)
from symnb.probe.vae import BatchedVAE, elbo

pytestmark = pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
GRID = np.geomspace(0.05, 1, 21)


def standard(x):
    return (x - x.mean(0)) / x.std(0)


@pytest.fixture(scope="module")
def gaussian():
    "Three directions in six columns, with noise in all of them."
    rng = np.random.default_rng(3)
    return standard(rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 6)) + 0.2 * rng.normal(size=(2000, 6)))


# The closed form

@pytest.mark.parametrize("n_latents", [2, 6, 9])
def test_the_linear_start_is_the_closed_form_at_every_resolution(gaussian, n_latents):
    x = torch.as_tensor(gaussian, dtype=torch.float32)[None]
    eigenvalues, axes = principal_axes(x)
    vae = AmortisedVAE(eigenvalues, axes, torch.tensor([True]), n_latents)
    for p in vae.parameters():
        torch.nn.init.zeros_(p)
    spread = np.linalg.eigvalsh(np.cov(gaussian.T, bias=True))[::-1][:n_latents]
    for s in (0.05, 0.2, 0.7):
        with torch.no_grad():
            mu, log_var = vae.at(s).encode(x)
        found = relevance(mu.numpy(), (0.5 * log_var).exp().numpy())[0]
        np.testing.assert_allclose(found[:6], linear_optimum(spread, s**2).rho, rtol=1e-3, atol=0.02)
        assert (found[6:] == 0).all()


def test_the_bound_of_the_closed_form_is_a_gaussian_likelihood():
    eigenvalues = np.array([2.0, 0.5, 0.01])
    x = np.random.default_rng(0).normal(size=(200_000, 3)) * eigenvalues**0.5
    for s in (0.05, 0.3, 0.9):
        variance = torch.as_tensor(np.maximum(eigenvalues, s**2))
        normal = torch.distributions.Normal(0, variance.sqrt())
        exact = normal.log_prob(torch.as_tensor(x)).sum(-1).mean()
        assert float(linear_bound(eigenvalues, np.array([s]))[0]) == pytest.approx(float(exact), abs=0.03)


def test_gaussian_data_keeps_the_closed_form_through_training(gaussian):
    "ρ within 3 % where s² < λ/2 and nothing open above; the seed and the number of steps do not matter."
    eigenvalues = np.linalg.eigvalsh(np.cov(gaussian.T, bias=True))[::-1]
    runs = train_amortised(gaussian, plan_amortised(6, hold=(600, 600), narrowing=400), random_state=1)
    found = read_resolutions(runs, gaussian, gaussian, np.array([0.06, 0.1, 0.3, 0.6]))
    for s, rho in zip(found.resolution, found.of_best(found.relevance)):
        expected = linear_optimum(eigenvalues, s**2).rho
        clear, closed = s**2 < eigenvalues / 2, s**2 > eigenvalues
        np.testing.assert_allclose(rho[clear], expected[clear], rtol=0.03)
        assert rho[closed].max(initial=0) < 0.2


# Shares, steps and plateaus

def test_shares_of_directions():
    share = share_of_directions(np.array([[100.0, 90, 0.1], [0.5, 0.2, 0.1], [100, 1.5, 0.0]]))
    np.testing.assert_allclose(share.sum(-1), 1)
    assert share.argmax(-1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "counts, answer, ends",
    [
        ([2] * 21, 2, (0.05, 1.0)),
        ([3] * 8 + [2] * 10 + [0] * 3, 2, None),  # noise fills the three columns below a surface
        ([3] * 21, 3, (0.05, 1.0)),  # all columns, and nothing else to answer with
        ([1] * 15 + [0] * 6, 1, None),
        ([0] * 21, None, None),
    ],
)
def test_the_plateau_that_answers(counts, answer, ends):
    found = find_plateaus(GRID, np.array(counts), n_columns=3)
    chosen = found[found.answer]
    assert chosen.dimension.tolist() == ([] if answer is None else [answer])
    assert found.to_resolution.tolist()[:-1] == found.from_resolution.tolist()[1:] or np.allclose(
        found.to_resolution[:-1], found.from_resolution[1:]
    )
    if ends:
        assert (chosen.from_resolution.iloc[0], chosen.to_resolution.iloc[0]) == pytest.approx(ends)


def test_smoothing_leaves_a_clean_staircase_alone():
    steps = np.repeat([4, 2, 1, 0], [5, 6, 6, 4])
    assert smooth_steps(np.eye(5)[steps]).tolist() == steps.tolist()
    doubtful = np.eye(5)[steps]
    doubtful[7] = [0, 0, 0.4, 0.6, 0]
    assert smooth_steps(doubtful).tolist() == steps.tolist()


def test_a_run_that_was_lost_is_left_out_and_said(gaussian):
    runs = train_amortised(gaussian[:300], plan_amortised(6, n_runs=1, hold=(20, 20)), random_state=0)
    alone = read_resolutions(runs, gaussian, gaussian, GRID[::5]).elbo
    with torch.no_grad():
        runs.vae.decoder.weights[0][1] = np.nan
    with pytest.warns(SymnbWarning, match=r"1 of \d+ trainings ended in numbers that are not finite: left out"):
        left = without_lost(runs)
    found = read_resolutions(left, gaussian, gaussian, GRID[::5])
    np.testing.assert_allclose(found.elbo, np.delete(alone, 1, axis=1), rtol=1e-4)
    assert left.at(0.2).vae.n_models == 1 and np.isfinite(found.table()).all(axis=None)
    with torch.no_grad():
        left.vae.decoder.weights[0][0] = np.inf
    with pytest.raises(FloatingPointError, match="no training of the probe ended in finite numbers"):
        without_lost(left)


def test_as_many_directions_as_latents_are_a_lower_bound():
    found = SymmetryProbe(n_latents=2, n_runs=1, max_steps=50, random_state=0).fit(
        np.random.default_rng(0).normal(size=(600, 4))
    )
    assert "as many directions as latents, 2: there may be more" in found.intrinsic_message_
    assert found.answer().level == "not sure"


def test_a_lost_run_is_never_the_best():
    shape = (21, 3)
    bound = np.stack([np.full(21, np.nan), np.full(21, -5.0), np.full(21, -4.0)], axis=1)
    spectrum = np.broadcast_to([[[50.0, 0.1]]], (*shape, 2))
    found = ResolutionMap(GRID, spectrum**0.5, spectrum, bound, np.full(21, -6.0), np.array([2, 2, 1]),
                          np.array([True, False, False]))
    assert (found.best == 1).all() and (found.needed() == 1).all()
    assert np.isfinite(found.table().elbo).all()


def test_the_steps_in_words():
    counts = np.repeat([3, 2, 0], [8, 10, 3])
    [told] = tell_staircase(find_plateaus(GRID, counts, 3), 3)
    assert told.startswith("2 degrees of freedom in 3 varying columns, between s = ")
    assert "fills all columns (noise, or structure that thin)" in told
    one = tell_staircase(find_plateaus(GRID, np.full(21, 1), 1), 1)[0]
    assert one.startswith("1 degree of freedom in 1 varying column,")
    assert "holds over a factor of two" in tell_staircase(find_plateaus(GRID, np.arange(21)[::-1], 30), 30)[0]


def test_the_step_to_read_is_the_answer_or_where_it_was_asked():
    steps = find_plateaus(GRID, np.repeat([3, 2, 0], [8, 10, 3]), 3)
    dimension, s, message = choose_step(steps)
    assert dimension == 2 and 0.15 < s < 0.8 and message == ""
    assert choose_step(steps, 0.06)[:2] == (3, 0.06) and choose_step(steps, 0.06)[2] == ""
    assert choose_step(steps, 0.99) == (0, 0.99, "")  # so coarse a look sees nothing, and there is no doubt
    falling = find_plateaus(GRID, np.arange(21)[::-1], 30)
    assert "over a factor of two" in choose_step(falling)[2]


# The estimator

@pytest.fixture(scope="module")
def plane():
    across, angle = np.random.default_rng(0).uniform(-1, 1, (1500, 2)), np.pi / 5 * np.arange(5)
    return pd.DataFrame(across @ [np.cos(angle), np.sin(angle)] + 5, columns=["px", "py", "pz", "E", "m"])


@pytest.fixture(scope="module")
def probe(plane):
    return SymmetryProbe(n_runs=1, max_steps=300, random_state=0).fit(plane)


def test_a_plane_has_two_degrees_of_freedom_at_every_resolution(probe):
    assert probe.intrinsic_dim_ == probe.relevant_dim_ == 2 and probe.intrinsic_message_ == ""
    answer = probe.plateaus_[probe.plateaus_.answer].iloc[0]
    assert answer.from_resolution == pytest.approx(0.05) and answer.to_resolution > 0.5
    assert answer.from_resolution < probe.resolution_ < answer.to_resolution
    assert "2 degrees of freedom in 5 varying columns" in probe.summary()


def test_attributes_of_an_amortised_probe(probe):
    assert [*probe.map_][:5] == ["resolution", "directions", "local_dim", "needed", "relevant"]
    assert len(probe.map_) == 21
    assert probe.scan_ is None and [*probe.relevance_] == [*probe.elbo_] == ["amortised"]
    assert probe.relevance_["amortised"].shape == probe.local_spectrum_.shape == (2, 5)
    assert probe.local_dim_.shape == probe.elbo_["amortised"].shape == probe.n_steps_["amortised"].shape == (2,)


def test_latents_events_and_bounds_of_an_amortised_probe(probe, plane):
    z = probe.transform(plane)
    assert z.shape == (1500, 5)
    assert ((probe.inverse_transform(z) - plane) / plane.std()).to_numpy().std() < probe.resolution_
    assert probe.encode(plane)[0].shape == (2, 1500, 5) and probe.sample(7).shape == (7, 5)
    assert probe.score(plane) > probe.score(plane + plane.std())
    assert probe.elbo(plane)["amortised"][probe.best_run_] == pytest.approx(probe.score(plane), abs=0.05)


def test_a_scan_needs_no_training_and_stays_in_its_range(probe, plane):
    scan = probe.resolution_scan(plane, [0.4, 0.1, 0.2])
    assert scan.resolution.tolist() == [0.1, 0.2, 0.4] and scan.directions.tolist() == [2, 2, 2]
    assert scan.on_plateau.all()
    with pytest.raises(ValueError, match="s must lie between 0.05 and 1, the range that this probe was trained for"):
        probe.resolution_scan(plane, [0.01])


def test_a_resolution_that_is_asked_for_is_where_the_answer_is_read(plane):
    for s in (0.02, 0.3, 2.0):
        probe = SymmetryProbe(s, n_runs=1, max_steps=20, random_state=0).fit(plane)
        assert probe.resolution_ == s and probe.map_.resolution.min() <= s * 1.001
        assert probe.map_.resolution.max() >= s / 1.001


def test_an_amortised_probe_comes_back_from_its_file(probe, plane, tmp_path):
    again = SymmetryProbe.load(probe.save(tmp_path / "probe.safetensors"))
    np.testing.assert_array_equal(again.transform(plane), probe.transform(plane))
    np.testing.assert_array_equal(again.sample(3), probe.sample(3))
    pd.testing.assert_frame_equal(again.map_, probe.map_)
    pd.testing.assert_frame_equal(again.resolution_scan(plane, [0.2]), probe.resolution_scan(plane, [0.2]))
    assert again.summary() == probe.summary()


def test_the_report_of_an_amortised_probe_begins_with_its_staircase(probe, plane, tmp_path):
    page = probe.report(tmp_path / "report.html", plane).read_text(encoding="utf-8")
    first = page.index("<h2>")
    assert page[first:].startswith("<h2>At every resolution</h2>") and "Resolution scan" not in page
    assert all(line in page for line in probe.answer(plane).words["Answer"])
    assert probe.plot(Figure().subplots()).get_legend_handles_labels()[1][-1] == "latents needed"


def test_every_column_of_an_isotropic_gaussian_is_a_degree_of_freedom():
    with warnings.catch_warnings():
        warnings.simplefilter("error", SymnbWarning)
        x = np.random.default_rng(0).normal(size=(1000, 3))
        probe = SymmetryProbe(n_runs=1, max_steps=200, random_state=0).fit(x)
    assert probe.intrinsic_dim_ == 3 and probe.plateaus_.fills.iloc[0]


def test_most_steps_are_those_of_a_training_that_is_never_done():
    x = np.random.default_rng(0).normal(size=(200, 2))
    for decay, total in ((0.5, 30), (1.0, 40), (0.01, 21)):
        plan = plan_amortised(2, n_runs=1, n_latents=2, hold=(20, 20), decay=decay)
        assert plan.most_steps == total == train_amortised(x, plan, random_state=0).fit.steps


@pytest.mark.parametrize("d, n_latents", [(2, 1), (3, 5), (6, 4)])
def test_the_gradient_by_hand_is_that_of_the_bound(d, n_latents):
    "At any weights, with clamped variances and closed latents, for runs with and without the linear start."
    g = torch.Generator().manual_seed(d)
    x = torch.randn(3, 40, d, generator=g) @ torch.randn(3, d, d, generator=g)
    vae = AmortisedVAE(*principal_axes(x), torch.tensor([True, False, True]), n_latents, hidden=(16, 8), generator=g)
    with torch.no_grad():
        vae.encoder.biases[-1][..., -1] = -25
    s, noise = torch.rand(3, 40, 1, generator=g) + 0.05, torch.randn(3, 40, n_latents, generator=g)
    mask = (torch.arange(n_latents) < torch.tensor([n_latents, 1, 2])[:, None, None]).float()
    loss, slopes = loss_and_slopes(vae, x, s, mask, noise)
    expected = -elbo(vae.at(s[..., 0]), x, s[..., 0] ** 2, mask, noise=noise).mean(1)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-5, atol=1e-5)
    exact = torch.autograd.grad(expected.sum(), list(vae.parameters()))
    assert len(exact) == len(slopes)
    for by_hand, by_autograd in zip(slopes, exact):
        torch.testing.assert_close(by_hand, by_autograd, rtol=1e-4, atol=1e-5 * float(by_autograd.abs().max()))


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_the_jacobian_by_hand_is_that_of_automatic_differentiation(hidden):
    g = torch.Generator().manual_seed(0)
    x, z = torch.randn(3, 50, 5, generator=g), torch.randn(3, 50, 7, generator=g)
    vae = AmortisedVAE(*principal_axes(x), torch.tensor([True, False, True]), 7, hidden=hidden, generator=g)
    for autoencoders in (BatchedVAE(3, 5, 7, hidden, g), vae.at(0.3), vae.at(torch.rand(3, 50, generator=g))):
        by_hand = autoencoders.decoder_jacobian(z)
        torch.testing.assert_close(by_hand, jacobian(autoencoders.decode, z), rtol=1e-5, atol=1e-6)


def test_slopes_by_hand_are_for_relu():
    with pytest.raises(NotImplementedError, match="ReLU"):
        BatchedMLP(1, (2, 3, 1), torch.tanh).slopes(torch.zeros(1, 4, 2))


def test_runs_on_halves_see_their_half_alone():
    x = 0.1 * np.random.default_rng(0).normal(size=(801, 2)).astype(np.float32)
    x[:, 0] += np.where(np.arange(801) % 2, -2, 2)
    runs = train_amortised(x, plan_amortised(2, n_latents=2, resample=True, hold=(250, 250)), random_state=0)
    assert runs.plan.halves == (0, 1, 2, 0)
    with torch.no_grad():
        middle = runs.vae.at(0.5).decode(torch.zeros(4, 1, 2))[:, 0, 0]
    assert abs(middle[0]) < 1 and middle[1] > 1 and middle[2] < -1


def test_one_run_has_no_half_to_agree_with():
    assert set(plan_amortised(3, n_runs=1, resample=True).halves) == set(plan_amortised(3).halves) == {0}
