"""The claims of sections 2 and 3: what would turn each of them red, planted."""
import numpy as np
import pytest

from symnb.companion.claims import CLAIMS, judge
from symnb.companion.criteria import runs_needed

N = runs_needed(0.9)
GOOD = {
    "R1": dict(so2_dim=1, so3_dim=2, boost_dim=1, lorentz_dim=3, plane_quotient_dim=1, decay_quotient_dim=2,
               triangle_quotient_dim=3, bosons_quotient_dim=3),
    "R23": dict(plane_extra_latents=0, decay_extra_latents=0, triangle_extra_latents=0, bosons_extra_latents=-1),
    "R2": dict(event_ratio=12, digit_ratio=1.1),
    "R3": dict(event_untaught_over_taught=3, digit_untaught_over_taught=3, event_outside_over_inside=4,
               digit_outside_over_inside=4, event_invariant_outside_over_inside=1),
    "R4": dict(event_wrong_over_plain=2, letter_turns_over_plain=2, letter_mirrors_over_plain=2),
    "S30": dict(event_ratio_to_augmented=20, digit_ratio_to_augmented=2),
}
PLANTED = [
    ("R1", dict(decay_quotient_dim=6)),  # the raw momenta in place of their invariants
    ("R1", dict(lorentz_dim=4)),  # events that fill the space in place of one orbit
    ("R23", dict(plane_extra_latents=1)),  # the angle is encoded
    ("R23", dict(bosons_extra_latents=5)),
    ("R2", dict(event_ratio=1)),  # the group brings nothing
    ("R2", dict(digit_ratio=0)),  # the invariant model never gets there
    ("R3", dict(event_untaught_over_taught=1)),  # copies that are not moved
    ("R3", dict(digit_outside_over_inside=1)),  # copies from the whole group
    ("R3", dict(event_invariant_outside_over_inside=9)),  # a metric with an error in it
    ("R4", dict(letter_turns_over_plain=1)),  # digits, whose turns identify little
    ("R4", dict(event_wrong_over_plain=0.1)),  # the right metric in place of the wrong one
    ("S30", dict(digit_ratio_to_augmented=0.5)),
]


def verdict(id, values):
    return judge(CLAIMS[id], {name: np.full(N, float(value)) for name, value in values.items()}).verdict


@pytest.mark.parametrize("id", GOOD)
def test_what_the_sentence_says_is_reproduced(id):
    assert {*GOOD[id]} == {*CLAIMS[id].measurements} and verdict(id, GOOD[id]) == "reproduced"


@pytest.mark.parametrize("id, violation", PLANTED)
def test_a_planted_violation_turns_the_claim_red(id, violation):
    assert {*violation} <= {*GOOD[id]} and verdict(id, GOOD[id] | violation) == "not reproduced"
