"""Each claim of the flows that was rewritten turns red where its sentence is planted to be false."""
import numpy as np
import pytest

from symnb.companion.claims import CAVEAT, REFUTED, REPRODUCED, judge
from symnb.companion.registry import CLAIMS

GOOD = {  # what runs would measure where the sentence holds
    "F2": dict.fromkeys(CLAIMS["F2"].measurements, 1.0),
    "F13": dict(network_four_loss=0.8, eight_loss=0.8),
    "F6": dict(platonic_drift=0.005, image_change=1.2),
    "F14": dict(one_turn=35.0, zero_turn=25.0, same_sense=1, zero_enlarged=1.3, zero_stretched=1.4),
    "F9": dict(oracle_accuracy=0.985, autoencoder_mse=0.009, platonic_classes_kept=10, probability_lowest=0.999,
               image_change=0.9),
    "F10": dict(jacobian_rank=10, printed_seven_least=0.6),
    "F15": dict(sixth_cost=0.2, seventh_cost=0.9),
    "F11": dict(bracket_ratio=0.5, closed_mismatch=1e-12, closed_across=1e-9, closed_signature_right=1),
    "S4": {name: {"so3_count": 3, "so13_count": 6}.get(name.split("_at_")[0], 1) for name in CLAIMS["S4"].measurements},
    "S21": dict(count_right=1.0, name_right=1.0, defect_holds=1.0, false_alarm=0, break_seen=1),
    "S22": dict(frame_unexplained=0.9),
}
PLANTED = [  # claim, measurement, and what it would be if
    ("F2", "so4_five_loss", 1e-14),  # five generators of so(4) closed
    ("F13", "network_four_loss", 0.01),  # a fourth network were learned
    ("F13", "eight_loss", 0.05),
    ("F6", "platonic_drift", 0.2),  # the flow crossed the level sets
    ("F6", "image_change", 0.05),  # it moved along a direction that the decoder does not see
    ("F14", "one_turn", 2.0),  # it only changed the stroke
    ("F14", "same_sense", 0),  # it sheared the zero against the one
    ("F14", "zero_enlarged", 1.02),
    ("F9", "platonic_classes_kept", 9),
    ("F9", "probability_lowest", 0.7),
    ("F9", "image_change", 0.1),
    ("F10", "jacobian_rank", 9),  # softmax outputs in place of logits
    ("F10", "printed_seven_least", 0.008),
    ("F15", "seventh_cost", 0.1),  # a seventh were learned
    ("F15", "sixth_cost", 0.9),  # a sixth were refused
    ("F11", "bracket_ratio", 1e-4),  # the flows commuted
    ("F11", "closed_mismatch", 0.1),  # X were not scaled to Xu = 1
    ("F11", "closed_across", 0.01),
    ("S4", "so3_count_at_99", 2),
    ("S4", "so13_named_at_999", 0),
    ("S21", "name_right", 0.5),
    ("S21", "defect_holds", 0.5),
    ("S21", "false_alarm", 1),
    ("S21", "break_seen", 0),
    ("S22", "frame_unexplained", 0.01),  # the frame were invariant fields of a group
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
