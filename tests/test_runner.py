"""The runner: what it delivers, what survives a failure, what is not repeated."""

import hashlib
import json
import sys

import pytest
from conftest import DRAW, FINDING, draw, several

from symnb.companion import experiments, figures, run, runner
from symnb.companion.records import Records, accept, digests, executions_done
from symnb.companion.runner import figures_folder, make_figures

CLAIM = """from symnb.companion.claims import record_claim
record_claim("R13", {"sum_r2": [0.01] * 40})"""
def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_run_delivers_figures_manifest_claims_and_findings_and_is_not_repeated(tree):
    nbs = tree("review/leptons", f"import sys; assert sys.executable == {sys.executable!r} and seed == 0",
               DRAW.format(name="review-fig7"), CLAIM, FINDING.replace("NUMBER", "0.2"))
    before = (nbs / "review" / "leptons.ipynb").read_bytes()
    out = nbs.parent / "figures" / "quick"
    assert draw(nbs)["review/leptons"].state == "drawn"
    first = content(out)
    assert sorted(first) == ["claims.json", "findings.json", "manifest.json", "review-fig7.pdf", "review-fig7.png"]
    assert not [p for p in (out / ".run").iterdir() if p.is_dir()]
    assert (nbs / "review" / "leptons.ipynb").read_bytes() == before

    entry = json.loads(first["manifest.json"])["figures"]["review-fig7"]
    assert entry["parameters"] == {"profile": "smoke", "seed": 0, "device": "cpu"}
    assert entry["notebook"] == "nbs/review/leptons.ipynb" and entry["seconds"] > 0
    assert {"python", "torch", "numpy", "matplotlib"} <= {*entry["versions"]} and entry["commit"]
    assert entry["sha256"]["png"] == hashlib.sha256(first["review-fig7.png"]).hexdigest()
    claim = json.loads(first["claims.json"])["R13"]
    assert (claim["verdict"], claim["profile"]) == ("reproduced", "smoke")
    found = json.loads(first["findings.json"])["review/leptons"]["smoke"]["findings"]
    assert found == {"The number of this example is small": {"measured": "0.2", "bound": "≤ 0.5", "holds": True}}
    executed = json.loads((out / "notebooks" / "review" / "leptons.ipynb").read_text(encoding="utf-8"))
    assert "✓ The number of this example is small" in json.dumps(executed, ensure_ascii=False)

    (out / ".run" / "review-leptons" / "left").mkdir(parents=True)  # by a runner that was killed behind its delivery
    assert draw(nbs)["review/leptons"].state == "up to date" and content(out) == first
    assert not [p for p in (out / ".run").iterdir() if p.is_dir()]

    assert draw(nbs, force=True)["review/leptons"].state == "drawn"
    again = content(out)
    assert all(again[f"review-fig7.{kind}"] == first[f"review-fig7.{kind}"] for kind in ("png", "pdf"))

    (out / "review-fig7.pdf").write_bytes(b"tampered with")
    assert draw(nbs)["review/leptons"].state == "drawn" and content(out)["review-fig7.pdf"] == first["review-fig7.pdf"]


def test_a_finding_that_fails_stops_nothing(tree):
    nbs = tree("review/a", FINDING.replace("NUMBER", "0.9"), DRAW.format(name="fig-a"))
    found = draw(nbs)["review/a"]
    assert (found.state, found.figures) == ("drawn", ("fig-a",))
    [finding] = Records.read(nbs.parent / "figures" / "quick").findings["review/a"]["smoke"]["findings"].values()
    assert finding == {"measured": "0.9", "bound": "≤ 0.5", "holds": False}


def test_only_paper_touches_the_figures_of_the_repository(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    figures = nbs.parent / "figures"
    assert [figures_folder(nbs, p) for p in ("smoke", "quick", "paper")] == [
        figures / "quick",
        figures / "quick",
        figures,
    ]
    draw(nbs, profile="quick")
    assert [p.name for p in figures.iterdir()] == ["quick"]
    draw(nbs, profile="paper")
    assert {"fig-a.png", "fig-a.pdf", "manifest.json"} <= {p.name for p in figures.iterdir()}


def test_failures_are_named_and_what_was_finished_is_delivered(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"), DRAW.format(name="fig-b"))
    out = nbs.parent / "figures" / "quick"
    assert draw(nbs)["review/a"].state == "drawn"
    before = content(out)

    tree("review/a", DRAW.format(name="fig-a").replace("1 + seed", "5"), "ratio = 1 / 0", DRAW.format(name="fig-b"))
    tree("review/b", "import os; os._exit(3)")
    tree("review/c", 'if False: save_figure(None, "fig-never")')
    tree("guides/d", DRAW.format(name="fig-d"))
    found = draw(nbs, jobs=2)
    assert {n: found[n].state for n in found} == {"review/a": "failed", "review/b": "failed", "review/c": "failed",
                                                  "guides/d": "drawn"}
    message = found["review/a"].message
    assert "review/a.ipynb failed in code cell 3 (ratio = 1 / 0): ZeroDivisionError" in message
    kept = out / "notebooks" / "review" / "a.ipynb"
    assert "ZeroDivisionError" in kept.read_text(encoding="utf-8") and str(kept) in message
    assert "fig-never" in found["review/c"].message
    after = content(out)
    assert after["fig-a.png"] != before["fig-a.png"] and found["review/a"].figures == ("fig-a",)
    assert after["fig-b.png"] == before["fig-b.png"]
    records = Records.read(out)
    assert {*records.figures} == {"fig-a", "fig-b", "fig-d"} and records.notebooks["review/a"]["key"] is None
    assert records.figures["fig-a"]["sha256"] == digests(out, "fig-a")
    assert draw(nbs, names=["fig-a"])["review/a"].state == "failed"  # it is not taken for up to date


# An undecided claim

MORE = """import numpy as np
from symnb.companion.claims import record_claim
from symnb.companion.findings import finding
finding("The seed of this run is a small one", seed, "<= 100")
record_claim("R13", {"sum_r2": np.full(20, VALUE)})"""


def test_an_undecided_claim_gets_more_runs_with_other_seeds_up_to_the_cap(tree):
    nbs = tree("review/a", MORE.replace("VALUE", "0.01"), DRAW.format(name="fig-a"))
    out = nbs.parent / "figures" / "quick"
    once, first = draw(nbs, executions=1)["review/a"], executions_of(out)
    assert (once.executions, verdict(out), [e["seed"] for e in first]) == (1, "undecided", [0])
    figure = (out / "fig-a.png").read_bytes()
    assert draw(nbs, executions=1)["review/a"].state == "up to date"

    more = draw(nbs, executions=4)["review/a"]  # it goes on where it was
    findings = Records.read(out).findings["review/a"]["smoke"]["findings"]
    assert (more.executions, verdict(out), [e["seed"] for e in executions_of(out)]) == (2, "reproduced", [0, 10_000])
    assert executions_of(out)[0] == first[0] and draw(nbs, executions=4)["review/a"].state == "up to date"
    assert (out / "fig-a.png").read_bytes() == figure  # of the first execution
    assert all(f["holds"] for f in findings.values())


def executions_of(out):
    return Records.read(out).claims["R13"]["results"]["smoke"]["executions"]


def verdict(out):
    return Records.read(out).claims["R13"]["verdict"]


def test_the_cap_leaves_a_claim_undecided(tree):
    nbs = tree("review/a", MORE.replace("np.full(20, VALUE)", "np.r_[np.full(18, 0.01), 1, 1]"))
    out = nbs.parent / "figures" / "quick"
    assert draw(nbs, executions=2)["review/a"].executions == 2 and verdict(out) == "undecided"
    assert draw(nbs, executions=2)["review/a"].state == "up to date"
    assert draw(nbs, executions=3)["review/a"].executions == 3 and len(executions_of(out)) == 3


def test_a_further_execution_that_fails_costs_nothing_and_is_tried_again(tree):
    nbs = tree("review/a", "import os; assert seed < 100 or os.path.exists('mended')", MORE.replace("VALUE", "0.01"),
               DRAW.format(name="fig-a"))
    out = nbs.parent / "figures" / "quick"
    for _ in range(2):
        found = draw(nbs, executions=3)["review/a"]
        assert found.state == "drawn" and "AssertionError" in found.message and len(executions_of(out)) == 1
    (nbs / "review" / "mended").touch()
    found = draw(nbs, executions=3)["review/a"]
    assert (found.message, verdict(out), len(executions_of(out))) == ("", "reproduced", 2)


def test_code_that_changes_between_two_executions_is_not_mixed(tree):
    change = """import json
from pathlib import Path
text = Path("a.ipynb").read_text()
Path("a.ipynb").write_text(text.replace("0.01", "0.02"))"""
    nbs = tree("review/a", MORE.replace("VALUE", "0.01"), change)
    out = nbs.parent / "figures" / "quick"
    found = draw(nbs, executions=3)["review/a"]
    assert "its code changed" in found.message and len(executions_of(out)) == 1


# Bad records and bad arguments

def test_broken_records_are_put_aside_by_whoever_writes_and_made_again(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"), FINDING.replace("NUMBER", "0.2"), CLAIM)
    out = nbs.parent / "figures" / "quick"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text('{"figures": {"fig-a"')
    (out / "claims.json").write_text('{"R13": [], "R14": {}, "R99": {"results": {"paper": {"verdict": "old"}}}}')
    Records.read(out)
    assert (out / "manifest.json").read_text().endswith('"fig-a"')  # whoever reads moves nothing
    assert draw(nbs)["review/a"].state == "drawn"
    assert (out / "manifest.json.broken").is_file() and "fig-a" in Records.read(out).figures
    assert {*Records.read(out).claims} == {"R13", "R99"}  # what this version does not know is kept
    assert "R14" in (out / "claims.json.broken").read_text()
    for name in ("findings", "claims", "manifest"):
        (out / f"{name}.json").write_text("<<<<<<< merge")
        assert draw(nbs)["review/a"].state == "drawn", name
        assert len(Records.read(out).findings["review/a"]["smoke"]["findings"]) == 1
    assert draw(nbs)["review/a"].state == "up to date"
    assert len({path.read_text() for path in out.glob("claims.json.broken*")}) == 2  # none replaces another
    assert len([*out.glob("*.broken*")]) == 5 and draw(nbs) and len([*out.glob("*.broken*")]) == 5
    for foreign in ('{"mine": "important"}', '{"a": {"quick": 5}}', '{"a": {"quick": {"findings": {"v": 1}}}}'):
        (out / "findings.json").write_text(foreign)
        assert not Records.read(out).findings and "did not write" in Records.read(out).troubles[0]
        assert draw(nbs)["review/a"].state == "drawn"
        assert foreign in [path.read_text() for path in out.glob("findings.json.broken*")]


def test_what_is_accepted_is_whole_and_nothing_committed_is_lost(tree):
    nbs = tree("review/a", CLAIM, FINDING.replace("NUMBER", "0.2"), DRAW.format(name="fig-a"))
    tree("review/b", FINDING.replace("NUMBER", "0.2"), "1 / 0")
    out, committed = nbs.parent / "figures" / "quick", nbs.parent / "figures"
    assert {n: o.state for n, o in draw(nbs).items()} == {"review/a": "drawn", "review/b": "failed"}
    (committed / "claims.json").write_text('{"R99": {"results": {"paper": {"verdict": "old"}}}}')
    assert accept(out, committed, "smoke") == (1, 1)
    kept = Records.read(committed)
    assert {*kept.claims} == {"R13", "R99"} and {*kept.findings} == {"review/a"}
    (committed / "claims.json").write_text("<<<<<<< merge")
    with pytest.raises(ValueError, match="claims.json cannot be read.*Mend it first"):
        accept(out, committed, "smoke")
    assert (committed / "claims.json").read_text() == "<<<<<<< merge"


def test_findings_that_are_gone_do_not_stay(tree):
    nbs = tree("review/a", FINDING.replace("NUMBER", "0.2"))
    out = nbs.parent / "figures" / "quick"
    draw(nbs)
    assert Records.read(out).findings
    tree("review/a", "1 + 1")
    assert draw(nbs)["review/a"].state == "drawn" and not Records.read(out).findings


def test_half_a_run_replaces_no_whole_one(tree):
    more = 'finding("Another number is small", 0.1, "<= 0.5")'
    nbs = tree("review/a", FINDING.replace("NUMBER", "0.2"), more, CLAIM)
    out = nbs.parent / "figures" / "quick"
    assert draw(nbs)["review/a"].state == "drawn"
    tree("review/a", CLAIM.replace("* 40", "* 2"), FINDING.replace("NUMBER", "0.9"), "1 / 0", more)
    assert draw(nbs)["review/a"].state == "failed"
    records = Records.read(out)
    found = records.findings["review/a"]["smoke"]["findings"]
    assert [f["measured"] for f in found.values()] == ["0.9", "0.1"]
    assert records.claims["R13"]["verdict"] == "reproduced"


def test_whatever_goes_wrong_with_one_notebook_the_others_go_on(tree, monkeypatch):
    nbs = several(tree, 3)
    whole_draw = runner.draw

    def full_disk(experiment, key, job, done):
        if experiment.name == "review/n1":
            raise OSError(28, "No space left on device")
        return whole_draw(experiment, key, job, done)
    monkeypatch.setattr(runner, "draw", full_disk)
    found = draw(nbs, jobs=2)
    assert {n: o.state for n, o in found.items()} == {"review/n0": "drawn", "review/n1": "failed", "review/n2": "drawn"}
    assert "No space left" in found["review/n1"].message


def test_malformed_records_only_mean_that_nothing_is_up_to_date(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"), CLAIM, FINDING.replace("NUMBER", "0.2"))
    [experiment] = experiments.find_experiments(nbs)
    out = nbs.parent / "figures" / "quick"
    draw(nbs)
    key = Records.read(out).notebooks["review/a"]["key"]
    assert executions_done(experiment, key, "smoke", out, Records.read(out)) == 1

    def spoil_claim(records, value):
        records.claims["R13"]["results"]["smoke"]["executions"] = value
    for spoil in (lambda r: r.figures.update({"fig-a": None}), lambda r: r.notebooks.update({"review/a": 3}),
                  lambda r: r.claims.update({"R13": []}), lambda r: r.findings.clear(),
                  lambda r: spoil_claim(r, 1), lambda r: spoil_claim(r, [])):
        records = Records.read(out)
        spoil(records)
        assert executions_done(experiment, key, "smoke", out, records) == 0


def test_executions_survive_another_profile_and_a_lost_figure(tree):
    nbs = tree("review/a", MORE.replace("VALUE", "0.01"), DRAW.format(name="fig-a"))
    out = nbs.parent / "figures" / "quick"
    seeds = lambda: sorted(e["seed"] for e in Records.read(out).claims["R13"]["results"]["quick"]["executions"])
    assert draw(nbs, profile="quick", executions=2)["review/a"].executions == 2 and seeds() == [0, 10_000]
    assert "history" not in Records.read(out).claims["R13"]  # more runs of the same sample contradict nothing
    assert draw(nbs, profile="smoke")["review/a"].state == "drawn"
    (out / "fig-a.png").unlink()
    again = draw(nbs, profile="quick", executions=1)["review/a"]
    assert again.state == "drawn" and seeds() == [0, 10_000] and verdict(out) == "reproduced"


def test_bad_arguments_stop_before_anything_runs(tree, tmp_path, monkeypatch):
    nbs = tree("review/a", DRAW.format(name="review-fig7"))
    with pytest.raises(ValueError, match="did you mean review-fig7.*There are review-fig7"):
        draw(nbs, names=["review-fig77"])
    with pytest.raises(ValueError, match="clone the repository.*--notebooks"):
        draw(tmp_path / "nowhere")
    limits = [dict(limit=float(x)) for x in ("0", "nan", "inf", "1e300")]
    bad = [dict(jobs=0), dict(seed=-1), dict(executions=0), *limits]
    for options in bad:
        with pytest.raises(ValueError, match=f"{next(iter(options))}="):
            draw(nbs, **options)
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
        experiments.find_experiments(tree("review/b", DRAW.format(name="fig-a")))


@pytest.mark.parametrize("text", ["<<<<<<< merge", "[]", '{"cells": 5}', '{"cells": [{}]}',
                                  '{"cells": [{"cell_type": "code", "source": ""}]}'])
def test_a_notebook_that_cannot_be_read_is_named(tree, text):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    (nbs / "review" / "b.ipynb").write_text(text)
    with pytest.raises(ValueError, match="b.ipynb is not a notebook"):
        experiments.find_experiments(nbs)


def test_drawing_that_breaks_off_leaves_the_earlier_figure(tmp_path, monkeypatch):
    class Figure:
        def savefig(self, file, **options):
            file.write(b"half")
            raise MemoryError
    (tmp_path / "review-fig7.png").write_bytes(b"whole")
    monkeypatch.setenv(
        run.RUN_VARIABLE, json.dumps(dict(folder=str(tmp_path), out=str(tmp_path), profile="smoke", seed=0))
    )
    with pytest.raises(MemoryError):
        figures.save_figure(Figure(), "review-fig7")
    assert content(tmp_path) == {"review-fig7.png": b"whole"}
    with pytest.raises(ValueError, match="lower-case"):
        figures.save_figure(Figure(), "../review fig7")


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
    tree("review/b", CLAIM.replace("0.01", "0.03"))
    assert {o.state for o in draw(nbs).values()} == {"drawn"}
