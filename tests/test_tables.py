"""Files that other people's tools have written, and files that nobody should have written."""
import gzip
import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from symnb.data import load
from symnb.data.collider import COLUMNS, ee_to_mumu
from symnb.data.reading import split_units
from symnb.data.sniff import file_format


@pytest.fixture(scope="module")
def events():
    return ee_to_mumu(300, energy_spread=0.2, random_state=0)


def write(folder: Path, kind: str, table: pd.DataFrame) -> Path:
    "The table in a format, by the tool that is usual for it."
    path = folder / f"events.{kind}"
    if kind == "csv" or kind == "csv.gz":
        table.to_csv(path, index=False)
    elif kind == "tsv":
        table.to_csv(path, index=False, sep="\t")
    elif kind == "txt":
        np.savetxt(path, table.to_numpy(), header=" ".join(table.columns))
    elif kind == "parquet":
        table.to_parquet(path)
    elif kind == "npz":
        np.savez(path, **{c: table[c] for c in table})
    elif kind == "npy":
        np.save(path, table.to_numpy())
    elif kind == "root":
        uproot = pytest.importorskip("uproot")
        with uproot.recreate(path) as file:
            file["events"] = {c: table[c].to_numpy() for c in table}
    return path


def write_lhe(path: Path, events: "list[list[tuple]]", weight=lambda i: 1.0) -> Path:
    "Events of (pdg, px, py, pz, e) as pylhe writes them."
    pylhe = pytest.importorskip("pylhe")
    particle = lambda row: pylhe.LHEParticle(
        id=row[0],
        status=1,
        mother1=1,
        mother2=2,
        color1=0,
        color2=0,
        px=row[1],
        py=row[2],
        pz=row[3],
        e=row[4],
        m=0.1,
        lifetime=0.0,
        spin=9.0,
    )
    info = lambda n, i: pylhe.LHEEventInfo(nparticles=n, pid=1, weight=weight(i), scale=91.2, aqed=0.0078, aqcd=0.118)
    run = pylhe.LHEInitInfo(
        beamA=11,
        beamB=-11,
        energyA=45.6,
        energyB=45.6,
        PDFgroupA=0,
        PDFgroupB=0,
        PDFsetA=0,
        PDFsetB=0,
        weightingStrategy=3,
        numProcesses=1,
    )
    init = pylhe.LHEInit(
        initInfo=run, procInfo=[pylhe.LHEProcInfo(xSection=1.0, error=0.1, unitWeight=1.0, procId=1)], generators=[]
    )
    made = [pylhe.LHEEvent(eventinfo=info(len(e), i), particles=[particle(r) for r in e]) for i, e in enumerate(events)]
    pylhe.LHEFile(init=init, events=made).tofile(str(path))
    return path


# What other tools write

@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "txt", "parquet", "npz", "root"])
def test_every_format_gives_the_same_table(kind, events, tmp_path):
    table = load(write(tmp_path, kind, events))
    assert list(table) == (sorted(COLUMNS) if kind == "root" else COLUMNS) and table.index.equals(
        events.index
    )  # uproot writes in that order
    np.testing.assert_allclose(table[COLUMNS], events, rtol=1e-12)


def test_an_array_without_names(events, tmp_path):
    table = load(write(tmp_path, "npy", events))
    assert list(table) == [f"x{i}" for i in range(8)]
    np.testing.assert_array_equal(table, events)


def test_npz_with_one_table_and_the_names_beside_it(events, tmp_path):
    np.savez(tmp_path / "t.npz", X=events.to_numpy(), columns=np.array([f"{c} [GeV]" for c in events]))
    table = load(tmp_path / "t.npz")
    assert list(table) == COLUMNS and table.attrs["units"] == dict.fromkeys(COLUMNS, "GeV")
    np.savez(tmp_path / "two.npz", train=events.to_numpy(), test=events[:100].to_numpy())
    with pytest.raises(
        ValueError,
        match=r"arrays of different lengths \(train \(300, 8\), test \(100, 8\)\): choose one of them with tree",
    ):
        load(tmp_path / "two.npz")
    assert load(tmp_path / "two.npz", tree="test").shape == (100, 8)


def test_les_houches_events_by_pylhe(events, tmp_path):
    rows = [[(13, *e[:4]), (-13, *e[4:])] for e in events.to_numpy()]
    for name in ("z.lhe", "z.lhe.gz"):
        table = load(write_lhe(tmp_path / name, rows))
        assert list(table) == [f"{c}_{who}" for who in ("mu_minus", "mu_plus") for c in ("px", "py", "pz", "E")]
        assert set(table.attrs["units"].values()) == {"GeV"}
        np.testing.assert_allclose(table, events, rtol=1e-6)


def test_root_branches_flat_fixed_and_jagged(tmp_path):
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, 500)
    with uproot.recreate(tmp_path / "nano.root") as file:
        file["Events"] = {
            "met": rng.exponential(30, 500),
            "vertex": rng.normal(size=(500, 3)),
            "two": ak.Array(rng.normal(size=(500, 2)).tolist()),
            "pt": ak.unflatten(rng.exponential(20, counts.sum()), counts),
            "passed": rng.random(500) < 0.5,
        }
        file["empty"] = {"x": np.zeros(0)}
    table = load(tmp_path / "nano.root")
    assert {c for c in table if not c.startswith("n")} == {
        "met",
        "vertex_0",
        "vertex_1",
        "vertex_2",
        "two_0",
        "two_1",
        "passed",
    }
    [note] = [n for n in table.attrs["notes"] if "pt" in n]
    assert "has 1 to 3 entries in an event" in note
    pairs = load(tmp_path / "nano.root", columns="pt_*,met", query="n_pt == 2 and met > 1")
    assert list(pairs) == ["pt_0", "pt_1", "met"] and len(pairs) == ((counts == 2) & (table.met > 1)).sum()
    with pytest.raises(
        ValueError,
        match="'pt' of nano.root has 1 to 3 entries in an event, which makes no column: .* query='n_pt == 2'",
    ):
        load(tmp_path / "nano.root", columns="pt_0")
    with pytest.raises(ValueError, match="nano.root has no 'mett' .did you mean 'met'"):
        load(tmp_path / "nano.root", columns="mett")


def test_several_trees_are_offered(tmp_path, events):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "two.root") as file:
        file["signal"], file["background"] = ({c: events[c].to_numpy()[:n] for c in events} for n in (100, 300))
    with pytest.raises(
        ValueError,
        match=r"several trees, signal \(100 events\), background \(300 events\): choose one with tree='background'",
    ):
        load(tmp_path / "two.root")
    assert len(load(tmp_path / "two.root", tree="background")) == 300
    with pytest.raises(ValueError, match="no such tree; it has signal, background"):
        load(tmp_path / "two.root", tree="events")


def test_published_files():
    """What scikit-learn and pyarrow carry: a header of other people, gzip without a header, a Parquet file of 2017."""
    sklearn = Path(importlib.util.find_spec("sklearn").origin).parent / "datasets" / "data"
    digits = load(sklearn / "digits.csv.gz")
    assert digits.shape == (1797, 65) and digits.x64.max() == 9
    cancer = load(sklearn / "breast_cancer.csv")  # its first line has numbers of rows and columns, and classes
    assert cancer.shape == (569, 31) and "line 1 left out" in cancer.attrs["reading"]
    with pytest.raises(ValueError, match="line 1, '150,4,setosa.*names=1.*skip=1"):
        load(sklearn / "iris.csv")
    assert load(sklearn / "iris.csv", names="a,b,c,d,class", skip=1).shape == (150, 5)
    exercise = load(sklearn / "linnerud_exercise.csv")
    assert list(exercise) == ["Chins", "Situps", "Jumps"] and len(exercise) == 20
    old = Path(importlib.util.find_spec("pyarrow").origin).parent / "tests" / "data" / "parquet" / "v0.7.1.parquet"
    if not old.exists():
        pytest.skip("this build of pyarrow does not carry its test files")
    diamonds = load(old)
    assert (
        {"carat", "price"} <= set(diamonds)
        and "cut" not in diamonds
        and "left out, not numbers: cut" in " ".join(diamonds.attrs["notes"])
    )


# Layouts of text

@pytest.mark.parametrize("text, columns, first", [
    ("a,b\n1,2\n3,4\n", ["a", "b"], [1, 2]),
    ("1,2\n3,4\n", ["x0", "x1"], [1, 2]),
    ("\ufeffa;b\n1,5;2\n3,5;4\n", ["a", "b"], [1.5, 2]),
    ("# made by hand\n# a b\n1 2\n3 4\n", ["a", "b"], [1, 2]),
    ("a\n1\n2\n", ["a"], [1]),
    ('"my px [GeV]","n"\n"1e3",2\n4,5\n', ["my px", "n"], [1000, 2]),
    ("a|b\n1|2\n3|4", ["a", "b"], [1, 2]),
    (",a,b\n0,5,6\n1,7,8\n", ["a", "b"], [5, 6]),
    ('a b\n"1" 1 2\n"2" 3 4\n', ["row", "a", "b"], [1, 1, 2]),
    ("0,1\n5,6\n7,8\n", ["x0", "x1"], [5, 6]),
    (",0,1\n0,5,6\n1,7,8\n", ["x0", "x1"], [5, 6]),
    ('name,a\n"c, d",1\n"e\nf",2\n', ["a"], [1]),
    ("a,a\n1,2\n3,4\n", ["a", "a.1"], [1, 2]),
    ("a, b\r\n1, 2\r\n3, 4\r\n", ["a", "b"], [1, 2])])
def test_text_in_many_layouts(tmp_path, text, columns, first):
    (tmp_path / "t.dat").write_bytes(text.encode())
    table = load(tmp_path / "t.dat")
    assert list(table) == columns and table.iloc[0].tolist() == first and len(table) == 2


def test_units_survive(tmp_path, events):
    named = events.rename(columns=lambda c: f"{c} [GeV]")
    for kind in ("csv", "parquet", "npz", "root"):
        assert load(write(tmp_path, kind, named), columns=["px_mu", "E_mu [GeV]"]).attrs["units"] == dict(
            px_mu="GeV", E_mu="GeV"
        )
    bare = events.copy()
    bare.attrs["units"] = {"px_mu": "GeV"}
    bare.to_parquet(tmp_path / "attrs.parquet")
    assert load(tmp_path / "attrs.parquet").attrs["units"] == {"px_mu": "GeV"}
    assert split_units(["p [GeV]", "p [MeV]"]) == (["p [GeV]", "p [MeV]"], {})


def test_columns_of_every_type(tmp_path):
    n = 40
    table = pd.DataFrame(
        dict(
            x=np.arange(n) / 3,
            whole=pd.array([1, None, 3, 4] * 10, dtype="Int64"),
            flag=pd.array([True, False, None, True] * 10, dtype="boolean"),
            letter=pd.Categorical(["a", "b"] * 20),
            value=pd.Categorical([1.5, 2.5] * 20),
            day=pd.date_range("2026", periods=n),
            pair=[[1, 2]] * n,
        )
    )
    table.to_parquet(tmp_path / "t.parquet")
    read = load(tmp_path / "t.parquet")
    assert list(read) == ["x", "whole", "flag", "value", "pair_0", "pair_1"] and len(read) == 20
    assert np.isfinite(read.to_numpy(float)).all()
    assert "20 of 40 events have NaN or infinite values (whole, flag): dropped" in read.attrs["notes"]
    assert "left out, not numbers: letter, day" in read.attrs["notes"]
    np.savez(tmp_path / "t.npz", a=np.arange(5) * 1j, b=np.arange(5) / 2)
    assert list(load(tmp_path / "t.npz")) == ["b"]
    np.save(tmp_path / "t.npy", np.array([(1.5, 2), (3.5, 4)], dtype=[("x", "f8"), ("y", "i4")]))
    assert load(tmp_path / "t.npy").to_dict("list") == dict(x=[1.5, 3.5], y=[2, 4])


# Choosing

def test_columns_and_queries(tmp_path, events):
    path = write(tmp_path, "csv", events)
    assert list(load(path, columns="pz_*,!*bar")) == ["pz_mu"]
    assert list(load(path, columns=["E_mu", "px_mu"])) == ["E_mu", "px_mu"]
    assert list(load(path, columns="!E_*")) == [c for c in COLUMNS if c[0] != "E"]
    hard = load(path, query="E_mu > 5 and abs(pz_mu) < 3", columns="px_mu")
    assert hard.index.tolist() == events.query("E_mu > 5 and abs(pz_mu) < 3").index.tolist()
    for query, words in {
        "pt > 3": "has no 'pt'",
        "E_mu >": "cannot be evaluated",
        "E_mu + 1": "must be true or false",
        "@x > 1": "no '@'",
        "E_mu > 1000": "none of the 300 events",
    }.items():
        with pytest.raises(ValueError, match=words) as caught:
            load(path, query=query)
        assert "\n" not in str(caught.value)


def test_a_sample_is_even_and_repeatable(tmp_path):
    n = 450_000  # several pieces
    pd.DataFrame(dict(x=np.arange(n) / 7, y=np.random.default_rng(0).normal(size=n))).to_parquet(
        tmp_path / "big.parquet"
    )
    one, two, other = (load(tmp_path / "big.parquet", max_events=3000, random_state=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 3000 and one.index.is_monotonic_increasing and not one.index.equals(other.index)
    share = np.histogram(one.index, bins=9, range=(0, n))[0]
    assert abs(share - 3000 / 9).max() < 5 * (3000 / 9) ** 0.5
    assert "450,000 events: a random sample of 3,000 is used (max_events)" in one.attrs["notes"]
    for bad in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="max_events=.* must be an integer of at least 1"):
            load(tmp_path / "big.parquet", max_events=bad)


def test_a_target_of_text_is_numbered(tmp_path, events):
    path = tmp_path / "t.csv"
    events.assign(kind=np.where(events.pz_mu > 0, "forward", "backward")).to_csv(path, index=False)
    table = load(path, columns="px_mu,pz_mu", target="kind")
    assert list(table) == ["px_mu", "pz_mu", "kind"] and table.attrs["classes"] == ["backward", "forward"]
    assert ((events.pz_mu > 0) == (table.kind == 1)).all()
    assert "kind" not in load(path)
    with pytest.raises(ValueError, match="has no 'knd' .did you mean 'kind'"):
        load(path, target="knd")


def test_numbers_of_rows_are_no_degree_of_freedom(tmp_path, events):
    events.reset_index(names="event").to_csv(tmp_path / "t.csv", index=False)
    table = load(tmp_path / "t.csv")
    assert list(table) == COLUMNS and "numbers of rows: event (name them" in " ".join(table.attrs["notes"])
    assert "event" in load(tmp_path / "t.csv", columns="event,px_mu")


# Final states that differ

def mixed_final_states():
    muons = [(13, 10.0, 0.0, 1.0, 20.0), (-13, -10.0, 0.0, 2.0, 20.0)]
    gluons = [(21, 1.0, 1.0, 0.0, 2.0), (21, 5.0, 1.0, 0.0, 6.0)]
    return [muons, muons + gluons[:1], muons + gluons, muons + gluons[:1]] * 5


def test_varying_multiplicity_is_explained_with_a_choice(tmp_path):
    path = write_lhe(tmp_path / "jets.lhe", mixed_final_states())
    with pytest.raises(
        ValueError,
        match=r"different final states \(mu_minus mu_plus g in 50%.*choose particles='13,-13' .* or 'common'",
    ) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    muons = load(path, particles="mu-,mu+")
    assert muons.shape == (20, 8)
    common = load(path, particles="common")
    assert common.shape == (10, 12) and "10 events do not have exactly the particles asked for" in " ".join(
        common.attrs["notes"]
    )
    two = load(path, particles="13,-13,21,21")
    assert len(two) == 5 and (two.px_g1 == 5).all() and (two.px_g2 == 1).all()
    with pytest.raises(ValueError, match="'squirrel' is no particle"):
        load(path, particles="squirrel")


def test_event_weights_are_mentioned(tmp_path):
    path = write_lhe(tmp_path / "w.lhe", [[(13, 1.0 + i, 0, 0, 2.0 + i)] for i in range(20)], weight=lambda i: 1.0 + i)
    assert "different weights, which are ignored" in " ".join(load(path).attrs["notes"])


# Bad files: one line, what and where and what to do

def bad_files(folder: Path, events: pd.DataFrame) -> "dict[str, tuple[Path, str]]":
    put = lambda name, contents: (
        (folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode()),
        folder / name,
    )[1]
    whole = {
        kind: write(folder, kind, events).read_bytes() for kind in ("csv", "csv.gz", "parquet", "npz", "npy", "root")
    }
    lhe = write_lhe(folder / "whole.lhe", [[(13, 1.0, 2.0, 3.0, 4.0)]] * 50).read_bytes()
    halves = {kind: data[: len(data) // 2] for kind, data in whole.items()}
    rows = whole["csv"].split(b"\n")
    halves["csv"] = b"\n".join([*rows[:200], rows[200][: rows[200].index(b",") + 5]])  # in the second of eight numbers
    halves["lhe"] = lhe[: lhe.index(b"<event>", len(lhe) // 2) + len(b"<event>")]
    halves["lhe.gz"] = gzip.compress(lhe)[:-20]
    found = {f"truncated {kind}": (put(f"half.{kind}", data), "truncated or damaged") for kind, data in halves.items()}
    found |= {f"empty {kind}": (put(f"none.{kind}", b""), "is empty") for kind in whole}
    found |= {
        "blanks": (put("blank.csv", "\n \n"), "is empty"),
        "only a header": (put("head.csv", "a,b\n"), "has no rows"),
        "wrong name": (
            put("root.csv", whole["root"]),
            "has a name for CSV, but its contents are ROOT: rename it to root.root",
        ),
        "text as parquet": (put("text.parquet", "a,b\n1,2\n"), "has a name for Parquet, but its contents are CSV"),
        "mixed types": (
            put("mixed.csv", "a,b\n" + "1,2\n" * 30 + "3,broken\n"),
            "mixes numbers and text in the column 'b': 'broken' in row 31",
        ),
        "no numbers": (put("words.csv", "a,b\nx,y\nu,v\n"), "has no column of numbers"),
        "ragged": (put("ragged.csv", "a,b\n1,2\n3,4,5\n"), "is no table"),
        "only gaps": (put("gaps.csv", "a,b\n1,\n,2\n3,\n"), "no event is left"),
        "a web page": (put("page.csv", "<!DOCTYPE html><html>log in</html>"), "is a web page"),
        "binary": (put("bytes.csv", b"\x00\x01\x02" * 50), "neither text nor a binary format"),
        "latin-1": (put("latin.csv", "a,b\n1,2\n1,\xe9\n".encode("latin-1")), "mixes numbers and text.*'é' in row 2"),
        "hdf5": (put("t.h5", b"\x89HDF\r\n\x1a\n"), "truncated or damaged|h5py reads"),
        "a pickle": (put("t.pkl", pickle.dumps(events)), "never loaded"),
    }
    np.savez(folder / "evil.npz", a=np.array([{"x": 1}], dtype=object))
    np.savez(folder / "cube.npz", a=np.zeros((3, 3, 3)))
    (folder / "zip.npz").write_bytes(b"PK\x05\x06" + bytes(18))
    found |= {
        "pickle in npz": (folder / "evil.npz", "holds pickled Python objects, which may run code"),
        "cube": (folder / "cube.npz", "has no table in it"),
        "empty zip": (folder / "zip.npz", "no arrays"),
    }
    import uproot
    with uproot.recreate(folder / "histogram.root") as file:
        file["h"] = np.histogram(events.px_mu)
    found["no trees"] = folder / "histogram.root", r"a ROOT file without trees: it holds h \(TH1D\)"
    return found | {"a folder": (folder, "is a folder"), "nothing": (folder / "nowhere.csv", "there is no file")}


def test_bad_files_get_one_line(tmp_path, events):
    import re
    for name, (path, words) in bad_files(tmp_path, events).items():
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            load(path)
        message = str(caught.value)
        assert re.search(words, message) and "\n" not in message and path.name in message, f"{name}: {message}"


def test_a_text_that_ends_with_a_row_is_a_shorter_table(tmp_path, events):
    path = write(tmp_path, "csv", events)
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:201]))
    np.testing.assert_allclose(load(path), events[:200], rtol=1e-12)


def test_gaps_are_dropped_with_a_count_or_refused(tmp_path, events):
    gappy = events.assign(
        nothing=np.nan,
        E_mu=events.E_mu.where(events.index % 10 > 0),
        px_mu=events.px_mu.replace(events.px_mu[5], np.inf),
    )
    path = write(tmp_path, "csv", gappy)
    table = load(path)
    assert len(table) == 300 - 31 and list(table) == COLUMNS and np.isfinite(table).all(axis=None)
    assert "left out, without any value: nothing" in table.attrs["notes"]
    path = write(tmp_path, "csv", gappy.drop(columns="nothing"))
    assert "31 of 300 events have NaN or infinite values (E_mu, px_mu): dropped" in load(path).attrs["notes"] or \
           "31 of 300 events have NaN or infinite values (px_mu, E_mu): dropped" in load(path).attrs["notes"]
    with pytest.raises(ValueError, match="31 of 300 events have NaN .*--strict"):
        load(path, strict=True)


def test_options_of_other_formats_are_refused(tmp_path, events):
    path = write(tmp_path, "csv", events)
    with pytest.raises(ValueError, match="only ROOT, NPZ, HDF5, FITS files have this"):
        load(path, tree="t")
    with pytest.raises(ValueError, match="only LHE, HepMC files have this"):
        load(path, particles="common")
    with pytest.raises(ValueError, match="'kind' of .* is not made of numbers"):
        load(write(tmp_path, "csv", events.assign(kind="x")), columns="kind,px_mu")


def test_formats_are_told_by_their_contents(tmp_path, events):
    for kind, expected in dict(csv="CSV", parquet="Parquet", npz="NPZ", npy="NPY", root="ROOT").items():
        path = write(tmp_path, kind, events)
        assert (
            file_format(path) == expected and file_format(path.rename(tmp_path / f"without_ending_{kind}")) == expected
        )


def test_ten_million_rows_are_sampled_and_it_is_said(tmp_path):
    some = np.random.default_rng(0).normal(size=(10_000, 2)).astype(np.float32)
    np.save(tmp_path / "many.npy", np.tile(some, (1000, 1)))
    table = load(tmp_path / "many.npy", max_events=20_000, random_state=0)
    assert (
        len(table) == 20_000
        and "10,000,000 events: a random sample of 20,000 is used (max_events)" in table.attrs["notes"]
    )
    assert abs(table.mean()).max() < 0.05 and abs(table.index.to_numpy().mean() / 5e6 - 1) < 0.05


def test_patterns_that_leave_out_keep_target_and_weights(tmp_path, events):
    path = write(tmp_path, "csv", events.assign(weight=np.arange(1.0, 301.0)))
    table = load(path, columns="!E_*,!w*", target="pz_mu", weights="weight")
    assert sorted(table) == sorted([c for c in COLUMNS if not c.startswith("E_")] + ["weight"])
    assert table.attrs["weights"] == "weight"
    same = load(write(tmp_path, "csv", events.assign(weight=2.0)), columns="!E_*", weights="weight")
    assert "weights" not in same.attrs and "weight" not in same  # equal weights are none
