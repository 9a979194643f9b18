"""Columns that are no degrees of freedom are set aside with a reason; what a physicist measures stays."""

import numpy as np
import pandas as pd
import pytest

from symnb.data import load
from symnb.data.labels import Aside, set_aside
from symnb.data.remarks import angles, cos_sin, remarks, sentinels
from symnb.data.selection import query_mask
from symnb.data.times import as_seconds

N = 2000
rng = np.random.default_rng(0)


def physics(n: int = N) -> pd.DataFrame:
    "What must stay."
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "pt": rng.exponential(40, n) + 20,
            "eta": rng.normal(size=n),
            "phi": rng.uniform(-np.pi, np.pi, n),
            "mass": rng.normal(91, 2, n),
            "charge": rng.choice([-1, 1], n),
            "n_jets": rng.poisson(2, n),
            "n": rng.integers(0, 400, n),
            "pdgId": rng.choice([11, -11, 13, -13, 2212], n),
            "adc": rng.integers(0, 4096, n).clip(0, 3500),
            "cos": rng.normal(size=n).clip(-1, 1),
            "run_time": rng.exponential(1, n),
            "index_of_refraction": rng.normal(1.5, 0.1, n),
            "molecular_weight": rng.normal(100, 9, n),
            "identity": rng.integers(0, 9, n),
            "u": rng.normal(size=n),
            "w": rng.exponential(1, n),
            "event": rng.integers(0, 2, n),
        }
    )


def asides(columns: dict, **more) -> "dict[str, str]":
    table = physics(len(next(iter(columns.values())))).assign(**columns)
    found = {a.column: a.reason for a in set_aside(table, **more)}
    assert set(found) <= set(columns), found
    return found


def test_what_is_measured_stays():
    for n in (10, 30, N, 20_000):
        assert set_aside(physics(n)) == ()
    grid = pd.DataFrame({"x": np.tile(np.arange(40), 50), "y": np.repeat(np.arange(50), 40), "z": rng.normal(size=N)})
    assert set_aside(grid) == () and set_aside(grid.sample(frac=1, random_state=0)) == ()
    assert asides({"t": np.linspace(0, 1, N)}) == {}
    assert asides({"voltage": np.arange(N) * 10}, units={"voltage": "mV"}) == {}
    assert asides({"weight": np.full(N, 1.5) + rng.random(N)}, units={"weight": "kg"}) == {}
    assert asides({"weight": rng.integers(50, 100, N)}) == {}


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float64, np.float32, np.uint64])
def test_numbers_of_rows(kind):
    rows = np.arange(N)
    for k, values in enumerate(
        [
            rows,
            rows + 1,
            7 * rows + 3,
            rows[::-1],
            rng.permutation(N),
            rng.permutation(9 * N)[:N],
            np.sort(rng.permutation(9 * N)[:N]),
        ]
    ):
        assert asides({"x9": values.astype(kind)}) == {"x9": "numbers of rows"}, k


@pytest.mark.parametrize(
    "name",
    [
        "event",
        "eventNumber",
        "evt",
        "Event.fEvtNum",
        "EventInfo/event_id",
        "entry",
        "id",
        "uid",
        "index",
        "source_id",
        "ievt",
        "rowNumber",
    ],
)
def test_numbers_of_events_in_any_order(name):
    spread = rng.integers(10**17, 10**18, N)  # Gaia's
    assert asides({name: spread}) == {name: "numbers of events"}
    assert asides({name: np.repeat(rng.permutation(10**6)[: N // 5], 5)}) == {name: "numbers of events"}  # particles
    assert asides({name: np.tile(np.arange(N // 5), 5)}) == {name: "numbers of events"}  # files put together
    assert asides({name: rng.normal(size=N)}) == {} and asides({name: rng.integers(0, 3, N)}) == {}
    assert asides({name: spread}, explicit=[name]) == {}


@pytest.mark.parametrize("name", ["run", "runNumber", "RunNo", "lumi", "luminosityBlock", "EventInfo.fRunNumber"])
def test_numbers_of_runs(name):
    runs = np.repeat([355_100, 355_104, 355_107, 355_200], N // 4)
    assert asides({name: runs}) == {name: "numbers of runs"} == asides({name: rng.permutation(runs)})
    assert asides({name: rng.integers(0, 2, N)}) == {} and asides({name: rng.normal(size=N)}) == {}
    event = np.tile(np.arange(N // 4), 4)
    shuffled = rng.permutation(N)
    both = asides({name: runs[shuffled], "event_": event[shuffled]})
    assert both == {name: "numbers of runs", "event_": "numbers of events"}


@pytest.mark.parametrize(
    "name",
    [
        "weight",
        "weights",
        "evtweight",
        "genWeight",
        "mcWeight",
        "mcEventWeight",
        "weight_mc",
        "LHEWeight_originalXWGTUP",
        "puWeight",
        "totalEventWeight",
        "weight_0",
        "wgt",
    ],
)
def test_weights(name):
    for values in (rng.exponential(1, N), rng.choice([-1, 1], N), rng.normal(1e-7, 1e-8, N)):
        assert asides({name: values}) == {name: "weights of events"}
    assert [a.column for a in set_aside(physics().drop(columns="u"))] == ["w"]


def test_one_column_stays():
    assert set_aside(pd.DataFrame({"n": np.arange(N)})) == ()
    assert set_aside(pd.DataFrame({"run": np.arange(N), "event": np.arange(N)})) == ()


def test_numbers_that_came_as_text():
    table = pd.DataFrame({"x": [1, 2, 3], "s": [1.0, 2, 3], "y": [1, 2, 3]})
    assert set_aside(table, texts=["s"]) == (Aside("s", "numbers that another column has, too, as text"),)
    assert set_aside(table) == ()  # a copy is a law, which the probe finds


# What is said


@pytest.mark.parametrize("value", [-1, -200, -999, -9999, -99999, 1e20, 9.999e20, -1e30, 3.4028235e38, 2.0**31 - 1])
@pytest.mark.parametrize("kind", [float, np.float32])
def test_sentinels_are_said_with_the_query_that_leaves_them_out(value, kind):
    table = physics()[["pt", "mass", "adc"]].astype(kind)
    some = rng.random(N) < 0.03
    table.loc[some, "pt"] = kind(value)
    table["jet 2 m"] = table.mass.mask(some | (rng.random(N) < 0.01), kind(value))
    [said] = remarks(table)
    assert f"in {(table['jet 2 m'] == kind(value)).sum()} of 2,000 rows (pt, jet 2 m)" in said
    query = said.partition('query="')[2].rstrip('"')
    assert query_mask(table, query).sum() == (table["jet 2 m"] != kind(value)).sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_sentinel_among_heavy_tails(seed):
    rng = np.random.default_rng(seed)
    column = np.round(rng.standard_cauchy(2000), 2)
    assert not sentinels(pd.Series(column))
    column[rng.random(2000) < 0.05] = -999
    assert list(sentinels(pd.Series(column))) == [-999]


def test_several_sentinels_and_none():
    x = physics().pt.to_numpy(copy=True)
    x[:40], x[40:70], x[70:75] = -999, -9999, 1e20
    assert sentinels(pd.Series(x)) == {-9999: 30, -999: 40, 1e20: 5}
    layers = pd.Series(np.where(rng.random(N) < 0.1, -999, rng.integers(0, 50, N)))
    assert list(sentinels(layers)) == [-999]
    assert list(sentinels(pd.Series(rng.choice([0, 1, 2, 3, 4, 5, -9], N)))) == [-9]
    assert list(sentinels(pd.Series(np.where(rng.random(N) < 0.05, -999, 99 * rng.standard_cauchy(N))))) == [-999]
    assert not any(sentinels(column) for _, column in physics().items())
    assert not sentinels(pd.Series(np.r_[1e6, rng.normal(size=N)]))  # one outlier is none
    assert not sentinels(pd.Series(rng.normal(size=N).clip(-1, 1))) and not sentinels(pd.Series(rng.standard_cauchy(N)))


def test_constants_and_flags():
    table = physics()[["pt", "event"]].assign(
        c=91.1876, r=0.1 + 0.2 - 1e-17 * rng.random(N), k=7, small=1e-14 * rng.normal(size=N)
    )
    table["event"] = table.event.astype(np.int8)  # as `load` keeps what was true or false
    said = remarks(table)
    assert "constant, so no degree of freedom: c, r, k" in said and "true or false, as 1 and 0: event" in said


def test_angles():
    turn = rng.random(N)
    table = pd.DataFrame(
        {
            "a": 360 * turn,
            "b": 2 * np.pi * turn,
            "dphi": 4 * turn - 2,
            "muonPhi": (4 * turn).astype(np.float32),
            "jet_phi_0": 2 * np.pi * turn - np.pi,
            "wd": 359 * turn**3,
            "x": 7 * turn,
            "cut": 6 * turn,
            "h": 2 * np.pi * turn,
        }
    )
    assert angles(table, {"h": "m", "wd": "deg"}) == {
        "a": 360,
        "b": 2 * np.pi,
        "dphi": 2 * np.pi,
        "muonPhi": 2 * np.pi,
        "jet_phi_0": 2 * np.pi,
        "wd": 360,
    }
    bent = cos_sin(table[["a", "x"]])
    assert list(bent) == ["cos_a", "sin_a", "x"]
    np.testing.assert_allclose(np.arctan2(bent.sin_a, bent.cos_a) % (2 * np.pi), 2 * np.pi * turn, atol=1e-9)
    assert angles(physics()) == {"phi": 2 * np.pi}
    with pytest.raises(ValueError, match="names: the table has no 'phi'"):
        cos_sin(bent, ["phi"])


def test_a_file_is_read_with_cosine_and_sine_of_its_angles(tmp_path):
    "Degrees are told by their size where no unit says so, and target and weights stay."
    turn = np.random.default_rng(0).random(400)
    table = pd.DataFrame({"r": 1 + turn**2, "phi": 2 * np.pi * turn - np.pi, "wind": 90 * turn, "y": turn * 3})
    table.to_csv(tmp_path / "a.csv", index=False)
    assert any("angles" in note and "--angles auto" in note for note in load(tmp_path / "a.csv").attrs["notes"])
    auto = load(tmp_path / "a.csv", angles="auto")
    assert list(auto) == ["r", "cos_phi", "sin_phi", "wind", "y"]
    assert auto.attrs["notes"] == ["cosine and sine in the place of phi (radians)"]
    named = load(tmp_path / "a.csv", angles="wind,ph*", target="y")
    assert list(named) == ["r", "cos_phi", "sin_phi", "cos_wind", "sin_wind", "y"]
    np.testing.assert_allclose(np.arctan2(named.sin_wind, named.cos_wind), np.pi / 2 * turn, atol=1e-9)
    for wrong, words in (("psi", "angles: .* 'psi'"), ("y", "angles: 'y' is the target or the weights")):
        with pytest.raises(ValueError, match=words):
            load(tmp_path / "a.csv", angles=wrong, target="y")
    table.assign(cos_phi=turn).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ValueError, match="angles: the table has a column 'cos_phi' already"):
        load(tmp_path / "b.csv", angles="phi")
    table[["r", "y"]].to_csv(tmp_path / "b.csv", index=False)
    [said] = load(tmp_path / "b.csv", angles="auto").attrs["notes"]
    assert said.startswith("angles: no column goes round")


# Dates


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y/%m/%d %H:%M",
        "%d.%m.%Y",
        "%d-%b-%Y %H:%M",
        "%b %d, %Y",
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%Y%m%dT%H%M%S",
        "%Y-%m-%dT%H:%M:%S+02:00",
    ],
)
def test_dates_are_seconds(form):
    days = pd.Series(pd.date_range("1969-03-01 01:02", periods=500, freq="37h13min"))
    texts = days.dt.strftime(form)
    seconds = (pd.to_datetime(texts, format=form, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1s")
    np.testing.assert_allclose(as_seconds(texts), seconds - 7200 * form.endswith("+02:00"), atol=1e-6)
    texts[3] = None
    assert as_seconds(texts).isna().sum() == 1
    texts[4] = "31 of May"
    assert as_seconds(texts) is None


def test_a_date_is_left_out_or_seconds_since_the_first(tmp_path):
    table = physics(60)[["pt", "eta"]].assign(day=pd.date_range("2026-01-05", periods=60).strftime("%Y-%m-%d"))
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "t.csv", index=False)
    assert list(load(tmp_path / "t.csv")) == ["pt", "eta"]
    read = load(tmp_path / "t.csv", columns="day,pt")
    assert list(read) == ["day", "pt"] and sorted(read.day) == [86_400 * k for k in range(60)]
    assert read.attrs["units"]["day"] == "s" and "day: seconds since 2026-01-05T00:00:00" in read.attrs["notes"]


# A file of an experiment


def test_load_names_each_with_its_reason(tmp_path):
    labels = dict(
        run=np.repeat([1.0, 2, 3, 4], 500),
        event=rng.permutation(10**6)[:N] * 1.0,
        row=np.arange(N) * 1.0,
        genWeight=rng.choice([-1, 1], N),
    )
    physics().assign(**labels).to_csv(tmp_path / "t.csv", index=False)
    for options in ({}, {"max_events": 500}, {"query": "eta > 0"}):
        read = load(tmp_path / "t.csv", **options)
        assert "event" not in read and list(read) == [c for c in physics() if c != "event"], options
        told = " | ".join(read.attrs["notes"])
        for words in (
            "numbers of rows: row (name",
            "numbers of runs: run (",
            "numbers of events: event (",
            "weights='genWeight'",
        ):
            assert words in told
    assert list(load(tmp_path / "t.csv", columns="row,run,pt")) == ["row", "run", "pt"]
    assert list(load(tmp_path / "t.csv", columns="pt", weights="genWeight")) == ["pt", "genWeight"]
