"""The explorers without a browser: their numbers, their threads, their messages."""
import datetime
import importlib
import threading

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("anywidget")
from symnb.data import geometry
from symnb.explorer import probe as probe_module
from symnb.explorer.flows import FlowExplorer
from symnb.explorer.probe import ProbeExplorer
from symnb.explorer.quick import dataset, events, quick_probe
from symnb.explorer.walk import fit_digits, walk
from symnb.explorer.worker import Cancelled


@pytest.fixture
def explorer():
    with_small_steps = ProbeExplorer("ring", steps=200, n_runs=2)
    yield with_small_steps
    with_small_steps.close()
    assert not with_small_steps.worker.busy


@pytest.fixture(scope="module")
def model():
    return fit_digits(seed=0)


PATIENCE = 1800  # seconds; a busy machine may take long


def settle(explorer):
    assert explorer.wait(PATIENCE)
    return explorer


@pytest.fixture
def held(monkeypatch):
    """A door before every training of the probe: while it is shut, none gets anywhere."""
    door = threading.Event()
    door.set()

    def wait(*args, **settings):
        door.wait(PATIENCE)
        return quick_probe(*args, **settings)
    monkeypatch.setattr(probe_module, "quick_probe", wait)
    yield door
    door.set()


def uploaded(name, content):
    return [dict(name=name, type="", size=len(content), content=content, last_modified=datetime.datetime.now())]


# The probe

def test_a_direct_call_gives_the_numbers_on_show(explorer):
    knobs = explorer.controls
    knobs.noise.value, knobs.resolution.value, knobs.training.value = 0.1, 0.3, "progressive"
    view = settle(explorer).view
    direct = quick_probe(events(dataset("ring", 0.2), 0.1), 0.3, "progressive", n_runs=2, steps=200)
    assert (
        view.final
        and np.array_equal(view.relevance, direct.relevance)
        and np.array_equal(view.spectrum, direct.spectrum)
    )
    assert f"<b>{direct.local_dim.mean():.2f}</b>" in explorer.numbers.value
    assert explorer.state == "done" and not explorer.is_old


def test_another_resolution_is_read_from_the_same_training(explorer, monkeypatch):
    settle(explorer)
    before = explorer.picture.value
    with monkeypatch.context() as patch:
        patch.setattr(probe_module, "quick_probe", None)  # no second training
        explorer.controls.resolution.value = 0.5
        view = settle(explorer).view
    direct = quick_probe(events(dataset("ring", 0.2)), 0.5, n_runs=2, steps=200)
    assert explorer.state == "done" and view.resolution == 0.5 and explorer.picture.value != before
    assert np.array_equal(view.relevance, direct.relevance) and view.table.equals(direct.table)
    assert "At s = 0.5" in explorer.numbers.value and not explorer.is_old


def test_what_is_on_show_is_grey_while_another_resolution_is_read(explorer, monkeypatch):
    settle(explorer)
    door = threading.Event()
    draw = explorer.draw
    explorer.draw = lambda view: (door.wait(PATIENCE), draw(view))[1]
    explorer.controls.resolution.value = 0.5
    assert explorer.is_old and explorer.state == "reading"
    door.set()
    assert settle(explorer).state == "done" and explorer.view.resolution == 0.5 and not explorer.is_old


def test_a_reading_that_failed_does_not_cost_the_training(explorer, monkeypatch):
    settle(explorer)
    draw = explorer.draw
    explorer.draw = None  # fails
    explorer.controls.resolution.value = 0.5
    assert settle(explorer).state == "failed" and explorer.is_old
    explorer.draw = draw
    with monkeypatch.context() as patch:
        patch.setattr(probe_module, "quick_probe", None)
        explorer.controls.resolution.value = 0.3981
        assert settle(explorer).state == "done" and explorer.view.resolution == 0.3981


def test_a_column_that_does_not_vary_changes_no_answer():
    x = events(dataset("ring"))
    one, two = (quick_probe(events(np.column_stack([x, *more])), steps=200) for more in ([], [np.ones(len(x))]))
    assert two.n_columns == one.n_columns == 2 and two.plateaus.fills.tolist()[0] is True


def test_a_reading_stays_in_the_range_that_was_trained():
    view = quick_probe(events(dataset("circle")), steps=2)
    for s in (0.001, 5, -1, 0, np.nan):
        with pytest.raises(ValueError, match=r"\bs="):
            view.at(s)
    with pytest.raises(ValueError, match="standard training knows only s = 0.22"):
        quick_probe(events(dataset("circle")), training="standard", steps=2).at(0.3)


def test_as_many_directions_as_latents_are_told_as_such():
    x = events(np.random.default_rng(0).standard_normal((400, 5)))
    assert "there may be more" in probe_module._numbers(quick_probe(x, steps=100))
    assert "there may be more" not in probe_module._numbers(quick_probe(x, n_latents=5, steps=100))


def test_the_first_staircase_is_the_linear_one_and_comes_before_the_training():
    seen = []
    quick_probe(events(dataset("circle")), steps=2, on_window=lambda step, total, look: seen.append((step, look())))
    step, view = seen[0]
    assert step == 0 and view.steps == 0 and not view.final
    fine = view.table[view.table.resolution < 0.5]
    assert (fine.directions == 2).all()  # a circle fills the plane for who sees straight lines only


def test_a_change_calls_the_training_off_and_marks_what_is_on_show(held, explorer):
    settle(explorer)
    before = explorer.picture.value
    held.clear()
    explorer.controls.steps.value = 6000
    assert explorer.state == "training" and explorer.is_old and explorer.picture.value == before
    explorer.controls.steps.value = 200
    held.set()
    settle(explorer)
    assert explorer.view.total == 200 and explorer.view.final and not explorer.is_old


def test_a_cancelled_training_delivers_nothing_more(held, explorer):
    settle(explorer)
    held.clear()
    explorer.controls.steps.value = 6000
    explorer.stop.click()
    view, picture = explorer.view, explorer.picture.value
    held.set()
    settle(explorer)
    assert explorer.state == "cancelled" and "cancelled" in explorer.status.value and explorer.stop.disabled
    assert (explorer.view, explorer.picture.value) == (view, picture) and explorer.is_old == (view.total != 6000)


def test_every_data_set_can_be_chosen(explorer):
    for name in probe_module.DATASETS:
        explorer.controls.data.value = name
        assert explorer.controls.ring.disabled == (name != "ring")
        assert settle(explorer).state == "done" and "symnb-bad" not in explorer.status.value, name


def test_a_file_that_cannot_be_read_says_why_and_changes_nothing(explorer):
    view = settle(explorer).view
    explorer.controls.upload.value = uploaded("numbers.csv", b"\x00\x01\x02")
    assert "symnb-bad" in explorer.controls.upload_says.value and "Traceback" not in explorer.controls.upload_says.value
    assert settle(explorer).view is view and explorer.state == "done" and not explorer.is_old


def test_a_real_file_is_uploaded_with_its_names(explorer):
    ring = geometry.circle(300, noise=0.02, random_state=0)
    explorer.controls.upload.value = uploaded(
        "ring.csv", pd.DataFrame(ring, columns=["px [GeV]", "py [GeV]"]).to_csv(index=False).encode()
    )
    assert (
        explorer.wait(PATIENCE)
        and explorer.controls.data.value == "upload: ring.csv"
        and explorer.view.names == ("px", "py")
        and explorer.state == "done"
    )


def test_an_uploaded_file_is_a_data_set_like_the_others(explorer, monkeypatch):
    X = pd.DataFrame(dataset("disk", n=300), columns=["a", "b"])
    monkeypatch.setattr(probe_module, "read_upload", lambda name, content: X)
    explorer.controls.upload.value = uploaded("disk.csv", b"anything")
    view = settle(explorer).view
    assert explorer.controls.data.value == "upload: disk.csv" and not explorer.controls.upload_says.value
    assert explorer.state == "done"
    assert np.array_equal(view.relevance, quick_probe(events(X), 0.2239, n_runs=2, steps=200).relevance)


@pytest.mark.parametrize(
    "X", [np.ones((200, 2)), np.ones((5, 2)), np.full((200, 2), np.nan), np.array([["a"]] * 200), np.ones(200)]
)
def test_data_that_cannot_be_probed_is_refused_in_one_line(X):
    with pytest.raises(ValueError) as error:
        events(X)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "wrong", [dict(resolution=0), dict(training="both"), dict(n_latents=0), dict(n_runs=True), dict(steps=1)]
)
def test_settings_that_make_no_sense_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        quick_probe(np.zeros((200, 2)), **wrong)


def test_an_error_in_the_thread_becomes_a_line(explorer, monkeypatch, capfd):
    settle(explorer)
    def broken(*args, **kwargs):
        raise RuntimeError("the networks are on strike\nuntil Monday")
    monkeypatch.setattr(probe_module, "quick_probe", broken)
    explorer.controls.seed.value = 3
    settle(explorer)
    assert (
        explorer.state == "failed"
        and explorer.is_old
        and "on strike: " in explorer.status.value
        and "Monday" not in explorer.status.value
    )
    monkeypatch.undo()
    explorer.controls.seed.value = 4
    assert settle(explorer).state == "done" and not explorer.is_old and "symnb-bad" not in explorer.status.value
    assert capfd.readouterr() == ("", "")


def test_many_changes_leave_one_answer_and_no_thread(explorer):
    for noise in np.linspace(0, 0.4, 9):
        explorer.controls.noise.value = noise
    direct = quick_probe(events(dataset("ring", 0.2), explorer.controls.noise.value), 0.2239, n_runs=2, steps=200)
    assert np.array_equal(settle(explorer).view.relevance, direct.relevance)
    explorer.controls.steps.value = 6000
    explorer.close()
    assert not [t for t in threading.enumerate() if t.name == "symnb explorer"]


# The flows

def test_walking_shows_the_flow_the_oracle_and_the_decoder(model):
    explorer = settle(FlowExplorer(model))
    explorer.controls.digit.value = 5
    start = model.encode(explorer.digits.images)[5]
    path = model.flow(start[None], explorer.times)[:, 0]
    explorer.controls.t.value = -0.8
    at = explorer.controls.plane.at
    assert np.isclose(explorer.times[at], -0.8) and np.array_equal(explorer.walk.z, path)
    assert np.array_equal(explorer.walk.logit, model.oracle_values(path)[:, 0]) and np.array_equal(
        explorer.walk.images, model.decode(path)
    )
    assert f"{model.oracle_values(path)[at, 0]:.4f}" in explorer.controls.numbers.value
    drift = explorer.walk.logit[at] - explorer.walk.logit[np.abs(explorer.times).argmin()]
    assert explorer.walk.drift(at) == drift and f"{drift:+.4f}" in explorer.controls.numbers.value
    explorer.close()


def test_moving_along_a_streamline_computes_nothing_anew_and_changes_the_digit(model, monkeypatch):
    explorer = settle(FlowExplorer(model))
    explorer.controls.plane.picked = [0.3, 0.2]
    knobs = explorer.controls
    assert (knobs.z1.value, knobs.z2.value) == (0.3, 0.2) and knobs.before.value == knobs.now.value
    with monkeypatch.context() as patch:
        for part in ("flow", "decode", "encode"):
            patch.setattr(type(model), part, None)
        for at in range(10, 20):
            explorer.controls.plane.at = at
    assert explorer.controls.before.value != explorer.controls.now.value and "symnb-bad" not in explorer.status.value
    assert np.isclose(explorer.controls.t.value, explorer.times[19])
    explorer.controls.z2.value = 0.4
    assert explorer.controls.plane.start == [0.3, 0.4] and explorer.controls.t.value == 0
    explorer.close()


def test_flows_train_in_stages_and_can_be_called_off():
    def stop(stage):
        if stage == 1:
            raise Cancelled
    with pytest.raises(Cancelled):
        fit_digits(on_stage=stop)
    explorer = FlowExplorer()
    explorer.stop.click()
    settle(explorer)
    assert explorer.flows is None and "cancelled" in explorer.status.value
    explorer.close()


def test_a_start_without_a_streamline_says_so(model):
    explorer = settle(FlowExplorer(model))
    explorer.controls.plane.picked = [float("inf"), 0.0]
    assert "symnb-bad" in explorer.status.value and explorer.is_old
    explorer.controls.plane.picked = [0.0, 0.1]
    assert not explorer.is_old
    explorer.close()


def test_a_model_without_a_symmetry_is_no_traceback(model):
    import copy
    none = copy.copy(model)
    none.n_generators_, none.message_ = 0, "the oracle is at chance"
    with pytest.raises(ValueError, match="at chance"):
        walk(none, [0, 0])
    explorer = settle(FlowExplorer(none))
    assert "at chance" in explorer.status.value
    explorer.close()


# Without the libraries

def test_a_missing_library_is_named(monkeypatch):
    import symnb.explorer
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ImportError, match=r"pip install 'symnb\[companion\]'"):
            importlib.reload(symnb.explorer)
    assert importlib.reload(symnb.explorer).ProbeExplorer is ProbeExplorer
    with pytest.raises(AttributeError):
        symnb.explorer.Nothing
