"""SymmetryProbe against scikit-learn's own checks, and its answers to bad and odd input."""
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from symnb.checks import ParameterError, check_number
from symnb.core import SymnbWarning
from symnb.data.geometry import disk
from symnb.probe.estimator import SymmetryProbe

# Conventions and refusals, not answers: a short training is enough
pytestmark = [pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning"),
              pytest.mark.filterwarnings("ignore:X does not have valid feature names")]


def short(**parameters):
    return SymmetryProbe(**dict(n_runs=1, max_steps=5, random_state=0) | parameters)


@pytest.fixture
def events():
    "600 events with three named columns."
    return pd.DataFrame(np.random.default_rng(0).normal(size=(600, 3)), columns=["mass", "energy", "angle"])


DRAWN = "a weight of two is two draws of the event, and other draws make another training: equal in the mean only"


@parametrize_with_checks(
    [SymmetryProbe(n_runs=1, max_steps=5)],
    expected_failed_checks=lambda estimator: {"check_sample_weight_equivalence_on_dense_data": DRAWN},
)
def test_scikit_learn_conventions(estimator, check, monkeypatch):
    # scikit-learn skips check_array_api_input (the same answer for NumPy arrays with its array API dispatch on) unless
    # this is set; with it, no check is skipped
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


# Bad values

@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_columns(events, value):
    bad = events.copy()
    bad.loc[[3, 7], "energy"] = value
    for X, column in ((bad, "energy"), (bad.to_numpy(), "x1"), (bad.to_numpy(np.float32), "x1")):
        with pytest.raises(
            ValueError, match=f"X has NaN or infinite values in 2 events, .* {column}. Drop these events"
        ):
            short().fit(X)
    probe = short().fit(events)
    for method in (probe.transform, probe.score, probe.topology):
        with pytest.raises(ValueError, match="X has NaN or infinite values .* energy"):
            method(bad)


def test_text_is_refused_with_its_columns(events):
    words = "X has columns that are not numbers: {}. Drop them or encode them"
    text = events.assign(generator="pythia", charge=pd.Categorical(["+", "-"] * 300))
    with pytest.raises(ValueError, match=words.format("generator, charge")):
        short().fit(text)
    mixed = events.to_numpy(object, copy=True)
    mixed[5, 2] = "n/a"
    for X, columns in ((mixed, "x2"), (mixed.tolist(), "x2"), (events.to_numpy(str), "x0, x1, x2")):
        with pytest.raises(ValueError, match=words.format(columns)):
            short().fit(X)
    with pytest.raises(ValueError, match=words.format("mass")):
        short().fit(events).transform(events.astype({"mass": str}))


def test_names_that_occur_twice_do_not_hide_text(events):
    twice = pd.concat([events, events["mass"].astype(str)], axis=1)
    with pytest.raises(ValueError, match="not numbers: mass. Drop"):
        short().fit(twice)


# Bad shapes


@pytest.mark.parametrize(
    "X, message",
    [
        (np.arange(600.0), r"X has the shape \(600,\)[\s\S]*Reshape your data"),
        (np.zeros((20, 3, 2)), "X has the shape .20, 3, 2."),
        (np.zeros((600, 0)), r"0 feature\(s\)"),
        (None, "X has the shape ..,"),
        (np.ones((600, 2)) * 1j, "Complex data"),
    ],
)
def test_what_is_no_table_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        short().fit(X)


def test_few_events_are_refused_and_not_many_warned_about(events):
    for n in (1, 9):
        with pytest.raises(ValueError, match=f"X has {n} samples .* at least 10, and 500 or more"):
            short().fit(events[:n])
    for n in (10, 499):
        with pytest.warns(SymnbWarning, match=f"^{n} events are too few for a reliable answer: use 500 or more"):
            short().fit(events[:n])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "500 events are too few")
        short().fit(events[:500])


def test_other_columns_than_those_of_the_fit_are_refused(events):
    probe = short().fit(events)
    with pytest.raises(ValueError, match="X has 2 features, but SymmetryProbe is expecting 3"):
        probe.transform(events[["mass", "energy"]].to_numpy())
    with pytest.raises(ValueError, match="feature names should match"):
        probe.transform(events.rename(columns={"mass": "m"}))
    with pytest.raises(ValueError, match="Z has 3 columns, but this probe has 4 latents"):
        probe.inverse_transform(np.zeros((5, 3)))


# Columns without information

def test_constant_and_duplicated_columns_are_named_and_change_nothing():
    X = disk(random_state=0)
    odd = pd.DataFrame(dict(a=X[:, 0], beam=91.19, b=X[:, 1], again=X[:, 0]))
    settings = dict(n_latents=4, n_runs=2, max_steps=50, training="standard", random_state=0)
    with pytest.warns(SymnbWarning) as caught:
        probe = SymmetryProbe(**settings).fit(odd)
    messages = [str(w.message) for w in caught if "columns" in str(w.message)]
    assert messages == [f"{what} columns carry no information and are left out: {name}"
                        for what, name in (("constant", "beam"), ("duplicated", "again"))]
    plain = SymmetryProbe(**settings).fit(X)
    np.testing.assert_allclose(probe.relevance_["standard"], plain.relevance_["standard"], rtol=1e-3)
    back = probe.inverse_transform(probe.transform(odd))
    np.testing.assert_allclose(back[:, 1], 91.19)
    np.testing.assert_array_equal(back[:, 0], back[:, 3])
    np.testing.assert_allclose(back[:, [0, 2]], plain.inverse_transform(plain.transform(X)), rtol=1e-3, atol=1e-3)


def test_a_constant_with_rounding_errors_is_constant(events):
    events["total"] = 91.19 + 1e-9 * events["mass"]
    with pytest.warns(SymnbWarning, match="constant columns .* total"):
        assert len(short().fit(events).columns_.kept) == 3


def test_a_large_offset_is_no_constant(events):
    events["time"] = 1.7e9 + events["mass"]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constant columns")
        assert 3 in short().fit(events).columns_.kept
    single = np.full((600, 1), 91.19) * (1 + 1e-7 * np.random.default_rng(0).normal(size=(600, 1)))
    with pytest.warns(SymnbWarning, match="constant columns .* x2"):
        short().fit(np.hstack([disk(600, random_state=0), single]).astype(np.float32))


def test_nothing_that_varies_is_refused():
    for X in (np.full((600, 3), 7.0), np.zeros((600, 1))):
        with pytest.warns(SymnbWarning, match="constant"), pytest.raises(
            ValueError, match="X has no column that varies"
        ):
            short().fit(X)


# Bad parameters


@pytest.mark.parametrize(
    "error, message, parameters",
    [
        (ParameterError, "n_latents={} must be an integer of at least 1",
         [dict(n_latents=v) for v in (0, -3, 2.0, "2", True)]),
        (ParameterError, "n_runs={} must be an integer of at least 1", [dict(n_runs=v) for v in (0, -1, 1.5, None)]),
        (ValueError, "max_steps={} must be an integer of at least 1", [dict(max_steps=0)]),
        (
            ValueError,
            "resolution={} must be a positive number",
            [dict(resolution=v) for v in (-0.2, 0, np.nan, np.inf, "fine", True, 1j)],
        ),
        (ValueError, "threshold={} must be a positive number", [dict(threshold=v) for v in (-1, "high")]),
        (
            ValueError,
            "training={} is unknown: use 'amortised', 'both', 'standard' or 'progressive'",
            [dict(training=v) for v in ("fast", None)],
        ),
        (
            ValueError,
            "scale={} is unknown: use 'standard', 'none' or 'asinh'",
            [dict(scale=v) for v in ("log", None, 2)],
        ),
        (
            ValueError,
            "hidden={} must be a tuple of the layers' widths, such as",
            [dict(hidden=v) for v in (64, (0,), (2.5,))],
        ),
        (
            ValueError,
            "device={} is not a device: use 'auto', 'cpu', 'cuda'",
            [dict(device=v) for v in ("gpu", None, 3)],
        ),
    ],
)
def test_bad_parameters_are_refused_by_name(events, error, message, parameters):
    for parameter in parameters:
        with pytest.raises(error) as caught:
            short(**parameter).fit(events)
        assert str(caught.value).startswith(message.format(repr(*parameter.values())))


def test_any_real_number_is_a_number():
    for value in (Fraction(1, 4), np.float32(0.25), 10**40):
        check_number("threshold", value, above=0)
    with pytest.raises(ParameterError, match="angle=7 must be a finite number above 0 and of at most 6.3"):
        check_number("angle", 7, above=0, most=6.3)


def test_methods_can_be_sent_to_other_processes(events):
    probe = short().fit(events)
    for name in ("score", "encode", "elbo", "plot", "topology", "summary", "answer", "report", "save", "load"):
        method = getattr(probe, name)
        assert method.__name__ == name and pickle.loads(pickle.dumps(method)).__name__ == name
    assert pickle.loads(pickle.dumps(probe.score))(events) == probe.score(events)


def test_a_missing_gpu_is_refused(events, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device in ("cuda", "cuda:1", torch.device("cuda")):
        with pytest.raises(ValueError, match="was asked for, but torch .* sees 0 GPUs: use device='auto' or 'cpu'"):
            short(device=device).fit(events)
    assert short(device="auto").fit(events).runs_.s2.device.type == "cpu"


# Bad questions

def test_questions_before_the_fit_are_refused(events):
    probe = short()
    for question in (probe.transform, probe.inverse_transform, probe.score, probe.encode, probe.topology, probe.elbo):
        with pytest.raises(NotFittedError, match="Call 'fit'"):
            question(events)
    for question in (probe.sample, probe.summary, probe.plot):
        with pytest.raises(NotFittedError, match="Call 'fit'"):
            question()


def test_bad_questions_are_refused_by_name(events):
    probe = short(training="progressive").fit(events)
    with pytest.raises(ValueError, match="training='standard' was not asked for: this probe has progressive"):
        probe.encode(events, "standard")
    for n in (0, -1, 1.5):
        with pytest.raises(ParameterError, match=f"n_samples={n} must be an integer of at least 1"):
            probe.sample(n)
    for s in (-0.1, 0, [0.1, np.nan], [], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="s must hold positive resolutions"):
            probe.resolution_scan(events, s)
    with pytest.raises(ValueError, match="X has no columns charge: pass a DataFrame"):
        probe.observables(events, ["mass", "charge"])


# Units

def test_the_standard_scale_is_the_default(events):
    assert SymmetryProbe().scale == "standard" and SymmetryProbe(0.1, "both").resolution == 0.1
    np.testing.assert_array_equal(
        short().fit(events).transform(events), short(scale="standard").fit(events).transform(events)
    )
    order = np.random.RandomState(0).permutation(600)
    np.testing.assert_array_equal(short().fit(events)._sample, events.to_numpy(np.float32)[order])


@pytest.mark.parametrize("scale", ["standard", "none", "asinh"])
def test_every_scale_can_be_undone(events, scale):
    events = events.assign(
        weak=1e-3 * events["mass"] ** 2,
        tail=np.random.default_rng(1).standard_cauchy(600),
        beam=91.19,
        again=events["mass"],
        flag=(events["mass"] > 2).astype(float),
    )
    columns = short(scale=scale).fit(events).columns_
    x = columns.standardise(events.to_numpy())
    assert columns.kept.tolist() == [0, 1, 2, 3, 4, 7]  # neither the constant column nor the copy
    np.testing.assert_allclose(columns.restore(x), events.to_numpy(), rtol=1e-9, atol=1e-9)
    spread = x.std(0)
    if scale == "none":
        np.testing.assert_allclose(np.sqrt((spread**2).mean()), 1)
        np.testing.assert_allclose(spread[3] / spread[0], events["weak"].std() / events["mass"].std())
    else:
        np.testing.assert_allclose(spread, 1)
        assert (np.abs(x[:, 4]).max() < 6) == (scale == "asinh")


# Inside scikit-learn

def test_it_works_in_a_pipeline(events):
    chain = Pipeline([("scale", StandardScaler()), ("probe", short())]).set_output(transform="pandas")
    events.index += 7
    Z = chain.fit(events).transform(events)
    assert list(Z.columns) == ["z1", "z2", "z3", "z4"] == list(chain.get_feature_names_out()) and Z.index.equals(
        events.index
    )
    scaled = StandardScaler().set_output(transform="pandas").fit_transform(events)
    assert chain.score(events) == pytest.approx(chain["probe"].score(scaled), rel=1e-4)
    assert list(chain["probe"].feature_names_in_) == list(events.columns) and chain["probe"].units_ == {}
    assert clone(chain)["probe"].get_params() == chain["probe"].get_params()


def test_a_search_compares_scores(events):
    for grid in ({"probe__resolution": [0.2, 0.5]}, {"probe__n_latents": [2, 3]}):
        search = GridSearchCV(
            Pipeline([("scale", StandardScaler()), ("probe", short(training="standard"))]), grid, cv=2
        ).fit(events)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_params_.keys() == grid.keys()


def test_units_come_with_the_frame(events):
    events.attrs["units"] = {"mass": "GeV", "weight": "pb"}
    probe = short().fit(events)
    assert probe.units_ == {"mass": "GeV"} and probe.column_labels() == ["mass [GeV]", "energy", "angle"]
    assert short().fit(events.to_numpy()).column_labels() == ["x0", "x1", "x2"]
