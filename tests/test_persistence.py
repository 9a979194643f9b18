"""Estimators that were saved and loaded give the same numbers, and files that symnb did not write are refused."""
import functools
import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError

from symnb import SymmetryFlows, SymmetryProbe
from symnb.flows import learning, oracle, problem
from symnb.persistence import FORMAT

pytestmark = pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")


def norm(x):
    return (x**2).sum(-1)


@pytest.fixture(scope="module")
def events():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(600, 3)), columns=["px", "py", "pz"])
    X.attrs["units"] = {"px": "GeV", "py": "GeV", "weight": "pb"}
    return X


@pytest.fixture(scope="module")
def probe(events):
    return SymmetryProbe(training="both", n_runs=2, max_steps=20, random_state=0, hidden=[8, 8]).fit(events)


@pytest.fixture(scope="module")
def saved(probe, tmp_path_factory):
    return probe.save(tmp_path_factory.mktemp("saved") / "probe.safetensors")


def same(a, b):
    "Equal to the last bit, and of the same type."
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a: same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b): same(one, other)
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.device == b.device and torch.equal(a, b) and a.stride() == b.stride()
    elif isinstance(a, torch.nn.Module):
        same(dict(a.state_dict()), dict(b.state_dict()))
    elif isinstance(a, np.ndarray) or np.isscalar(a):
        np.testing.assert_array_equal(a, b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    elif hasattr(a, "__dict__"):
        same({k: v for k, v in vars(a).items() if k != "oracle"}, {k: v for k, v in vars(b).items() if k != "oracle"})
    else:
        assert a == b


def fitted(estimator):
    return {k: v for k, v in vars(estimator).items() if k.endswith("_")}


# The probe

def test_a_probe_comes_back_to_the_last_bit(probe, saved, events, tmp_path):
    again = SymmetryProbe.load(saved)
    same(fitted(again), fitted(probe))
    same(again.get_params(), probe.get_params())
    same((again._sample, again._order, again.units_), (probe._sample, probe._order, {"px": "GeV", "py": "GeV"}))
    for ask in [
        lambda p: p.transform(events),
        lambda p: p.inverse_transform(p.transform(events)),
        lambda p: p.sample(7),
        lambda p: p.score(events),
        lambda p: p.elbo(events),
        lambda p: p.encode(events, "progressive"),
        lambda p: p.topology(events[:200], 1),
        lambda p: p.observables(events, ["px", "pz"]),
        lambda p: p.summary(),
        lambda p: p.resolution_scan(events[:100], [0.2, 0.4]),
        lambda p: p.get_feature_names_out(),
        lambda p: [line.get_ydata() for line in p.plot(Figure().subplots()).lines],
        lambda p: re.sub(r"[\d-]+ \d\d:\d\d UTC", "", p.report(tmp_path / "report.html").read_text(encoding="utf-8")),
    ]:  # the minute may change, and the day
        same(ask(again), ask(probe))


@pytest.mark.parametrize("scale", ["none", "asinh"])
def test_a_probe_keeps_its_units_and_its_output(events, tmp_path, scale):
    probe = SymmetryProbe(n_runs=1, max_steps=5, training="standard", scale=scale, hidden=(4,),
                          random_state=np.random.RandomState(1)).set_output(transform="pandas").fit(events)
    again = SymmetryProbe.load(probe.save(tmp_path / "probe.safetensors"))
    same(again.transform(events), probe.transform(events))
    assert list(again.transform(events[5:]).columns)[:1] == ["z1"] and again.transform(events[5:]).index[0] == 5
    same(again.sample(3), probe.sample(3))  # a RandomState goes on where it was
    same(again.sample(3), probe.sample(3))


def test_events_of_the_fit_are_kept_and_change_no_number(probe, events):
    assert probe._sample.dtype == np.float32 and probe._sample.shape == (600, 3)
    order = np.random.RandomState(0).permutation(600)
    np.testing.assert_array_equal(probe._sample, events.to_numpy(np.float32)[order])
    assert probe.column_labels() == ["px [GeV]", "py [GeV]", "pz"]
    standard = (events - events.mean()).to_numpy() / events.to_numpy().std(0)
    np.testing.assert_allclose(probe.columns_.standardise(events.to_numpy()), standard)


# The flows

@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=60))
    autoencoder = functools.partial(problem.train_autoencoder, steps=60)
    monkeypatch.setattr(problem, "train_autoencoder", autoencoder)


CASES = [
    (g, norm if given else "mlp", latents)
    for g in ("mlp", "linear", "affine", "polynomial", "exact")
    for given in (False, True)
    for latents in (None, 2)
] + [("linear", "formula", None), ("exact", "formula", None)]


@pytest.mark.parametrize("generators, phi, latents", CASES)
def test_flows_come_back_to_the_last_bit(events, tmp_path, quick, generators, phi, latents):
    given = callable(phi)
    n = "all" if generators in ("linear", "polynomial") else 1
    flows = SymmetryFlows(n, generators=generators, oracle=phi, latent_dim=latents, max_steps=20,
                          n_replicas=1, random_state=0, closure=generators == "mlp" and latents is None)
    flows.fit(events, None if given else norm(events.to_numpy()))
    again = SymmetryFlows.load(flows.save(tmp_path / "flows.safetensors"), **({"oracle": norm} if given else {}))
    same(fitted(again), fitted(flows))
    same((again._sample, again._sample_y), (flows._sample, flows._sample_y))
    Z = flows.encode(events[:30])
    same(again.encode(events[:30]), Z)
    for ask in [
        lambda f: f.fields(Z),
        lambda f: f.oracle_values(Z),
        lambda f: f.decode(Z),
        lambda f: f.summary(),
        lambda f: f.score(events),
    ]:
        same(ask(again), ask(flows))
    if flows.n_generators_:
        same(again.flow(Z[:3], [-0.1, 0.0, 0.2]), flows.flow(Z[:3], [-0.1, 0.0, 0.2]))


def test_flows_without_an_answer_come_back(events, tmp_path, quick):
    flows = SymmetryFlows(2, n_replicas=1, max_steps=5, random_state=0).fit(events, np.arange(600) % 2)
    again = SymmetryFlows.load(flows.save(tmp_path / "none.safetensors"))
    assert again.n_generators_ == 0 and again.fields(np.zeros((4, 3))).shape == (0, 4, 3)
    assert again.score(events) == flows.score(events) == -2 and np.isnan(again.losses_["total"])
    same((again.summary(), again._sample_y), (flows.summary(), flows._sample_y))


def test_a_given_oracle_has_to_be_given_again(events, tmp_path, quick):
    path = SymmetryFlows("all", generators="linear", oracle=norm).fit(events).save(tmp_path / "flows.safetensors")
    with pytest.raises(ValueError, match=r"oracle=, which is code .* load\(path, oracle=...\)"):
        SymmetryFlows.load(path)
    with pytest.raises(ValueError, match="oracle='norm' must be the function"):
        SymmetryFlows.load(path, oracle="norm")
    learned = SymmetryFlows(max_steps=5, n_replicas=1).fit(events, norm(events.to_numpy())).save(path)
    with pytest.raises(ValueError, match="oracle= is not needed"):
        SymmetryFlows.load(learned, oracle=norm)


# Files

def test_a_fresh_interpreter_reads_it(probe, saved, events):
    code = ("import numpy as np, sys; from symnb import SymmetryProbe; p = SymmetryProbe.load(sys.argv[1]);"
            "print(p.transform(np.random.default_rng(0).normal(size=(600, 3)))[:2].tobytes().hex())")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, saved],
        capture_output=True,
        text=True,
        env=environment,
        timeout=1800,
    )
    assert done.stdout.strip() == probe.transform(events)[:2].tobytes().hex(), done.stderr


def test_a_full_disk_leaves_the_old_file(probe, saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        probe.save(saved)
    assert saved.read_bytes() == before and [p.name for p in saved.parent.iterdir()] == ["probe.safetensors"]


def test_what_cannot_be_saved_is_named(probe, events, tmp_path):
    with pytest.raises(NotFittedError):
        SymmetryProbe().save(tmp_path / "probe.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        probe.save(tmp_path / "none" / "probe.safetensors")
    odd = SymmetryProbe.load(probe.save(tmp_path / "probe.safetensors"))
    odd.scan_["how"] = [print, print, print]
    with pytest.raises(TypeError, match=r"scan_\[1\]\[3\] is an array of objects that are no texts"):
        odd.save(tmp_path / "odd.safetensors")
    odd.scan_ = dict(how=lambda: 0)
    with pytest.raises(TypeError, match=r"scan_\['how'\] is a builtins.function"):
        odd.save(tmp_path / "odd.safetensors")
    assert not (tmp_path / "odd.safetensors").exists()


def changed(saved, path, change, **header):
    "A copy of the saved file with another state or header."
    with safe_open(saved, "pt") as file:
        tensors, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata()
    state = json.loads(metadata["symnb_state"])
    change(state)
    metadata = metadata | {"symnb_state": json.dumps(state)} | header
    save_file(tensors, path, {k: v for k, v in metadata.items() if v is not None})
    return path


def put(*where, value):
    def change(state):
        for key in where[:-1]: state = state[key]
        state[where[-1]] = value
    return change


def drop(*where):
    def change(state):
        for key in where[:-1]: state = state[key]
        del state[where[-1]]
    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (
            put("fitted", "columns_", value={"object": ["os:system", {}]}),
            "names 'os:system', which is not among the classes",
        ),
        (put("fitted", "columns_", value={"object": ["subprocess.Popen", {"args": "ls"}]}), "'subprocess.Popen'"),
        (
            put("fitted", "runs_", value={"module": ["torch.nn.modules.linear.Linear", {}]}),
            "torch.nn.modules.linear.Linear",
        ),
        (put("fitted", "scan_", value={"__reduce__": ["os.system", "ls"]}), "'__reduce__'"),
        (put("fitted", "scan_", value={"activation": "system"}), "'system'"),
        (put("fitted", "_validated", value=1), "SymmetryProbe has no _validated"),
        (put("fitted", "__class__", value=1), "SymmetryProbe has no __class__"),
        (put("parameters", "command", value="ls"), "SymmetryProbe has no command"),
        (put("fitted", "runs_", "object", 1, "vae", value={"tensor": ["none", [0]]}), "'none'"),
        (put("fitted", "scan_", value={"scalar": ["O", 1]}), "scalar of type O"),
        (drop("fitted", "runs_", "object", 1, "s2"), "TrainedVAE has the attributes"),
        (drop("fitted", "columns_"), "it has no columns_"),
        (drop("fitted"), "'fitted'"),
    ],
)
def test_a_state_that_symnb_did_not_write_is_refused(saved, tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        SymmetryProbe.load(changed(saved, tmp_path / "odd.safetensors", change))
    assert "odd.safetensors is damaged" in str(caught.value) and "\n" not in str(caught.value)


def test_what_an_older_file_lacks_takes_its_default(saved, tmp_path):
    older = drop("fitted", "runs_", "object", 1, "fit")
    probe = SymmetryProbe.load(changed(saved, tmp_path / "older.safetensors", older, symnb_format="4"))
    assert probe.runs_.fit is None


@pytest.mark.parametrize("header, message", [
    (dict(symnb_class="SymmetryFlows"), "holds a SymmetryFlows; use SymmetryFlows.load"),
    (dict(symnb_format=str(FORMAT + 1), symnb_version="9.0"), f"the format {FORMAT + 1} of symnb 9.0; .* update symnb"),
    (dict(symnb_format="1", symnb_version="0.1"), "saved by symnb 0.1, for an older SymmetryProbe: fit the data"),
    (dict(symnb_format=None), "not one that symnb saved"),
    (dict(symnb_state="{"), "is damaged"),
    (dict(symnb_state="[" * 100_000), "is damaged"),
])
def test_another_header_is_refused(saved, tmp_path, header, message):
    with pytest.raises(ValueError, match=message):
        SymmetryProbe.load(changed(saved, tmp_path / "odd.safetensors", lambda state: None, **header))


class Malicious:
    def __reduce__(self):
        return os.system, ("touch opened",)


def test_foreign_files_are_refused_and_not_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data.pkl", pickle.dumps(Malicious()))
    whole = saved.read_bytes()
    for content in (
        pickle.dumps(Malicious()),
        archive.getvalue(),
        b"",
        b"pt,eta,phi\n1,2,3\n",
        whole[:-100],
        whole[:20],
        whole[:2000],
    ):
        Path("odd.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match="odd.safetensors is damaged, or is not a file that symnb saved"):
            SymmetryProbe.load("odd.safetensors")
    save_file({"weight": torch.zeros(2)}, "odd.safetensors")
    with pytest.raises(ValueError, match="safetensors file, but not one that symnb saved"):
        SymmetryProbe.load("odd.safetensors")
    for missing in ("none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            SymmetryProbe.load(missing)
    assert not Path("opened").exists()
