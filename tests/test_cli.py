"""The command `symnb`: exit codes, one-line messages, and no torch where it is not needed."""
import json
import subprocess
import sys

import pytest
from conftest import DRAW

import symnb
from symnb.companion.cli import main


def symnb_command(*words, **options):
    code = "import sys; from symnb.companion.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, **options)


def test_help_and_version(capsys):
    for words, expected in (
        (["--help"], "examples:"),
        (["figures", "--help"], "--profile"),
        (["claims", "--help"], "--markdown"),
        (["findings", "--help"], "--changed"),
        (["data", "--help"], "examples:"),
        (["--version"], symnb.__version__),
    ):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0 and expected in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["figure"], ["figures", "--profile", "rough"], ["figures", "--jobs", "two"],
                                   ["figures", "--jobs", "0"], ["figures", "--seed", "-1"], ["figures", "--limit", "0"],
                                   ["figures", "--executions", "0"], ["findings", "--failed", "--changed"],
                                   ["claims", "R8"]])
def test_bad_arguments_end_with_2_and_say_why(words, capsys):
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    message = capsys.readouterr().err
    assert code == 2 and message and "Traceback" not in message


def test_a_list_an_unknown_name_and_a_missing_gpu(tree, capsys):
    nbs = str(tree("review/leptons", DRAW.format(name="review-fig7")))
    assert main(["figures", "--list", "--notebooks", nbs]) == 0
    assert capsys.readouterr().out.split() == ["review-fig7", "review/leptons"]
    assert main(["figures", "review-fig6", "--notebooks", nbs]) == 2
    assert "did you mean review-fig7?" in capsys.readouterr().err
    assert main(["figures", "--device", "cuda:99", "--notebooks", nbs]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("symnb: device='cuda:99'") and "use device='auto'" in line


FINDING = """from symnb.companion.findings import finding
finding("The number of this example is small", NUMBER, "<= 0.5")"""


def test_the_road_of_a_user(tree):
    nbs = tree("review/leptons", DRAW.format(name="review-fig7"), FINDING.replace("NUMBER", "0.2"))
    out = nbs.parent / "figures" / "quick"
    first = symnb_command("figures", "--notebooks", nbs)
    assert first.returncode == 0 and "review-fig7" in first.stderr
    lines = first.stdout.splitlines()
    assert lines[0] == "1 notebook drawn" and lines[1] == ("Findings: 1 hold, 0 do not; none differ from the committed "
                                                           "ones.")
    assert lines[-1] == (f"Look at "
                         f"{out / 'index.html'}") and "review-fig7" in (out / "index.html").read_text(encoding="utf-8")
    second = symnb_command("figures", "review-fig7", "--notebooks", nbs)
    assert second.returncode == 0 and second.stdout.splitlines()[0] == "1 notebook up to date"

    here = dict(cwd=nbs.parent)
    assert "✓ The number of this example is small: 0.2 (≤ 0.5)" in symnb_command("findings", **here).stdout
    assert symnb_command("findings", "--accept", **here).returncode == 0  # from now on this is what is committed
    tree("review/leptons", DRAW.format(name="review-fig7"), FINDING.replace("NUMBER", "0.9"))
    third = symnb_command("figures", "--notebooks", nbs)
    assert third.returncode == 0, "a finding that fails breaks nothing"
    assert "Findings: 0 hold, 1 do not; 1 differs from the committed ones." in third.stdout
    assert third.stdout.splitlines()[-1].endswith("symnb findings --changed --profile quick")
    changed = symnb_command("findings", "--changed", **here)
    assert changed.stdout.strip() == "review/leptons: ✗ The number of this example is small: 0.9 (≤ 0.5), before 0.2"
    assert "0.9" in symnb_command("findings", "--failed", **here).stdout
    assert "nothing was found yet" in symnb_command("findings", "--profile", "paper", **here).stderr
    assert "committed record itself" in symnb_command("findings", "--changed", "--out", out.parent, **here).stderr
    assert 'class="no differs"' in (out / "index.html").read_text(encoding="utf-8")

    tree("review/leptons", DRAW.format(name="review-fig7"), "raise RuntimeError('no events')")
    last = symnb_command("figures", "--profile", "smoke", "--notebooks", nbs)
    assert last.returncode == 1 and ("leptons.ipynb failed in code "
                                     "cell 3") in last.stderr and "review-fig7" in last.stderr
    assert "RuntimeError: no events" in last.stderr and "Traceback" not in last.stderr
    assert "no events" in (out / "index.html").read_text(encoding="utf-8")


def test_without_notebooks_it_says_what_to_do(tmp_path):
    found = symnb_command("figures", "--notebooks", tmp_path / "nbs")
    assert found.returncode == 2 and found.stderr.count("\n") == 1 and "clone the repository" in found.stderr


def test_claims(tmp_path, capsys):
    assert main(["claims", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "nothing was measured yet" in shown.err and shown.out.count("NOT MEASURED") >= 10
    (tmp_path / "claims.json").write_text(json.dumps({"R13": {"results": {}}}))
    assert main(["claims", "--out", str(tmp_path), "--markdown", "--profile", "paper"]) == 0
    assert capsys.readouterr().out.startswith("| | claim |")


def test_the_command_starts_without_torch():
    code = "import sys, symnb.companion.cli; assert 'torch' not in sys.modules and 'papermill' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
