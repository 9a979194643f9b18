"""A real browser at both explorers, in JupyterLab and served by Voilà: what a reader does, and what she sees."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

GUIDE = (ROOT / "nbs" / "guides" / "explorer.ipynb").read_text(encoding="utf-8")
STEPS, RUNS = map(int, re.search(r"steps, n_runs = .*?smoke=(\d+).*?smoke=(\d+)", GUIDE).groups())
PATIENCE = 900  # seconds; a busy machine may take long

pytest.importorskip("voila", reason="NO BROWSER: voila is not installed")


# Servers and pages

def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(folder: Path) -> dict:
    """Jupyter with folders of its own, and this library."""
    rooms = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
        "XDG_CACHE_HOME",
    )
    news = folder / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return (
        os.environ
        | {r: str(folder / r) for r in rooms}
        | dict(PYTHONPATH=str(ROOT), PATH=binaries, JUPYTER_PREFER_ENV_PATH="1")  # and the threads of this process
    )


@contextmanager
def server(kind: str, notebook: Path, folder: Path) -> Iterator[str]:
    """The address of the notebook in JupyterLab or Voilà."""
    port, root = free_port(), notebook.parents[2]
    command = {
        "voila": ["voila", str(notebook), "--no-browser"],
        "lab": [
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--IdentityProvider.token=symnb",
            f"--ServerApp.root_dir={root}",
        ],
    }[kind]
    log = (folder / f"{kind}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", *command, f"--port={port}", "--ServerApp.ip=127.0.0.1"][: None if kind == "lab" else -1],
        cwd=root,
        env=environment(folder),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        for _ in range(10 * PATIENCE):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / f"{kind}.log").read_text()[-2000:]
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/" + (
            "lab/tree/nbs/guides/explorer.ipynb?token=symnb&reset" if kind == "lab" else ""
        )
    finally:
        process.send_signal(signal.SIGTERM)  # it ends its kernels
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


@dataclass
class App:
    """A page with both explorers, and what its browser complained about."""
    page: object
    kind: str
    troubles: list = field(default_factory=list)

    def listen(self) -> None:
        # Voilà's template asks a CDN for icons that neither explorer needs; without a network that fails
        cdn = lambda url: self.kind == "voila" and "fontawesome" in url
        page, note = self.page, self.troubles.append
        page.on("console", lambda m: note(m.text) if m.type == "error" and not cdn(m.location.get("url", "")) else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.on("requestfailed", lambda r: note(f"{r.url}: {r.failure}") if not cdn(r.url) else None)
        page.on("response", lambda r: note(f"{r.url}: {r.status}") if r.status >= 400 and not cdn(r.url) else None)

    def text(self, where: str) -> str:
        return " ".join(self.page.locator(where).inner_text().split())

    def waits(self, where: str, words: str) -> None:
        self.page.locator(where).filter(has_text=re.compile(words)).wait_for(timeout=1000 * PATIENCE)

    def until(self, holds) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "this did not happen"
            self.page.wait_for_timeout(50)

    def bytes(self, where: str) -> str:
        """What an image shows."""
        return self.page.locator(where).evaluate(
            "async i => Array.from(new Uint8Array(await (await fetch(i.src)).arrayBuffer())).join()"
        )

    def handle(self, panel: str, name: str):
        row = self.page.locator(f"{panel} .widget-inline-hbox").filter(
            has=self.page.locator("label", has_text=re.compile(f"^{name}$"))
        )
        return row.locator(".noUi-handle")

    def choose(self, name: str, value: str) -> None:
        row = self.page.locator(".symnb-probe .widget-dropdown").filter(
            has=self.page.locator("label", has_text=re.compile(f"^{name}$"))
        )
        row.locator("select").select_option(value)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    """A copy of the guide in the profile smoke: nobody's browser writes into the original."""
    guide = json.loads((ROOT / "nbs" / "guides" / "explorer.ipynb").read_text(encoding="utf-8"))
    [cell] = [c for c in guide["cells"] if "parameters" in c["metadata"].get("tags", [])]
    cell["source"] = "".join(cell["source"]).replace('"quick"', '"smoke"')
    path = tmp_path_factory.mktemp("browser") / "nbs" / "guides" / "explorer.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(guide), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["lab", "voila"])
def app(request, notebook, chromium, tmp_path_factory) -> Iterator[App]:
    with server(request.param, notebook, tmp_path_factory.mktemp(request.param)) as url:
        app = App(chromium.new_page(viewport=dict(width=1400, height=1000)), request.param)
        app.page.set_default_timeout(1000 * PATIENCE)
        app.listen()
        app.page.goto(url)
        if request.param == "lab":
            app.page.get_by_text("| Idle").wait_for()
            app.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
            app.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        app.waits(".symnb-flows .symnb-numbers", "drift of the logit")
        if request.param == "lab":
            app.page.get_by_text("| Idle").wait_for()
        app.waits(".symnb-probe .symnb-status", "^done")
        yield app
        app.page.close()


@pytest.fixture(scope="module")
def model():
    from symnb.explorer.walk import fit_digits
    return fit_digits(seed=0)


def shown(html: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", html).replace("&emsp;", " ").split())


def figures(text: str) -> np.ndarray:
    return np.array([float(x.replace("−", "-")) for x in re.findall(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)])


# What a reader does

def test_a_slider_is_answered_with_the_numbers_of_a_direct_call(app):
    from symnb.explorer.probe import _numbers
    from symnb.explorer.quick import dataset, events, quick_probe
    before = app.bytes(".symnb-probe img")
    app.page.evaluate(
        """() => { window.wasOld = false; const p = document.querySelector('.symnb-probe');
        const look = () => { window.wasOld ||= p.classList.contains('symnb-old'); };
        new MutationObserver(look).observe(p, {attributes: true}); }"""
    )
    handle = app.handle(".symnb-probe", "noise")
    handle.press("ArrowRight")
    handle.press("ArrowRight")
    direct = quick_probe(events(dataset("circle"), 0.04), 0.2239, n_runs=RUNS, steps=STEPS)
    wanted = figures(shown(_numbers(direct)))
    agree = lambda: (there := figures(app.text(".symnb-probe .symnb-numbers"))).shape == wanted.shape and np.allclose(
        there, wanted, atol=0.011
    )
    app.until(agree)
    app.waits(".symnb-probe .symnb-status", "^done")
    assert agree()
    assert app.bytes(".symnb-probe img") != before
    assert app.page.evaluate("window.wasOld") and not app.page.locator(".symnb-old").count()


def test_a_training_can_be_cancelled_and_the_next_one_is_whole(app):
    app.choose("steps", "6000")
    app.page.locator(".symnb-probe button", has_text="cancel").click()
    app.waits(".symnb-probe .symnb-status", "^cancelled")
    app.choose("steps", str(STEPS))
    app.waits(".symnb-probe .symnb-status", "^done")
    assert (
        f"step {STEPS} (final)" in app.text(".symnb-probe .symnb-numbers")
        and not app.page.locator(".symnb-old").count()
    )


def test_another_data_set_gives_another_picture(app):
    before = app.bytes(".symnb-probe img")
    app.choose("data", "disk")
    app.until(lambda: app.bytes(".symnb-probe img") != before)
    app.waits(".symnb-probe .symnb-status", "^done")
    assert not app.page.locator(".symnb-old").count()


def test_a_bad_upload_is_a_line_of_text(app):
    with app.page.expect_file_chooser() as chooser:
        app.page.locator(".symnb-probe button", has_text="upload").click()
    chooser.value.set_files(dict(name="broken.csv", mimeType="text/csv", buffer=b"\x00\x01\x02"))
    app.page.locator(".symnb-probe .symnb-upload .symnb-bad").wait_for()
    assert len(app.text(".symnb-probe .symnb-upload")) > 10


def test_a_digit_walks_along_its_streamline(app, model):
    from symnb.data.digits import small_digits
    from symnb.explorer.flows import _numbers
    from symnb.explorer.walk import walk
    before = app.text(".symnb-flows .symnb-numbers")
    app.handle(".symnb-flows", r"digit no\.").press("ArrowRight")
    app.until(
        lambda: app.text(".symnb-flows .symnb-numbers") != before
        and not app.page.locator(".symnb-flows.symnb-old").count()
    )
    number = int(app.text(".symnb-flows .widget-readout >> nth=0"))
    way = walk(model, model.encode(small_digits("both", (0, 1)).images)[number])
    pictures = [app.bytes(f".symnb-flows img >> nth={i}") for i in (0, 1)]
    handle = app.handle(".symnb-flows", "t")
    for _ in range(20):
        handle.press("ArrowRight")
    app.waits(".symnb-flows .symnb-numbers", r"\+0\.80")
    there = figures(app.text(".symnb-flows .symnb-numbers"))
    assert np.allclose(there, figures(shown(_numbers(way, way.origin + 20, "1"))), rtol=5e-3, atol=2e-3)
    assert (
        pictures[0] == pictures[1] == app.bytes(".symnb-flows img >> nth=0") != app.bytes(".symnb-flows img >> nth=1")
    )


def test_the_pointer_chooses_a_start_and_drags_along_the_curve(app):
    plane = app.page.locator(".symnb-flows .symnb-plane")
    plane.scroll_into_view_if_needed()
    box, strip = plane.bounding_box(), app.bytes(".symnb-flows img >> nth=2")
    app.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    app.waits(".symnb-flows .symnb-numbers", r"\+0\.00")
    app.until(lambda: app.bytes(".symnb-flows img >> nth=2") != strip)
    app.until(lambda: not app.page.locator(".symnb-old").count())
    assert not app.page.locator(".symnb-flows .symnb-bad").count()
    x, y = (float(plane.get_attribute(f"data-{a}")) for a in "xy")
    app.page.mouse.move(box["x"] + x, box["y"] + y)
    app.page.mouse.down()
    for i in range(12):
        app.page.mouse.move(box["x"] + x + 4 * i, box["y"] + y)
    app.page.mouse.up()
    moved = 0.04 * (int(plane.get_attribute("aria-valuenow")) - 40)
    assert moved
    app.waits(".symnb-flows .symnb-numbers", re.escape(f"{moved:+.2f}"))
    table = figures(app.text(".symnb-flows .symnb-numbers").split("probability of 1")[1])
    p, logit, drift = table[:2], table[2:4], table[4]
    assert np.allclose(p, 1 / (1 + np.exp(-logit)), rtol=2e-3, atol=1e-3)
    assert np.isclose(drift, logit[1] - logit[0], atol=1e-3)


def test_the_browser_has_nothing_to_complain_about(app):
    assert not app.troubles
    assert not app.page.get_by_text("Traceback").count() and not app.page.get_by_text("Error displaying widget").count()
