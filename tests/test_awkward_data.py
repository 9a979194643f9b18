"""Data as it comes: rounding, outliers, row numbers, huge units, few events, and the answer that is known."""
import numpy as np
import pytest

from symnb import SymmetryProbe
from symnb.core import SymnbWarning
from symnb.probe.inputs import Columns, far_events

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
