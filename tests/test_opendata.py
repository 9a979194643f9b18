"""Muon pairs of CMS: found under any name, fetched and verified, or refused. No file and no network is needed here."""
import hashlib
import io
import urllib.request

import numpy as np
import pandas as pd
import pytest

from symnb import SymmetryFlows
from symnb.companion.claims import judge
from symnb.companion.registry import CLAIMS
from symnb.data import opendata
from symnb.data.fetching import DamagedFile
from symnb.data.opendata import dimuons, fetch_dimuons, simulated_dimuons

TABLE = b"Run,Event,Type1,E1,Type2,E2,M\n1,2,G,45.5,G,45.7,91.2\n"


class Answer(io.BytesIO):
    headers = {}


@pytest.fixture
def small(monkeypatch, tmp_path):
    "A file of two lines stands for the published one; the network answers with what is put into the list."
    monkeypatch.setenv("SYMNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMNB_DATA", raising=False)
    monkeypatch.setattr(opendata, "_SIZE", len(TABLE))
    monkeypatch.setattr(opendata, "_SHA256", hashlib.sha256(TABLE).hexdigest())
    answers = []

    def urlopen(url, timeout):
        if not answers:
            raise OSError("no route to host")
        return Answer(answers.pop())
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return tmp_path, answers


def test_the_file_is_known_by_its_contents_and_not_by_its_name(small, monkeypatch):
    folder, _ = small
    (folder / "another.csv").write_bytes(TABLE.replace(b"91.2", b"91.3"))  # of the same length
    (folder / "mine.csv").write_bytes(TABLE)
    assert fetch_dimuons(folder).name == "mine.csv"
    monkeypatch.setenv("SYMNB_DATA", str(folder))
    assert dimuons().to_dict("list") == {"E1": [45.5], "E2": [45.7], "M": [91.2]}


def test_what_is_fetched_is_verified_and_kept(small):
    folder, answers = small
    answers.append(TABLE)
    path = fetch_dimuons(progress=False)
    assert path.read_bytes() == TABLE and path.parent == folder / "cache" / "dimuons"
    assert fetch_dimuons() == path  # the network would refuse now


def test_a_damaged_or_unreachable_file_leaves_nothing(small):
    folder, answers = small
    with pytest.raises(FileNotFoundError, match="no route to host.*SYMNB_DATA"):
        fetch_dimuons()
    answers.append(TABLE[:-1])
    with pytest.raises(DamagedFile, match=f"{len(TABLE) - 1} bytes"):
        fetch_dimuons(progress=False)
    assert not (folder / "cache").exists()


def test_the_stand_in_has_the_columns_and_the_kinematics_of_the_real_pairs():
    made = simulated_dimuons(300, random_state=0)
    for i in "12":
        p2 = (made[[f"px{i}", f"py{i}", f"pz{i}"]] ** 2).sum(axis=1)
        assert np.allclose(made[f"E{i}"] ** 2 - p2, 0.1056583755**2, atol=1e-6 * made[f"E{i}"].max() ** 2)
        assert np.allclose(made[f"pt{i}"] * np.sinh(made[f"eta{i}"]), made[f"pz{i}"])
    assert made["M"].between(60, 120).all() and len(made) > 100
    assert made.equals(simulated_dimuons(300, random_state=0))


@pytest.mark.parametrize("planted", [False, True])
def test_the_claim_about_the_lorentz_group_turns_red_where_one_axis_is_told_apart(planted):
    made = simulated_dimuons(3000, random_state=1)
    pairs = pd.DataFrame({part: made[f"{part}1"] + made[f"{part}2"] for part in ("px", "py", "pz", "E")})
    target = np.sqrt(made["M"] ** 2 + 20 * planted * pairs["px"])
    fit = SymmetryFlows("all", generators="linear", random_state=0).fit(pairs, target)
    named = fit.n_generators_ == 6 and "so(1,3)" in str(fit.algebra_)
    result = judge(CLAIMS["S24"], {"lorentz_found": [float(named)] * 36, "control_found": [0.0] * 6})
    assert (result.verdict == "reproduced") != planted
