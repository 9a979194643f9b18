"""Each claim of sections 5, 6.1 and 6.2 turns red where its sentence is planted to be false, in numbers and in data."""
import numpy as np
import pytest

from symnb.companion.claims import CAVEAT, REFUTED, REPRODUCED, judge
from symnb.companion.registry import CLAIMS
from symnb.data.collider import MOMENTA, ee_to_mumu

GOOD = {  # what runs would measure where the sentence holds
    "R6": dict(sphere_count=3, disk_count=2, drop=500.0, pp_order=0.95),
    "R7": dict(disk_standard_dim=2, disk_standard_rho1_over_rho2=1.03, disk_standard_rho2_over_rho3=400.0),
    "R8": dict(circle_standard_dim=1, circle_standard_rho1_over_rho2=900.0),
    "R9": dict(circle_standard_angle_rank=0.999),
    "R10": dict(circle_standard_count=1, disk_standard_count=2),
    "R11": dict(ee_standard_dim=3, ee_standard_rho3_over_rho4=200.0, ee_spread_standard_dim=3,
                ee_spread_standard_rho3_over_rho4=500.0),
    "R12": dict(difference_r2=0.998),
    "R24": dict(axes_aligned=1),
    "R13": dict(sum_r2=-0.03),
    "S15": dict(circle_progressive_dim=1, circle_progressive_rho1_over_rho2=900.0, circle_progressive_angle_rank=0.999,
                circle_elbo_gain=0.3, disk_progressive_dim=2),
    "S17": dict(ee_progressive_dim=2),
    "S18": dict(cut_beam_correlation=0.99, uncut_beam_correlation=0.98, equal_beam_correlation=0.8),
}
PLANTED = [  # claim, measurement, and what it would be if
    ("R6", "drop", 2.0),  # the spectrum fell gently
    ("R6", "pp_order", 0.1),  # the order were luck, as on the sphere
    ("R7", "disk_standard_dim", 1),  # one latent wound over the disk
    ("R7", "disk_standard_rho1_over_rho2", 3.0),
    ("R7", "disk_standard_rho2_over_rho3", 4.0),
    ("R8", "circle_standard_dim", 2),  # the loop kept two latents
    ("R8", "circle_standard_rho1_over_rho2", 1.1),
    ("R9", "circle_standard_angle_rank", 0.76),  # z1 were a projection
    ("R11", "ee_standard_dim", 2),  # ordinary training cut the sphere
    ("R11", "ee_spread_standard_dim", 4),  # a sum were encoded
    ("R11", "ee_spread_standard_rho3_over_rho4", 5.0),
    ("R12", "difference_r2", 0.5),  # a difference were missing
    ("R24", "axes_aligned", 0),
    ("R13", "sum_r2", 0.87),  # the sums were encoded, as at s = 0.03
    ("S15", "circle_progressive_dim", 2),
    ("S15", "circle_progressive_angle_rank", 0.76),
    ("S15", "circle_elbo_gain", -0.1),  # the cut cost more than a latent
    ("S15", "disk_progressive_dim", 1),
    ("S17", "ee_progressive_dim", 3),
    ("S18", "cut_beam_correlation", 0.8),
    ("S18", "uncut_beam_correlation", 0.8),
    ("S18", "equal_beam_correlation", 0.99),  # the axes were found without a splitting
]


def runs(measured, n=40):
    return {name: np.full(n, float(value)) for name, value in measured.items()}


@pytest.mark.parametrize("id", GOOD)
def test_holds_where_its_sentence_holds(id):
    assert judge(CLAIMS[id], runs(GOOD[id])).verdict == (CAVEAT if CLAIMS[id].caveat else REPRODUCED)


@pytest.mark.parametrize("id, name, value", PLANTED)
def test_a_planted_violation_turns_it_red(id, name, value):
    assert name in CLAIMS[id].measurements
    assert judge(CLAIMS[id], runs(GOOD[id] | {name: value})).verdict == REFUTED


@pytest.mark.parametrize("id, name", [("R6", "sphere_count"), ("R6", "disk_count"), ("R10", "circle_standard_count"),
                                      ("R10", "disk_standard_count")])
def test_counts_that_change_from_run_to_run_turn_it_red(id, name):
    scattered = runs(GOOD[id]) | {name: np.tile([1.0, 2.0], 20)}
    assert judge(CLAIMS[id], scattered).verdict == REFUTED


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
