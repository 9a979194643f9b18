"""The claims of sections 2 and 3: what would turn each of them red, planted."""
import math

import numpy as np
import pytest
import torch

from symnb.companion.claims import CLAIMS, judge
from symnb.companion.criteria import runs_needed
from symnb.compare.paradigms import Way, measure

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


def turned(x, angles, generator):
    low, high = angles
    a = low + (high - low) * torch.rand(x.shape[:-1], generator=generator)
    c, s = a.cos(), a.sin()
    return torch.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)


def ratios(copies):
    """Untaught over taught, and outside over inside: the radius of points on one ray, copies in a range of angles."""
    generator = torch.Generator().manual_seed(0)
    r = 0.5 + torch.rand(600, generator=generator)
    x, quarter, far = torch.stack([r, 0 * r], 1), (-math.pi / 4, math.pi / 4), (math.pi / 2, 3 * math.pi / 2)
    seen = {name: [turned(x, a, generator) for _ in range(6)] for name, a in (("in", quarter), ("out", far))}
    ways = {"one frame": Way(x, lambda x: x, (32,)),
            "augmented": Way(lambda i, g: turned(x[i], copies, g), lambda x: x, (32,))}
    found = {name: measure(way, r, (600,), 2, x, r, seen, steps=200, random_state=0) for name, way in ways.items()}
    taught = found["augmented"]
    return np.median(found["one frame"]["in"] / taught["in"]), np.median(taught["out"] / taught["in"])


@pytest.mark.parametrize("copies, helps, ends", [
    ((-math.pi / 4, math.pi / 4), True, True),
    ((0, 0), False, None),  # copies that are not moved
    ((-math.pi, math.pi), True, False),  # copies from the whole group
])
def test_what_r3_measures_follows_the_copies(copies, helps, ends):
    untaught, outside = ratios(copies)
    assert (untaught >= 2) == helps and (ends is None or (outside >= 3) == ends)
