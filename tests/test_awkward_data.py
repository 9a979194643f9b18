"""Data as it comes: rounding, outliers, row numbers, huge units, few events, and the answer that is known."""
import numpy as np
import pytest

from symnb import SymmetryProbe
from symnb.core import SymnbWarning
from symnb.probe.inputs import Columns, count_held, draw_order, far_events

rng = np.random.default_rng(0)
PLANE = rng.normal(size=(600, 2))


def probe(X, **parameters):
    return SymmetryProbe(**dict(n_runs=1, max_steps=150, random_state=0) | parameters).fit(X)


@pytest.mark.parametrize(
    "column",
    [1e-14 * rng.normal(size=600), np.round(5.45454 + 1e-6 * rng.normal(size=600), 6), 91.19 + 1e-12 * PLANE[:, 0]],
    ids=["what a cancellation left", "the last digit that was written", "a constant with an error"],
)
def test_a_column_that_is_constant_to_rounding_is_left_out(column):
    with pytest.warns(SymnbWarning, match="constant columns carry no information and are left out: x2"):
        found = probe(np.c_[PLANE, column])
    assert found.columns_.kept.tolist() == [0, 1] and found.intrinsic_dim_ == 2


@pytest.mark.parametrize(
    "column",
    [np.arange(600) % 4.0, rng.integers(355_000, 355_004, 600).astype(float), 2459000.5 + np.arange(600) % 6,
     1e-3 * rng.normal(size=600), 1.7e9 + rng.normal(size=600), np.linspace(0, 2 * np.pi, 600)],
    ids=["integers", "run numbers", "Julian days", "a small unit", "a time", "a regular angle"],
)
def test_what_varies_is_kept(column):
    assert Columns(np.c_[PLANE, column], list("abc")).kept.tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_one_far_event_does_not_set_the_scale():
    X = np.c_[PLANE, PLANE.sum(1)]
    X[0] = 1e6
    with pytest.warns(SymnbWarning, match="1 of 600 events lie more than 50 interquartile ranges off in x0, x1, x2"):
        found = probe(X)
    assert found.intrinsic_dim_ == 2 and found.n_events_ == 599
    np.testing.assert_allclose(found.columns_.scale, X[1:].std(0))
    assert found.transform(X).shape == (600, 4)  # and still every event has latents


def test_a_heavy_tail_is_no_outlier():
    tail = np.tan(np.pi * (np.arange(1, 2000) / 2000 - 0.5))  # the quantiles of a Cauchy distribution
    assert not far_events(tail[:, None])[0].any() and not far_events(tail[:, None] ** 3)[0].any()
    many = np.random.default_rng(2).normal(size=(1000, 40))
    many[np.arange(360), np.arange(360) % 40] = 1e6  # few in each column, a third of all events
    assert not far_events(many)[0].any()
    small = np.r_[PLANE[:80, 0], 1e6]
    assert far_events(small[:, None])[0].sum() == 1
    assert far_events(np.r_[PLANE[:, 0], 1e3][:, None])[0].sum() == 1


def test_row_numbers_are_no_degree_of_freedom():
    numbers = np.random.default_rng(1).permutation(600).astype(float)
    with pytest.warns(SymnbWarning, match="row-number columns carry no information and are left out: x2"):
        assert probe(np.c_[PLANE, numbers]).columns_.kept.tolist() == [0, 1]
    assert Columns(np.c_[numbers], ["n"]).kept.tolist() == [0]  # alone it is the data


@pytest.mark.parametrize("unit", [1e200, 1e-200, 1e20])
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_units_do_not_matter(unit, scale):
    X = np.c_[PLANE, PLANE @ [1, -2]]
    here, there = probe(X, scale=scale), probe(unit * X, scale=scale)
    np.testing.assert_allclose(there.columns_.standardise(unit * X), here.columns_.standardise(X), rtol=1e-9)
    assert there.intrinsic_dim_ == here.intrinsic_dim_ == 2
    answer = there.answer()
    assert answer.betti.betti.tolist() == [0, 0] and "2 degrees of freedom" in str(answer)


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
@pytest.mark.parametrize("shape", [(10, 3), (100, 162)])
def test_few_events_are_told_as_too_few(shape):
    found = SymmetryProbe(n_runs=1, random_state=0).fit(np.random.default_rng(0).normal(size=shape))
    answer = found.answer()
    assert answer.words["Answer"][0].startswith(f"Too few: {shape[0]} events in {shape[1]} varying columns")
    assert answer.level == "not sure" and answer.betti is None
    assert "What does not vary" not in answer.words or not answer.words["What does not vary"]


# Weights

@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_the_answer_follows_the_weights():
    line = np.tile(PLANE[:200, :1], 3)
    X, weight = np.r_[line, np.c_[PLANE, PLANE[:, 1]]], np.repeat([1.0, 1e-9], [200, 600])
    both = probe(X, max_steps=400)
    assert both.intrinsic_dim_ == 2 and both.n_events_ == 800
    weighted = probe(X, max_steps=400).fit(X, sample_weight=weight)
    assert weighted.intrinsic_dim_ == 1 and weighted.n_events_ == 200
    left_out = probe(X, max_steps=400).fit(X, sample_weight=weight > 0.5)  # zero is as if it were not there
    assert left_out.intrinsic_dim_ == 1 and np.allclose(left_out.columns_.scale, line.std(0))


def test_equal_weights_change_nothing():
    plain, weighted = probe(PLANE, max_steps=50), SymmetryProbe(n_runs=1, max_steps=50, random_state=0)
    weighted.fit(PLANE, sample_weight=np.full(600, 7.0))
    assert plain.n_events_ == weighted.n_events_ and np.array_equal(plain._sample, weighted._sample)
    np.testing.assert_allclose(plain.local_spectrum_, weighted.local_spectrum_)


def test_a_weight_is_a_number_of_draws_and_no_event_is_on_both_sides():
    weight = np.repeat([1.0, 3.0], [300, 300])
    order = draw_order(600, weight, np.random.RandomState(0))
    held, times = count_held(600), np.bincount(order, minlength=600)
    assert len(order) == 600 and not set(order[:held]) & set(order[held:])
    assert times[300:].sum() == pytest.approx(450, abs=40)  # three quarters of the weight


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_an_event_without_weight_sets_no_scale():
    far = np.r_[PLANE[:60] + 1000, PLANE]
    found = probe(far, max_steps=20).fit(far, sample_weight=np.repeat([1.0, 0.0], [60, 600]))
    assert found.n_events_ == 60 and np.allclose(found.columns_.mean, far[:60].mean(0))


@pytest.mark.parametrize(
    "weight, words",
    [
        (np.where(np.arange(600) < 60, -1.0, 1.0), "negative for 10.0%"),
        (np.ones(3), "one weight for each of the 600 events"),
        (np.zeros(600), "zero for all"),
        (np.r_[np.nan, np.ones(599)], "1 values that are not finite"),
        (np.arange(600) < 5, "leaves 5 events"),
    ],
    ids=["negative", "shape", "zero", "nan", "few"],
)
def test_weights_that_make_no_sense_are_refused(weight, words):
    with pytest.raises(ValueError, match=f"sample_weight.*{words}"):
        SymmetryProbe(n_runs=1, max_steps=5).fit(PLANE, sample_weight=weight)
