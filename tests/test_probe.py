"""What the probe measures, against closed forms; and what it gives back."""
import numpy as np
import pandas as pd
import pytest

from symnb.core import SymnbWarning
from symnb.data.geometry import arc, circle, disk, sphere, torus
from symnb.probe.dimension import combine, count_directions, local_dimension, plateau
from symnb.probe.estimator import SymmetryProbe, fit_probe
from symnb.probe.relevance import count_relevant, kl_per_latent, largest_gap, most_common, relevance
from symnb.probe.topology import betti_table

pytestmark = pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")


@pytest.fixture(scope="module")
def frame():
    "Three columns of which the third is the sum of the others, with names."
    X = np.random.default_rng(0).normal(size=(600, 2))
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "sum": X.sum(1)})


@pytest.fixture(scope="module")
def probe(frame):
    return SymmetryProbe(n_runs=2, max_steps=500, random_state=0).fit(frame)


def test_relevance_of_a_gaussian_channel():
    rng = np.random.default_rng(1)
    mu, sigma = rng.normal(size=(100_000, 2)) * [3.0, 0.1], np.full((100_000, 2), 0.5)
    np.testing.assert_allclose(relevance(mu, sigma), [6.0, 0.2], rtol=0.02)
    np.testing.assert_allclose(kl_per_latent(mu, sigma), 0.5 * (np.array([9, 0.01]) + 0.25 - np.log(0.25) - 1), rtol=0.02)


def test_counts_gaps_and_modes():
    assert count_relevant([[3, 0.6, 0.4], [0.4, 0.3, 0]]).tolist() == [2, 0]
    assert largest_gap([8, 4, 0.5]) == 8 and most_common([1, 2, 2, 1]) == 1


@pytest.mark.parametrize("e, d", [([20, 10, 0.1], 2), ([0.9, 0.5, 0], 0), ([5, 5, 5], 3), ([50, 3, 0.2], 1), ([50, 30, 1.2, 0.9], 2)])
def test_directions_end_at_the_drop(e, d):
    assert count_directions(np.array(e, float)) == d
    assert 0 <= local_dimension(np.array(e, float)) <= len(e)


def test_witnesses():
    assert plateau([1]).tolist() == [True] and plateau([3, 3, 2, 2]).tolist() == [True, True, False, False]
    assert combine(2, 3, 3)[0] == 3 and combine(1, 2, 3)[0] == 1 and not combine(4, 4, None)[1]


def test_a_plane_in_three_columns_has_two_dimensions(probe):
    assert probe.relevant_dim_ == probe.intrinsic_dim_ == 2
    assert probe.relevance_["standard"].shape == (2, 4) and (np.diff(probe.relevance_["standard"]) <= 0).all()
    assert set(probe.dim_counts_["standard"]) == {2} and probe.local_dim_.shape == (2,)
    assert set(probe.elbo_) == set(probe.n_steps_) == {"standard", "progressive"} and probe.fit_seconds_ > 0


def test_there_and_back(probe, frame):
    Z = probe.transform(frame)
    assert (frame.to_numpy() - probe.inverse_transform(Z)).std() < 0.22 * frame.to_numpy().std()
    assert (np.diff(Z.std(0) / probe.encode(frame, list(probe.relevance_)[probe.best_run_ // 2])[1][probe.best_run_ % 2].mean(0)) <= 1e-9).all()
    assert probe.sample(7).shape == (7, 3) and abs(probe.sample(500) @ [1, 1, -1]).mean() < 0.3
    with pytest.raises(ValueError, match="Z has 2 columns, but this probe has 4 latents"):
        probe.inverse_transform(Z[:, :2])


def test_names_and_precision(probe, frame):
    assert probe.feature_names_in_.tolist() == ["a", "b", "sum"]
    table = probe.set_output(transform="pandas").transform(frame)
    probe.set_output(transform="default")
    assert table.columns.tolist() == ["z1", "z2", "z3", "z4"] and table.index.equals(frame.index)
    X = disk(600, random_state=0).astype(np.float32)
    single = SymmetryProbe(n_runs=1, max_steps=50, random_state=0).fit(X)
    assert single.transform(X).dtype == np.float32 and single.transform(X.astype(float)).dtype == np.float64


def test_scores_are_those_of_the_runs(probe, frame):
    bounds = np.concatenate(list(probe.elbo(frame).values()))
    assert bounds.shape == (4,) and abs(bounds[probe.best_run_] - probe.score(frame)) < 0.1
    assert probe.score(frame) > probe.score(frame + 5)


def test_the_same_seed_gives_the_same_answer():
    X = circle(500, random_state=0)
    a, b = (fit_probe(X, n_runs=2, max_steps=100, random_state=3) for _ in range(2))
    for schedule in a.relevance_:
        np.testing.assert_array_equal(a.relevance_[schedule], b.relevance_[schedule])
    assert (fit_probe(X, n_runs=2, max_steps=100, random_state=4).local_dim_ != a.local_dim_).all()


def test_one_schedule_only(frame):
    standard = SymmetryProbe(schedule="standard", n_runs=1, max_steps=100, random_state=0).fit(frame)
    assert list(standard.relevance_) == ["standard"]
    with pytest.raises(ValueError, match="schedule='progressive' was not trained"):
        standard.encode(frame, "progressive")
    progressive = SymmetryProbe(schedule="progressive", n_runs=1, max_steps=100, random_state=0).fit(frame)
    assert progressive.relevant_dim_ is None and progressive.intrinsic_dim_ >= 1


def test_the_resolution_decides_what_is_seen(probe, frame):
    scan = probe.resolution_scan(frame, [0.2, 3.0])
    assert scan.columns.tolist() == ["resolution", "relevant", "progressive", "local_dim", "directions", "on_plateau"]
    assert scan.relevant.tolist()[0] == 2 and scan.relevant.tolist()[1] < 2 and scan.on_plateau.any()
    with pytest.raises(ValueError, match="s must hold positive resolutions"):
        probe.resolution_scan(frame, [0.2, -1])


def test_observables_by_name_and_by_table(probe, frame):
    table = probe.observables(frame, ["sum"])
    assert table[table.latent == "all"].r2_observable.item() > 0.9
    random = pd.DataFrame({"noise": np.random.default_rng(5).normal(size=len(frame))})
    assert probe.observables(frame, random).r2_observable.max() < 0.1
    with pytest.raises(ValueError, match="X has no columns energy"):
        probe.observables(frame, ["energy"])


@pytest.mark.parametrize("X, betti", [(circle(800, random_state=0), [1, 0]), (arc(800, random_state=0), [0, 0]),
                                      (disk(800, random_state=0), [0, 0]), (sphere(800, random_state=1), [0, 1]),
                                      (torus(2000, random_state=1), [2, 1])], ids=["circle", "semicircle", "disk", "sphere", "torus"])
def test_holes(X, betti):
    assert betti_table(X).betti.tolist() == betti


def test_a_report_is_whole_or_not_there(probe, tmp_path):
    page = probe.report(tmp_path / "report.html").read_text()
    assert "Intrinsic dimension 2" in page and "data:image/png" in page and "http" not in page
    with pytest.raises(FileNotFoundError, match="report.html"):
        probe.report(tmp_path / "missing" / "report.html")
    assert not (tmp_path / "missing").exists()


def test_a_constant_column_of_rounding_errors_is_no_direction():
    X = disk(600, random_state=0)
    with pytest.warns(SymnbWarning, match="constant columns .* x2"):
        probe = SymmetryProbe(n_runs=1, max_steps=300, random_state=0).fit(np.c_[X, 5 + 1e-9 * X[:, 0]])
    assert probe.relevant_dim_ == 2
