"""Small trees of notebooks for the tests of the companion; nothing here imports torch."""
import os
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


def pytest_terminal_summary(terminalreporter):
    """Say it where nobody overlooks it when the browser tests did not run."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "NO BROWSER" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", "NO BROWSER", red=True, bold=True)
        terminalreporter.write_line(f"{len(skipped)} tests of the explorers in JupyterLab and Voilà did NOT run: {skipped[0].longrepr[2]}", red=True)
