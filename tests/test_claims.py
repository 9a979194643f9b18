"""Intervals against their definitions, verdicts against their rule, and what claims.json keeps."""
import json
import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from symnb.companion import claims
from symnb.companion.claims import (
    CLAIMS,
    changed_verdicts,
    claims_table,
    count_verdicts,
    judge,
    merge_claim,
    pool_executions,
    read_claims,
    read_evidence,
    record_claim,
    result_record,
    summary_line,
)
from symnb.companion.criteria import (
    CONFIRMS,
    REFUTES,
    Claim,
    condition,
    every,
    median,
    median_interval,
    runs_needed,
    share,
    weigh,
    wilson,
)
from symnb.companion.drawing import MOST_EXECUTIONS
from symnb.companion.run import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[1]

REVIEW = sum(id[0] == "R" for id in CLAIMS)


def draws(claim, n=2, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.exponential(2, n) for name in claim.measurements}


@pytest.mark.parametrize("level", [CONFIRMS, REFUTES])
@pytest.mark.parametrize("hits, n", [(1, 2), (5, 16), (29, 32), (31, 32)])
def test_wilson_ends_where_the_score_test_rejects(hits, n, level):
    for p in wilson(hits, n, level):
        assert (hits / n - p) ** 2 == pytest.approx(norm.isf((1 - level) / 2) ** 2 * p * (1 - p) / n)


def test_wilson_at_the_edges():
    low, high = wilson(0, 8)
    assert low == 0 and 0 < high < 0.5
    assert wilson(8, 8) == pytest.approx((1 - high, 1))


@pytest.mark.parametrize("n, level", [(6, CONFIRMS), (7, CONFIRMS), (33, CONFIRMS), (11, REFUTES), (100, REFUTES)])
def test_the_interval_of_a_median_is_the_narrowest_that_holds_it_with_its_level(n, level):
    values = np.arange(1.0, n + 1)
    low, high = median_interval(values[::-1], level)
    k = int(low)  # the k-th value from either end
    assert high == n + 1 - k
    coverage = lambda k: 1 - 2 * binom.cdf(k - 1, n, 0.5)
    assert coverage(k) >= level > coverage(k + 1)


@pytest.mark.parametrize("n, level", [(1, CONFIRMS), (5, CONFIRMS), (10, REFUTES)])
def test_few_values_bound_no_median(n, level):
    assert median_interval(np.ones(n), level) == (-math.inf, math.inf)


def test_the_fewest_runs_that_can_reach_a_share():
    for least in (0.5, 0.75, 0.85, 0.9, 0.95):
        n = runs_needed(least)
        assert wilson(n, n)[0] >= least > wilson(n - 1, n - 1)[0]
    assert runs_needed(0.9) == 35


def test_conditions_are_read_as_written():
    assert [str(condition(f"a_1 {op} 0.5")) for op in ("<=", ">=", "==", "<", ">")] == [
        "a_1 ≤ 0.5", "a_1 ≥ 0.5", "a_1 = 0.5", "a_1 < 0.5", "a_1 > 0.5"]
    inside = condition("a_1 in [0.9, 1.1]")
    assert str(inside) == "a_1 in [0.9, 1.1]" and inside.bound.holds(np.array([0.9, 1.1, 0.89, np.nan])).tolist() == [
        True, True, False, False]
    for text in ("A >= 1", "a => 1", "a>=1", "a >= b", "a in [2, 1]", "a in [1]", ""):
        with pytest.raises(ValueError):
            condition(text)


def test_conditions_must_hold_in_the_same_run():
    both = share(0.5, "a == 1", "b >= 2")
    assert weigh(both, dict(a=np.array([1, 1, 0, 0]), b=np.array([2, 0, 2, 0]))).value == 0.25
    with pytest.raises(ValueError, match="runs"):
        weigh(both, dict(a=np.ones(3), b=np.ones(4)))


def test_a_run_that_diverged_counts_as_failed():
    assert weigh(share(0.9, "a >= 1"), dict(a=np.array([np.nan, 2.0]))).value == 0.5
    for bound, good in (("a >= 1", 2.0), ("a <= 1", 0.0), ("a in [0, 1]", 0.5), ("a == 1", 1.0)):
        assert weigh(median(bound), dict(a=np.array([np.nan] * 20))).holds is False
        assert weigh(median(bound), dict(a=np.array([np.nan] * 10 + [good] * 10))).holds is None
        assert weigh(median(bound), dict(a=np.array([np.nan] + [good] * 19))).holds is True


@pytest.mark.parametrize("hits, n, holds", [(35, 35, True), (34, 34, None), (8, 8, None), (9, 10, None),
                                            (0, 8, False), (3, 8, False), (4, 8, None), (0, 3, None), (95, 100, None),
                                            (97, 100, True), (70, 100, False)])
def test_the_interval_of_a_share_decides(hits, n, holds):
    found = weigh(share(0.9, "a == 1"), dict(a=np.arange(n) < hits))
    assert found.holds is holds
    assert holds is (True if wilson(hits, n, CONFIRMS)[0] >= 0.9 else
                     False if binomtest(hits, n, 0.9, "less").pvalue < 0.999 * (1 - REFUTES) else None)


@pytest.mark.parametrize("values, holds", [([2.0] * 6, True), ([0.0] * 11, False), ([0.0] * 10, None),
                                           ([2.0] * 5, None), ([0.0, 2.0] * 10, None), ([3.0], None),
                                           ([math.inf] * 8, True), ([0.9, 1.1] * 3, None)])
def test_the_interval_of_a_median_decides(values, holds):
    assert weigh(median("a >= 1"), dict(a=np.array(values))).holds is holds


def test_one_exception_refutes_what_holds_in_every_run():
    assert weigh(every("a == 1"), dict(a=np.ones(2))).holds is True
    assert weigh(every("a == 1"), dict(a=np.array([1, 1, 0]))).holds is False
    assert "every run" in str(every("a == 1"))
    with pytest.raises(ValueError, match="every"):
        share(1.0, "a == 1")


def test_a_count_is_compared_with_that_of_most_runs_of_all_executions():
    same = share(0.9, "n == mode")
    assert "as in most runs" in str(same)
    assert weigh(same, dict(n=np.r_[np.full(99, 2), 3])).holds is True
    assert weigh(same, dict(n=np.repeat([1, 2], 20))).holds is False  # each execution agrees with itself only
    assert weigh(same, dict(n=np.full(8, np.nan))).value == 0
    with pytest.raises(ValueError, match="a median has no mode"):
        median("n == mode")


@lru_cache(maxsize=None)
def reached(hits, n):
    return weigh(share(0.9, "a == 1"), dict(a=np.arange(n) < hits)).holds


def verdicts_of_a_claim(p, runs, criteria, rng, times=400):
    """What the rule says of a claim whose criteria have the true share p, after each execution until it is decided."""
    outcomes = []
    for _ in range(times):
        hits, n = np.zeros(criteria, dtype=int), 0
        for _ in range(MOST_EXECUTIONS["paper"]):
            hits, n = hits + rng.binomial(runs, p, criteria), n + runs
            held = [reached(int(h), n) for h in hits]
            if None not in held or False in held:
                break
        outcomes.append(False if False in held else None if None in held else True)
    return outcomes


@pytest.mark.parametrize("runs, criteria", [(8, 1), (16, 1), (16, 7)])
def test_few_true_claims_are_refuted_and_few_false_ones_reproduced(runs, criteria):
    """Looking six times, at up to seven criteria: at most one wrong verdict in twenty, also near the bound."""
    rng = np.random.default_rng(1)
    outcomes = {p: verdicts_of_a_claim(p, runs, criteria, rng) for p in (0.7, 0.88, 0.92, 0.99)}
    for p, found in outcomes.items():
        assert found.count(p < 0.9) <= 0.05 * len(found), p
    assert outcomes[0.7].count(False) > 0.7 * len(outcomes[0.7])  # and what is far away is seen
    assert outcomes[0.99].count(True) > 0.5 * len(outcomes[0.99])


@pytest.mark.parametrize("caveat, values, verdict", [
    (None, [1] * 35, "reproduced"), ("only so", [1] * 35, "reproduced with a caveat"),
    (None, [1] * 8, "undecided"), ("only so", [1] * 8, "undecided"),
    (None, [0, 0, 0, 0, 1], "not reproduced"), ("only so", [0, 0, 0, 0, 1], "not reproduced")])
def test_verdicts(caveat, values, verdict):
    claim = Claim("X", "p", "s", "It is so.", "a", (share(0.9, "a == 1"), every("b == 1")), caveat)
    result = judge(claim, dict(a=values, b=[1]))
    assert result.verdict == verdict and result.why
    assert verdict in repr(result) and verdict in result._repr_markdown_()
    assert judge(claim, dict(a=values, b=[0])).verdict == "not reproduced"


def test_the_reason_of_a_failure_is_told_where_its_criterion_fails():
    claim = Claim("X", "p", "s", "It is so.", "a", (every("a == 1"), every("b == 1")), reasons={2: "b is odd"})
    assert "b is odd" in judge(claim, dict(a=[1], b=[0])).why
    assert "b is odd" not in judge(claim, dict(a=[0], b=[1])).why
    entry = merge_claim({}, "R15", "quick", result_record(judge(CLAIMS["R15"], dict(
        radiation_extra_latents=[1] * 40, gap_off_over_on=[0.5] * 40))))
    assert entry["verdict"] == "not reproduced" and "two components" not in claims_table({"R15": entry})


def test_a_refutation_that_is_not_sure_enough_is_told_as_open():
    result = judge(CLAIMS["R13"], dict(sum_r2=[0.01] * 5 + [1] * 3))
    assert result.verdict == "undecided" and "a refutation asks for 99.9%" in result.why


def test_the_runs_of_several_executions_are_judged_together():
    parts = [dict(seed=k, measured=dict(sum_r2=[x] * 18)) for k, x in enumerate((0.01, 0.02))]
    assert [pool_executions("R13", [part])["verdict"] for part in parts] == ["undecided"] * 2
    both = pool_executions("R13", parts)
    assert both["verdict"] == "reproduced" and both["executions"] == parts
    odd = result_record(judge(CLAIMS["R13"], dict(sum_r2=[math.nan, math.inf, -math.inf])))
    again = pool_executions("R13", [odd | dict(seed=0)])
    assert again["executions"][0]["measured"] == odd["measured"] and json.dumps(again, allow_nan=False)
    close = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.05 + 1e-9] * 40)))
    pooled = pool_executions("R13", [close | dict(seed=0)])
    assert close["verdict"] == pooled["verdict"] == "not reproduced"  # to the last digit


def test_what_is_missing_or_misshapen_is_named():
    with pytest.raises(ValueError, match="S15 needs the measurements circle_elbo_gain"):
        record_claim("S15", {k: v for k, v in draws(CLAIMS["S15"]).items() if k != "circle_elbo_gain"})
    with pytest.raises(ValueError, match="sum_r2 must be one number or one for each run"):
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
        judge(CLAIMS["R14"], dict(pp_minus_ee_grading=[math.inf, math.inf], pp_minus_linear_grading=[math.nan]))
    )
    assert [e["value"] for e in record["evidence"]] == ["inf", "-inf"] and json.dumps(record, allow_nan=False)
    assert [e.value for e in read_evidence(record)] == [math.inf, -math.inf]
    assert "R14" in claims_table({"R14": merge_claim({}, "R14", "smoke", record)})


def test_further_measurements_are_reported_and_judged_by_nothing():
    result = record_claim("R13", dict(sum_r2=[0.01, 0.02] * 20, difference=[0.99, 0.98], R2=0.5))
    assert result.verdict == "reproduced" and result.reported["difference"].value == pytest.approx(0.985)


def test_a_claim_is_written_only_in_a_run(tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record_claim("R13", dict(sum_r2=[0.01]))
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(RUN_VARIABLE, json.dumps(dict(folder=str(tmp_path), out=str(tmp_path), profile="smoke", seed=0)))
    record_claim("R13", dict(sum_r2=[0.01]))
    assert json.loads((tmp_path / "claim-R13.json").read_text())["verdict"] == "undecided"


def test_a_quick_run_never_destroys_the_numbers_of_a_long_one():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 40))) for x in (0.01, 0.9))
    entry = merge_claim(merge_claim({}, "R13", "paper", good), "R13", "quick", poor)
    assert (entry["profile"], entry["verdict"], list(entry["results"])) == ("paper", "reproduced", ["paper", "quick"])
    assert entry["results"]["quick"]["verdict"] == "not reproduced"
    assert "NOT REPRODUCED (quick)" in claims_table({"R13": entry}, "quick")
    table = claims_table({"R13": entry}, markdown=True).splitlines()
    assert len(table) == 2 + len(CLAIMS) and len({row.count("|") for row in table}) == 1
    assert any("**reproduced**" in row and "40 of 40 runs [91%, 100%]" in row for row in table)


def test_the_numbers_of_the_criteria_are_those_that_were_set_beforehand():
    text = {id: "; ".join(map(str, claim.criteria)) for id, claim in CLAIMS.items()}
    for id, parts in {
        "R7": [
            "disk_standard_rho1_over_rho2 ≤ 1.15 in ≥ 90%",
            "disk_standard_rho2_over_rho3 ≥ 50",
        ],
        "R8": ["circle_standard_dim = 1 and circle_standard_rho1_over_rho2 ≥ 50 in ≥ 90%"],
        "S15": [
            "circle_progressive_dim = 1 and circle_progressive_rho1_over_rho2 ≥ 50 in ≥ 90%",
            "median of circle_elbo_gain ≥ 0.15",
            "disk_progressive_dim = 2 in ≥ 85%",
        ],
        "R11": [
            "ee_standard_dim = 3 and ee_standard_rho3_over_rho4 ≥ 30 in ≥ 90%",
            "ee_spread_standard_dim = 3 and ee_spread_standard_rho3_over_rho4 ≥ 30 in ≥ 90%",
        ],
        "R12": ["difference_r2 ≥ 0.97"],
        "R13": ["sum_r2 ≤ 0.05"],
        "R14": ["pp_minus_ee_grading ≥ 0.05", "pp_minus_linear_grading ≥ 0.05"],
        "R15": ["radiation_extra_latents = 1"],
    }.items():
        assert all(part in text[id] for part in parts), text[id]


def test_a_result_keeps_the_criteria_that_it_was_judged_by():
    record = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.01] * 40)))
    older = merge_claim({}, "R13", "paper", record)
    older["results"]["paper"] |= dict(criteria=["sum_r2 ≤ 0.2 in ≥ 90% of the runs"])
    entry = merge_claim(older, "R13", "quick", record)
    assert [*entry["results"]] == ["quick"] and entry["profile"] == "quick"
    [old] = entry["history"]
    assert (old["profile"], old["criteria"]) == ("paper", ["sum_r2 ≤ 0.2 in ≥ 90% of the runs"])
    assert count_verdicts({"R13": older})["R"] == {"not measured": REVIEW}  # a verdict under other criteria is none
    assert "REPRODUCED" not in claims_table({"R13": older})
    assert merge_claim(entry, "R13", "paper", record)["history"] == [old]


def test_a_caveat_that_is_written_later_is_part_of_the_verdict(monkeypatch):
    record = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.01] * 40)))
    entry = merge_claim({}, "R13", "paper", record)
    monkeypatch.setitem(CLAIMS, "R13", replace(CLAIMS["R13"], caveat="for the smeared ones"))
    assert claims.current("R13", entry)["verdict"] == "reproduced with a caveat"
    assert "for the smeared ones" in claims_table({"R13": entry})


@pytest.mark.parametrize("entry", [None, 5, [], {}, {"results": 3}, {"results": {"paper": 3}}])
def test_a_malformed_entry_is_no_measurement(entry):
    assert claims.current("R13", entry) == {}


def test_samples_that_contradict_each_other_leave_a_trace():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 40))) for x in (0.01, 0.9))
    entry = merge_claim(merge_claim({}, "R13", "paper", good), "R13", "paper", good)
    assert "history" not in entry
    [old] = merge_claim(entry, "R13", "paper", poor)["history"]
    assert (old["profile"], old["verdict"]) == ("paper", "reproduced")


def test_verdicts_that_changed_are_told():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 40))) for x in (0.01, 0.9))
    before, now = ({"R13": merge_claim({}, "R13", "quick", record)} for record in (good, poor))
    [line] = changed_verdicts(now, before, "quick")
    assert line.startswith("R13: not reproduced, before reproduced")
    assert not changed_verdicts(now, now, "quick") and not changed_verdicts(now, {}, "quick")
    assert changed_verdicts(now, {"R13": merge_claim({}, "R13", "paper", good)}, "quick")  # beside the best there is


def test_every_claim_is_measured_with_the_full_statistics():
    entries = json.loads((ROOT / "figures" / "claims.json").read_text(encoding="utf-8"))
    unmeasured = [id for id in CLAIMS if "paper" not in entries.get(id, {}).get("results", {})]
    assert not unmeasured, f"run: symnb figures --profile paper, to measure {', '.join(unmeasured)}"


def test_the_verdicts_are_counted_for_each_paper_and_profile():
    good, poor = (result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 40))) for x in (0.01, 0.9))
    entry = merge_claim(merge_claim({}, "R13", "paper", good), "R13", "quick", poor)
    assert count_verdicts({"R13": entry})["R"] == {"reproduced": 1, "not measured": REVIEW - 1}
    assert count_verdicts({"R13": entry}, "quick")["R"] == {"not reproduced": 1, "not measured": REVIEW - 1}
    assert count_verdicts({"R13": entry}, "smoke")["R"] == {"not measured": REVIEW}
    assert summary_line({"R13": entry}).startswith(
        f"Of {REVIEW} claims of the review, 1 reproduced, {REVIEW - 1} not measured.")


def test_a_run_reads_its_own_claims_before_those_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    kept = read_claims()
    record = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.9])))
    (tmp_path / "claims.json").write_text(json.dumps({"R13": merge_claim({}, "R13", "smoke", record)}))
    run = dict(folder=str(tmp_path / ".run"), out=str(tmp_path), profile="smoke", seed=0)
    monkeypatch.setenv(RUN_VARIABLE, json.dumps(run))
    found = read_claims()
    assert found["R13"]["profile"] == "smoke" != kept["R13"]["profile"]
    assert {id: found[id] for id in kept if id != "R13"} == {id: kept[id] for id in kept if id != "R13"}
