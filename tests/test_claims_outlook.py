"""Each claim on hadrons, breaking, unknown systems and effective theory turns red where its sentence is false."""
import numpy as np
import pytest

from symnb.companion.claims import CAVEAT, REFUTED, REPRODUCED, judge
from symnb.companion.registry import CLAIMS

GOOD = {  # what runs would measure where the sentence holds
    "R14": dict(pp_minus_ee_grading=0.2, pp_minus_linear_grading=0.2),
    "R21": dict(below_rho2=0.01, rank_correlation=1.0, ellipse_rho2=0.01),
    "R22": dict(crossing=2**0.5, crossing_slope=1.0),
    "S10": dict(regular_dim=2, chaotic_dim=3, equal_right=1, different_right=1, squashed_right=1),
    "S31": dict(radiation_extra_latents=2),
    "S32": dict(isr_extra=2, kt_extra=0, fsr_extra=0),
    "S33": dict(same_directions=1, fit_pull=5.0, probe_pull=0.5),
    "S34": dict(ratio_low=1.0, ratio_high=1.05),
}
PLANTED = [  # claim, measurement, and what it would be if
    ("R14", "pp_minus_ee_grading", -0.1),  # pp were as sharp as e+e-
    ("R14", "pp_minus_linear_grading", 0.0),  # the spectrum were that of the principal components
    ("R21", "below_rho2", 0.6),  # the exact circle kept two latents
    ("R21", "rank_correlation", 0.5),  # relevance did not follow the breaking
    ("R21", "ellipse_rho2", 3.0),  # it followed the spread of the radius
    ("R22", "crossing", 2.0),  # the crossing came late
    ("R22", "crossing_slope", 0.0),  # the noise of the decoder played no part
    ("S10", "regular_dim", 3),  # no second integral were seen
    ("S10", "chaotic_dim", 2),
    ("S10", "equal_right", 0),  # the fourth generator were missed
    ("S31", "radiation_extra_latents", 1),  # transverse momentum were one number
    ("S32", "isr_extra", 0),
    ("S32", "kt_extra", 2),  # a broken law opened latents whatever its width
    ("S32", "fsr_extra", 1),
    ("S33", "same_directions", 0),  # the contact interaction added a direction
    ("S33", "fit_pull", 0.7),  # the sample did not hold the information
    ("S33", "probe_pull", 6.0),  # relevances showed the coefficient
    ("S34", "ratio_high", 2.0),  # both latents shared everything, as in a disk
]


def runs(measured, n=40):
    return {name: np.full(n, float(value)) for name, value in measured.items()}


@pytest.mark.parametrize("id", GOOD)
def test_holds_where_its_sentence_holds(id):
    assert judge(CLAIMS[id], runs(GOOD[id])).verdict == (CAVEAT if CLAIMS[id].caveat else REPRODUCED)


@pytest.mark.parametrize("id, name, value", PLANTED)
def test_turns_red_where_it_is_planted_to_be_false(id, name, value):
    assert judge(CLAIMS[id], runs(GOOD[id] | {name: value})).verdict == REFUTED
