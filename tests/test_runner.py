"""The runner: what it delivers, what survives a failure, a hang, a second runner and a kill, what is not repeated."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import DRAW

from symnb.companion import experiments, figures, run, runner
from symnb.companion.execution import end_tree
from symnb.companion.records import Records, accept, digests, executions_done, lock
from symnb.companion.runner import figures_folder, make_figures

CLAIM = """from symnb.companion.claims import record_claim
record_claim("R13", {"sum_r2": [0.01] * 40})"""
FINDING = """from symnb.companion.findings import finding
finding("The number of this example is small", NUMBER, "<= 0.5")"""


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def draw(nbs, **options):
    return {o.notebook: o for o in make_figures(**dict(dict(profile="smoke", notebooks=nbs), **options))}


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

    assert draw(nbs)["review/leptons"].state == "up to date" and content(out) == first

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


def test_a_kernel_that_hangs_is_ended_and_what_was_finished_is_delivered(tree):
    import psutil
    hangs = {"review/a": "import time; time.sleep(1e6)", "review/b": "while True: pass"}
    for name, code in hangs.items():
        nbs = tree(name, DRAW.format(name=f"fig-{name[-1]}"), code, DRAW.format(name=f"fig-never-{name[-1]}"))
    mine = {p.pid for p in psutil.Process().children(recursive=True)}
    for limit in (30, 120, 480):  # a busy machine needs longer to come as far as the cell that hangs
        outcomes = draw(nbs, limit=limit, jobs=2)
        assert {(o.state, f"within {limit} s" in o.message) for o in outcomes.values()} == {("failed", True)}
        if all(o.figures for o in outcomes.values()):
            break
    for name, found in outcomes.items():
        assert f"in code cell 3 ({hangs[name]})" in found.message and found.figures == (f"fig-{name[-1]}",)
    assert not [p for p in psutil.Process().children(recursive=True) if p.pid not in mine and lives(p.pid)]


def lives(pid):
    import psutil
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_process_that_leaves_its_notebook_holds_nobody_up_and_is_ended(tree):
    orphan = """import os, pathlib, signal, time
if os.fork() == 0:
    os.setsid()
    pathlib.Path("orphan").write_text(str(os.getpid()))
    time.sleep(1e6)
while not pathlib.Path("orphan").exists() or not pathlib.Path("orphan").read_text():
    time.sleep(0.01)"""
    die = "import signal; os.kill(os.getpid(), signal.SIGKILL)"
    for name, codes in {"review/a": [orphan], "review/b": [orphan, die]}.items():
        nbs = tree(name, DRAW.format(name=f"fig-{name[-1]}"), *codes)
        found = draw(nbs, names=[f"fig-{name[-1]}"])[name]
        assert (found.state, found.figures) == ("failed" if die in codes else "drawn", (f"fig-{name[-1]}",))
        assert die not in codes or f"in code cell 4 ({die})" in found.message
        assert not lives(int((nbs / "review" / "orphan").read_text()))
        (nbs / "review" / "orphan").unlink()


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


# Two runners, and a killed one

def start(nbs, *words):
    code = "import sys; from symnb.companion.cli import main; sys.exit(main())"
    asked = ["figures", "--profile", "smoke", "--notebooks", str(nbs), "--device", "cpu", *words]
    command = [sys.executable, "-c", code, *asked]
    heed = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    # a shell's background job, and all that it starts, ignores SIGINT otherwise
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed)


def several(tree, n):
    for k in range(n):
        nbs = tree(f"review/n{k}", DRAW.format(name=f"fig-{k}"), FINDING.replace("NUMBER", f"0.{k}"))
    return nbs


def test_two_runners_at_once_lose_nothing_and_do_nothing_twice(tree):
    nbs = several(tree, 3)
    both = [start(nbs), start(nbs)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    records = Records.read(nbs.parent / "figures" / "quick")
    assert {*records.figures} == {"fig-0", "fig-1", "fig-2"} and len(records.findings) == 3
    drawn = sum(line.startswith("drawn") for text in said for line in text.splitlines())
    assert drawn == 3, said


def test_the_records_are_changed_by_one_at_a_time(tmp_path):
    def add(k):
        with lock(tmp_path):
            records = Records.read(tmp_path)
            time.sleep(0.01)
            records.notebooks[f"n{k}"] = {}
            records.write(tmp_path)
    threads = [threading.Thread(target=add, args=(k,)) for k in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(Records.read(tmp_path).notebooks) == 8


def whole(out):
    "Every file that can be seen is complete."
    for path in out.glob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".png":
            assert path.read_bytes()[:4] == b"\x89PNG" and b"IEND" in path.read_bytes()[-12:]
        elif path.suffix == ".pdf":
            assert path.read_bytes().rstrip().endswith(b"%%EOF")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_runner_that_is_killed_leaves_no_half_written_file_and_goes_on_where_it_stopped(tree):
    import psutil
    nbs = several(tree, 4)
    out, rng = nbs.parent / "figures" / "quick", random.Random(0)
    drawn = lambda: {n for n, entry in Records.read(out).notebooks.items() if entry["key"]}
    staged = lambda: {*(out / ".run").glob("review-*/*/*")}
    for k in range(10):  # at a random time behind something that happened in this very run, however slow the machine is
        look = drawn if k > 6 else staged
        before, family = look(), []
        process = start(nbs, "--jobs", "2")
        while process.poll() is None and k > 1 and not look() - before:
            family = psutil.Process(process.pid).children(recursive=True) or family
            time.sleep(0.02)
        end = time.monotonic() + rng.uniform(0, 0.5)
        while time.monotonic() < end:
            family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else family
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        psutil.wait_procs(family, timeout=60)  # they follow their runner
        assert not [p for p in family if p.is_running() and lives(p.pid)]
        whole(out)
        if len(drawn()) == 4 and k < 9:  # begin again, so that every kill meets work
            for path in (out / "manifest.json", *out.glob("*.png")):
                path.unlink()
    done = drawn()
    (out / ".manifest.json.999.part").write_text("half")
    last = {o.notebook: o.state for o in make_figures(profile="smoke", device="cpu", jobs=2, notebooks=nbs)}
    assert done and {n for n, state in last.items() if state == "up to date"} == done
    assert {*last.values()} <= {"drawn", "up to date"} and len(last) == 4
    whole(out)
    assert not list(out.glob(".*.part")) and not [p for p in (out / ".run").iterdir() if p.is_dir()]


def test_a_process_ends_with_all_that_it_started():
    code = ("import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)']); "
            "print(1, flush=True)")
    process = subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(1000)"], stdout=subprocess.PIPE)
    process.stdout.readline()
    import psutil
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 1
    end_tree(process.pid)
    process.wait()
    psutil.wait_procs(family, timeout=60)
    assert not family[0].is_running() or family[0].status() == "zombie"
    end_tree(process.pid)  # nothing is left, and that is no error


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


@pytest.mark.skipif(os.name != "posix", reason="SIGINT")
def test_a_runner_that_waits_for_another_can_be_interrupted(tree):
    import psutil
    nbs = several(tree, 1)
    out = nbs.parent / "figures" / "quick"
    with lock(out, "review/n0"):
        process = start(nbs)
        tries = lambda: any(f.path.endswith("review-n0.lock") for f in psutil.Process(process.pid).open_files())
        while process.poll() is None and not tries():
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[0]
    assert process.returncode == 1 and "interrupted" in said
    assert not (out / "manifest.json").exists()


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
    bad = [dict(jobs=0), dict(seed=-1), dict(executions=0), *(dict(limit=float(x)) for x in ("0", "nan", "inf"))]
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


def test_a_notebook_that_is_no_json_is_named(tree):
    nbs = tree("review/a", DRAW.format(name="fig-a"))
    (nbs / "review" / "b.ipynb").write_text("<<<<<<< merge")
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
