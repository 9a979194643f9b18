"""Intervals against their definitions, verdicts against their rule, and what claims.json keeps."""
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from symnb.companion import claims
from symnb.companion.claims import (
    CLAIMS,
    changed_verdicts,
    claims_table,
    count_verdicts,
    judge,
    merge_claim,
    pool_records,
    read_claims,
    read_evidence,
    record_claim,
    result_record,
    summary_line,
)
from symnb.companion.criteria import Claim, condition, every, median, median_interval, runs_needed, share, weigh, wilson
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


@pytest.mark.parametrize("n", [6, 7, 9, 12, 33, 100])
def test_the_interval_of_a_median_is_the_narrowest_that_holds_it_with_95_percent(n):
    values = np.arange(1.0, n + 1)
    low, high = median_interval(values[::-1])
    k = int(low)  # the k-th value from either end
    assert high == n + 1 - k
    coverage = lambda k: 1 - 2 * binom.cdf(k - 1, n, 0.5)
    assert coverage(k) >= 0.95 > coverage(k + 1)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_than_six_values_bound_no_median(n):
    assert median_interval(np.ones(n)) == (-math.inf, math.inf)


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
                                            (0, 8, False), (5, 8, False), (6, 8, None), (95, 100, None),
                                            (97, 100, True), (70, 100, False)])
def test_the_interval_of_a_share_decides(hits, n, holds):
    found = weigh(share(0.9, "a == 1"), dict(a=np.arange(n) < hits))
    assert found.holds is holds
    low, high = wilson(hits, n)
    assert holds is (True if low >= 0.9 else False if high < 0.9 else None)


@pytest.mark.parametrize("values, holds", [([2.0] * 6, True), ([0.0] * 6, False), ([2.0] * 5, None),
                                           ([0.0, 2.0] * 10, None), ([3.0], None), ([math.inf] * 8, True),
                                           ([0.9, 1.1] * 3, None)])
def test_the_interval_of_a_median_decides(values, holds):
    assert weigh(median("a >= 1"), dict(a=np.array(values))).holds is holds


def test_one_exception_refutes_what_holds_in_every_run():
    assert weigh(every("a == 1"), dict(a=np.ones(2))).holds is True
    assert weigh(every("a == 1"), dict(a=np.array([1, 1, 0]))).holds is False
    assert "every run" in str(every("a == 1"))
    with pytest.raises(ValueError, match="every"):
        share(1.0, "a == 1")


@pytest.mark.parametrize("p", [0.6, 0.85, 0.9, 0.95, 1.0])
def test_two_samples_of_the_same_claim_hardly_ever_contradict_each_other(p):
    """Of a thousand pairs of samples, from any true share, at most a few are decided one way and the other."""
    rng = np.random.default_rng(1)
    verdict = {h: weigh(share(0.9, "a == 1"), dict(a=np.arange(100) < h)).holds for h in range(101)}
    assert {*verdict.values()} == {True, False, None}
    first, second = ([verdict[h] for h in rng.binomial(100, p, 1000)] for _ in range(2))
    assert sum({a, b} == {True, False} for a, b in zip(first, second)) <= 10


@pytest.mark.parametrize("caveat, values, verdict", [
    (None, [1] * 35, "reproduced"), ("only so", [1] * 35, "reproduced with a caveat"),
    (None, [1] * 8, "undecided"), ("only so", [1] * 8, "undecided"),
    (None, [0, 0, 1], "not reproduced"), ("only so", [0, 0, 1], "not reproduced")])
def test_verdicts(caveat, values, verdict):
    claim = Claim("X", "p", "s", "It is so.", "a", (share(0.9, "a == 1"), every("b == 1")), caveat)
    result = judge(claim, dict(a=values, b=[1]))
    assert result.verdict == verdict and result.why
    assert verdict in repr(result) and verdict in result._repr_markdown_()
    assert judge(claim, dict(a=values, b=[0])).verdict == "not reproduced"


def test_the_runs_of_several_executions_are_judged_together():
    parts = [result_record(judge(CLAIMS["R13"], dict(sum_r2=[x] * 18))) for x in (0.01, 0.02)]
    assert [part["verdict"] for part in parts] == ["undecided"] * 2
    both = pool_records("R13", parts)
    assert both["verdict"] == "reproduced" and both["measured"]["sum_r2"] == [0.01] * 18 + [0.02] * 18
    odd = result_record(judge(CLAIMS["R13"], dict(sum_r2=[math.nan, math.inf, -math.inf])))
    assert pool_records("R13", [odd])["measured"] == odd["measured"] and json.dumps(odd, allow_nan=False)
    close = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.05 + 1e-9] * 40)))
    assert close["verdict"] == pool_records("R13", [close])["verdict"] == "not reproduced"  # to the last digit


def test_what_is_missing_or_misshapen_is_named():
    with pytest.raises(ValueError, match="R8 needs the measurements circle_elbo_gain"):
        record_claim("R8", {k: v for k, v in draws(CLAIMS["R8"]).items() if k != "circle_elbo_gain"})
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
        judge(CLAIMS["R14"], dict(gap_ee_over_pp=[math.inf, math.inf], pp_relevant_range=[math.nan]))
    )
    assert [e["value"] for e in record["evidence"]] == ["inf", "-inf"] and json.dumps(record, allow_nan=False)
    assert [e.value for e in read_evidence(record)] == [math.inf, -math.inf]
    assert "R14" in claims_table({"R14": merge_claim({}, "R14", "smoke", record)})


def test_further_measurements_are_reported_and_judged_by_nothing():
    result = record_claim("R13", dict(sum_r2=[0.01, 0.02] * 20, difference=[0.99, 0.98]))
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


def test_a_result_keeps_the_criteria_that_it_was_judged_by():
    record = result_record(judge(CLAIMS["R13"], dict(sum_r2=[0.01] * 40)))
    older = merge_claim({}, "R13", "paper", record)
    older["results"]["paper"] |= dict(criteria=["sum_r2 ≤ 0.2 in ≥ 90% of the runs"])
    entry = merge_claim(older, "R13", "quick", record)
    assert [*entry["results"]] == ["quick"] and entry["profile"] == "quick"
    [old] = entry["history"]
    assert (old["profile"], old["criteria"]) == ("paper", ["sum_r2 ≤ 0.2 in ≥ 90% of the runs"])
    assert merge_claim(entry, "R13", "paper", record)["history"] == [old]


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
    assert count_verdicts({"R13": entry})["R"] == {"reproduced": 1, "not measured": 21}
    assert count_verdicts({"R13": entry}, "quick")["R"] == {"not reproduced": 1, "not measured": 21}
    assert count_verdicts({"R13": entry}, "smoke")["R"] == {"not measured": 22}
    assert summary_line({"R13": entry}).startswith("Of 22 claims of the review, 1 reproduced, 21 not measured.")


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
