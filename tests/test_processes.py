"""Processes around the runner: kernels that hang or leave orphans, two runners at once, one that is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import DRAW, draw, several

from symnb.companion.execution import end_tree
from symnb.companion.records import Records, lock
from symnb.companion.runner import make_figures


def lives(pid):
    import psutil
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


MAIN = "import sys; from symnb.companion.cli import main; sys.exit(main())"
TELL = """
import filelock
from pathlib import Path
real = filelock.FileLock.acquire
def told(self, *args, **kwargs):
    Path(f"{self.lock_file}.asked").touch()
    return real(self, *args, **kwargs)
filelock.FileLock.acquire = told
"""  # a lock that is asked for leaves a file


def start(nbs, *words, code=MAIN):
    asked = ["figures", "--profile", "smoke", "--notebooks", str(nbs), "--device", "cpu", *words]
    command = [sys.executable, "-c", code, *asked]
    heed = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    # a shell's background job, and all that it starts, ignores SIGINT otherwise
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed)


def inside(folder):
    "The paths in a folder, which may come and go while one looks."
    try:
        return [*folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def whole(out):
    "Every file that can be seen is complete."
    for path in out.glob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".png":
            assert path.read_bytes()[:4] == b"\x89PNG" and b"IEND" in path.read_bytes()[-12:]
        elif path.suffix == ".pdf":
            assert path.read_bytes().rstrip().endswith(b"%%EOF")


def test_a_kernel_that_hangs_is_ended_and_what_was_finished_is_delivered(tree):
    import psutil
    hangs = {"review/a": "import time; time.sleep(1e6)", "review/b": "while True: pass"}
    for name, code in hangs.items():
        nbs = tree(name, DRAW.format(name=f"fig-{name[-1]}"), code, DRAW.format(name=f"fig-never-{name[-1]}"))
    mine = {p.pid for p in psutil.Process().children(recursive=True)}
    for limit in (12, 90, 480):  # a busy machine needs longer to come as far as the cell that hangs
        outcomes = draw(nbs, limit=limit, jobs=2)
        assert {(o.state, f"within {limit} s" in o.message) for o in outcomes.values()} == {("failed", True)}
        if all(o.figures for o in outcomes.values()):
            break
    for name, found in outcomes.items():
        assert f"in code cell 3 ({hangs[name]})" in found.message and found.figures == (f"fig-{name[-1]}",)
    assert not [p for p in psutil.Process().children(recursive=True) if p.pid not in mine and lives(p.pid)]


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


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_runner_that_is_killed_leaves_no_half_written_file_and_goes_on_where_it_stopped(tree):
    import psutil
    nbs = several(tree, 4)
    out, rng = nbs.parent / "figures" / "quick", random.Random(0)
    drawn = lambda: {n for n, entry in Records.read(out).notebooks.items() if entry["key"]}
    staged = lambda: {file for parent in inside(out / ".run") for room in inside(parent) for file in inside(room)}
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


@pytest.mark.skipif(os.name != "posix", reason="SIGINT")
def test_a_runner_that_waits_for_another_can_be_interrupted(tree):
    nbs = several(tree, 1)
    out = nbs.parent / "figures" / "quick"
    asked = out / ".run" / "review-n0.lock.asked"
    with lock(out, "review/n0"):
        process = start(nbs, code=TELL + MAIN)
        while process.poll() is None and not asked.exists():
            time.sleep(0.02)
        time.sleep(0.2)  # a SIGINT in the middle of the call would do as well
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[0]
    assert process.returncode == 1 and "interrupted" in said
    assert not (out / "manifest.json").exists()
