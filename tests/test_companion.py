"""The runner and the cache: what is delivered, what survives a failure, what is trusted."""
import hashlib
import json
import shutil
import sys
import time

import numpy as np
import pytest
from conftest import DRAW

from symnb.companion import cache, figures, runner
from symnb.companion.runner import make_figures
from symnb.core import SymnbWarning

CLAIM = """from symnb.companion.claims import record_claim
record_claim("R13", {"sum_r2": [0.01, 0.02]})"""


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def draw(nbs, **options):
    return {o.notebook: o for o in make_figures(profile="smoke", notebooks=nbs, **options)}


def test_a_run_delivers_figures_manifest_and_claims_and_is_not_repeated(tree):
    nbs = tree("review/leptons", f"import sys; assert sys.executable == {sys.executable!r} and seed == 0",
               DRAW.format(name="review-fig7"), CLAIM)
    before = (nbs / "review" / "leptons.ipynb").read_bytes()
    out = nbs.parent / "figures"
    assert draw(nbs)["review/leptons"].state == "drawn"
    first = content(out)
    assert sorted(first) == ["claims.json", "manifest.json", "review-fig7.pdf", "review-fig7.png"]
    assert not list(out.glob(".run-*")) and (nbs / "review" / "leptons.ipynb").read_bytes() == before

    entry = json.loads(first["manifest.json"])["figures"]["review-fig7"]
    assert entry["parameters"] == {"profile": "smoke", "seed": 0, "device": "cpu"}
    assert entry["notebook"] == "nbs/review/leptons.ipynb" and entry["seconds"] > 0
    assert {"python", "torch", "numpy", "matplotlib"} <= {*entry["versions"]} and entry["commit"]
    assert entry["sha256"]["png"] == hashlib.sha256(first["review-fig7.png"]).hexdigest()
    claim = json.loads(first["claims.json"])["R13"]
    assert (claim["verdict"], claim["profile"]) == ("reproduced", "smoke")

    begin = time.perf_counter()
    assert draw(nbs)["review/leptons"].state == "up to date"
    assert time.perf_counter() - begin < 2 and content(out) == first

    assert draw(nbs, force=True)["review/leptons"].state == "drawn"
    again = content(out)
    assert all(again[f"review-fig7.{kind}"] == first[f"review-fig7.{kind}"] for kind in ("png", "pdf"))

    (out / "review-fig7.pdf").write_bytes(b"tampered with")
    assert draw(nbs)["review/leptons"].state == "drawn" and content(out)["review-fig7.pdf"] == first["review-fig7.pdf"]


def test_failures_are_named_and_cost_nothing_that_was_there(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"), DRAW.format(name="fig-b"))
    out = nbs.parent / "figures"
    assert draw(nbs)["review/a"].state == "drawn"
    before = content(out)

    tree("review/a", DRAW.format(name="fig-a").replace("1 + seed", "5"), "ratio = 1 / 0", DRAW.format(name="fig-b"))
    tree("review/b", "import os; os._exit(3)")
    tree("review/c", 'if False: save_figure(None, "fig-never")')
    tree("guides/d", DRAW.format(name="fig-d"))
    found = draw(nbs, jobs=2)
    assert [found[n].state for n in ("review/a", "review/b", "review/c", "guides/d")] == ["failed"] * 3 + ["drawn"]
    message = found["review/a"].message
    assert "review/a.ipynb failed in code cell 3 (ratio = 1 / 0): ZeroDivisionError" in message
    assert (
        "ZeroDivisionError" in (out / ".failed" / "a.ipynb").read_text() and str(out / ".failed" / "a.ipynb") in message
    )
    assert "fig-never" in found["review/c"].message
    after = content(out)
    assert all(after[name] == before[name] for name in before if name != "manifest.json")
    assert {*json.loads(after["manifest.json"])["figures"]} == {"fig-a", "fig-b", "fig-d"}
    assert not list(out.glob(".run-*"))


def test_a_broken_manifest_is_put_aside(tree, capsys):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    out = nbs.parent / "figures"
    out.mkdir()
    (out / "manifest.json").write_text('{"figures": {"fig-a"')
    (out / "claims.json").write_text("[]")
    assert draw(nbs)["review/a"].state == "drawn"
    assert "put aside as manifest.json.broken" in capsys.readouterr().err
    assert "fig-a" in json.loads((out / "manifest.json").read_text())["figures"]
    assert (out / "manifest.json.broken").is_file()


@pytest.mark.parametrize("manifest", [{"figures": []}, {"notebooks": {"review/a": 3}}, {"figures": {"fig-a": None}}])
def test_a_malformed_manifest_only_means_that_nothing_is_up_to_date(tree, manifest):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    [experiment] = figures.find_experiments(nbs)
    assert not runner._up_to_date(experiment, "key", "smoke", nbs, manifest, {})


def test_bad_arguments_stop_before_anything_runs(tree, tmp_path, monkeypatch):
    nbs = tree("review/a", DRAW.format(name="review-fig7"))
    with pytest.raises(ValueError, match="did you mean review-fig7.*There are review-fig7"):
        draw(nbs, names=["review-fig77"])
    with pytest.raises(ValueError, match="clone the repository.*--notebooks"):
        draw(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="jobs"):
        draw(nbs, jobs=0)
    with pytest.raises(ValueError, match="profile='rough' is unknown: use one of smoke, quick, paper"):
        make_figures(profile="rough", notebooks=nbs)
    (tmp_path / "occupied").write_text("a file in the folder's place")
    for out in ("occupied", "occupied/below"):
        with pytest.raises(ValueError, match="cannot write into the figures folder.*--out"):
            draw(nbs, out=tmp_path / out)
    with pytest.raises(ValueError, match="device='cuda:99'"):
        draw(nbs, device="cuda:99")
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'symnb\[companion\]'"):
        draw(nbs)
    assert (tmp_path / "occupied").read_text() == "a file in the folder's place"


def test_a_folder_that_refuses_writing_is_refused(tree, tmp_path, monkeypatch):
    def refuse(dir): raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(runner.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match=r"cannot write .*Permission denied"):
        draw(tree("review/a", DRAW.format(name="fig-a")))


def test_two_notebooks_may_not_draw_the_same_figure(tree):
    tree("review/a", DRAW.format(name="fig-a"))
    with pytest.raises(ValueError, match="review/a and review/b both draw fig-a"):
        figures.find_experiments(tree("review/b", DRAW.format(name="fig-a")))


def test_a_notebook_that_is_no_json_is_named(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    (nbs / "review" / "b.ipynb").write_text("<<<<<<< merge")
    with pytest.raises(ValueError, match="b.ipynb is not a notebook"):
        figures.find_experiments(nbs)


def test_drawing_that_breaks_off_leaves_the_earlier_figure(tmp_path, monkeypatch):
    class Figure:
        def savefig(self, file, **options):
            file.write(b"half")
            raise MemoryError
    (tmp_path / "review-fig7.png").write_bytes(b"whole")
    monkeypatch.setenv(figures.RUN_VARIABLE, json.dumps(dict(folder=str(tmp_path), profile="smoke", seed=0)))
    with pytest.raises(MemoryError):
        figures.save_figure(Figure(), "review-fig7")
    assert content(tmp_path) == {"review-fig7.png": b"whole"}
    with pytest.raises(ValueError, match="lower-case"):
        figures.save_figure(Figure(), "../review fig7")


# The cache

calls = []


def slow(x, scale=1.0, **options):
    calls.append(1)
    return {"y": np.asarray(x) * scale, **options}


@pytest.fixture
def remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMNB_CACHE", str(tmp_path))
    calls.clear()
    return cache.cached(slow)


def test_the_cache_knows_its_arguments(remembered):
    for result in (remembered([1, 2]), remembered(x=[1, 2]), remembered([1, 2], scale=1.0)):
        assert (result["y"] == [1, 2]).all()
    assert len(calls) == 1
    assert remembered([1, 2], 2.0)["y"].sum() == 6 and remembered([1, 2], name="circle")["name"] == "circle"
    assert len(calls) == 3


def test_the_cache_knows_the_library(remembered, monkeypatch):
    remembered([1, 2])
    monkeypatch.setattr(cache, "library_digest", lambda code: "another library")
    remembered([1, 2])
    assert len(calls) == 2


@pytest.mark.parametrize("damage", [
    lambda b: b"", lambda b: b[:len(b) // 2], lambda b: b"not a pickle" * 20,
    lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1:],
])
def test_a_damaged_entry_is_recomputed(remembered, tmp_path, damage):
    remembered([1, 2])
    [entry] = tmp_path.rglob("output.pkl")
    entry.write_bytes(damage(entry.read_bytes()))
    with pytest.warns(SymnbWarning, match="computed again"):
        assert (remembered([1, 2])["y"] == [1, 2]).all()
    assert len(calls) == 2
    assert (remembered([1, 2])["y"] == [1, 2]).all() and len(calls) == 2  # and it is whole again


def test_deleting_the_cache_only_costs_time(remembered, tmp_path):
    remembered([1, 2])
    shutil.rmtree(tmp_path)
    assert (remembered([1, 2])["y"] == [1, 2]).all() and len(calls) == 2


def test_a_notebook_that_reads_the_claims_comes_last_and_follows_them(tree):
    reader = 'from symnb.companion.claims import read_claims\nfound = read_claims()["R13"]'
    nbs = tree(
        "review/a",
        reader,
        'assert found["profile"] == "smoke" and found["verdict"] == "reproduced"',
        DRAW.format(name="fig-a"),
    )
    tree("review/b", CLAIM)
    found = draw(nbs, jobs=2)
    assert [*found] == ["review/b", "review/a"] and {o.state for o in found.values()} == {"drawn"}
    assert {o.state for o in draw(nbs).values()} == {"up to date"}
    tree("review/b", CLAIM.replace("0.02", "0.03"))
    assert {o.state for o in draw(nbs).values()} == {"drawn"}
