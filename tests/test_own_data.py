"""`symnb probe FILE` and `symnb flows FILE` as a new user types them."""
import functools
import re
import time

import numpy as np
import pandas as pd
import pytest
from conftest import without_pictures
from test_cli import symnb_command
from test_tables import bad_files, mixed_final_states, write_lhe

from symnb.companion.cli import main
from symnb.data.collider import MOMENTA, drell_yan, ee_to_mumu
from symnb.data.geometry import circle, disk
from symnb.flows import learning, oracle


def run(*words) -> int:
    try:
        return main([str(w) for w in words])
    except SystemExit as end:
        return end.code


def quick(*words) -> int:
    "A training that is too short for a right answer, and long enough for a test of the road."
    return run(*words, "--runs", 1, "--steps", 30, "--quiet")


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    path = tmp_path_factory.mktemp("ring") / "ring.csv"
    pd.DataFrame(circle(1500, noise=0.02, random_state=0), columns=["x [cm]", "y [cm]"]).to_csv(path, index=False)
    return path


# Answers

def test_the_answer_for_a_ring(ring, tmp_path, capsys):
    report = tmp_path / "ring.html"
    save = tmp_path / "ring.safetensors"
    assert run("probe", ring, "--runs", 2, "--steps", 800, "--html", report, "--no-scan", "--save", save) == 0
    shown = capsys.readouterr()
    words = " ".join(shown.out.split())
    assert "1 degree of freedom in 2 varying columns" in words and "relevant dimension 2" in words
    assert "closed orbit: one loop, like a circle" in words and "z1 follows" in words and "z2 follows" in words
    assert re.search(r"0\.1\d cm in x", words) and "Answered in" in words and "training:" in shown.err
    page = report.read_text(encoding="utf-8")
    assert "x [cm]" in page and "ring.csv" in page and page.rstrip().endswith("</html>")
    from symnb import SymmetryProbe
    assert SymmetryProbe.load(save).intrinsic_dim_ == 1


def test_the_right_counts_of_files(tmp_path, capsys):
    """Events with eight columns, and a disk: the counts of the review's section 6 and of the manifold."""
    cases = {
        "ee.parquet": (ee_to_mumu(2000, random_state=0), 3, 2),
        "disk.csv": (pd.DataFrame(disk(2000, random_state=0), columns=["x", "y"]), 2, 2),
    }
    for name, (table, relevant, intrinsic) in cases.items():
        table.to_parquet(tmp_path / name) if name.endswith("parquet") else table.to_csv(tmp_path / name, index=False)
        assert run("probe", tmp_path / name, "--quiet", "--runs", 1, "--steps", 800) == 0
        words = " ".join(capsys.readouterr().out.split())
        assert f"(relevant dimension {relevant})" in words and f" {intrinsic} degrees of freedom in " in words, words
    assert "follows" in words


def test_graded_events_are_told_with_their_resolution(tmp_path, capsys):
    pytest.importorskip("pythia8mc")
    drell_yan(1500, random_state=0).to_csv(tmp_path / "dy.csv", index=False)
    assert run("probe", tmp_path / "dy.csv", "--quiet", "--runs", 1, "--steps", 500) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert re.search(r"\(relevant dimension \d\)", words)
    assert re.search(r"\d degrees of freedom in 8 varying columns, between s = ", words)


def test_flows_find_the_rotation(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=800))
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(3000, 2)), columns=["x [cm]", "y [cm]"])
    table["r2"] = table.iloc[:, 0] ** 2 + table.iloc[:, 1] ** 2
    table.to_csv(tmp_path / "plane.csv", index=False)
    report = tmp_path / "plane.html"
    assert (
        run(
            "flows",
            tmp_path / "plane.csv",
            "--target",
            "r2",
            "--html",
            report,
            "--quiet",
            "--save",
            tmp_path / "f.safetensors",
        )
        == 0
    )
    words = " ".join(capsys.readouterr().out.split())
    assert "r2 does not change under one linear transformation of x, y" in words and "(rotation)" in words
    page = report.read_text(encoding="utf-8")
    assert "J1 (rotation)" in page and "x [cm]" not in page.split("Streamlines")[0]
    assert "http" not in without_pictures(page)
    from symnb import SymmetryFlows
    assert SymmetryFlows.load(tmp_path / "f.safetensors").n_generators_ == 1


def test_flows_with_classes_of_text(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=400))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 2))
    pd.DataFrame(x, columns=["a", "b"]).assign(kind=np.where(np.hypot(*x.T) > 1.2, "far", "near")).to_parquet(
        tmp_path / "t.parquet"
    )
    assert run("flows", tmp_path / "t.parquet", "--target", "kind", "--generators", "exact", "--quiet") == 0
    words = capsys.readouterr().out
    assert (
        "classes of kind: 0 = far, 1 = near" in words
        and "kind does not change under one smooth transformation" in " ".join(words.split())
    )


# Options

def test_options_reach_the_reader_and_the_probe(tmp_path, capsys):
    events = ee_to_mumu(800, energy_spread=0.1, random_state=0)
    events.to_csv(tmp_path / "t.csv", index=False)
    assert (
        quick(
            "probe",
            tmp_path / "t.csv",
            "--columns",
            "p*,!*bar",
            "--query",
            "pz_mu > 0",
            "--max-events",
            300,
            "--scale",
            "asinh",
            "--seed",
            3,
        )
        == 0
    )
    words = capsys.readouterr().out
    assert (
        "300 events, 3 columns: px_mu, py_mu, pz_mu" in words
        and "pass the query pz_mu > 0" in words
        and "a random sample of 300" in words
    )
    assert quick("probe", tmp_path / "t.csv", "--scale", "none") == 0


def test_final_states_that_differ_offer_a_choice(tmp_path, capsys):
    path = write_lhe(tmp_path / "jets.lhe", mixed_final_states() * 4)
    assert quick("probe", path) == 2
    [line] = capsys.readouterr().err.splitlines()
    choice = re.search(r"\(--particles=(\S+)\)", line)[1]
    rng = np.random.default_rng(0)
    spread = [[(pdg, *rng.normal(size=3), 5.0) for pdg, *_ in event] for event in mixed_final_states() * 4]
    assert quick("probe", write_lhe(tmp_path / "spread.lhe", spread), f"--particles={choice}") == 0
    assert "px_mu_minus" in capsys.readouterr().out


# Bad input: one line, exit code 2, nothing written

def test_bad_files_end_with_one_line_and_2(tmp_path, capsys):
    events = ee_to_mumu(300, random_state=0)
    report = tmp_path / "report.html"
    for name, (path, words) in bad_files(tmp_path, events).items():
        assert run("probe", path, "--quiet", "--html", report) == 2, name
        shown = capsys.readouterr()
        assert (
            shown.out == ""
            and shown.err.count("\n") == 1
            and shown.err.startswith("symnb: ")
            and re.search(words, shown.err)
        ), (name, shown)
        assert not report.exists() and "Traceback" not in shown.err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--columns", "px"], "has no 'px'"),
        (["--query", "x >"], "cannot be evaluated"),
        (["--resolution", "-1"], "resolution=-1.0 must be a positive number"),
        (["--device", "cuda:99"], "device='cuda:99'"),
        (["--html", "nowhere/report.html"], "there is no folder"),
        (["--tree", "t"], "only ROOT, NPZ"),
        (["--save", "nowhere/probe.safetensors"], "there is no folder"),
    ],
)
def test_bad_options_end_with_one_line_and_2(ring, words, message, capsys):
    assert quick("probe", ring, *words) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and message in shown


@pytest.mark.parametrize("words", [["--runs", "0"], ["--max-events", "none"], ["--scale", "log"], ["--seed", "-1"]])
def test_bad_arguments_are_refused(ring, words, capsys):
    assert run("probe", ring, *words) == 2 and "Traceback" not in capsys.readouterr().err


def test_flows_without_a_usable_target(ring, tmp_path, capsys):
    for words, message in (
        (["--target", "z"], "has no 'z'"),
        (["--target", "x", "--n", "many"], "--n many: give a number"),
        ([], "--target"),
    ):
        assert run("flows", ring, *words) == 2 and message in capsys.readouterr().err
    pd.DataFrame(dict(x=np.arange(50) / 7, label=1)).to_csv(tmp_path / "one.csv", index=False)
    assert run("flows", tmp_path / "one.csv", "--target", "label") == 2
    assert "y has one value only" in capsys.readouterr().err


def test_gaps_with_strict(tmp_path, capsys):
    events = ee_to_mumu(200, random_state=0)[MOMENTA]
    events.iloc[3, 0] = np.nan
    events.to_csv(tmp_path / "gaps.csv", index=False)
    assert (
        quick("probe", tmp_path / "gaps.csv") == 0
        and "1 of 200 events have NaN or infinite values (px_mu): dropped" in capsys.readouterr().out
    )
    assert quick("probe", tmp_path / "gaps.csv", "--strict") == 2 and "--strict" in capsys.readouterr().err


def test_from_a_shell(ring):
    found = symnb_command("probe", ring, "--runs", 1, "--steps", 30)
    assert (
        found.returncode == 0
        and "degree" in found.stdout
        and "training" in found.stderr
        and "Traceback" not in found.stderr
    )
    lost = symnb_command("probe", ring.with_name("nowhere.csv"))
    assert lost.returncode == 2 and lost.stdout == "" and lost.stderr.count("\n") == 1


# Weights

def test_weights_of_a_file_reach_the_probe_as_events_that_were_drawn_by_them(tmp_path, capsys):
    """A flat sheet in three columns with weight, and a cloud that fills them almost without: two directions, as in a
    file of events that were drawn by their weights; without the weights three."""
    rng = np.random.default_rng(0)
    sheet, cloud = rng.normal(size=(700, 2)), rng.normal(size=(2000, 3))
    X = np.vstack([np.c_[sheet, sheet.sum(1)], cloud])
    table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(w=np.repeat([1.0, 1e-5], [700, 2000]))
    table.to_csv(tmp_path / "weighted.csv", index=False)
    drawn = rng.choice(2700, 1000, p=table.w / table.w.sum())
    table.iloc[drawn].drop(columns="w").to_csv(tmp_path / "drawn.csv", index=False)
    answers = {}
    for file, weights in (("weighted.csv", "w"), ("drawn.csv", "none"), ("weighted.csv", "none")):
        assert run("probe", tmp_path / file, "--weights", weights, "--columns", "a,b,c", "--runs", 1, "--steps", 800,
                   "--quiet") == 0
        shown = capsys.readouterr().out
        answers[file, weights] = re.search(r"(\d) (?:degrees|directions)|(fills|fill) all", " ".join(shown.split()))[0]
    assert answers["weighted.csv", "w"] == answers["drawn.csv", "none"] == "2 degrees", answers
    assert answers["weighted.csv", "none"] != "2 degrees", answers


def test_weights_of_a_file_reach_the_flows(tmp_path, capsys):
    """Half of the events know x² + y² + z², and the other half, with weight 0.001, another quantity."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    y = np.where(np.arange(3000) < 1500, (X**2).sum(1), X @ [3.0, -2.0, 1.0])
    table = pd.DataFrame(X, columns=["x", "y", "z"]).assign(q=y, w=np.where(np.arange(3000) < 1500, 1.0, 1e-6))
    table.to_csv(tmp_path / "weighted.csv", index=False)
    table[:1500].drop(columns="w").to_csv(tmp_path / "kept.csv", index=False)
    found = []
    for file, weights in (("weighted.csv", "w"), ("kept.csv", "none")):
        assert run("flows", tmp_path / file, "--target", "q", "--weights", weights, "--quiet") == 0
        shown = " ".join(capsys.readouterr().out.split())
        found.append(("so(3)" in shown, re.search(r"under (\d+) independent", shown)[1]))
    assert found == [(True, "3")] * 2


def test_weights_that_cannot_be_are_refused(tmp_path, capsys):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    table.assign(w=0.0).to_csv(tmp_path / "t.csv", index=False)
    assert quick("probe", tmp_path / "t.csv", "--weights", "w") != 0
    assert "weights: all values of 'w' are 0" in capsys.readouterr().err
    assert quick("probe", tmp_path / "t.csv", "--weights", "v") != 0
    assert "weights: t.csv has no 'v'" in capsys.readouterr().err


def test_flows_leave_out_columns_that_tell_nothing(tmp_path, capsys, monkeypatch):
    x = np.random.default_rng(0).normal(size=(400, 2))
    table = pd.DataFrame(x, columns=["x", "y"]).assign(twice=2 * x[:, 0], run=7, r2=(x**2).sum(1))
    table.to_csv(tmp_path / "t.csv", index=False)
    clock = iter([100.0, 114.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert run("flows", tmp_path / "t.csv", "--target", "r2", "--quiet") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "left out, as they tell nothing: run is constant, twice is a multiple of x" in words
    assert "one linear transformation of x, y" in words and "Answered in 14 s" in words


def test_flows_of_one_column(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=400)
    pd.DataFrame(dict(x=x, y=x**2)).to_csv(tmp_path / "t.csv", index=False)
    assert run("flows", tmp_path / "t.csv", "--target", "y", "--quiet") == 0
    assert "No symmetry of y is claimed" in capsys.readouterr().out
    assert run("flows", tmp_path / "t.csv", "--target", "y", "--columns", "y", "--quiet") == 2


def test_a_mistake_of_the_library_is_told_in_one_line(ring, capsys, monkeypatch):
    def fails(*args, **options):
        raise KeyError("covariance")
    monkeypatch.setattr("symnb.data.tables.load", fails)
    assert run("probe", ring, "--quiet") == 1
    said = capsys.readouterr().err.strip()
    assert said == "symnb: a mistake of symnb's own, KeyError: 'covariance'; --debug shows where"
    with pytest.raises(KeyError):
        run("probe", ring, "--quiet", "--debug")
