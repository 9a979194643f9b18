"""The probe against what is known: the linear VAE's closed form, shapes of known dimension and topology, names."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import without_pictures
from scipy.stats import spearmanr

from symnb.core import SymnbWarning
from symnb.data.geometry import arc, circle, disk, sphere, torus
from symnb.probe.dimension import (
    combine,
    count_directions,
    local_dimension,
    local_spectrum,
    nats_per_direction,
    plateau,
)
from symnb.probe.estimator import SymmetryProbe, fit_probe
from symnb.probe.following import _linear
from symnb.probe.observables import observable_table, predictability
from symnb.probe.relevance import count_relevant, kl_per_latent, largest_gap, most_common, relevance
from symnb.probe.topology import betti_table
from symnb.probe.vae import BatchedVAE, elbo, kl_terms, train_vae

pytestmark = [pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning"),
              pytest.mark.filterwarnings("ignore:X does not have valid feature names")]

# The linear VAE (review, section 7.2), with noise variance s² and eigenvalues λ of the covariance: where λ > s², its
# optimum has σ² = s²/λ and ρ² = λ/s² − 1; elsewhere the latent is off.
S2, EIGENVALUES = 0.1, np.array([2.0, 1.0, 0.4, 0.05])
RHO = np.sqrt(np.maximum(EIGENVALUES / S2 - 1, 0))


@pytest.fixture(scope="module")
def linear_vae():
    "The linear VAE at its optimum, in double precision."
    vae = BatchedVAE(1, 4, 4, hidden=()).double().requires_grad_(False)
    gain = np.sqrt(np.maximum(EIGENVALUES - S2, 0))
    vae.decoder.weights[0][:], vae.decoder.biases[0][:] = torch.diag(torch.tensor(gain)), 0
    vae.encoder.weights[0][:] = torch.cat([torch.diag(torch.tensor(gain / EIGENVALUES)), torch.zeros(4, 4)], 1)
    vae.encoder.biases[0][:] = torch.tensor(np.r_[np.zeros(4), np.log(np.minimum(S2 / EIGENVALUES, 1))])
    return vae


@pytest.fixture(scope="module")
def gaussian():
    "Events with exactly the covariance diag(EIGENVALUES) and mean 0."
    x = np.random.default_rng(0).normal(size=(20_000, 4))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, bias=True))).T
    return x * np.sqrt(EIGENVALUES)


# Closed forms of the linear VAE

@pytest.mark.exact
def test_relevance_of_the_linear_vae(linear_vae, gaussian):
    mu, log_var = (a[0].numpy() for a in linear_vae.encode(torch.tensor(gaussian)[None]))
    np.testing.assert_allclose(relevance(mu, np.exp(log_var / 2)), RHO, atol=1e-12)
    np.testing.assert_allclose(kl_per_latent(mu, np.exp(log_var / 2)), 0.5 * np.log1p(RHO**2), atol=1e-12)


@pytest.mark.exact
def test_local_directions_of_the_linear_vae(linear_vae):
    "J is the decoder's matrix, so e = ρ², and the nats of a direction are those its latent carries."
    e = local_spectrum(linear_vae, torch.randn(1, 9, 4).double(), torch.tensor([[S2]]).double())
    np.testing.assert_allclose(e, [RHO**2], atol=1e-12)
    np.testing.assert_allclose(nats_per_direction(e), [0.5 * np.log(np.maximum(EIGENVALUES / S2, 1))], atol=1e-12)
    np.testing.assert_allclose(local_dimension(e), np.maximum(1 - S2 / EIGENVALUES, 0).sum())
    assert count_directions(e) == 3


@pytest.mark.exact
def test_the_elbo_of_the_linear_vae_is_the_likelihood(linear_vae, gaussian):
    "Its posterior is exact, so the ELBO is the log-density of the model N(0, max(λ, s²))."
    variance = np.maximum(EIGENVALUES, S2)
    expected = -0.5 * (np.log(2 * np.pi * variance) + EIGENVALUES / variance).sum()
    x, s2 = torch.tensor(gaussian)[None], torch.tensor([[S2]]).double()
    torch.manual_seed(0)
    assert elbo(linear_vae, x, s2).mean().item() == pytest.approx(expected, abs=0.02)


def test_training_finds_the_closed_form(gaussian):
    "ELBO and local directions; the rotation of the latents onto the principal axes comes last, and is slow."
    plan = [(schedule, S2**0.5) for schedule in ("standard", "standard", "progressive")]
    trained = train_vae(gaussian, plan, n_latents=4, hidden=(), hold=(2000, 2000), random_state=0)
    assert trained.fit.steps == 4000
    x, variance = torch.tensor(gaussian, dtype=torch.float32).expand(3, -1, -1), np.maximum(EIGENVALUES, S2)
    with torch.no_grad():
        e = local_spectrum(trained.vae, trained.vae.encode(x[:, :200])[0], trained.s2)
        bound = elbo(trained.vae, x, trained.s2).mean(1).numpy()
    np.testing.assert_allclose(e[:, :3], np.tile(RHO[:3]**2, (3, 1)), rtol=0.8)
    assert (e[:, 3] < 0.1).all() and (count_directions(e) == 3).all()
    expected = -0.5 * (np.log(2 * np.pi * variance) + EIGENVALUES / variance).sum()
    assert (abs(bound - expected) < 0.3).all()  # without the third direction it would be 0.8 less


# The parts

@pytest.mark.exact
def test_kl_terms_are_those_of_torch():
    mu, log_var = torch.randn(2, 2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (log_var / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(kl_terms(mu, log_var), expected)
    np.testing.assert_allclose(
        kl_per_latent(mu.numpy(), (log_var / 2).exp().numpy()), expected.mean(-2).numpy(), rtol=1e-5
    )


@pytest.mark.exact
def test_a_latent_that_collapsed_to_the_prior_is_irrelevant():
    mu, sigma = np.zeros((50, 2)), np.ones((50, 2))
    mu[:, 0], sigma[:, 0] = np.linspace(-2, 2, 50), 0.5
    rho = relevance(mu, sigma)
    assert rho[1] == 0 == kl_per_latent(mu, sigma)[1] and rho[0] == pytest.approx(mu[:, 0].std() / 0.5)


@pytest.mark.exact
def test_counting():
    rho = np.array([[4.0, 2.0, 0.4, 0.01], [4.0, 2.0, 0.6, 0.0]])
    assert count_relevant(rho).tolist() == [2, 3] and count_relevant(rho, threshold=3).tolist() == [1, 1]
    assert largest_gap(rho)[0] == pytest.approx(40) and largest_gap(rho)[1] > 1e100
    assert [most_common(c) for c in ([2, 2, 3], [3, 1, 3, 1], [5])] == [2, 1, 5]


@pytest.mark.exact
def test_directions_are_counted_where_the_spectrum_falls():
    spectra = np.array(
        [
            [20, 15, 0.1, 0],
            [20, 0.5, 0.4, 0.1],
            [0.5, 0.2, 0.1, 0],
            [20, 20, 20, 20],
            [50, 3, 0.2, 0],
            [50, 30, 1.2, 0.9],
        ]
    )
    assert count_directions(spectra).tolist() == [2, 1, 0, 4, 1, 2]
    assert ((local_dimension(spectra) >= 0) & (local_dimension(spectra) <= 4)).all()


@pytest.mark.parametrize(
    "counts, longest", [([3, 2, 2, 2, 1], [1, 2, 3]), ([3, 3, 2, 2], [0, 1]), ([1], [0]), ([2, 1, 2, 2], [2, 3])]
)
def test_the_plateau_is_the_longest_run(counts, longest):
    assert np.flatnonzero(plateau(counts)).tolist() == longest


def test_witnesses_are_combined_by_majority():
    assert combine(2, 2, 2) == (2, "") and combine(2, 2, None) == (2, "")
    for witnesses, answer in (
        ((2, 2, 3), 2),
        ((1, 2, 2), 2),
        ((2, 3, 4), 2),
        ((2, 3, None), 2),
        ((2, 3, 3), 3),
        ((1, 2, 3), 1),
    ):
        found, sentence = combine(*witnesses)
        assert found == answer and "disagree" in sentence and f"intrinsic_dim_ = {answer}" in sentence


# Topology

SHAPES = {"circle": (circle(1000, random_state=0), [1]), "noisy circle": (circle(1000, noise=0.1, random_state=0), [1]),
          "270° arc": (arc(1000, angle=1.5 * np.pi, random_state=0), [0]), "disk": (disk(1000, random_state=0), [0]),
          "two circles": (np.r_[circle(500, random_state=0), circle(500, random_state=1) + 3], [2]),
          "sphere": (sphere(1000, noise=0.1, random_state=0), [0, 1]), "torus": (torus(2000, random_state=0), [2, 1])}


@pytest.mark.parametrize("name", SHAPES)
def test_betti_numbers(name):
    X, betti = SHAPES[name]
    table = betti_table(X, max_dim=len(betti))
    assert table.dimension.tolist() == [1, 2][:len(betti)] and table.betti.tolist() == betti
    assert [len(lives) for lives in table.lifetimes] == betti


# Observables

def test_predictability_knows_which_way_a_function_goes():
    x = np.random.default_rng(0).uniform(-1, 1, (1000, 1))
    assert predictability(x, x**2)[0] > 0.99 and predictability(x**2, x)[0] < 0.1
    assert abs(predictability(x, np.random.default_rng(1).normal(size=(1000, 2)))).max() < 0.25


def test_the_table_of_observables_holds_both_ways():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 1000)
    table = observable_table(np.c_[np.cos(angle), np.sin(angle)], angle[:, None], ["angle"]).set_index(
        ["latent", "observable"]
    )
    one, both = table.loc[("z1", "angle")], table.loc[("all", "angle")]
    assert one.r2_latent > 0.99 and one.r2_observable < 0.7 and both.r2_observable > 0.9
    assert table.loc[("z2", "angle")].rank_correlation == pytest.approx(spearmanr(np.sin(angle), angle).statistic)


# SymmetryProbe

@pytest.fixture(scope="module")
def plane():
    "A plane in five named features, as wide in all directions: linear data, whose dimension every count agrees on."
    across, angle = np.random.default_rng(0).uniform(-1, 1, (1500, 2)), np.pi / 5 * np.arange(5)
    X = across @ [np.cos(angle), np.sin(angle)] * [1, 10, 100, 1, 1] + 5
    return pd.DataFrame(X, columns=["px", "py", "pz", "E", "m"], index=np.arange(1500) + 7)


@pytest.fixture(scope="module")
def probe(plane):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymnbWarning)
        return SymmetryProbe(training="both", n_runs=2, max_steps=500, random_state=0).fit(plane)


def test_linear_data_has_one_dimension_for_all_counts(probe):
    assert probe.relevant_dim_ == probe.intrinsic_dim_ == 2 and probe.dim_counts_["standard"] == {2: 2}
    assert abs(probe.local_dim_ - 2).max() < 0.2
    assert "Intrinsic dimension 2" in probe.summary()


def test_attributes_have_the_documented_shapes(probe):
    assert (
        {*probe.relevance_}
        == {*probe.elbo_}
        == {*probe.n_steps_}
        == {*probe.dim_counts_}
        == {"standard", "progressive"}
    )
    for schedule, rho in probe.relevance_.items():
        assert rho.shape == (2, 5) and (np.diff(rho) <= 0).all()
        assert probe.elbo_[schedule].shape == probe.n_steps_[schedule].shape == (2,)
        assert sum(probe.dim_counts_[schedule].values()) == 2
    assert probe.local_dim_.shape == (2,) and probe.local_spectrum_.shape == (2, 5) and probe.fit_seconds_ > 0
    assert probe.elbo_[["standard", "progressive"][probe.best_run_ // 2]][probe.best_run_ % 2] == max(
        map(np.max, probe.elbo_.values())
    )


def test_the_same_random_state_gives_the_same_numbers(plane):
    settings = dict(training="both", n_runs=1, max_steps=60)
    one, two, other = (fit_probe(plane, random_state=seed, **settings) for seed in (1, 1, 2))
    for schedule in one.relevance_:
        np.testing.assert_array_equal(one.relevance_[schedule], two.relevance_[schedule])
        assert not np.array_equal(one.relevance_[schedule], other.relevance_[schedule])
    for answer in (lambda p: p.transform(plane), lambda p: p.sample(5), lambda p: p.score(plane)):
        np.testing.assert_array_equal(answer(one), answer(two))
    np.testing.assert_array_equal(one.resolution_scan(plane, [0.2]), two.resolution_scan(plane, [0.2]))


def test_latents_and_back(probe, plane):
    z = probe.transform(plane)
    assert z.shape == (1500, 5) and (np.diff(relevance(z, np.ones_like(z))[:2]) <= 0.1).all()
    distance = (probe.inverse_transform(z) - plane) / plane.std()
    assert np.sqrt((distance**2).to_numpy().mean()) < probe.resolution_
    np.testing.assert_allclose(probe.inverse_transform(z[:3]), probe.inverse_transform(z)[:3])


def test_samples_look_like_the_data(probe, plane):
    sample = probe.sample(2000)
    assert sample.shape == (2000, 5) and np.array_equal(sample, probe.sample(2000))
    assert (abs(sample.mean(0) - plane.mean()) < 0.3 * plane.std()).all()
    np.testing.assert_allclose(np.corrcoef(sample.T), plane.corr(), atol=0.15)


def test_the_score_prefers_the_data(probe, plane):
    shuffled = plane.apply(lambda c: np.random.default_rng(len(c.name)).permutation(c))
    assert isinstance(probe.score(plane), float) and probe.score(plane) > probe.score(shuffled) + 1
    assert probe.score(plane) > probe.score(plane + 5 * plane.std())
    bounds = np.concatenate(list(probe.elbo(plane).values()))
    assert bounds.shape == (4,) and bounds[probe.best_run_] == pytest.approx(probe.score(plane), abs=0.05)


def test_encode_gives_every_run_of_a_schedule(probe, plane):
    for schedule, rho in probe.relevance_.items():
        mu, sigma = probe.encode(plane, schedule)
        assert mu.shape == sigma.shape == (2, 1500, 5) and (sigma > 0).all()
        np.testing.assert_allclose(relevance(mu, sigma), rho, rtol=1e-3, atol=1e-3)


def test_names_are_kept(probe, plane):
    assert probe.feature_names_in_.tolist() == [*plane] and probe.get_feature_names_out().tolist() == [
        "z1",
        "z2",
        "z3",
        "z4",
        "z5",
    ]
    try:
        table = probe.set_output(transform="pandas").transform(plane)
    finally:
        probe.set_output(transform="default")
    assert [*table] == ["z1", "z2", "z3", "z4", "z5"] and table.index.equals(plane.index)
    np.testing.assert_array_equal(table, probe.transform(plane))


def test_the_precision_of_the_input_is_kept(probe, plane):
    z, single = probe.transform(plane.to_numpy()), probe.transform(plane.to_numpy(np.float32))
    assert z.dtype == np.float64 and single.dtype == np.float32
    np.testing.assert_allclose(single, z, atol=1e-3)


def test_the_resolution_scan(probe, plane):
    scan = probe.resolution_scan(plane, [0.3, 0.15, 4.0])
    assert [*scan] == ["resolution", "relevant", "progressive", "local_dim", "directions", "on_plateau"]
    assert scan.resolution.tolist() == [0.15, 0.3, 4.0] and scan.relevant.tolist()[:2] == scan.directions.tolist()[
        :2
    ] == [2, 2]
    assert scan.on_plateau.tolist()[:2] == [True, True] and abs(scan.local_dim[:2] - 2).max() < 0.25
    assert scan.relevant[2] < 2  # too coarse to see both


def test_one_schedule_alone(plane):
    probe = SymmetryProbe(training="progressive", n_runs=1, max_steps=20, n_latents=3, random_state=0).fit(plane)
    assert (
        probe.relevant_dim_ is None
        and [*probe.relevance_] == ["progressive"]
        and probe.relevance_["progressive"].shape == (1, 3)
    )
    assert isinstance(probe.intrinsic_dim_, int) and probe.plot().get_legend_handles_labels()[1] == ["progressive"]


def test_observables_of_the_plane(probe, plane):
    table = probe.observables(plane, ["px", "pz"]).set_index(["latent", "observable"])
    assert table.index.get_level_values("latent").unique().tolist() == ["z1", "z2", "all"]
    assert (table.loc["all"].r2_observable > 0.98).all()
    other = probe.observables(plane, pd.DataFrame(dict(noise=np.random.default_rng(0).normal(size=1500))))
    assert abs(other.r2_observable).max() < 0.25


def test_a_closed_and_an_open_orbit():
    probes = {
        name: fit_probe(X, training="standard", n_runs=1, max_steps=300, random_state=0)
        for name, X in dict(
            closed=circle(1000, noise=0.02, random_state=0), open=arc(1000, noise=0.02, random_state=0)
        ).items()
    }
    loops = {name: probe.topology(make(1000, noise=0.02, random_state=1), max_dim=1).betti.tolist()
             for (name, probe), make in zip(probes.items(), (circle, arc))}
    assert loops == {"closed": [1], "open": [0]}


def test_the_report_is_whole_or_not_there(probe, tmp_path, monkeypatch):
    path = probe.report(tmp_path / "report.html", scan=False)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert all(line in page for line in probe.answer().words["Answer"]) and "data:image/png;base64," in page
    assert "http" not in without_pictures(page)  # it needs nothing from elsewhere
    with pytest.raises(
        FileNotFoundError, match=f"cannot write report.html: there is no folder {tmp_path / 'nowhere'}; create it"
    ):
        probe.report(tmp_path / "nowhere" / "report.html", scan=False)
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        probe.report(path, scan=False)
    assert path.read_text(encoding="utf-8") == page and [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.exact
def test_what_a_latent_follows_is_judged_on_events_left_out_one_by_one():
    "The closed form against fifty regressions, each without one event."
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    z = x @ [1.0, -0.5, 0, 0.2] + 0.1 * rng.normal(size=50)
    def guess(i):
        kept = np.delete(np.arange(50), i)
        a, b = x[kept] - x[kept].mean(0), z[kept] - z[kept].mean()
        weights = np.linalg.solve(a.T @ a + 1e-3 * 50 * np.eye(4), a.T @ b)
        return z[kept].mean() + (x[i] - x[kept].mean(0)) @ weights
    left = z - [guess(i) for i in range(50)]
    assert np.isclose(_linear(z, x)[0], 1 - (left**2).mean() / z.var(), rtol=0, atol=1e-12)
