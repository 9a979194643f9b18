"""Small trees of notebooks for the tests of the companion; nothing here imports torch."""
import os
import random
import re
import shutil
import time
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).resolve().parents[1]

PARAMETERS = 'profile = "quick"\nseed = 1\ndevice = "cpu"'
DRAW = """from matplotlib.figure import Figure
from symnb.companion.figures import save_figure
fig = Figure(figsize=(2, 1))
fig.subplots().plot([0, 1 + seed])
save_figure(fig, "{name}")"""
FINDING = """from symnb.companion.findings import finding
finding("The number of this example is small", NUMBER, "<= 0.5")"""


def draw(nbs, **options):
    from symnb.companion.runner import make_figures
    return {o.notebook: o for o in make_figures(**dict(dict(profile="smoke", notebooks=nbs), **options))}


def several(tree, n):
    for k in range(n):
        nbs = tree(f"review/n{k}", DRAW.format(name=f"fig-{k}"), FINDING.replace("NUMBER", f"0.{k}"))
    return nbs


def damaged(data: bytes, seed: int) -> bytes:
    "Bytes cut short, or up to thirty of them changed."
    rng = random.Random(seed)
    if seed % 3 == 0:
        return data[:rng.randrange(1, len(data))]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 30)):
        changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed)


def refused_damages(read, path, data: bytes, n: int, seconds: float = 10) -> int:
    "How many of n damaged files read(path) refuses: each ends in a table or in one line that names it, within seconds."
    refused = 0
    for seed in range(n):
        start = time.process_time()
        path.write_bytes(damaged(data, seed))
        try:
            read(path)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and path.name in str(error) and "Traceback" not in str(error), (seed, error)
        assert time.process_time() - start < seconds, seed
    return refused


def without_pictures(page: str) -> str:
    """The HTML of a page without the images inside it: letters of base64 may spell any short word by chance."""
    return re.sub(r"data:image/\w+;base64,[\w+/=]*", "", page)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "exact: facts of algebra and closed forms, which hold with the arithmetic of any processor"
    )


# Files whose few tests last longest begin first, so that no worker is left alone with them at the end
FIRST = ["processes", "runner", "docs", "wheel", "browser", "own_data", "awkward_data", "cli", "estimator", "explorer"]


def pytest_collection_modifyitems(items):
    place = {f"test_{name}.py": k for k, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A function that writes a notebook into a tree of its own: tree("review/a", *cells) -> path of its nbs folder."""
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    new = nbformat.v4

    def write(name: str, *cells: str) -> Path:
        path = tmp_path / "nbs" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        tagged = new.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        nbformat.write(new.new_notebook(cells=[tagged, *map(new.new_code_cell, cells)]), path)
        return tmp_path / "nbs"
    return write


# A browser, where there is one

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # while it lives, asyncio is taken
def chromium():
    """Chromium, for all tests that look at pages."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("NO BROWSER: install chromium, or name one in $CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="NO BROWSER: playwright is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture
def offline(chromium):
    """A page for files on the disk; what it asks for elsewhere, and what it complains about, fails the test."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    requests, trouble = [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("requestfailed", lambda r: trouble.append(f"failed: {r.url}"))
    page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: trouble.append(str(e)))
    yield page
    page.close()
    assert not trouble
    assert requests and not [r for r in requests if not re.match(r"file://|data:|about:", r)]


def pytest_terminal_summary(terminalreporter):
    """Say it where nobody overlooks it when the browser tests did not run."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "NO BROWSER" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", "NO BROWSER", red=True, bold=True)
        what = f"{len(skipped)} tests of the explorers, the reports and the site in a browser did NOT run"
        terminalreporter.write_line(f"{what}: {skipped[0].longrepr[2]}", red=True)
