"""ROOT files: many kinds of branches, many trees, many branches, and damages."""
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import refused_damages

from symnb.data import load
from symnb.data import root as room
from symnb.data.branches import Branch, branches_of
from symnb.data.reading import ReadOptions
from symnb.data.root import read_root

uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
COUNTS = np.random.default_rng(1).integers(0, 4, 300)


def branches(n: int = 300) -> dict:
    rng = np.random.default_rng(0)
    jets = lambda: ak.unflatten(rng.exponential(20, COUNTS[:n].sum()), COUNTS[:n])
    return {
        "met": rng.exponential(30, n),
        "flag": rng.random(n) < 0.5,
        "vertex": rng.normal(size=(n, 3)),
        "cov": rng.normal(size=(n, 2, 2)),
        "jet": ak.zip({"pt": jets(), "eta": jets()}),
        "two": ak.Array(rng.normal(size=(n, 2)).tolist()),
    }


def write(path: Path, kind: str, table: "dict | None" = None, name: str = "Events") -> Path:
    with uproot.recreate(path) as file:
        {"TTree": file.mktree, "RNTuple": file.mkrntuple}[kind](name, table or branches())
    return path


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_kinds_of_branches(tmp_path, kind):
    path, made = write(tmp_path / "t.root", kind), branches()
    table = load(path)
    columns = ["met", "flag", *(f"vertex_{i}" for i in range(3)), *(f"cov_{i}_{j}" for i in (0, 1) for j in (0, 1)),
               "two_0", "two_1"]
    assert [c for c in table if not c.startswith("n")] == columns if kind == "TTree" else set(table) == {*columns}
    np.testing.assert_array_equal(table.cov_1_0, made["cov"][:, 1, 0])
    np.testing.assert_array_equal(table.flag, made["flag"])
    jet = "jet_pt" if kind == "TTree" else "jet.pt"
    [piece] = read_root(path)
    assert piece.attrs["skipped"][jet] == "has 0 to 3 entries in an event"


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_query_fixes_lists_and_may_use_their_entries(tmp_path, kind):
    path, made = write(tmp_path / "t.root", kind), branches()
    if kind == "RNTuple":
        path = write(tmp_path / "t.root", kind, {"jet_pt": made["jet"].pt, "met": made["met"]})
    table = load(path, columns="jet_pt_*,met", query="n_jet_pt == 2 and jet_pt_0 > 20")
    pt = made["jet"].pt
    right = [i for i in range(300) if len(pt[i]) == 2 and pt[i][0] > 20]
    assert list(table) == ["jet_pt_0", "jet_pt_1", "met"] and table.index.tolist() == right and right
    np.testing.assert_array_equal(table.jet_pt_1, [pt[i][1] for i in right])


def test_a_query_that_reaches_for_python_is_refused_before_it_runs(tmp_path):
    path, done = write(tmp_path / "t.root", "TTree"), []
    room.reached = lambda: done.append(1)
    for query in ("@__import__('os')", "met > @room.reached()", "met.__class__", "met.map(print)", "met.real > 0",
                  "(lambda: 1)() > met"):
        with pytest.raises(ValueError, match="query="):
            load(path, query=query)
    assert not done


class Broken:
    "A branch of a tree that fails where it is told to."
    def __init__(self, branch, when: str):
        self.branch, self.when = branch, when

    def __getattr__(self, name):
        if self.when == "type" and name == "interpretation":
            raise uproot.interpretation.identify.UnknownInterpretation("none", "file", "object")
        return getattr(self.branch, name)

    def array(self, **span):
        if self.when == "basket":
            raise ValueError("expected 4 bytes\nfound 3")
        return self.branch.array(**span)


@pytest.mark.parametrize("when, words", [("type", "is of a kind that cannot be read, double"),
                                         ("basket", "cannot be read .expected 4 bytes")])
def test_one_branch_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch, when, words):
    path = write(tmp_path / "t.root", "TTree")
    def some_broken(tree):
        return [Branch(b.name, b.path, Broken(b.source, when)) if b.name == "met" else b for b in branches_of(tree)]
    monkeypatch.setattr(room, "branches_of", some_broken)
    [piece] = read_root(path)
    assert {"flag", "vertex_2", "two_1"} <= set(piece) and "met" not in piece
    assert __import__("re").match(words, piece.attrs["skipped"]["met"])
    [note] = [n for n in load(path).attrs["notes"] if "met" in n]
    assert "left out" in note
    with pytest.raises(ValueError, match=f"columns: 'met' of t.root {words}.*choose other columns"):
        load(path, columns="met,flag")


def test_a_basket_that_is_damaged_on_disk(tmp_path):
    path, rng = tmp_path / "t.root", np.random.default_rng(0)
    with uproot.recreate(path) as file:
        file.mktree("t", {"a": rng.normal(size=5000), "b": rng.normal(size=5000)})
    with uproot.open(path) as file:
        start = int(file["t/a"].member("fBasketSeek")[0])
    data = bytearray(path.read_bytes())
    place = data.index(b"ZL", start)  # the first block that zlib packed in it
    data[place:place + 2] = b"??"
    path.write_bytes(data)
    table = load(path)
    assert list(table) == ["b"] and "a (cannot be read" in " ".join(table.attrs["notes"])


def test_folders_cycles_and_names(tmp_path):
    path = tmp_path / "t.root"
    with uproot.recreate(path) as file:
        for folder, n in (("nominal", 20), ("systematics/up", 30)):
            file.mktree(f"{folder}/tree", {"x": np.arange(n) + 0.5})
        file.mktree("other", {"y": np.arange(5) + 0.5})
        file.mktree("other", {"y": np.arange(7) + 0.5})
        file["h"] = np.histogram(np.arange(3))
    with pytest.raises(ValueError, match=r"nominal/tree \(20 events\), systematics/up/tree \(30 events\), other \(7 "):
        load(path)
    assert len(load(path, tree="systematics/up/tree")) == 30 and len(load(path, tree="other")) == 7
    assert len(load(path, tree="other;1")) == 5 and len(load(path, tree="/nominal/tree")) == 20
    with pytest.raises(ValueError, match="has several of this name; it has nominal/tree, systematics/up/tree"):
        load(path, tree="tree")


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_text_is_set_aside_asked_by_a_query_or_a_target(tmp_path, kind):
    path, x = tmp_path / "t.root", np.random.default_rng(0).normal(size=100)
    with uproot.recreate(path) as file:
        made = {"x": x, "kind": ak.Array(["mu", "e"] * 50)}
        if kind == "TTree":
            file.mktree("t", {"x": "f8", "kind": "string"}).extend(made)
        else:
            file.mkrntuple("t", made)
    table = load(path)
    assert list(table) == ["x"] and "not numbers: kind" in " ".join(table.attrs["notes"])
    positive = np.flatnonzero(x > 0)
    for options in ({}, {"columns": "x"}):
        muons = load(path, query="kind == 'mu' and x > 0", **options)
        assert muons.index.tolist() == positive[positive % 2 == 0].tolist()
        table = load(path, target="kind", **options)
        assert table.attrs["classes"] == ["e", "mu"] and table.kind.tolist() == [1, 0] * 50
        assert list(table) == ["x", "kind"]
    assert load(path, target="kind", query="x > 0").kind.tolist() == (1 - positive % 2).tolist()


def test_fields_of_an_rntuple_with_dots_in_their_names(tmp_path):
    rng = np.random.default_rng(0)
    x, jets = rng.normal(size=(5, 300)), ak.unflatten(rng.normal(size=COUNTS.sum()), COUNTS)
    path = write(tmp_path / "t.root", "RNTuple", {"mu.pt": x[0], "mu.eta": x[1], "mu": x[2], "j.pt": jets,
                                                  "mu.p4": ak.zip({"x": x[3], "y": x[4]})})
    table = load(path)
    assert set(table) == {"mu.pt", "mu.eta", "mu", "mu.p4.x", "mu.p4.y"}
    for column, values in zip(["mu.pt", "mu.eta", "mu", "mu.p4.x", "mu.p4.y"], x):
        np.testing.assert_array_equal(table[column], values)
    assert list(load(path, columns="j.pt_*", query="`n_j.pt` == 2 and `mu.pt` > 0")) == ["j.pt_0", "j.pt_1"]


def test_the_events_of_nanoaod_are_found_beside_its_other_trees(tmp_path):
    path = tmp_path / "nano.root"
    with uproot.recreate(path) as file:
        for name, n in {"LuminosityBlocks": 3, "Runs": 1, "Events": 300, "MetaData": 1, "none": 0}.items():
            file.mktree(name, {"x": "f8"}).extend({"x": np.arange(n) + 0.5})
    table = load(path)
    assert len(table) == 300 and "LuminosityBlocks (has 3 rows, Events has 300)" in " ".join(table.attrs["notes"])
    assert len(load(path, tree="LuminosityBlocks")) == 3
    with uproot.recreate(path) as file:
        for name, n in {"a": 40, "b": 300, "c": 11}.items():
            file.mktree(name, {"x": "f8"}).extend({"x": np.arange(n) + 0.5})
    with pytest.raises(ValueError, match=r"several trees, a .40 events., b .300 .*choose one with tree='b'"):
        load(path)
    with uproot.recreate(path) as file:  # a small sample is a sample
        for name, n in {"signal": 1500, "background": 20_000}.items():
            file.mktree(name, {"x": "f8"}).extend({"x": np.arange(n) + 0.5})
    with pytest.raises(ValueError, match="several trees, signal .1500 events., background .20000 "):
        load(path)


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_query_on_a_whole_list_is_told_so(tmp_path, kind):
    path = write(tmp_path / "t.root", kind)
    name, count = ("jet_pt", "n_jet_pt") if kind == "TTree" else ("jet.pt", "n_jet")
    for options in ({}, {"columns": "met"}):
        with pytest.raises(ValueError, match=f"'{name}' of t.root is a list.*query='{count} == 2 and {name}_0 > 20'"):
            load(path, query=f"{name} > 20", **options)
    read, pt = load(path, query=f"{count} == 2 and {name}_0 > 20", columns="met"), branches()["jet"].pt
    assert read.index.tolist() == [i for i in range(300) if len(pt[i]) == 2 and pt[i][0] > 20]


def test_friend_trees_are_named():
    "No writer but ROOT makes one: a stand-in for what uproot shows of it."
    friend = SimpleNamespace(member=dict(fTreeName="calibration").__getitem__)
    assert room._friends(SimpleNamespace(all_members={"fFriends": [friend]})) == [
        "friend trees are not read: calibration"]
    assert room._friends(SimpleNamespace(all_members={"fFriends": None})) == room._friends(None) == []


def test_only_what_is_needed_is_read(tmp_path, monkeypatch):
    path, read = write(tmp_path / "t.root", "TTree"), []
    array = Branch.array
    monkeypatch.setattr(Branch, "array", lambda self, *span: read.append(self.source.name) or array(self, *span))
    assert list(load(path, columns="vertex_1", query="met > 10 and njet == 2")) == ["vertex_1"]
    assert set(read) == {"vertex", "met", "njet"}
    read.clear()
    load(path)
    assert "jet_pt" not in read and "njet" in read


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_thousand_branches_answer_in_seconds(tmp_path, kind):
    rng, n = np.random.default_rng(0), 2_000
    counts = {group: rng.integers(0, 5, n) for group in ("Muon", "Jet")}
    flat = {f"flat{i}": rng.normal(size=n).astype("f4") for i in range(700)}
    lists = {g: {f"v{j}": ak.unflatten(np.zeros(k.sum(), "f4"), k) for j in range(150)} for g, k in counts.items()}
    table = {g: ak.zip(v) for g, v in lists.items()} if kind == "TTree" else {
        f"{g}_{name}": v for g, fields in lists.items() for name, v in fields.items()}
    path = write(tmp_path / "nano.root", kind, flat | table)
    start = time.process_time()
    assert load(path, max_events=1000).shape[1] in (700, 702)
    everything, start = time.process_time() - start, time.process_time()
    few = load(path, columns="Muon_v7_*,flat3", query=("nMuon" if kind == "TTree" else "n_Muon_v7") + " == 2")
    assert list(few) == ["Muon_v7_0", "Muon_v7_1", "flat3"] and len(few) == (counts["Muon"] == 2).sum()
    assert everything < 30 and time.process_time() - start < 10


def test_pieces_agree(tmp_path, monkeypatch):
    path = write(tmp_path / "t.root", "TTree")
    whole = load(path)
    monkeypatch.setattr(room, "ROWS", 70)
    assert len(list(read_root(path))) == 5 and load(path).equals(whole)
    rare = load(path, columns="jet_pt_*", query="njet == 3 and met > 60")
    assert list(rare) == ["jet_pt_0", "jet_pt_1", "jet_pt_2"] and 0 < len(rare) < 20


def test_nothing_to_make_columns_of(tmp_path):
    path = write(tmp_path / "t.root", "RNTuple", {"pt": branches()["jet"].pt})
    with pytest.raises(ValueError, match=r"no branch that makes a column of numbers: pt \(has .*query='n_pt == 2'"):
        load(path)


def test_columns_that_are_not_there_are_guessed_from_all_branches(tmp_path):
    path = write(tmp_path / "t.root", "TTree")
    with pytest.raises(ValueError, match="has no 'vertx_1' .did you mean 'vertex_1'"):
        list(load(path, columns="vertx_1"))
    [piece] = read_root(path, options=ReadOptions(columns=("met",)))
    assert {"vertex_0", "jet_pt"} <= set(piece.attrs["available"])


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_a_hundred_damages_each_end_in_a_table_or_one_line(tmp_path, kind):
    data = write(tmp_path / "whole.root", kind, branches(60)).read_bytes()
    assert refused_damages(load, tmp_path / "z.root", data, 100) > 33


@pytest.mark.parametrize("sizes", [[300], [20] * 15, [130, 170], [1, 299]])
def test_a_basket_is_unpacked_once(tmp_path, monkeypatch, sizes):
    path, made, unpacked = tmp_path / "t.root", branches(), []
    with uproot.recreate(path) as file:
        tree = file.mktree("t", {name: getattr(v, "dtype", None) and (v.dtype, v.shape[1:]) or v.type.content
                                 for name, v in made.items()})
        for end, size in zip(np.cumsum(sizes), sizes):
            tree.extend({name: values[end - size:end] for name, values in made.items()})
    final = uproot.models.TBasket.Model_TBasket.read.__func__
    def count(cls, chunk, *rest):
        unpacked.append(chunk.start)
        return final(cls, chunk, *rest)
    monkeypatch.setattr(uproot.models.TBasket.Model_TBasket, "read", classmethod(count))
    whole, few = load(path), load(path, query="njet == 2 and jet_pt_0 > 20")
    monkeypatch.setattr(room, "ROWS", 45)
    unpacked.clear()
    assert load(path).equals(whole) and len(unpacked) == len(set(unpacked)) > 5
    unpacked.clear()
    assert load(path, query="njet == 2 and jet_pt_0 > 20").equals(few) and len(unpacked) == len(set(unpacked)) > 5
