"""What the claims of sections 5, 6.1 and 6.2 ask, and the facts behind their bounds."""
import numpy as np
import pytest

from symnb.companion.registry import CLAIMS
from symnb.data.collider import MOMENTA, ee_to_mumu


def test_the_sentences_of_the_review_do_not_ask_another_schedule_to_deviate():
    for id in ("R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13"):
        assert not [name for name in CLAIMS[id].measurements if "progressive" in name or "gain" in name]


def test_the_sums_of_smeared_momenta_are_there_to_be_encoded():
    "R13 can fail: the sums are a function of what the network sees, with a spread of √2 times the smearing."
    x = ee_to_mumu(4000, random_state=0)[MOMENTA].to_numpy()
    assert abs(x[:, :3] + x[:, 3:]).max() < 1e-9
    smeared = x + 0.5 * np.random.default_rng(0).standard_normal(x.shape)
    assert np.allclose((smeared[:, :3] + smeared[:, 3:]).std(axis=0), 0.5 * 2**0.5, rtol=0.05)


def test_the_cut_that_makes_the_variances_equal():
    "1 + cos²θ up to |cos θ| = c: the mean of cos²θ is a third where 9c⁴ + 10c² = 15 (S18)."
    c = ((160**0.5 - 5) / 9)**0.5
    assert (c**2 / 3 + c**4 / 5) / (1 + c**2 / 3) == pytest.approx(1 / 3)
    assert np.arctanh(c) == pytest.approx(1.60, abs=5e-3)


def test_the_shell_has_radius_root_six():
    "Six columns of unit variance: the muons mirror each other, so the sphere's radius √3 is taken twice."
    x = ee_to_mumu(4000, energy_spread=0.0, random_state=0)[MOMENTA].to_numpy()
    radius = np.linalg.norm(x / x.std(axis=0), axis=1)
    assert np.sqrt((radius**2).mean()) == pytest.approx(6**0.5, rel=2e-3)
