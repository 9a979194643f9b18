"""Parquet, Feather and Arrow, as pyarrow and pandas write them."""
import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from conftest import refused_damages
from pyarrow import feather, ipc

from symnb.data import load

N = 60
rng = np.random.RandomState(0)
x = rng.randn(N)


def arrow(path, table, stream=False):
    with (ipc.new_stream if stream else ipc.new_file)(path, table.schema) as out:
        out.write_table(table, max_chunksize=25)


WRITERS = {"parquet": lambda p, t: pq.write_table(t, p), "feather": lambda p, t: feather.write_feather(t, p),
           "arrow": arrow, "arrows": lambda p, t: arrow(p, t, stream=True)}


def rich_table():
    v, ragged = rng.randn(N, 3), [[1.0] * (1 + i % 3) for i in range(N)]
    return v, pa.table({
        "x": x, "list": pa.array(v.tolist()), "fixed": pa.FixedSizeListArray.from_arrays(v.ravel(), 3),
        "ragged": ragged, "mu": pa.array([{"pt": a, "v": {"x": 2 * a}} for a in x]),
        "map": pa.array([[("a", 1.0)]] * N, pa.map_(pa.string(), pa.float64())),
        "some": pa.array([None if i == 3 else i % 7 for i in range(N)], pa.int64()),
        "flag": pa.array([None if i == 4 else i % 2 == 0 for i in range(N)]),
        "money": pa.array([decimal.Decimal(i) / 4 for i in range(N)], pa.decimal128(12, 3)),
        "level": pa.array([1.5, 2.5] * (N // 2)).dictionary_encode(), "kind": pa.array(["s", "b"] * (N // 2)),
        "when": pa.array([datetime.datetime(2026, 1, 1, 0, 0, i) for i in range(N)], pa.timestamp("ms", "UTC")),
        "day": pa.array([datetime.date(1970, 1, 1 + i % 28) for i in range(N)]),
        "time": pa.array([datetime.time(1, 0, i) for i in range(N)], pa.time32("s")),
        "wait": pa.array(np.arange(N) * 1500, pa.duration("ms")), "nothing": pa.nulls(N)})


@pytest.mark.parametrize("kind", WRITERS)
def test_every_type_of_arrow(tmp_path, kind):
    v, table = rich_table()
    WRITERS[kind](tmp_path / f"t.{kind}", table)
    read = load(tmp_path / f"t.{kind}")
    rows = [i for i in range(N) if i not in (3, 4)]
    assert list(read.index) == rows and set(read) == {
        "x", "list_0", "list_1", "list_2", "fixed_0", "fixed_1", "fixed_2", "mu_pt", "mu_v_x", "some", "flag", "money",
        "level", "time", "wait"}
    assert np.array_equal(read[["list_0", "list_1", "list_2"]], v[rows]) and read.mu_v_x.equals(2 * read.mu_pt)
    assert np.array_equal(read.fixed_2, v[rows, 2]) and np.array_equal(read.money * 4, rows)
    assert read.time[2] == 3602 and read.wait[1] == 1.5 and read.attrs["units"] == {"time": "s", "wait": "s"}
    told = " ".join(read.attrs["notes"])
    assert all(words in told for words in ("ragged (has 1 to 3 entries in an event)", "map (is a map", "not numbers: "
                                           "kind, when, day", "without any value: nothing"))
    asked = load(tmp_path / f"t.{kind}", columns="when,day,x")
    assert asked.when[5] == 5 and asked.day[1] == 86400 and "when: seconds since 2026" in " ".join(asked.attrs["notes"])


def test_a_query_fixes_the_number_of_entries(tmp_path):
    counts = np.arange(N) % 3
    pq.write_table(pa.table({"x": x, "pt": [list(x[:c]) for c in counts]}), tmp_path / "t.parquet")
    read = load(tmp_path / "t.parquet", query="n_pt == 2 and x > 0")
    assert list(read) == ["x", "pt_0", "pt_1"] and len(read) == ((counts == 2) & (x > 0)).sum() and (read.x > 0).all()
    with pytest.raises(ValueError, match="t.parquet has no .* .pt has 0 to 2 entries in an event.*query='n_pt == 2'"):
        load(tmp_path / "t.parquet", columns="pt_0")


def test_lists_that_change_their_length_after_many_rows(tmp_path):
    pq.write_table(pa.table({"y": np.arange(150_000) / 7, "pt": [[1.0, 2.0]] * 120_000 + [[1.0, 2.0, 3.0]] * 30_000}),
                   tmp_path / "t.parquet")
    read = load(tmp_path / "t.parquet")
    assert list(read) == ["y"] and len(read) == 150_000 and "pt (has 2 to 3 entries" in " ".join(read.attrs["notes"])


@pytest.mark.parametrize("kind", WRITERS)
def test_without_rows_or_without_columns(tmp_path, kind):
    for name, table in {"rows": rich_table()[1].slice(0, 0), "columns": pa.table({}), "lists": pa.table(
            {"a": [[1], [1, 2]]}), "text": pa.table({"a": ["u", "v"]})}.items():
        WRITERS[kind](tmp_path / f"{name}.{kind}", table)
        with pytest.raises(ValueError, match=f"{name}.{kind} has no (rows|column)") as caught:
            load(tmp_path / f"{name}.{kind}")
        assert "\n" not in str(caught.value)


def test_only_the_columns_asked_for_are_read(tmp_path):
    pq.write_table(pa.table({f"c{i} [GeV]": x + i for i in range(300)}), tmp_path / "t.parquet")
    read = load(tmp_path / "t.parquet", columns="c7,c299", query="c3 > 3")
    assert list(read) == ["c7", "c299"] and len(read) == (x + 3 > 3).sum() and read.attrs["units"]["c7"] == "GeV"
    with pytest.raises(ValueError, match="has no 'c77x'.*did you mean 'c77'"):
        load(tmp_path / "t.parquet", columns="c7,c77x")


def test_the_index_of_pandas(tmp_path):
    table = pd.DataFrame({"x": x}, index=pd.Index(x**2, name="t"))
    table.to_parquet(tmp_path / "named.parquet")
    assert sorted(load(tmp_path / "named.parquet")) == ["t", "x"]
    table.reset_index(drop=True)[x > 0].to_parquet(tmp_path / "bare.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "bare.parquet").names
    assert list(load(tmp_path / "bare.parquet")) == ["x"]
    table.rename_axis(None).to_parquet(tmp_path / "float.parquet")
    assert np.array_equal(load(tmp_path / "float.parquet")[["x", "index"]], np.transpose([x, x**2]))
    assert list(load(tmp_path / "float.parquet", columns="index", query="index > 1 and x > 0")) == ["index"]
    table.set_index(pd.date_range("2026", periods=N, freq="h")).to_parquet(tmp_path / "dates.parquet")
    read = load(tmp_path / "dates.parquet")
    assert list(read) == ["x"] and "not numbers: index" in " ".join(read.attrs["notes"])
    assert load(tmp_path / "dates.parquet", columns="index")["index"].tolist() == [3600.0 * i for i in range(N)]
    pq.write_table(pa.Table.from_arrays([pa.array(x), pa.array(-x)], ["a", "a"]), tmp_path / "two.parquet")
    assert list(load(tmp_path / "two.parquet")) == ["a", "a.1"]


def test_a_field_of_a_structure_leaves_a_column_its_name(tmp_path):
    pq.write_table(pa.table({"mu": [{"pt": a**3} for a in x], "mu_pt": x, "v": [[a**4] for a in x], "v_0": x**2}),
                   tmp_path / "t.parquet")
    read = load(tmp_path / "t.parquet")
    assert list(read) == ["mu_pt.1", "mu_pt", "v_0.1", "v_0"]
    for name, values in {"mu_pt": x, "mu_pt.1": [a**3 for a in x], "v_0": x**2}.items():
        assert np.array_equal(read[name], values)
    read = load(tmp_path / "t.parquet", columns="mu_pt", query="mu_pt > 0")
    assert list(read) == ["mu_pt"] and np.array_equal(read.mu_pt, x[x > 0])
    assert len(load(tmp_path / "t.parquet", query="`mu_pt.1` > 1")) == (x > 1).sum()


@pytest.mark.parametrize("kind", ["arrow", "arrows"])
def test_a_type_that_cannot_be_converted_hides_no_other(tmp_path, kind):
    half = pa.array(np.arange(N) % 2, pa.int32())
    table = pa.table({
        "x": x, "union": pa.UnionArray.from_sparse(pa.array([0] * N, pa.int8()), [pa.array(x), half]),
        "lists": pa.DictionaryArray.from_arrays(half, pa.array([[1.0], [2.0, 3.0]])),
        "run": pa.RunEndEncodedArray.from_arrays(pa.array([20, N], pa.int32()), pa.array([1.0, 2.0])),
        "polars": pa.DictionaryArray.from_arrays(half.cast(pa.uint32()), pa.array(["e", "mu"], pa.string_view())),
        "views": pa.array([[1.0] * (1 + i % 2) for i in range(N)], pa.list_view(pa.float64()))})
    arrow(tmp_path / f"t.{kind}", table, kind == "arrows")
    for options in ({}, {"query": "x > 0"}, {"columns": "x"}, {"columns": "x", "query": "x > 0"}):
        read = load(tmp_path / f"t.{kind}", **options)
        assert read.x.tolist() == x[x > 0 if "query" in options else x < 9].tolist() and "x" in read
        told = " ".join(read.attrs["notes"])
        assert "columns" in options or "union (is of the type sparse_union" in told and "lists (" in told
    for options in ({"columns": "x"}, {"query": "x > 0"}, {"columns": "x,run", "query": "x < 9 and run > 0"}):
        assert load(tmp_path / f"t.{kind}", target="polars", **options).attrs["classes"] == ["e", "mu"]
    arrow(tmp_path / f"empty.{kind}", table.slice(0, 0), kind == "arrows")
    with pytest.raises(ValueError, match="has no rows"):
        load(tmp_path / f"empty.{kind}")


def test_feather_of_old_is_read_without_a_warning(tmp_path):
    with pytest.warns(DeprecationWarning):
        feather.write_feather(pa.table({"x": x}), tmp_path / "t.feather", version=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(load(tmp_path / "t.feather").x, x)


@pytest.mark.parametrize("folder", [False, True])
def test_the_checksum_of_a_page_is_compared(tmp_path, folder):
    file = tmp_path / "t" / "part.parquet"
    file.parent.mkdir()
    pq.write_table(pa.table({"x": x, "y": x**2}), file, compression="none", use_dictionary=False,
                   write_page_checksum=True)
    path = file.parent if folder else file
    assert np.array_equal(load(path).x, x)
    data = bytearray(file.read_bytes())
    data[data.index(x[7].tobytes()) + 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match=f"{path.name} is truncated or damaged.*(?i:crc|checksum)"):
        load(path)


def test_folders(tmp_path):
    table = pa.table({"x": x, "y": x**2, "year": np.repeat([2025, 2026], N // 2)})
    ds.write_dataset(table, tmp_path / "hive", format="parquet", partitioning=ds.partitioning(
        pa.schema([("year", pa.int64())]), flavor="hive"))
    read = load(tmp_path / "hive")
    assert set(read) == {"x", "y", "year"} and sorted(read.x) == sorted(x) and set(read.year) == {2025, 2026}
    assert not any("folders" in note for note in read.attrs["notes"])
    for year in ("2016", "2017"):
        (tmp_path / "years" / year).mkdir(parents=True)
        pq.write_table(table, tmp_path / "years" / year / "part-0.parquet")
    assert "folders, as '2016', make no column" in " ".join(load(tmp_path / "years").attrs["notes"])
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "_SUCCESS").write_text("")
    pq.write_table(pa.table({"x": x, "n": np.arange(N) % 5}), tmp_path / "plain" / "part-0.parquet")
    pq.write_table(pa.table({"x": x, "n": x}), tmp_path / "plain" / "part-1.parquet")
    assert np.array_equal(load(tmp_path / "plain").n, [*(np.arange(N) % 5), *x])
    pq.write_table(pa.table({"x": x, "other": x}), tmp_path / "plain" / "part-2.parquet")
    with pytest.raises(ValueError, match="plain is a folder whose files have different columns .'n' is not in both"):
        load(tmp_path / "plain")
    (tmp_path / "plain" / "t.csv").write_text("a,b")
    with pytest.raises(ValueError, match="plain is a folder: name a file"):
        load(tmp_path / "plain")
    (tmp_path / "delta" / "_delta_log").mkdir(parents=True)
    pq.write_table(table, tmp_path / "delta" / "a.parquet")
    with pytest.raises(ValueError, match="delta is a Delta table"):
        load(tmp_path / "delta")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is a folder"):
        load(tmp_path / "empty")


@pytest.mark.parametrize("kind", WRITERS)
def test_damage_ends_in_one_line(tmp_path, kind):
    WRITERS[kind](tmp_path / f"g.{kind}", rich_table()[1])
    assert refused_damages(load, tmp_path / f"t.{kind}", (tmp_path / f"g.{kind}").read_bytes(), 100) > 20
