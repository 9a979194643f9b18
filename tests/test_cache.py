"""The cache: what it trusts, and what it computes again."""
import shutil

import numpy as np
import pytest

from symnb.companion import cache
from symnb.core import SymnbWarning

calls = []


def slow(x, scale=1.0, **options):
    calls.append(1)
    return {"y": np.asarray(x) * scale, **options}


@pytest.fixture
def remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMNB_CACHE", str(tmp_path))
    calls.clear()
    return cache.cached(slow)


def test_the_cache_knows_its_arguments(remembered):
    for result in (remembered([1, 2]), remembered(x=[1, 2]), remembered([1, 2], scale=1.0)):
        assert (result["y"] == [1, 2]).all()
    assert len(calls) == 1
    assert remembered([1, 2], 2.0)["y"].sum() == 6 and remembered([1, 2], name="circle")["name"] == "circle"
    assert len(calls) == 3


def test_the_cache_knows_the_library(remembered, monkeypatch):
    remembered([1, 2])
    monkeypatch.setattr(cache, "library_digest", lambda code: "another library")
    remembered([1, 2])
    assert len(calls) == 2


@pytest.mark.parametrize("damage", [
    lambda b: b"", lambda b: b[:len(b) // 2], lambda b: b"not a pickle" * 20,
    lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1:],
])
def test_a_damaged_entry_is_recomputed(remembered, tmp_path, damage):
    remembered([1, 2])
    [entry] = tmp_path.rglob("output.pkl")
    entry.write_bytes(damage(entry.read_bytes()))
    with pytest.warns(SymnbWarning, match="computed again"):
        assert (remembered([1, 2])["y"] == [1, 2]).all()
    assert len(calls) == 2
    assert (remembered([1, 2])["y"] == [1, 2]).all() and len(calls) == 2  # and it is whole again


def test_deleting_the_cache_only_costs_time(remembered, tmp_path):
    remembered([1, 2])
    shutil.rmtree(tmp_path)
    assert (remembered([1, 2])["y"] == [1, 2]).all() and len(calls) == 2
