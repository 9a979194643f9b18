"""The probability of an answer: its witnesses, its weights, and what it is worth on data sets of known dimension."""
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skdim

from symnb import SymmetryProbe
from symnb.data.zoo import FITTED, HELD, draw_known
from symnb.probe.calibration import reliability
from symnb.probe.certainty import level_of, tell_certainty
from symnb.probe.confidence import (
    FEATURES,
    HOLE_WEIGHTS,
    NEIGHBOURS,
    WEIGHTS,
    confidence,
    fit_weights,
    gather_evidence,
    hole_confidence,
    neighbour_dimensions,
)
from symnb.probe.staircase import ResolutionMap, find_plateaus

ZOO = pd.read_csv(Path(__file__).parents[1] / "nbs" / "lib" / "probe" / "zoo.csv")
ZOO["right"] = ZOO.answer == ZOO.dimension
TOLD = ZOO[ZOO.told]  # those that get a probability
FITTED_ON, CHECKED_ON = TOLD[~TOLD.held], TOLD[TOLD.held & (TOLD.seed < 1000)]  # the second as they come, few nulls


def test_neighbours_see_a_plane_and_leave_few_events_alone():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 5))
    found = neighbour_dimensions(plane)
    assert len(found) == 6 and np.all(np.abs(found - 2) < 0.3)
    assert len(neighbour_dimensions(plane[:9])) == 0
    assert np.isfinite(neighbour_dimensions(np.round(plane))).all()  # events that repeat


@pytest.mark.parametrize("d", [1, 3, 12])
def test_the_neighbour_estimate_is_that_of_scikit_dimension(d):
    x = np.random.default_rng(0).normal(size=(600, d))
    wide = np.pad(x, ((0, 0), (0, int(d == 1))))  # it wants two columns; a constant one changes no distance
    near, numbers = skdim.get_nn(wide, max(NEIGHBOURS))
    known = [skdim.id.MLE().fit(wide, precomputed_knn_arrays=(near[:, :k], numbers[:, :k])).dimension_
             for k in NEIGHBOURS]
    assert neighbour_dimensions(x) == pytest.approx(known)


def made_up(directions, columns=3):
    "A map of two runs whose spectra have the given numbers of directions, finest first."
    s = np.geomspace(0.05, 1, len(directions))
    spectrum = np.where(np.arange(4) < np.array(directions)[:, None], 100.0, 0.0)[:, None].repeat(2, 1)
    flat = np.zeros((len(s), 2))
    return ResolutionMap(s, np.sqrt(spectrum), spectrum, flat, flat[:, 0], np.array([4, 4]), np.array([True, False]))


def test_evidence_of_a_staircase_without_doubt():
    directions = np.array([3] * 5 + [2] * 16)
    found = made_up(directions)
    steps = find_plateaus(found.resolution, directions, 3)
    rng = np.random.default_rng(0)
    evidence = gather_evidence(found, steps, rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 3)))
    assert len(evidence) == 2 and set(FEATURES) <= set(evidence)
    second = evidence.iloc[1]
    assert second.agreement == second.clear == 1 and second.events == 3 and second.fine == second.discrete == 0
    assert second.neighbours < 0.1 < 0.3 < evidence.iloc[0].neighbours
    assert np.isclose(second["columns"], np.log(1.5)) and second.width == 3 and evidence.iloc[0].fine == 1


@pytest.mark.exact
def test_the_weights_are_those_that_the_zoo_gives():
    fitted = FITTED_ON
    again = fit_weights(fitted, fitted.right)
    assert set(again) == set(WEIGHTS) == {*FEATURES, "constant"}
    np.testing.assert_allclose([again[k] for k in WEIGHTS], [*WEIGHTS.values()], rtol=0.01, atol=0.01)
    known = fitted[fitted.holes_right.notna() & fitted.right]
    again = fit_weights(known, known.holes_right == 1, ("margin",))
    np.testing.assert_allclose([again[k] for k in HOLE_WEIGHTS], [*HOLE_WEIGHTS.values()], rtol=0.01, atol=0.01)


def test_weights_are_found_again():
    rng = np.random.default_rng(0)
    evidence = pd.DataFrame(rng.normal(size=(20_000, len(FEATURES))), columns=FEATURES)
    true = dict(zip(FEATURES, np.linspace(-1, 1, len(FEATURES)))) | dict(constant=0.5)
    right = rng.random(len(evidence)) < confidence(evidence, true)
    found = fit_weights(evidence, right)
    np.testing.assert_allclose([found[k] for k in true], [*true.values()], atol=0.12)


def test_what_is_given_with_a_probability_is_right_as_often():
    held = CHECKED_ON
    given = confidence(held)
    for some in (given >= 0.8, given >= 0.9):  # as many as were promised, within two standard deviations
        expected, deviation = given[some].sum(), np.sqrt((given * (1 - given))[some].sum())
        assert some.sum() >= 20 and held.right[some].sum() >= expected - 2 * deviation


def test_no_structure_is_seen_in_what_has_none():
    nulls = ZOO[ZOO.null]
    false = nulls.told & (nulls.answer < nulls.dimension) & (confidence(nulls) > 0.9)
    assert len(nulls) >= 150 and false.mean() <= 0.01


def test_holes_are_given_with_a_probability_that_is_kept():
    known = CHECKED_ON[CHECKED_ON.holes_right.notna()]
    given = hole_confidence(known.margin, confidence(known))
    for some in (given >= 0.8, given >= 0.5):
        expected, deviation = given[some].sum(), np.sqrt((given * (1 - given))[some].sum())
        assert some.sum() >= 30 and known.holes_right[some].sum() >= expected - 2 * deviation
    assert known.holes_right[given < 0.5].mean() < 0.5


def test_holes_are_never_surer_than_the_dimension():
    given = hole_confidence([1, 1, 0, 1], np.array([0.05, 0.9, 0.9, np.nan]))
    assert given[0] <= 0.05 < 0.5 < given[2] < given[1] <= 0.9 and np.isnan(given[3])


def test_the_zoo_has_two_houses_and_the_table_is_theirs():
    assert len(HELD.keys() - FITTED.keys()) >= 8
    for row in ZOO.itertuples():
        known = draw_known(row.seed, row.held, row.null)
        assert (known.dimension, known.name, len(known.X), known.X.shape[1]) == (row.dimension, row.name, row.n,
                                                                                  row.n_columns)


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_a_probability_where_there_is_one():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(600, 2)) @ [[1, 0, 1], [0, 1, 1]]
    short = dict(n_runs=1, max_steps=200, random_state=0)
    probe = SymmetryProbe(n_runs=1, max_steps=1000, random_state=0).fit(plane)
    assert 0.01 <= probe.confidence_ <= 0.99 and set(FEATURES) <= set(probe.evidence_)
    assert f"{int(100 * probe.confidence_)} %" in str(probe.answer()) and "probability" in probe.summary()
    answer = probe.answer()
    assert 0.01 <= answer.holes_sure <= probe.confidence_ and f"{int(100 * answer.holes_sure)} %" in str(answer)
    steps = probe.plateaus_
    assert (np.isfinite(steps.confidence) == steps.answer).all()
    assert SymmetryProbe(**short).fit(plane[:, :1]).intrinsic_dim_ == 1  # neighbours in one column
    for lattice in (np.round(plane), np.sign(plane)):
        assert SymmetryProbe(**short).fit(lattice).evidence_["neighbours"] <= 2


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
@pytest.mark.parametrize(
    "n, columns, parameters",
    [(10, 3, {}), (600, 3, dict(training="standard")), (600, 3, dict(n_latents=2)), (600, 3, dict(resolution=3.0)),
     (600, 3, {}), (600, 3, dict(max_steps=1000, hidden=(8,)))],
    ids=["too few", "the review's training", "as many directions as latents", "too coarse to see anything",
         "a training cut short", "another network"],
)
def test_no_probability_where_none_was_measured(n, columns, parameters):
    X = np.random.default_rng(0).normal(size=(n, columns))
    probe = SymmetryProbe(**dict(n_runs=1, max_steps=100, random_state=0) | parameters).fit(X)
    assert np.isnan(probe.confidence_) and "probability" not in probe.summary()
    answer = probe.answer()
    assert answer.level in ("sure", "fairly sure", "not sure") and np.isnan(answer.holes_sure)


def test_evidence_that_is_missing_gives_no_number():
    given = confidence(ZOO[:3].assign(width=[np.nan, *ZOO.width[1:3]]))
    assert np.isnan(given).tolist() == [True, False, False]


def test_reliability_counts():
    table = reliability([0.1, 0.6, 0.97, 1.0], [False, True, True, True])
    assert table.n.tolist() == [1, 1, 0, 0, 2] and table.right.dropna().tolist() == [0, 1, 1]
    assert table.low.iloc[-1] < 1 == table.high.iloc[-1]


def test_words_follow_the_probability():
    words = {0.99: "sure", 0.95: "sure", 0.9: "fairly sure", 0.6: "not sure", 0.2: "no answer"}
    assert {p: level_of(p) for p in words} == words
    level, words = tell_certainty([(True, "a."), (False, "b.")], 0.93)
    assert level == "fairly sure" and words[1:] == ["+ a.", "− b."]
    assert "93 %" in words[0]
    assert tell_certainty([(True, "a.")])[0] == "sure"


@pytest.mark.parametrize("hides", [False, True])
def test_what_fills_all_columns_gets_no_probability(hides):
    "Isotropic noise, and a helix of four turns with noise as large as its turns are apart: events cannot tell."
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 8 * np.pi, 800)
    X = np.stack([np.cos(t), np.sin(t), t / 7], 1) if hides else np.zeros((800, 3))
    probe = SymmetryProbe(random_state=0).fit(X + 0.6 * rng.normal(size=(800, 3)))
    assert probe.intrinsic_dim_ == 3 and np.isnan(probe.confidence_) and probe.plateaus_.confidence.isna().all()
    told = str(probe.answer())
    assert "upper bound" in told and "Not sure" in told and "are answered right" not in told
