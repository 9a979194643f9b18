"""What a stranger gets: sdist and wheel, built and installed in a fresh environment outside the repository."""
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from test_tables import write, write_lhe

from symnb.data.collider import COLUMNS, ee_to_mumu

OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "SYMNB_DATA", "SYMNB_CACHE")
EXTRAS = (
    "papermill",
    "nbconvert",
    "ipykernel",
    "jupyterlab",
    "pythia8mc",
    "zuko",
    "e3nn",
    "anywidget",
    "nbdev",
    "pytest",
)
# What only some calls need; the estimators must not wait for it
SLOW = (
    "matplotlib",
    "torchvision",
    "torchdiffeq",
    "ripser",
    "uproot",
    "pylhe",
    "sklearn.model_selection",
    "sklearn.linear_model",
)


def run(*words, **options) -> subprocess.CompletedProcess:
    "Run a command as somebody would who has never seen the repository."
    env = {k: v for k, v in os.environ.items() if k not in OURS} | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([*map(str, words)], env=env, text=True, capture_output=True, **{"timeout": 1800, **options})


def done(*words, **options) -> str:
    "What a command printed; it must end well."
    ended = run(*words, **options)
    assert ended.returncode == 0, f"{' '.join(map(str, words))}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def cfg():
    config = ConfigParser(delimiters=["="], interpolation=None)
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    "The sdist, and the wheel built from it; from a copy, because setuptools writes beside what it builds."
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    shutil.copytree(
        ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", ".cache", ".run", "quick", "build", "*.egg-info")
    )
    (tree / "tests" / "__pycache__").mkdir(exist_ok=True)
    (tree / "tests" / "__pycache__" / "test_cli.pyc").write_bytes(b"")
    at_hand = ["--no-isolation"] if importlib.util.find_spec("setuptools") else []
    done(sys.executable, "-m", "build", *at_hand, "--outdir", folder / "out", tree)
    [sdist], [wheel] = (folder / "out").glob("*.tar.gz"), (folder / "out").glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def home(dist, tmp_path_factory):
    "A fresh environment with the wheel and what it requires, and an empty folder to work in."
    folder = tmp_path_factory.mktemp("elsewhere")
    done(sys.executable, "-m", "venv", folder / "env")
    torch = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)[1]
    index = ["--extra-index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    pip = [
        folder / "env" / "bin" / "python",
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-compile",
        "-c",
        ROOT / "constraints.txt",
        *index,
        dist[1],
    ]
    for version in (f"{torch}+cpu", torch):  # as in the Makefile
        ended = run(*pip, f"torch=={version}", cwd=folder)
        if ended.returncode == 0:
            break
    assert ended.returncode == 0, f"pip could not install the wheel:\n{ended.stderr[-2000:]}"
    (folder / "work").mkdir()
    return folder


def python(home: Path, code: str, *words) -> str:
    return done(home / "env" / "bin" / "python", "-c", code, *words, cwd=home / "work")


def symnb_command(home: Path, *words) -> subprocess.CompletedProcess:
    return run(home / "env" / "bin" / "symnb", *words, cwd=home / "work")


# The two files

def test_twine_finds_nothing_to_say(dist):
    done(sys.executable, "-m", "twine", "check", "--strict", *dist)


def test_the_sdist_has_what_a_build_needs_and_no_more(dist):
    with tarfile.open(dist[0]) as tar:
        names = {Path(*Path(n).parts[1:]).as_posix() for n in tar.getnames()}
    assert {
        "settings.ini",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
        "symnb/py.typed",
    } <= names
    assert {p.relative_to(ROOT).as_posix() for p in (ROOT / "symnb").rglob("*.py")} <= names
    assert not [
        n for n in names if re.match(r"(tests|nbs|figures|\.\w)", n) or "__pycache__" in n or n.endswith(".pyc")
    ]


def test_the_wheel_has_the_library_and_no_more(dist):
    with zipfile.ZipFile(dist[1]) as wheel:
        names = {n for n in wheel.namelist() if ".dist-info/" not in n}
    assert names == {p.relative_to(ROOT).as_posix() for p in (ROOT / "symnb").rglob("*.py")} | {"symnb/py.typed"}


def test_metadata(dist, cfg):
    with zipfile.ZipFile(dist[1]) as wheel:
        read = lambda end: next(wheel.read(n).decode() for n in wheel.namelist() if n.endswith(end))
        meta, entries, licence = Parser().parsestr(read("/METADATA")), read("/entry_points.txt"), read("/LICENSE")
    assert (meta["Name"], meta["Version"], meta["Requires-Python"]) == (
        "symnb",
        cfg["version"],
        ">=" + cfg["min_python"],
    )
    assert [r for r in meta.get_all("Requires-Dist") if "extra ==" not in r] == cfg["requirements"].split()
    assert meta.get_all("Provides-Extra") == ["companion", "files", "dev"]
    assert (meta["License"] or meta["License-Expression"]) == "Apache-2.0" and "Apache License" in licence
    assert entries.split() == ["[console_scripts]", "symnb", "=", "symnb.companion.cli:main"]
    assert (
        "Typing :: Typed" in meta.get_all("Classifier")
        and meta["Description-Content-Type"] == "text/markdown"
        and "# symnb" in meta.get_payload()
    )


def test_every_python_that_is_named_is_tested(dist, cfg):
    with zipfile.ZipFile(dist[1]) as wheel:
        meta = next(wheel.read(n).decode() for n in wheel.namelist() if n.endswith("/METADATA"))
    named = re.findall(r"^Classifier: Programming Language :: Python :: (3\.\d+)$", meta, re.M)
    [matrix] = re.findall(
        r"^ +python: (\[.*\])$", (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"), re.M
    )
    assert named == json.loads(matrix) and named[0] == cfg["min_python"]


# In the fresh environment

def test_it_is_installed_elsewhere_with_types_and_without_the_extras(home):
    code = f"""import importlib.util, json, symnb
print(json.dumps([symnb.__file__, [m for m in {EXTRAS} if importlib.util.find_spec(m)]]))"""
    file, extras = json.loads(python(home, code))
    assert home in Path(file).parents and extras == []
    assert (Path(file).parent / "py.typed").read_bytes() == b""


def test_version(home, cfg):
    shown = symnb_command(home, "--version")
    assert (shown.returncode, shown.stdout) == (0, f"symnb {cfg['version']}\n")


def test_an_import_brings_only_what_it_needs(home):
    """The package and its command do without torch; the estimators bring little more than torch and sklearn."""
    unwanted = "torch", "pandas", "sklearn", "matplotlib"
    code = f"import sys, symnb, symnb.companion.cli; print([m for m in {unwanted} if m in sys.modules])"
    assert python(home, code).strip() == "[]"
    code = f"""import sys, torch, sklearn.base
before = set(sys.modules)
from symnb import SymmetryFlows, SymmetryProbe
print([m for m in {SLOW} if m in sys.modules])
print(*{{name.split('.')[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names)"""
    slow, new = python(home, code).splitlines()
    assert slow == "[]" and {*new.split()} <= {"symnb", "safetensors", "tqdm"}


def test_files_of_other_tools_load(home, tmp_path):
    """Written here by pandas, numpy, pylhe and uproot, or published with scikit-learn and pyarrow; read there."""
    table = ee_to_mumu(200, energy_spread=0.2, random_state=0)
    paths = [write(tmp_path, kind, table) for kind in ("csv", "parquet", "npz", "root")]
    paths.append(write_lhe(tmp_path / "events.lhe", [[(13, *e[:4]), (-13, *e[4:])] for e in table.to_numpy()]))
    code = """import json, sys
from symnb.data import load
tables = [load(path) for path in sys.argv[1:]]
assert 'torch' not in sys.modules
print(json.dumps([t.to_dict('list') for t in tables]))"""
    for path, found in zip(paths, json.loads(python(home, code, *paths)), strict=True):
        names = list(found) if path.suffix == ".lhe" else COLUMNS
        np.testing.assert_allclose(np.column_stack([found[c] for c in names]), table, rtol=1e-6, err_msg=path.name)
    code = """import importlib.util, pathlib
from symnb.data import load
inside = lambda package, *parts: pathlib.Path(importlib.util.find_spec(package).origin).parent.joinpath(*parts)
assert load(inside("sklearn", "datasets", "data", "digits.csv.gz")).shape == (1797, 65)
old = inside("pyarrow", "tests", "data", "parquet", "v0.7.1.parquet")
assert not old.exists() or {"carat", "price"} <= set(load(old))"""
    python(home, code)
    answered = symnb_command(home, "probe", paths[0], "--runs", 1, "--steps", 50, "--quiet")
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.startswith("events.csv: 200 events, 8 columns: px_mu") and "Answered in" in answered.stdout


@pytest.mark.parametrize(
    "words, advice",
    [
        (["figures"], "pip install 'symnb[companion]'"),
        (["figures", "--notebooks", ROOT / "nbs"], "pip install 'symnb[companion]'"),
        (["figures", "--list"], "clone the repository"),
        (["claims"], "clone the repository"),
    ],
)
def test_what_needs_more_says_so_in_one_line(home, words, advice):
    ended = symnb_command(home, *words)
    [line] = ended.stderr.splitlines()
    assert ended.returncode == 2 and line.startswith("symnb: ") and advice in line and ended.stdout == ""
