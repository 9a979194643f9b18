"""HDF5, FITS and trajectories, as h5py, pandas, astropy and chemists' programs write them."""
import gzip
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import refused_damages

from symnb.data import load

N = 80
rng = np.random.RandomState(0)
x, v = rng.randn(N), rng.randn(N, 3)


@pytest.fixture
def h5(tmp_path):
    h5py = pytest.importorskip("h5py")
    return lambda name="t.h5": h5py.File(tmp_path / name, "a")


def refused(path, words, **options):
    with pytest.raises(ValueError, match=words) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


# HDF5

def test_data_sets_side_by_side(h5, tmp_path):
    with h5() as out:
        out["e/x"], out["e/v"], out["e/label"], out["e/n"] = x.astype(">f8"), v, [b"s", b"b"] * (N // 2), 3
        out["e/x"].attrs["units"], out["e/flag"] = "m", x > 0
        out["e/image"], out["run/seeds"] = np.zeros((N, 4, 4)), np.arange(5)
    table = load(tmp_path / "t.h5")
    assert set(table) == {"flag", "v_0", "v_1", "v_2", "x"} and np.array_equal(table[["v_0", "v_1", "v_2"]], v)
    told = " ".join(table.attrs["notes"])
    assert table.attrs["units"] == {"x": "m"} and all(words in told for words in (
        "image (has the shape", "n (is a single value)", "run (has 5 rows", "not numbers: label"))
    assert load(tmp_path / "t.h5", unroll=True).shape[1] == 21 and list(load(tmp_path / "t.h5", tree="/e/v"))[0] == "x0"
    refused(tmp_path / "t.h5", "tree='w': t.h5 has no such group", tree="w")


def test_compound_and_several_tables(h5, tmp_path):
    events = np.zeros(N, [("p", "f8", (3,)), ("id", "S2")])
    events["p"] = v
    with h5() as out:
        out["events"], out["train/x"] = events, x[:40]
    refused(tmp_path / "t.h5", r"several tables, events \(80 rows\), train \(40 rows\).*--tree events")
    assert np.array_equal(load(tmp_path / "t.h5", tree="events"), v)
    assert np.array_equal(load(tmp_path / "t.h5", tree="train").x, x[:40])


def test_habits_of_netcdf(h5, tmp_path):
    with h5("t.nc") as out:
        out["t"] = np.array([1, 2, -99, 4] * 5, "i2")
        out["t"].attrs["_FillValue"], out["t"].attrs["scale_factor"] = np.array([-99], "i2"), 0.5
        out["y"] = x[:20]
    assert load(tmp_path / "t.nc").t.tolist() == [0.5, 1.0, 2.0] * 5


def test_particles_of_openpmd(h5, tmp_path):
    with h5() as out:
        out.attrs["openPMD"], species = np.bytes_("1.1.0"), "data/7/particles/e"
        for j, axis in enumerate("xyz"):
            out[f"{species}/momentum/{axis}"] = v[:, j]
            out[f"{species}/momentum/{axis}"].attrs["unitSI"] = 1e-22
        out[f"{species}/momentum"].attrs["unitDimension"] = [1.0, 1, -1, 0, 0, 0, 0]
        out[f"{species}/weighting"] = np.arange(N) + 1.0
    table = load(tmp_path / "t.h5")
    assert np.allclose(table[[f"momentum_{axis}" for axis in "xyz"]], v * 1e-22, rtol=1e-12, atol=0)
    assert table.attrs["units"]["momentum_x"] == "m kg s^-1" and len(table) == N


def test_what_netcdf_marks_as_missing_in_another_type(h5, tmp_path):
    """A double marks floats, an integer of another width integers, and each of several values counts."""
    with h5("t.nc") as out:
        out["a"], out["y"] = np.where(np.arange(N) == 5, -999.9, x).astype("f4"), v[:, 0]
        out["k"] = np.arange(N, dtype="i2")
        out["a"].attrs["_FillValue"] = -999.9
        out["k"].attrs["missing_value"], out["k"].attrs["_FillValue"] = np.array([7, 8]), 9.5
    rows = np.setdiff1d(np.arange(N), [5, 7, 8])
    table = load(tmp_path / "t.nc", columns="a,k,y")
    assert table.k.tolist() == rows.tolist() and np.array_equal(table.a, x.astype("f4")[rows])


def test_dimensions_and_unsigned_numbers_of_netcdf(h5, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5("t.nc") as out:
        out["event"], out["y"], out["u"] = np.zeros(N), x, np.tile([1, -2, 100, -1], N // 4).astype("i1")
        out["event"].attrs["NAME"] = np.bytes_(f"This is a netCDF dimension but not a netCDF variable. {N:8d}")
        out["u"].attrs["_Unsigned"], out["u"].attrs["_FillValue"] = "true", np.uint8(255)
        out["y"].attrs["units"] = h5py.Empty("S1")
    table = load(tmp_path / "t.nc")
    assert set(table) == {"u", "y"} and "constant" not in " ".join(table.attrs["notes"])
    assert table.u.tolist() == [1, 254, 100] * (N // 4) and table.attrs["units"] == {}


def test_masks_of_astropy(h5, tmp_path):
    table = pytest.importorskip("astropy.table").Table
    pytest.importorskip("h5py")
    gap = np.arange(N) % 9 == 3
    table({"x": x, "k": np.ma.masked_array(np.arange(N) % 5, gap)}).write(tmp_path / "t.h5", path="t",
                                                                        serialize_meta=True)
    found = load(tmp_path / "t.h5")
    assert list(found) == ["x", "k"] and np.array_equal(found, np.c_[x, np.arange(N) % 5][~gap])


def test_a_virtual_data_set_without_its_source(h5, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5("part.h5") as out:
        out["x"] = x[:N // 2]
    layout = h5py.VirtualLayout((N,), "f8")
    layout[:N // 2] = layout[N // 2:] = h5py.VirtualSource("part.h5", "x", (N // 2,))
    with h5() as out:
        out.create_virtual_dataset("x", layout)
        out["y"] = v[:, 0]
    assert np.array_equal(load(tmp_path / "t.h5").x, np.tile(x[:N // 2], 2))
    with h5("part.h5") as out:
        out.move("x", "z")
    assert "x (is put together from other files, of which part.h5 has no x" in load(tmp_path / "t.h5").attrs["notes"][0]
    (tmp_path / "part.h5").unlink()
    found = load(tmp_path / "t.h5")
    assert list(found) == ["y"] and "of which part.h5 is not there" in found.attrs["notes"][0]
    refused(tmp_path / "t.h5", "t.h5: x is put together .* part.h5 is not there", tree="x")


def test_links_are_followed(h5, tmp_path):
    """Hard, soft and external ones; circles end, and what leads nowhere is told with its target."""
    h5py = pytest.importorskip("h5py")
    with h5("other.h5") as out:
        out["x"] = x
    with h5() as out:
        out["raw/y"], out["raw/p"] = v[:, 0], v[:, 1]
        out["raw/pt"], out["raw/self"] = out["raw/p"], out["raw"]
        out["ev"], out["raw/back"] = h5py.SoftLink("/raw"), h5py.SoftLink("/")
        out["mix/x"], out["mix/y"] = h5py.ExternalLink("other.h5", "x"), h5py.SoftLink("/raw/y")
        out["mix/gone"], out["mix/lost"] = h5py.SoftLink("/nowhere"), h5py.ExternalLink("no.h5", "x")
    refused(tmp_path / "t.h5", r"several tables, mix \(80 rows\), raw \(80 rows\): choose")
    table = load(tmp_path / "t.h5", tree="mix")
    assert list(table) == ["x", "y"] and np.array_equal(table, np.c_[x, v[:, 0]])
    told = " ".join(table.attrs["notes"])
    assert "mix/gone (is a link to /nowhere, which is not" in told and "(is a link to no.h5: x, which is not" in told
    for tree in ("raw", "ev", "raw/self", "raw/back/ev"):
        assert np.array_equal(load(tmp_path / "t.h5", tree=tree, columns="p,pt,y"), v[:, [1, 1, 0]])
    assert np.array_equal(load(tmp_path / "t.h5", tree="ev/y").to_numpy()[:, 0], v[:, 0])
    with h5("w.h5") as out:
        out["x"] = h5py.ExternalLink("no.h5", "x")
    refused(tmp_path / "w.h5", "w.h5 has no table in it: x is a link to no.h5: x, which is not there")
    with h5("u.h5") as out:
        out["all/x"], out["all/y"] = x, v[:, 0]
        out["good/x"], out["alias"] = out["all/x"], h5py.SoftLink("/all")
    table = load(tmp_path / "u.h5")
    assert list(table) == ["x", "y"] and "good (has nothing that is not in all" in " ".join(table.attrs["notes"])


def test_frames_of_pandas(h5, tmp_path):
    """The two layouts, as PyTables writes them."""
    with h5() as out:
        fixed = out.create_group("fixed")
        fixed.attrs["pandas_type"] = "frame"
        fixed["axis0"], fixed["axis1"] = [b"a", b"b", b"n"], np.arange(N)
        fixed["block0_items"], fixed["block0_values"] = [b"a", b"b"], v[:, :2]
        fixed["block1_items"], fixed["block1_values"] = [b"n"], np.arange(N)[:, None] % 7
        group = out.create_group("rows/first")
        group.attrs["pandas_type"] = "frame_table"
        table = np.zeros(N, [("index", "i8"), ("values_block_0", "f8", (2,)), ("c", "f8")])
        table["values_block_0"], table["c"] = v[:, :2], v[:, 2]
        group["table"] = table
        group["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(["a", "b"], 0))
    refused(tmp_path / "t.h5", r"several tables, fixed \(80 rows\), rows/first \(80 rows\)")
    read = load(tmp_path / "t.h5", tree="fixed")
    assert list(read) == ["a", "b", "n"] and np.array_equal(read[["a", "b"]], v[:, :2])
    read = load(tmp_path / "t.h5", tree="/rows/first")
    assert list(read) == ["a", "b", "c"] and np.array_equal(read, v)


def test_an_index_of_several_levels(h5, tmp_path):
    with h5() as out:
        group = out.create_group("t")
        group.attrs["pandas_type"] = "frame"
        group["axis0"], group["axis1_level0"], group["axis1_label0"] = [b"x"], np.arange(2), np.zeros(N, "i1")
        group["block0_values"], group["block0_items"] = x[:, None], [b"x"]
    refused(tmp_path / "t.h5", r"a frame of pandas with names of several levels \(a MultiIndex\): write it as Parquet")


def test_pytables_where_it_is_here(tmp_path):
    pytest.importorskip("tables")
    frame = pd.DataFrame(v, columns=["a", "b", "c"]).assign(k=np.arange(N) % 5, kind=["s", "b"] * (N // 2),
                                                            when=pd.date_range("2026", periods=N))
    for layout in ("fixed", "table"):
        frame.to_hdf(tmp_path / f"{layout}.h5", key="events", format=layout)
        read = load(tmp_path / f"{layout}.h5")
        assert set(read) - {"kind"} == {"a", "b", "c", "k"} and np.array_equal(read[["a", "b", "c"]], v)
        assert load(tmp_path / f"{layout}.h5", columns="a,when").when[1] == 86400


@pytest.mark.parametrize("size", [512, 8192, 2**20])
def test_a_block_before_the_file(tmp_path, size):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "t.h5", "w", userblock_size=size) as out:
        out["x"] = x
    assert np.array_equal(load(tmp_path / "t.h5").x, x)


def test_hdf5_without_a_table(h5, tmp_path):
    with h5() as out:
        out["pixels"] = np.zeros((5, 4, 4))
    refused(tmp_path / "t.h5", "t.h5 has no table in it .*unroll")
    assert load(tmp_path / "t.h5", unroll=True).shape == (5, 16)
    with h5("none.h5") as out:
        out.create_group("g")
    refused(tmp_path / "none.h5", "none.h5 has no table in it")


# FITS

@pytest.fixture
def fits():
    return pytest.importorskip("astropy.io.fits")


def test_binary_tables(fits, tmp_path):
    counts = np.arange(N) % 9
    columns = [fits.Column("E", "E", unit="keV", array=x), fits.Column("P", "3D", unit="cm", array=v),
               fits.Column("N", "J", null=-9, array=np.where(counts == 4, -9, counts)),
               fits.Column("PACKED", "I", array=counts),
               fits.Column("OK", "L", array=x > 0), fits.Column("NAME", "3A", array=["a", "bc"] * (N // 2)),
               fits.Column("Z", "C", array=x + 1j), fits.Column("U", "I", bzero=32768, array=counts.astype("u2")),
               fits.Column("LIST", "PD()", array=np.array([np.zeros(c) for c in counts], dtype=object))]
    gti = [fits.Column("START", "D", array=[0.0, 1.0])]
    parts = [fits.BinTableHDU.from_columns(c, name=n) for n, c in dict(EVENTS=columns, GTI=gti).items()]
    fits.HDUList([fits.PrimaryHDU(np.zeros((2, 2))), *parts]).writeto(tmp_path / "t.fits")
    fits.setval(tmp_path / "t.fits", "TSCAL4", value=0.5, ext=1)
    fits.setval(tmp_path / "t.fits", "TZERO4", value=10.0, ext=1)
    (tmp_path / "t.fits.gz").write_bytes(__import__("gzip").compress((tmp_path / "t.fits").read_bytes()))
    for name in ("t.fits", "t.fits.gz"):
        read, keep = load(tmp_path / name), counts != 4
        assert list(read) == ["E", "P_0", "P_1", "P_2", "N", "PACKED", "OK", "U"]
        assert np.array_equal(read[["P_0", "P_1", "P_2"]], v[keep]) and np.array_equal(read.N, counts[keep])
        assert np.array_equal(read.PACKED, counts[keep] / 2 + 10) and np.array_equal(read.U, counts[keep])
        assert read.attrs["units"] == dict(E="keV", P_0="cm", P_1="cm", P_2="cm")
        told = " ".join(read.attrs["notes"])
        assert all(words in told for words in ("GTI (has 2 rows", "LIST (has 0 to 8 entries", "Z (is complex", "NAME"))
    assert len(load(tmp_path / "t.fits", tree="gti")) == 2 and load(tmp_path / "t.fits", query="N == 3").N.eq(3).all()


def test_tables_of_text_with_gaps(fits, tmp_path):
    columns = [fits.Column("A", "I6", null="-99", array=np.where(x > 1, -99, np.arange(N))),
               fits.Column("B", "F10.4", unit="mag", array=v[:, 0])]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    read = load(tmp_path / "t.fits", columns="A,B")
    assert read.index.tolist() == np.flatnonzero(x <= 1).tolist() and np.array_equal(read.A, read.index)
    assert np.allclose(read.B, v[x <= 1, 0], atol=1e-4) and read.attrs["units"] == {"B": "mag"}


def test_flags_that_are_missing(fits, tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("OK", "L", array=x > 0), fits.Column("a", "D", array=x)])
    table.writeto(tmp_path / "t.fits")
    data = (tmp_path / "t.fits").read_bytes()
    at = 2 * 2880 + 9 * 7  # the flag of row 7, as a program that knows nothing of it leaves it
    (tmp_path / "t.fits").write_bytes(data[:at] + b"\0" + data[at + 1:])
    assert load(tmp_path / "t.fits").index.tolist() == [i for i in range(N) if i != 7]


def test_pictures_and_several_tables(fits, tmp_path):
    fits.PrimaryHDU(np.zeros((20, 30))).writeto(tmp_path / "p.fits")
    refused(tmp_path / "p.fits", r"FITS file without tables: it holds PRIMARY \(a picture of 20 × 30\)")
    one = lambda name: fits.BinTableHDU.from_columns([fits.Column("a", "D", array=x)], name=name)
    fits.HDUList([fits.PrimaryHDU(), one("A"), one("B")]).writeto(tmp_path / "s.fits")
    refused(tmp_path / "s.fits", r"several tables, A \(80 rows\), B \(80 rows\): choose one with tree='A'")
    data = (tmp_path / "s.fits").read_bytes()
    (tmp_path / "half.fits").write_bytes(data[:len(data) * 3 // 4])
    refused(tmp_path / "half.fits", "half.fits is truncated")


def test_lists_of_one_length_and_numbers_of_extensions(fits, tmp_path):
    lists = np.empty(N, object)
    lists[:] = [*v]
    tables = [fits.BinTableHDU.from_columns([fits.Column("v", "PD()", array=lists), fits.Column("x", "D", array=x)],
                                            name="EVENTS"),
              fits.BinTableHDU.from_columns([fits.Column("y", "D", array=2 * x)], name="1")]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "t.fits")
    for tree in ("EVENTS", "events"):
        assert np.array_equal(load(tmp_path / "t.fits", tree=tree, columns="v_0,v_1,v_2,x"), np.c_[v, x])
    assert list(load(tmp_path / "t.fits", tree="2")) == ["y"] == list(load(tmp_path / "t.fits", tree="1"))
    fits.HDUList([fits.PrimaryHDU(), tables[0]]).writeto(tmp_path / "u.fits")
    assert list(load(tmp_path / "u.fits", tree="1")) == ["v_0", "v_1", "v_2", "x"]
    refused(tmp_path / "u.fits", "no such table; it has EVENTS", tree="2")


def test_columns_with_one_name_or_none(fits, tmp_path):
    cells = [fits.Column(name, "D", array=k * x**k) for k, name in enumerate(("x", "y", "z", "x.1"), 1)]
    fits.BinTableHDU.from_columns(cells).writeto(tmp_path / "t.fits")
    raw = (tmp_path / "t.fits").read_bytes()
    raw = raw.replace(b"TTYPE2  = 'y", b"TTYPE2  = 'x").replace(b"TTYPE3  = 'z", b"TTYPE3  = ' ")
    (tmp_path / "t.fits").write_bytes(raw)
    table = load(tmp_path / "t.fits")
    assert list(table) == ["x", "x.1", "col3", "x.1.1"]
    assert np.array_equal(table, np.c_[x, 2 * x**2, 3 * x**3, 4 * x**4])
    told = " ".join(table.attrs["notes"])
    assert "column 2 has the name x of another one: it is called x.1" in told and "column 3 has no name" in told


def test_checksums_of_gzip_and_of_fits(fits, tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=x)])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "t.fits", checksum=True)
    raw = (tmp_path / "t.fits").read_bytes()
    packed = gzip.compress(raw)
    (tmp_path / "t.fits.gz").write_bytes(packed)
    assert np.array_equal(load(tmp_path / "t.fits.gz").x, x) and np.array_equal(load(tmp_path / "t.fits").x, x)
    at = raw.index(x.astype(">f8").tobytes()) + 3
    (tmp_path / "t.fits").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:])
    refused(tmp_path / "t.fits", "truncated or damaged .*sum verification failed")
    for wrong in (packed[:-8] + bytes(4) + packed[-4:], packed[:-4] + bytes(4), packed[:-6]):
        (tmp_path / "t.fits.gz").write_bytes(wrong)
        refused(tmp_path / "t.fits.gz", "truncated or damaged")


@pytest.mark.parametrize("library, name, head", [("h5py", "t.h5", b"\x89HDF\r\n\x1a\n"), ("astropy.io", "t.fits",
                                                                                          b"SIMPLE  =")])
def test_a_library_that_is_not_here_is_named(monkeypatch, tmp_path, library, name, head):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    (tmp_path / name).write_bytes(head + bytes(100))
    refused(tmp_path / name, r"which (h5py|astropy) reads: pip install 'symnb\[files\]'")


# Trajectories

def xyz(frames, comment="", extra=""):
    return "".join(f"{len(f)}\n{comment}\n" + "".join(f"{e} {a} {b} {c}{extra}\n" for e, a, b, c in f) for f in frames)


def test_trajectories(tmp_path):
    frames = [[("C", *row), ("H", *2 * row), ("H", *3 * row)] for row in v]
    (tmp_path / "t.xyz").write_text(xyz(frames))
    read = load(tmp_path / "t.xyz")
    assert list(read) == [f"{c}_{atom}" for atom in ("C1", "H1", "H2") for c in "xyz"]
    assert np.allclose(read[["x_H2", "y_H2", "z_H2"]], 3 * v)
    comment = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3:tag:I:1 energy=-1.5 pbc="T T T"'
    (tmp_path / "t.extxyz").write_text(xyz(frames, comment, " 1 2 3 7"))
    read = load(tmp_path / "t.extxyz", columns="energy,*_C1")
    assert list(read) == ["energy", "x_C1", "y_C1", "z_C1", "forces_x_C1", "forces_y_C1", "forces_z_C1", "tag_C1"]
    assert np.allclose(read.y_C1, v[:, 1]) and (read.forces_z_C1 == 3).all() and (read.energy == -1.5).all()
    assert load(tmp_path / "t.extxyz", columns="Lattice_*").iloc[0].tolist() == [9, 0, 0, 0, 9, 0, 0, 0, 9]


@pytest.mark.parametrize("frame, words", [
    ("{e}\nH 0 {i} 1. {i} 1 2\nO {i} 1 0 4 5 6\n", ["numbers without names", "fields 5 to 7 of the atoms"]),
    ('md-step={i} energy="1.5 eV"\nH 0 {i} 1.\nO {i} 1 0\n', ["energy in the comments, no numbers"]),
    ("\n8 0 {i} 1.\n1 {i} 1 0\n", []),
    ("\nfe 0 {i} 1.0D-01\no {i} 1 0\n", []),
])
def test_what_frames_leave_unnamed_is_told(tmp_path, frame, words):
    (tmp_path / "t.xyz").write_text("".join("2\n" + frame.format(i=i**2 % 97, e=-i / 7) for i in range(30)))
    table = load(tmp_path / "t.xyz")
    assert len(table) == 30 and ("md-step" in table) == ("md-step" in frame)
    notes = [note for note in table.attrs["notes"] if note.startswith("left out: ") and "rows" not in note]
    assert len(notes) == len(words) and all(any(w in note for note in notes) for w in words)


def test_frames_that_differ(tmp_path):
    molecule = [("C", *v[0]), ("O", *v[1])]
    (tmp_path / "t.xyz").write_text(xyz([molecule, molecule, [*molecule, ("O", *v[2])]]))
    refused(tmp_path / "t.xyz", r"frame 1 has C O, frame 3 has C O2.*a file of their own")
    (tmp_path / "t.xyz").write_text(xyz([molecule, molecule[::-1]]))
    refused(tmp_path / "t.xyz", "frame 2 has the atoms in another order")
    (tmp_path / "t.xyz").write_text(xyz([molecule] * 5)[:-30])
    refused(tmp_path / "t.xyz", "truncated or damaged .frame 5")
    (tmp_path / "points.xyz").write_text("\n".join(f"{a} {b} {c}" for a, b, c in v))
    assert np.allclose(load(tmp_path / "points.xyz"), v)


def test_damage_ends_in_one_line(fits, h5, tmp_path):
    with h5("g.h5") as out:
        out["x"], out["v"] = x, v
    fits.BinTableHDU.from_columns([fits.Column("a", "D", array=x)]).writeto(tmp_path / "g.fits")
    (tmp_path / "g.xyz").write_text(xyz([[("C", *row), ("O", *row)] for row in v[:20]]))
    for kind in ("h5", "fits", "xyz"):
        assert refused_damages(load, tmp_path / f"t.{kind}", (tmp_path / f"g.{kind}").read_bytes(), 100) > 20
