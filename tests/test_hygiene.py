"""The rules of the house, which nothing else would notice when they are broken."""
import ast
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

from symnb.companion.cache import python_lines
from symnb.companion.claims import read_claims, summary_line
from symnb.companion.experiments import FOLDERS, find_experiments
from symnb.companion.readme import build_readme
from symnb.companion.records import digests

NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
EXPERIMENTS = [p for p in NOTEBOOKS if p.relative_to(ROOT / "nbs").parts[0] in FOLDERS]
MODULES = sorted(p for p in (ROOT / "symnb").rglob("*.py") if p.name != "_modidx.py")
ROOMS = [
    "files",
    "checks",
    "core",
    "packing",
    "persistence",
    "data",
    "plots",
    "plots_flows",
    "alive_layers",
    "alive",
    "pages",
    "probe",
    "lie",
    "flows",
    "finite",
    "compare",
    "explorer",
    "companion",
]  # each imports only from those before it


def name(path):
    return path.relative_to(ROOT).as_posix()


def code_cells(path):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]


def files(folder, pattern):
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in folder.rglob(pattern)
            if "__pycache__" not in p.parts and ".ipynb_checkpoints" not in p.parts}


# The notebooks and what is made of them

def test_exports_and_notebooks_are_in_sync(tmp_path):
    """nbdev, run on a copy of the notebooks alone, gives exactly the library and the notebooks that are here."""
    pytest.importorskip("nbdev")
    for part in ("settings.ini", "pyproject.toml", "README.md"):
        if (ROOT / part).exists(): shutil.copy(ROOT / part, tmp_path)
    shutil.copytree(ROOT / "nbs", tmp_path / "nbs")
    for init in (ROOT / "symnb").rglob("__init__.py"):  # these are written by hand
        (tmp_path / init.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(init, tmp_path / init.relative_to(ROOT))
    for command in ("nbdev_export", "nbdev_clean"):
        subprocess.run([Path(sys.executable).with_name(command)], cwd=tmp_path, check=True)
    for folder, pattern in (("symnb", "*.py"), ("nbs", "*.ipynb")):
        here, made = files(ROOT / folder, pattern), files(tmp_path / folder, pattern)
        differ = sorted(f for f in here.keys() | made.keys() if here.get(f) != made.get(f))
        assert not differ, f"run nbdev_export and nbdev_clean: {folder}/ differs in {differ}"


def test_the_readme_is_the_index():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == build_readme(
        ROOT / "nbs" / "index.ipynb"
    ), "run make readme"


def test_the_readme_counts_the_claims_as_they_are():
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    assert summary_line(read_claims()) in told, "execute nbs/index.ipynb, then run make readme"


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"(?:\]\(|(?:src|href)=\")([^)#\"\s]+)", text)
    assert not [t for t in targets if not re.match(r"[a-z]+:", t) and not (ROOT / t).exists()]


def test_names_of_notebooks_are_unique():
    pages = Counter((p.parent, re.sub(r"^\d+_", "", p.stem)) for p in NOTEBOOKS)  # nbdev's pages drop a leading number
    assert not [page for page, count in pages.items() if count > 1]
    folders = {p.name for path in NOTEBOOKS for p in path.relative_to(ROOT / "nbs").parents}
    assert not [f for f in folders if f[:1].isdigit()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_cells_are_short(path):
    sources = ["".join(c["source"]) for c in code_cells(path)]
    most = [90 if re.search(r"^class [A-Z]", s, re.M) else 40 for s in sources]
    long = [i for i, (s, n) in enumerate(zip(sources, most)) if len(s.splitlines()) > n]
    assert not long, f"code cells {long} have more than 40 lines, or 90 with a public class"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if "lib" in p.parts], ids=name)
def test_a_library_notebook_exports_the_module_of_its_name(path):
    sources = ["".join(c["source"]) for c in code_cells(path)]
    [target] = [m[1] for s in sources if (m := re.match(r"#\|\s*default_exp (\S+)", s))]
    assert target == ".".join(path.relative_to(ROOT / "nbs" / "lib").with_suffix("").parts)


# Experiments

@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_an_experiment_has_one_parameters_cell_with_profile_seed_and_device(path):
    tagged = ["".join(c["source"]) for c in code_cells(path) if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1, "one code cell must be tagged `parameters`"
    targets = [
        t for statement in ast.parse(tagged[0]).body for t in statement.targets
    ]  # one a line, or papermill warns
    assert {t.id for t in targets} == {"profile", "seed", "device"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_an_experiment_exports_nothing_and_shows_its_outputs(path):
    cells = code_cells(path)
    assert not [c for c in cells if re.search(r"^#\|\s*(export|default_exp)", "".join(c["source"]), re.M)]
    assert any(c["outputs"] for c in cells), "committed without any output"
    assert not [o for c in cells for o in c["outputs"] if o["output_type"] == "error"]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name)
def test_what_an_experiment_asserts_does_not_depend_on_its_profile(path):
    """An assertion is a fact, true in every profile and of every sample; anything else is a finding."""
    cells = ["".join(c["source"]) for c in code_cells(path)]
    asserts = [n for c in cells for n in ast.walk(ast.parse(python_lines(c))) if isinstance(n, ast.Assert)]
    names = {ast.unparse(n): {m.id for m in ast.walk(n) if isinstance(m, ast.Name)} for n in asserts}
    conditional = [text for text, used in names.items() if "profile" in used]
    assert not conditional, f"write a finding: {conditional}"


def test_the_runner_knows_every_figure_and_every_figure_its_notebook():
    experiments = find_experiments(ROOT / "nbs")
    assert {e.path for e in experiments} == set(EXPERIMENTS)
    for e in experiments:
        calls = [
            n
            for cell in e.code
            if "save_figure" in cell or "record_claim" in cell
            for n in ast.walk(ast.parse(cell))
            if isinstance(n, ast.Call) and getattr(n.func, "id", "") in ("save_figure", "record_claim")
        ]
        assert len(calls) == len(e.figures) + len(e.claims), f"{e.name}: write each name out, once"
    if (ROOT / "figures" / "manifest.json").exists():
        manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))["figures"]
        assert {f: m["notebook"] for f, m in manifest.items()} == {
            f: f"nbs/{e.name}.ipynb" for e in experiments for f in e.figures
        }


def test_the_figures_are_those_of_the_manifest():
    figures = ROOT / "figures"
    if not (figures / "manifest.json").exists():
        pytest.skip("nothing drawn yet")
    manifest = json.loads((figures / "manifest.json").read_text(encoding="utf-8"))["figures"]
    assert {f: m["sha256"] for f, m in manifest.items()} == {f: digests(figures, f) for f in manifest}
    assert {p.stem for kind in ("png", "pdf") for p in figures.glob(f"*.{kind}")} == {*manifest}


# The library

def imports(path):
    """The modules of symnb that `path` imports, anywhere in it (nbdev writes some of them relative)."""
    found, package = set(), path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *filter(None, [node.module])])
            found |= {source} | {f"{source}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return {m for m in found if m.startswith("symnb.")}


def test_a_module_imports_only_from_rooms_below_it():
    graph = {}
    for path in MODULES:
        if path == ROOT / "symnb" / "__init__.py":
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        room = ROOMS.index(module.split(".")[1])
        above = [m for m in imports(path) if m.split(".")[1] in ROOMS and ROOMS.index(m.split(".")[1]) > room]
        assert not above, f"{module} imports {above}"
        graph[module] = {m for m in imports(path) if m != module}
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_the_library_needs_no_development_tool():
    text = {name(p): p.read_text(encoding="utf-8") for p in MODULES}
    assert not [p for p, t in text.items() if re.search(r"^\s*(from|import) (nbdev|fastcore|execnb)\b", t, re.M)]
    assert not [p for p, t in text.items() if len(t.splitlines()) > 300]


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "symnb" / "py.typed").read_text(encoding="utf-8") == ""
    assert "symnb/py.typed" in (ROOT / "MANIFEST.in").read_text(encoding="utf-8")


def test_nothing_of_this_machine_is_in_the_tree():
    """No path of the machine it was made on and no host of a package registry, not even in an output."""
    kinds = {".py", ".ipynb", ".md", ".ini", ".toml", ".yml", ".cff", ".json", ".txt", ""}
    places = [ROOT / p for p in (".ci", ".github", "nbs", "symnb", "tests", "figures")]
    paths = [
        p
        for place in places
        for p in place.rglob("*")
        if not re.search(r"__pycache__|/figures/(quick|notebooks|index|\.run)", p.as_posix())
    ]
    here = {str(p).rstrip("/") + "/" for p in (Path.home(), ROOT.parent)} - {"/"}
    marks = re.compile(
        "|".join([*map(re.escape, here), r"/tmp/", r"ipykernel_\d", r"pypi\.org", "pythonhosted", r"npmjs\."])
    )
    found = {
        name(p): m[0]
        for p in [*paths, *ROOT.iterdir()]
        if p.is_file()
        and p.suffix in kinds
        and p != Path(__file__)
        and p.name != ".git"
        and (m := marks.search(p.read_text(encoding="utf-8")))
    }
    assert not found
