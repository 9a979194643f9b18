"""Each claim on theory and alternatives turns red where its sentence is false."""
import numpy as np
import pytest

from symnb.companion.claims import CAVEAT, REFUTED, REPRODUCED, judge
from symnb.companion.registry import CLAIMS

GOOD = {  # what runs would measure where the sentence holds
    "R31": dict(linear_extra=0, bent_extra=0, closed_extra=0),
    "R16": dict(active_error=1e-4, inactive_rho=1e-4),
    "R17": dict(linear_circle_dim=1),
    "R25": dict(pca_circle_dim=2, probe_circle_dim=1),
    "R18": dict(dimension_agrees=1, ee_axis_r2=0.6, ee_procrustes_r2=0.99, circle_procrustes_r2=0.4),
    "R19": dict(reference_right=1, little_data_wrong=1, noise_wrong=1, small_beta_wrong=1, large_beta_wrong=1,
                scaling_wrong=1),
    "R20": dict(pca_hits=1),
    "R26": dict(autoencoder_hits=1),
    "R27": dict(disentangled_hits=1),
    "R28": dict(equivariant_hits=3, wrong_group_hits=1),
    "R29": dict(review_hits=3),
    "R32": dict(right_loss=0.05, wrong_loss=4.0),
    "R30": dict(diffusion_hits=1),
    "S8": dict(circle_slope=1.0, disk_slope=1.9, sphere_slope=2.0, torus_slope=2.1, circle_excess=0.35,
               sphere_excess=0.4, torus_excess=0.4),
    "S19": dict(local_dimension_hits=3),
}
PLANTED = [  # claim, measurement, and what it would be if
    ("R31", "linear_extra", 2),  # copies of a column took latents of their own
    ("R31", "bent_extra", 1),  # a surface took as many as the space that it bends in
    ("R31", "closed_extra", 2),
    ("R16", "active_error", 0.2),  # training stopped short
    ("R16", "inactive_rho", 0.3),  # collapse were a tendency and not a threshold
    ("R17", "linear_circle_dim", 2),
    ("R25", "pca_circle_dim", 1),  # the two variances were unequal
    ("R25", "probe_circle_dim", 2),
    ("R18", "dimension_agrees", 0),
    ("R18", "ee_axis_r2", 0.99),  # the latents were the same one by one
    ("R18", "ee_procrustes_r2", 0.5),  # no rotation brought them together
    ("R18", "circle_procrustes_r2", 0.99),  # all runs cut the circle at one place
    ("R19", "reference_right", 0),
    *(("R19", f"{name}_wrong", 0) for name in ("little_data", "noise", "small_beta", "large_beta", "scaling")),
    ("R20", "pca_hits", 3),
    ("R26", "autoencoder_hits", 3),
    ("R27", "disentangled_hits", 3),
    ("R27", "disentangled_hits", 0),
    ("R28", "equivariant_hits", 2),
    ("R28", "wrong_group_hits", 3),  # a wrong group did no harm
    ("R29", "review_hits", 2),
    ("R32", "right_loss", 2.0),  # the network did not know the moved events
    ("R32", "wrong_loss", 0.1),  # it took any event for one of its own
    ("R30", "diffusion_hits", 3),
    ("S8", "circle_slope", 1.5),  # the posterior could not tilt
    ("S8", "sphere_slope", 2.5),
    ("S8", "torus_slope", 3.0),
    ("S8", "disk_slope", 1.5),  # training stopped short of the second direction
    *(("S8", f"{name}_excess", 0.0) for name in ("circle", "sphere", "torus")),  # tilting made no difference
    ("S19", "local_dimension_hits", 2),
]


def runs(measured, n=40):
    return {name: np.full(n, float(value)) for name, value in measured.items()}


@pytest.mark.parametrize("id", GOOD)
def test_holds_where_its_sentence_holds(id):
    assert judge(CLAIMS[id], runs(GOOD[id])).verdict == (CAVEAT if CLAIMS[id].caveat else REPRODUCED)


@pytest.mark.parametrize("id, name, value", PLANTED)
def test_turns_red_where_it_is_planted_to_be_false(id, name, value):
    assert judge(CLAIMS[id], runs(GOOD[id] | {name: value})).verdict == REFUTED


@pytest.mark.parametrize("id", GOOD)
def test_every_measurement_that_is_judged_has_a_planted_violation(id):
    judged = {condition.measurement for criterion in CLAIMS[id].criteria for condition in criterion.conditions}
    assert judged == {name for claim, name, _ in PLANTED if claim == id}


@pytest.mark.parametrize("kind, extra", [("linear", 0), ("bent", 1), ("closed", 2)])
def test_r31_asks_about_each_kind_of_constraint_by_itself(kind, extra):
    found = judge(CLAIMS["R31"], runs(GOOD["R31"] | {f"{kind}_extra": extra}))
    assert [e.holds for e in found.evidence] == [k != kind or not extra for k in ("linear", "bent", "closed")]


def test_one_run_of_five_that_lets_a_wrong_group_pass_keeps_r32_open_or_refutes_it():
    measured = runs(GOOD["R32"])
    measured["wrong_loss"][::5] = 0.0
    assert judge(CLAIMS["R32"], measured).verdict != REPRODUCED
