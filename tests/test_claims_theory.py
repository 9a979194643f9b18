"""How the claims on redundancy and on groups are judged where they hold in part."""
import numpy as np
import pytest

from symnb.companion.claims import REPRODUCED, judge
from symnb.companion.registry import CLAIMS


@pytest.mark.parametrize("kind, extra", [("linear", 0), ("bent", 1), ("closed", 2)])
def test_r31_asks_about_each_kind_of_constraint_by_itself(kind, extra):
    measured = {name: np.full(40, extra * float(name.startswith(kind))) for name in CLAIMS["R31"].measurements}
    found = judge(CLAIMS["R31"], measured)
    assert [e.holds for e in found.evidence] == [k != kind or not extra for k in ("linear", "bent", "closed")]


def test_one_run_of_five_that_lets_a_wrong_group_pass_keeps_r32_open_or_refutes_it():
    measured = dict(right_loss=np.full(40, 0.05), wrong_loss=np.where(np.arange(40) % 5, 4.0, 0.0))
    assert judge(CLAIMS["R32"], measured).verdict != REPRODUCED
