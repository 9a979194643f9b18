"""Intervals against their definitions, verdicts against their rule, and what claims.json keeps."""
import json
import math
from pathlib import Path

import numpy as np
import pytest

from symnb.companion import claims
from symnb.companion.claims import (
    CLAIMS,
    Claim,
    claims_table,
    count_verdicts,
    judge,
    merge_claim,
    read_claims,
    record_claim,
    result_record,
    summary_line,
)
from symnb.companion.criteria import bootstrap, condition, median, share, weigh, wilson
from symnb.companion.run import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[1]


def draws(claim, n=2, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.exponential(2, n) for name in claim.measurements}


@pytest.mark.parametrize("hits, n", [(1, 2), (5, 16), (29, 32), (31, 32)])
def test_wilson_ends_where_the_score_test_rejects(hits, n):
    for p in wilson(hits, n):
        assert (hits / n - p) ** 2 == pytest.approx(1.96**2 * p * (1 - p) / n)


def test_wilson_at_the_edges():
    low, high = wilson(0, 8)
    assert low == 0 and 0 < high < 0.5
    assert wilson(8, 8) == pytest.approx((1 - high, 1))


def test_the_bootstrap_interval_covers_the_median_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = [low <= 0 <= high for low, high in (bootstrap(rng.normal(size=32), 400) for _ in range(200))]
    assert 0.88 <= np.mean(inside) <= 0.99
    assert bootstrap(np.array([3.0])) == (3.0, 3.0)


def test_conditions_are_read_as_written():
    assert [str(condition(f"a_1 {op} 0.5")) for op in ("<=", ">=", "==", "<", ">")] == [
        "a_1 ≤ 0.5", "a_1 ≥ 0.5", "a_1 = 0.5", "a_1 < 0.5", "a_1 > 0.5"]
    for text in ("A >= 1", "a => 1", "a>=1", "a >= b", ""):
        with pytest.raises(ValueError):
            condition(text)


def test_conditions_must_hold_in_the_same_run():
    both = share(0.5, "a == 1", "b >= 2")
    assert weigh(both, dict(a=np.array([1, 1, 0, 0]), b=np.array([2, 0, 2, 0]))).value == 0.25
    with pytest.raises(ValueError, match="runs"):
        weigh(both, dict(a=np.ones(3), b=np.ones(4)))


def test_a_run_that_diverged_counts_as_failed():
    assert weigh(share(0.9, "a >= 1"), dict(a=np.array([np.nan, 2.0]))).value == 0.5
    assert not weigh(median("a >= 1"), dict(a=np.array([np.nan, 2.0, 2.0]))).holds


def test_ninety_percent_of_ten_runs_are_nine():
    assert weigh(share(0.9, "a == 1"), dict(a=np.array([1] * 9 + [0]))).holds
    assert not weigh(share(0.9, "a == 1"), dict(a=np.array([1] * 8 + [0] * 2))).holds


@pytest.mark.parametrize("caveat, values, verdict", [
    (None, [1, 1], "reproduced"), ("only so", [1, 1], "reproduced with a caveat"),
    (None, [0, 1], "not reproduced"), ("only so", [0, 1], "not reproduced")])
def test_verdicts(caveat, values, verdict):
    result = judge(Claim("X", "p", "s", "It is so.", "a", (share(0.9, "a == 1"),), caveat), dict(a=values))
    assert result.verdict == verdict and result.why
    assert verdict in repr(result) and verdict in result._repr_markdown_()


def test_what_is_missing_or_misshapen_is_named():
    with pytest.raises(ValueError, match="R8 needs the measurements circle_elbo_gain"):
        record_claim("R8", {k: v for k, v in draws(CLAIMS["R8"]).items() if k != "circle_elbo_gain"})
    with pytest.raises(ValueError, match="sum_r2 must be one number or one number for each run"):
        record_claim("R13", dict(sum_r2=np.ones((2, 2))))
    with pytest.raises(ValueError, match="sum_r2"):
        record_claim("R13", dict(sum_r2=[]))
    with pytest.raises(ValueError, match="'R99' is no claim.*R6, R7"):
        record_claim("R99", {})


@pytest.mark.parametrize("id", CLAIMS)
def test_every_claim_can_be_judged_with_two_seeds_or_one_number(id):
    claim = CLAIMS[id]
    for measurements in (draws(claim), {name: 1.0 for name in claim.measurements}):
        result = record_claim(id, measurements, note="smoke")
        assert result.verdict in claims.VERDICTS
        assert json.loads(json.dumps(result_record(result), allow_nan=False))["note"] == "smoke"


def test_numbers_that_are_not_finite_are_still_json():
    record = result_record(
        judge(CLAIMS["R14"], dict(gap_ee_over_pp=[math.inf, math.inf], pp_relevant_range=[math.nan]))
    )
    assert [e["value"] for e in record["evidence"]] == [None, None] and json.dumps(record, allow_nan=False)
    assert "R14" in claims_table({"R14": merge_claim({}, "R14", "smoke", record)})


def test_further_measurements_are_reported_and_judged_by_nothing():
    result = record_claim("R13", dict(sum_r2=[0.01, 0.02], difference=[0.99, 0.98]))
    assert result.verdict == "reproduced" and result.reported["difference"].value == pytest.approx(0.985)


def test_a_claim_is_written_only_in_a_run(tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record_claim("R13", dict(sum_r2=[0.01]))
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(RUN_VARIABLE, json.dumps(dict(folder=str(tmp_path), profile="smoke", seed=0)))
    record_claim("R13", dict(sum_r2=[0.01]))
    assert json.loads((tmp_path / "claim-R13.json").read_text())["verdict"] == "reproduced"


def test_a_quick_run_never_destroys_the_numbers_of_a_long_one():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 32))) for x in (0.01, 0.9))
    entry = merge_claim(merge_claim({}, "R13", "paper", good), "R13", "quick", poor)
    assert (entry["profile"], entry["verdict"], list(entry["results"])) == ("paper", "reproduced", ["paper", "quick"])
    assert entry["results"]["quick"]["verdict"] == "not reproduced"
    assert "NOT REPRODUCED (quick)" in claims_table({"R13": entry}, "quick")
    table = claims_table({"R13": entry}, markdown=True).splitlines()
    assert len(table) == 2 + len(CLAIMS) and len({row.count("|") for row in table}) == 1
    assert any("**reproduced**" in row and "100% [89%, 100%], n = 32" in row for row in table)


def test_the_numbers_of_the_criteria_are_those_that_were_set_beforehand():
    text = {id: "; ".join(map(str, claim.criteria)) for id, claim in CLAIMS.items()}
    for id, parts in {
        "R7": [
            "disk_standard_rho1_over_rho2 ≤ 1.15 in ≥ 90%",
            "disk_standard_rho2_over_rho3 ≥ 50",
            "disk_progressive_dim = 2 in ≥ 85%",
        ],
        "R8": [
            "circle_progressive_dim = 1 and circle_progressive_rho1_over_rho2 ≥ 50 in ≥ 90%",
            "median of circle_elbo_gain ≥ 0.15",
            "circle_standard_dim = 2 in ≥ 90%",
        ],
        "R11": [
            "ee_standard_dim = 3 and ee_standard_rho3_over_rho4 ≥ 30 in ≥ 90%",
            "ee_progressive_dim = 2 in ≥ 85%",
            "ee_spread_standard_dim = 3 in ≥ 90%",
        ],
        "R12": ["difference_r2 ≥ 0.97"],
        "R13": ["sum_r2 ≤ 0.05"],
        "R14": ["gap_ee_over_pp ≥ 3"],
        "R15": ["radiation_extra_latents = 1"],
    }.items():
        assert all(part in text[id] for part in parts), text[id]


def test_every_claim_is_measured_with_the_full_statistics():
    entries = json.loads((ROOT / "figures" / "claims.json").read_text(encoding="utf-8"))
    unmeasured = [id for id in CLAIMS if "paper" not in entries.get(id, {}).get("results", {})]
    assert not unmeasured, f"run: symnb figures --profile paper, to measure {', '.join(unmeasured)}"


def test_the_verdicts_are_counted_for_each_paper_and_profile():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 32))) for x in (0.01, 0.9))
    entry = merge_claim(merge_claim({}, "R13", "paper", good), "R13", "quick", poor)
    assert count_verdicts({"R13": entry})["R"] == {"reproduced": 1, "not measured": 21}
    assert count_verdicts({"R13": entry}, "quick")["R"] == {"not reproduced": 1, "not measured": 21}
    assert count_verdicts({"R13": entry}, "smoke")["R"] == {"not measured": 22}
    assert summary_line({"R13": entry}).startswith("Of 22 claims of the review, 1 reproduced, 21 not measured.")


def test_a_run_reads_its_own_claims_before_those_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    kept = read_claims()
    record = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.9])))
    (tmp_path / "claims.json").write_text(json.dumps({"R13": merge_claim({}, "R13", "smoke", record)}))
    monkeypatch.setenv(RUN_VARIABLE, json.dumps(dict(folder=str(tmp_path / ".run-1"), profile="smoke", seed=0)))
    found = read_claims()
    assert found["R13"]["verdict"] == "not reproduced" and kept["R13"]["verdict"] == "reproduced"
    assert {id: found[id] for id in kept if id != "R13"} == {id: kept[id] for id in kept if id != "R13"}
