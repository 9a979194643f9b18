"""Arrays of every type and shape, as NumPy writes them."""
import numpy as np
import pytest
from conftest import refused_damages

from symnb.data import load
from symnb.data.arrays import read_numpy

randn = np.random.RandomState(0).randn


def test_arrays_side_by_side(tmp_path):
    q, p = randn(2000, 2), randn(2000, 2)
    np.savez(tmp_path / "b.npz", q=q, p=p, names=np.array(["a", "b"]), bins=np.arange(51.0), version=np.array(3),
             kind=np.repeat(["s", "b"], 1000))
    table = load(tmp_path / "b.npz")
    assert list(table) == ["q_0", "q_1", "p_0", "p_1"] and np.array_equal(table, np.c_[q, p])
    told = " ".join(table.attrs["notes"])
    assert all(words in told for words in ("names (has 2 rows, the others 2000)", "bins (has 51 rows",
                                           "version (is a single value)", "not numbers: kind"))
    assert load(tmp_path / "b.npz", target="kind").attrs["classes"] == ["b", "s"]
    assert list(load(tmp_path / "b.npz", tree="bins").to_numpy()[:, 0]) == list(range(51))


def test_two_tables_are_no_table(tmp_path):
    np.savez(tmp_path / "ml.npz", X_train=randn(60, 3), y_train=randn(60), X_test=randn(6, 3), y_test=randn(6))
    with pytest.raises(ValueError, match=r"X_train \(60, 3\), y_train \(60,\), X_test \(6, 3\).*tree='X_train'"):
        load(tmp_path / "ml.npz")
    assert list(load(tmp_path / "ml.npz", tree="X_test")) == ["x0", "x1", "x2"]


def test_names_go_to_the_one_table_that_they_fit(tmp_path):
    np.savez(tmp_path / "n.npz", X=randn(50, 3), y=randn(50), feature_names=["a [m]", "b", "c"],
             target_names=["u", "v", "w"])
    table = load(tmp_path / "n.npz")
    assert list(table) == ["a", "b", "c", "y"] and table.attrs["units"] == {"a": "m"}


@pytest.mark.parametrize("dtype", [">f4", ">i2", "<f2", "g", ">f8", ">u8", "?"])
def test_any_number_can_be_queried(tmp_path, dtype):
    a = (10 * np.abs(randn(600, 3))).astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(a))
    table = load(tmp_path / "a.npy", query="x0 > 0")
    assert np.array_equal(table, a[a[:, 0] > 0].astype(float)) and all(d.isnative for d in table.dtypes)


def test_fields_with_several_numbers(tmp_path):
    dtype = [("p", ">f8", (3,)), ("q", "f8"), ("mu", [("pt", "f4"), ("v", "f4", (2,))]), ("psi", "c16"), ("name", "S3")]
    a = np.zeros(20, dtype)
    a["p"], a["mu"]["v"] = randn(20, 3), randn(20, 2)
    np.save(tmp_path / "a.npy", a)
    table = load(tmp_path / "a.npy")
    assert list(table) == ["p_0", "p_1", "p_2", "q", "mu_pt", "mu_v_0", "mu_v_1"]
    assert np.array_equal(table[["p_0", "p_1", "p_2"]], a["p"])
    assert "psi (is complex: write its real and its imaginary part" in " ".join(table.attrs["notes"])


def test_three_dimensions_are_unrolled_on_request(tmp_path):
    a = randn(40, 3, 2)
    np.save(tmp_path / "a.npy", a)
    with pytest.raises(ValueError, match=r"a.npy has no table in it .*\(40, 3, 2\).*--unroll") as caught:
        load(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)
    table = load(tmp_path / "a.npy", unroll=True)
    assert list(table)[:3] == ["x_0_0", "x_0_1", "x_1_0"] and np.array_equal(table, a.reshape(40, 6))
    assert "x is unrolled: the column x_0_0 is its entry [0, 0] of each event" in table.attrs["notes"]
    np.savez(tmp_path / "b.npz", a=a, t=randn(40))
    assert "a (has the shape (40, 3, 2): read it with unroll" in " ".join(load(tmp_path / "b.npz").attrs["notes"])
    assert load(tmp_path / "b.npz", unroll=True).shape == (40, 7)


def test_dates_and_durations(tmp_path):
    t = np.datetime64("2026-01-01T00:00:00.5") + np.arange(30) * np.timedelta64(1500, "ms")
    np.savez(tmp_path / "t.npz", t=t, wait=np.diff(t, prepend=t[:1]), day=t.astype(">M8[D]"), x=randn(30))
    table = load(tmp_path / "t.npz")
    assert list(table) == ["wait", "x"] and table.wait[1] == 1.5 and table.attrs["units"] == {"wait": "s"}
    table = load(tmp_path / "t.npz", columns="t,x")
    assert np.array_equal(table.t, 1.5 * np.arange(30)) and table.attrs["units"] == {"t": "s"}
    assert "t: seconds since 2026-01-01T00:00:00.500000" in table.attrs["notes"]
    assert len(load(tmp_path / "t.npz", query="t > '2026-01-01 00:00:30'")) == 10


def test_shapes_that_look_transposed_are_told(tmp_path):
    np.save(tmp_path / "a.npy", randn(3, 600))
    assert any("transpose" in note for note in load(tmp_path / "a.npy").attrs["notes"])


def test_row_vectors_are_columns(tmp_path):
    """MATLAB's (1, events); not where names, a flag or other arrays say that it is one event, or many."""
    a, b = randn(1, 300), randn(1, 300)
    np.savez(tmp_path / "m.npz", a=a, b=b, lumi=np.ones((1, 1)), bins=np.arange(11.0))
    table = load(tmp_path / "m.npz")
    assert list(table) == ["a", "b"] and np.array_equal(table, np.c_[a[0], b[0]])
    assert "a, b of the shape (1, 300) are taken for 300 events" in " ".join(table.attrs["notes"])
    np.savez(tmp_path / "n.npz", a=a, y=b[0])
    assert np.array_equal(load(tmp_path / "n.npz"), np.c_[a[0], b[0]])
    np.save(tmp_path / "o.npy", a)
    assert np.array_equal(load(tmp_path / "o.npy").to_numpy()[:, 0], a[0])
    few, named = randn(1, 3), [f"c{j}" for j in range(300)]
    for arrays, columns in ((dict(a=few, b=few), 6), (dict(a=a, columns=named), 300), (dict(a=a, label=b[0, :1]), 301)):
        np.savez(tmp_path / "p.npz", **arrays)
        [piece] = read_numpy(tmp_path / "p.npz")
        assert piece.shape == (1, columns)


def test_complex_numbers_are_named_as_such(tmp_path):
    np.save(tmp_path / "c.npy", randn(50) + 1j * randn(50))
    with pytest.raises(ValueError, match=r"c.npy has no table in it .*: the numbers are complex; save their real"):
        load(tmp_path / "c.npy")


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", x=randn(30, 2), names=np.array(["a", {}], dtype=object))
    assert "names (holds pickled" in " ".join(load(tmp_path / "a.npz").attrs["notes"])
    np.save(tmp_path / "a.npy", np.array([1, None]), allow_pickle=True)
    with pytest.raises(ValueError, match="a.npy holds pickled Python objects"):
        load(tmp_path / "a.npy")
    np.save(tmp_path / "c.npy", 1j * randn(30, 2))
    with pytest.raises(ValueError, match="c.npy has no table in it .*complex128"):
        load(tmp_path / "c.npy")


def test_a_sparse_matrix_is_no_table(tmp_path):
    from scipy.sparse import eye, save_npz
    save_npz(tmp_path / "s.npz", eye(20, format="csr"))
    with pytest.raises(ValueError, match="s.npz is a sparse matrix of SciPy: write it"):
        load(tmp_path / "s.npz")


def test_damaged_arrays_end_in_one_line(tmp_path):
    np.savez_compressed(tmp_path / "g.npz", x=randn(50, 2), y=randn(50))
    np.save(tmp_path / "g.npy", randn(50, 2))
    for kind in ("npz", "npy"):
        assert refused_damages(load, tmp_path / f"t.{kind}", (tmp_path / f"g.{kind}").read_bytes(), 100) > 20
