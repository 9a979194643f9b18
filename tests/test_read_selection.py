"""Columns of every name, and queries that no file and no user can turn into anything else."""

import numpy as np
import pandas as pd
import pytest

from symnb.data import load
from symnb.data.selection import check_query, choose_columns, find_column, query_mask, quoted, select_events

rng = np.random.default_rng(0)
EVENTS = pd.DataFrame(
    {
        "pt": rng.exponential(30, 200),
        "eta": rng.normal(size=200).astype(np.float32),
        "n": rng.integers(0, 7, 200).astype(np.int8),
        "passed": rng.random(200) < 0.5,
        "kind": rng.choice(["signal", "background"], 200),
        "flags": rng.integers(0, 16, 200).astype(np.uint32),
    }
)
ODD = [
    "class",
    "px [GeV]",
    "muon.pt",
    "p[0]",
    "$x$",
    "1st",
    "m (1/GeV^2)",
    "a b",
    "η",
    "µ",
    "lambda",
    "x@y",
    "b#",
    "it's",
    "a&b",
    "q|r",
    "__name__",
    "_c0",
    "x-y",
    "min",
    "Σ pT",
    "and",
]


# Queries


@pytest.mark.parametrize(
    "query",
    [
        "pt > 20 and abs(eta) < 1",
        "pt > 20 & eta < 0 | n == 3",
        "~passed",
        "not passed and ~(pt > 10)",
        "0 < eta < 1 <= pt",
        "n in [1, 3]",
        "n not in (1, 3)",
        "kind == 'signal'",
        "kind in ['signal'] and passed",
        "kind != 'sig' & n % 2 == 0",
        "sqrt(pt**2 + eta**2) > 30",
        "arctan2(eta, pt) > 0 or -pt < -40",
        "n // 2 == 1",
        "pt / n > 10",
        "(eta >= 0.1) == passed",
        "passed == True",
        "n + 10 * n > 30",
        "log10(pt) > 1 | exp(eta) < 1",
        "+pt > 20 - 3 * -eta",
        "floor(pt) == 20 or ceil(eta) == 1",
        "1e1 < pt",
        "kind > 'c'",
        "n ** 2 > 2 * n + 1",
    ],
)
def test_a_query_means_what_pandas_takes_it_for(query):
    mask = query_mask(EVENTS, query)
    assert mask.dtype == bool and 0 < mask.sum() < 200
    np.testing.assert_array_equal(mask, EVENTS.eval(query, engine="python"))


def test_what_pandas_has_not():
    same = lambda query, mask: np.testing.assert_array_equal(query_mask(EVENTS, query), mask)
    same(
        "hypot(pt, eta) > 30 and min(pt, n) > 2",
        (np.hypot(EVENTS.pt, EVENTS.eta) > 30) & (EVENTS.n > 2) & (EVENTS.pt > 2),
    )
    same("max(pt, eta, n) > 20", EVENTS[["pt", "eta", "n"]].max(axis=1) > 20)
    same("passed + (n > 3) == 2", EVENTS.passed & (EVENTS.n > 3))
    same("(flags & 4) != 0 and (flags | 1) == 5", EVENTS["flags"].isin([4, 5]))
    same("100 * n > 300", EVENTS.n > 3)  # 8 bits are not enough
    days = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=5, tz="Europe/Berlin"), "x": [1.5, 2, 3, 4, 5]})
    assert query_mask(days, "day >= '2026-01-03' and x < 5").tolist() == [False, False, False, True, False]  # UTC


def test_what_is_missing_compares_false():
    gaps = pd.DataFrame(
        dict(
            x=[1, np.nan, 3],
            t=["a", None, "b"],
            n=pd.array([1, None, 3], dtype="Int64"),
            f=pd.array([True, None, False], dtype="boolean"),
            o=[True, None, False],
        )
    )
    for query, passed in {
        "x > 0": "101",
        "x != 1": "001",
        "x not in [1]": "001",
        "t != 'a'": "001",
        "t in ['b']": "001",
        "n >= 1": "101",
        "not n > 1": "110",
        "f": "100",
        "o or x > 2": "101",
        "isna(x)": "010",
        "x.notna() & t.notnull()": "101",
        "x / 0 > 1": "101",
        "sqrt(x - 2) >= 0": "001",
        "n % 0 == 0": "000",
        "isfinite(x)": "101",
        "isna(f)": "010",
    }.items():
        assert "".join("01"[int(m)] for m in query_mask(gaps, query)) == passed, query


@pytest.mark.parametrize("name", ODD)
def test_every_name_can_be_asked_for(name):
    table = pd.DataFrame({"other": [1.0, 2, 3], name: [3.0, 2, 1]})
    for query in (f"{quoted(name)} > 1.5 and other > 1", f"`{name}` > 1.5 and other > 1"):
        assert check_query(query) == (name, "other")
        assert query_mask(table, query).tolist() == [False, True, False]
    assert choose_columns(list(table), [name]) == [name] and choose_columns(list(table), [f"!{name}"]) == ["other"]


def test_names_without_backticks():
    table = pd.DataFrame(
        {"muon.pt": [1, 5], "p[0]": [1, 5], "q_1": [1, 5], "E": [1, 5], "μ": [1, 5], "a.b[1].c": [1, 5]}
    )
    table.attrs["units"] = {"E": "GeV"}
    for name in ["muon.pt", "p[0]", "p [0]", "q[1]", "E [GeV]", "µ", "a.b[1].c", "`E [GeV]`"]:
        assert query_mask(table, f"{name} > 3").tolist() == [False, True], name
    assert find_column("x.y", ["x_y"]) is None
    two = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ValueError, match="2 columns are called 'a' in t.csv: rename"):
        query_mask(two, "a > 1", "t.csv")


@pytest.mark.parametrize(
    "query, words",
    {
        "pT > 3": "t.csv has no 'pT' .did you mean 'pt'..; it has pt, eta",
        "pt >": "cannot be evaluated: invalid syntax",
        "pt + 1": "must be true or false",
        "pt": "compare it, as in 'pt != 0'",
        "1 < 2": "names no column",
        "": "cannot be",
        "n and pt > 3": "n must be true or false for each event: compare it, as in 'n != 0'",
        "flags & 4": "as in 'flags & 4 != 0'",
        "flags & 4 > 0": "flags must be true or false",
        "@x > 1": "no '@'",
        "pt > 1 # and": "no '#'",
        "pt && eta": "'and' for '&&'",
        "!passed": "'not' for '!'",
        "n = 3": "'==' to compare",
        "class > 1": "backticks",
        "1st > 2": "backticks",
        "$x > 1": "backticks",
        "kind == 3": "text and numbers",
        "pt > '3'": "text and numbers",
        "kind + 1 > 2": "kind is text",
        "n in 3": "needs a list",
        "'s' in kind": "needs a list",
        "n == [1, 2]": "may stand in it",
        "pt is None": "may stand in it",
        "pt > 1j": "may stand in it",
        "pt == None": "write isna",
        "min(pt) > 2": "at least 2 columns",
        "sqrt(pt, n) > 1": "1 column, as in sqrt.x.",
        "atan2(pt, n) > 1": "no function 'atan2' .did you mean 'arctan2'",
        "pt.abs() > 1": "no function",
        "abs(x=pt) > 1": "'==' to compare",
        "abs(*pt) > 1": "abs takes",
        "pt if passed else n": "may stand in it",
        "lambda: 3": "may stand in it",
        "pt ^ n": "may stand",
        "[x for x in pt]": "may stand",
        "(y := pt) > 1": "may stand",
        "f'{pt}' == 'a'": "may stand",
        "b'a' == kind": "may stand",
        "kind.dtype == 'O'": "has no 'kind.dtype'",
        "pt.values.tofile('x') > 1": "no function",
        "open('x')": "no function 'open'",
        "__import__('os').system('x')": "no function",
        "(1).__class__ == 1": "may stand",
        "pt[kind] > 1": "has no 'pt.kind.'",
        "abs.__self__ > 1": "has no",
        "-" * 9_000 + "pt > 1": "nested|deep",
        "(" * 500 + "pt": "cannot be evaluated|nested",
        "pt > 1 or " * 1001 + "n > 1": "longer than 10,000",
        "pt; n": "invalid syntax",
        "pt > \n": "cannot be evaluated",
        "9" * 5000 + " > pt": "cannot be evaluated",
        "kind == 'a": "cannot be evaluated",
    }.items(),
)
def test_what_is_no_query_is_refused_in_one_line(query, words):
    with pytest.raises(ValueError, match=words) as caught:
        select_events(EVENTS, query, "t.csv")
    assert "\n" not in str(caught.value) and "query=" in str(caught.value)


def test_a_query_cannot_stall():
    assert query_mask(EVENTS, "pt < 9**9**9**9**9").all() and query_mask(EVENTS, "pt < " + "9" * 400).all()


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_never_evaluated(seed):
    "Any string is a mask or one line, never another error."
    words = [
        "pt",
        "n",
        "kind",
        "passed",
        "(",
        ")",
        "[",
        "]",
        "'",
        '"',
        "`",
        "&",
        "|",
        "~",
        "not",
        ">",
        "==",
        "in",
        ",",
        ".",
        "1",
        "0.5",
        "abs",
        "isna",
        "-",
        "**",
        "%",
        "//",
        "lambda",
        ":",
        "None",
        "'s'",
        "é",
        "\\",
        "\0",
        "\n",
        "if",
        "else",
        "=",
        "*",
    ]
    rng = np.random.default_rng(seed)
    for _ in range(600):
        query = " ".join(rng.choice(words, rng.integers(1, 9)))
        try:
            assert query_mask(EVENTS, query).shape == (200,)
        except ValueError as error:
            assert str(error).startswith("query=") and "\n" not in str(error)


# Columns


def test_a_name_wins_over_the_pattern_that_it_is():
    there = ["p", "p[0]", "p0", "px", "py", "E", "x*", "xy"]
    for wanted, chosen in {
        "p[0]": ["p[0]"],
        "p[xy]": ["px", "py"],
        "x*": ["x*"],
        "E [GeV]": ["E"],
        "E (GeV)": ["E"],
        "p[0],!E": ["p[0]"],
        "!p[0],!x*": ["p", "p0", "px", "py", "E", "xy"],
        "!E [GeV],!p*": ["x*", "xy"],
        "p*,!p[0]": ["p", "p0", "px", "py"],
        "E,p,E": ["E", "p"],
    }.items():
        assert choose_columns(there, wanted.split(",")) == chosen, wanted
    assert choose_columns(["p", "p0", "p1"], ["p[01]"]) == ["p0", "p1"]
    with pytest.raises(ValueError, match=r"f has no 'p\[2\]' .did you mean 'p\[0\]'..; it has p, p\[0\]"):
        choose_columns(there, ["p[2]"], "f")


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="columns: f has 2 columns called 'a': rename .* columns .'!a'."):
        choose_columns(["a", "b", "a"], None, "f")
    assert choose_columns(["a", "b", "a"], ["!a"]) == ["b"]


def test_load_takes_them(tmp_path):
    table = pd.DataFrame(rng.normal(size=(60, len(ODD))), columns=ODD)
    table = table.rename(
        columns={"px [GeV]": "pxx", "m (1/GeV^2)": "m()"}
    )
    table.to_parquet(tmp_path / "odd.parquet")
    for name in table:
        read = load(tmp_path / "odd.parquet", columns=[name], query=f"`{name}` > 0.1")
        assert list(read) == [name] and len(read) == (table[name] > 0.1).sum()


def test_numbers_of_64_bits_without_a_sign():
    table = pd.DataFrame({"u": np.array([2**63 + 1, 2**63 + 3, 5], "u8"), "i": [1, -2, 3]})
    mask = lambda query: query_mask(table, query).tolist()
    assert mask(f"u == {2**63 + 1}") == [True, False, False] and mask(f"u > {2**63 + 1}") == [False, True, False]
    assert mask(f"i < {2**63 + 1} and u in [5, {2**63 + 3}]") == [False, True, True]
