"""Tables that may be read in two ways, or hold fewer rows than they seem to: read right, told, or refused."""
import numpy as np
import pytest

from symnb.data import load

R = np.random.RandomState(3)
BLOCK = "".join(f"{a:.3f} {b:.3f} {c:.3f}\n" for a, b, c in R.randn(30, 3))
FIRST = [*map(float, BLOCK.split()[:3])]
PAIRS = "".join(f"{a:.3f} {b:.3f}\n" for a, b in R.randn(30, 2))
DOTS = "n;m\n" + "".join(f"{f'{679 * k % 2000 + 5:,}'.replace(',', '.')};{k % 7}\n" for k in range(30))


def read(tmp_path, text, encoding="utf-8", **options):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    return load(tmp_path / "t.csv", **options)


@pytest.mark.parametrize("text, words", [
    ("n E\n" + "1 13.6 eV\n2 3.4 eV\n" * 9, "say names='row,n,E' if .* or names='n,E,x2'"),
    ("time,U\n" + "".join(f"{k},4.33,0.13\n" for k in range(9)), "line 1 has 2 fields, and the rows below have 3"),
    ("t x\n" + "0 1.725 E+01\n" * 9, "names='t,x,x2'"),
    ("    U     I\n" + "  4.35  1.32\n< 0.05  1.20\n" * 9, "names='row,U,I'"),
    ("3,5 mV;2,5\n4,5 mV;2,7\n" * 9, "separator ',', decimal point, or with separator ';', decimal comma"),
    ("30 2\n" + PAIRS, "line 1, '30 2', may count the rows below: say skip=1"),
    ("%%MatrixMarket matrix array real general\n10 3\n" + "1.5\n" * 30, "matrix of Matrix Market"),
    ("4 1.0 2 3 4\n" + "".join(f"{k}.5 1 2.5 3 {k * k}\n" for k in range(5)), "matrix of gnuplot"),
    ("0.1,0.2,0.5\n" + "1.1234,2.1567,3\n1.5001,0.2556,1\n" * 9, "go up, with fewer digits .*names=1 .*names=0"),
    ("a;b\n1;1\n" + "2.5;3\n" * 9, "line 2 is 1 in all columns: say units=2"),
    ("range,y\n" + "60.0-120,1.5\n120.5-200,0.5\n" * 9, "'60.0-120' in column 1 may be a range"),
    ("a b\n1 2\n3 4\n...\n5 6\n7 8\n", "rows that were left out when it was printed"),
    ("     a    b\n 1: 1.5  2.5\n ---\n99: 1.5  3.5\n", "rows that were left out when it was printed"),
    ("        a    b\nk l\n0 0   1.5  2.5\n  1   2.5  4.5\n1 0   3.5  1.5\n  1   2.5  7.5\n",
     "first column is empty in 2"),
    ("# t f((p) (v))\n" + "".join(f"{k}.5\t(({k} 2 0) (3 {k}.5 1))\n" for k in range(9)), "numbers in brackets"),
    (",a\n" + "".join(f"{w},{k}.5\n" for k, w in enumerate("count mean std min 50% max".split())), "no events"),
    (" ".join(f"{x:.2f}" for x in R.randn(12)) + "\n", "one line of 12 numbers: .* names=0"),
    (DOTS, "thousands .* decimal=','"),
    ("k x y\n" + "g1 1 2 3\ng2 2 3 4\ng1 3 4 5\n", "names='row,k,x,y'"),
    ("name x y\n" + "g1 1 2 3\ng2 2 3 4\ng3 3 4 5\n", "names='row,name,x,y'"),
    ("a,b\n" + "1,2\n3,4\n" * 5 + "pause,here\n5,6\n", "mixes numbers and text"),
    ("#! FIELDS t a b\n" + BLOCK + "#! FIELDS t b a\n" + BLOCK, "from line 32 on its columns are others"),
    ("#S 1 ascan\n#N 3\n#L a  b  c\n" + BLOCK + "\n#S 2 ascan\n#N 3\n#L x  y  z\n" + BLOCK, "write each part into"),
])
def test_what_may_be_two_tables_is_refused_with_what_to_do(tmp_path, text, words):
    with pytest.raises(ValueError, match=words) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value) and "t.csv" in str(error.value)


@pytest.mark.parametrize("text, names, first", [
    ("a b\n" + "Mazda 1.5 2.5\nFiat 2.5 3.5\nHonda 4.5 3.5\n", "a b", [1.5, 2.5]),  # R, quote=FALSE
    ("a b c\nm s V\none two three\n" + BLOCK, "a b c", FIRST),  # of Origin: the units stand above comments
    ("a/D:b/D:c/I\n" + BLOCK, "a b c", FIRST),  # of TTree::ReadFile
    ("COPY t (a, b) FROM stdin;\n" + PAIRS.replace(" ", "\t") + "\\.\n", "a b", [*map(float, PAIRS.split()[:2])]),
    ("┏━━━┳━━━┓\n┃ a ┃ b ┃\n┡━━━╇━━━┩\n│ 1 │ 2 │\n│ 2 │ 5 │\n└───┴───┘\n", "a b", [1, 2]),
    ("┌───┬───┐\n│ a │ b │\n│ double │ int32 │\n├───┼───┤\n│ 1 │ 2 │\n│ 2 │ 5 │\n└───┴───┘\n", "a b", [1, 2]),
    ("T=1,T=2\n" + "1.5,2.5\n2.5,7\n" * 9, "T=1 T=2", [1.5, 2.5]),  # a pivot table
    ("2024-01-01;2024-01-02\n" + "1.5;2.5\n2.5;7\n" * 9, "2024-01-01 2024-01-02", [1.5, 2.5]),
    ("A = [\n" + "1.5 2.5;\n2.5 7.5;\n" * 9 + "];\n", "x0 x1", [1.5, 2.5]),  # of MATLAB
    ("a,b\n" + "1.5*^-3,2\n2.5,7*^2\n" * 9, "a b", [0.0015, 2]),  # of Mathematica
    ("a;b\n" + "1’234.5;2\n999.5;3\n" * 9, "a b", [1234.5, 2]),
    ('"rep"\n"n" "cd"\n("n step" "cd")\n' + PAIRS, "n step|cd", [*map(float, PAIRS.split()[:2])]),  # of Fluent
    ('"a" "b"\n' + '"1" 1.5 2.5\n"2" 2.5 3.5\n' * 9, "row a b", [1, 1.5, 2.5]),  # R quotes both
    ("      a   b\nk1  1.5 2.5\nk22 2.5 3.5\n", "a b", [1.5, 2.5]),  # printed: each name over its column
    ("      a   b\nidx\n7   1.5 2.5\n9   2.5 3.5\n", "idx a b", [7, 1.5, 2.5]),  # the index has a name
    ("U;I\n" + "3,5 mV;2,5\n4,5 mV;2,7\n" * 9, "I", [2.5]),
    ("x|y\n" + "1,23(4)|4,5\n" * 9, "y", [4.5]),
    ("x,x',y,y'\n" + "1,2,3,4\n" * 9, "x x' y y'", [1, 2, 3, 4]),
    ("% hi\neff;x\n" + "12.50 %;1.25\n" * 9, "x", [1.25]),  # a sign in cells is no comment
    ("# run\nname,a\n" + "det #1,1.5\n" * 9, "a", [1.5]),
    ("# run\npt,jet #\n" + "1.5,2\n" * 9, "pt|jet #", [1.5, 2]),
    (",0.1,0.2,0.5\n" + "7.5,1.25,2,3\n8.5,1,3,2\n" * 9, "Unnamed:_0 0.1 0.2 0.5", [7.5, 1.25, 2, 3]),  # pivot
    ("y\n" + "-0.124616-100\n" * 9, "y", [-0.124616e-100]),
    ("22.5 12:30\n22.7 12:31\n" * 9, "x0", [22.5]),  # times are no sparse matrix
    ("Record,2500,,0.5,1.5\nStep,4e-6,,0.6,2.5\n" + ",,,0.7,1.5\n" * 9, "x3 x4", [0.5, 1.5]),  # of an oscilloscope
    ("X\tU\tComment\n" + "0.5\t1.5\n" * 9, "X U", [0.5, 1.5]),  # of LabVIEW
    ("array([[1.5, 2.5],\n" + "       [2.5, 7.5],\n" * 19 + "       [3.5, 9.5]], dtype=float32)\n", "x0 x1",
     [1.5, 2.5]),
    ("ETITLE: TS E\n" + "ENERGY: 7 1.5\n" * 9, "TS E", [7, 1.5]),  # of NAMD
    ("a b\n1 2\n3 4\n5 6\n\x1a", "a b", [1, 2]),
])
def test_their_neighbours_are_read(tmp_path, text, names, first):
    table = read(tmp_path, text)
    names = [n.replace("_", " ") for n in (names.split("|") if "|" in names else names.split())]
    assert list(table) == names
    np.testing.assert_allclose(table.iloc[0], first)


@pytest.mark.parametrize("error", "#NV #WERT! #BEZUG! #¡VALOR! #VALEUR! #N/D #SPILL! #GETTING_DATA #ÜBERLAUF!".split())
def test_errors_of_spreadsheets_are_missing_values(tmp_path, error):
    table = read(tmp_path, f"a;b\n1,5;2,5\n{error};3,5\n3,5;4,5\n4,5;{error}\n")
    assert table.a.tolist() == [1.5, 3.5] and "2 of 4 events" in " ".join(table.attrs["notes"])


def test_comments_that_look_like_rows_are_told(tmp_path):
    table = read(tmp_path, "tag,a,b\n#0,2.5,1\nraw,1.5,2.5\n#sel,3.5,4.5\nraw,2.5,7\n")
    assert len(table) == 2 and "lines 2, 4 (comment='none'" in table.attrs["notes"][0]
    assert len(read(tmp_path, "tag,a,b\nraw,1.5,2.5\n#sel,3.5,4.5\nraw,2.5,7\n", comment="none")) == 3


@pytest.mark.parametrize("word", ["-", "none", "NA", "null", "?"])
def test_classes_may_be_called_as_a_missing_value(tmp_path, word):
    table = read(tmp_path, "x,label\n" + f"1.5,{word}\n2.5,mu\n3.5,\n" * 9, target="label")
    assert len(table) == 18 and table.attrs["classes"] == sorted([word, "mu"])
    assert any(repr(word) in note for note in table.attrs["notes"])


@pytest.mark.parametrize("header, names", [
    ("# Date: 2024-01-15", "x0 x1"), ("# -- Meier", "x0 x1"), ("# V=1.5 I=3", "x0 x1"), ("Sample: A12", "x0 x1"),
    ("# t x\n# 2024-01-15 12:30:00", "t x"), ("# t x\n# end header", "t x"), ("#\n# t x\n#", "t x"),
    ("# t x\n# ------", "t x"), ("# t x\n# T=300K", "t x"), ("# t x\n# Fitted with ROOT", "t x"),
    ("# t x\n# s m\n# measured in the cellar", "t x"), ("# columns: t x", "t x"), ("# (1) t (2) x", "t x"),
    ("# 1:t 2:x", "t x"), ("# [1]=t [2]=x", "t x"), ("# Columns: t, x", "t x"), ("# t; x", "t x"),
    ("#! FIELDS t x\n#! SET min_x -pi", "t x"), ('VARIABLES = "t" "x"', "t x"), ("WAVES/D t x\nBEGIN", "t x"),
    ('@ xaxis label "t (ps)"\n@ yaxis label "x (nm)"', "t x"), ("; by IDL\n; t x", "t x"), (";t x", "t x"),
    ("# Spalten: t x", "t x"), ("# See (2021)", "x0 x1"), ("# {'N': 3, 'L': 2}", "x0 x1"),
    ("C by PAW\nC t x", "t x"), ("-- by SQL\n-- t x", "t x"), ("$ run 7\n$ t x", "t x"),
])
def test_names_in_comments(tmp_path, header, names):
    table = read(tmp_path, f"{header}\n{PAIRS}")
    assert list(table) == names.split() and len(table) == 30


@pytest.mark.parametrize("text, names, units", [
    ("mu,el\npt,pt\n1.5,2\n2.5,3\n", ["mu_pt", "el_pt"], {}),
    ("a;b\nHartree;Bohr\n1.5;2\n2.5;3\n", ["a", "b"], {"a": "Hartree", "b": "Bohr"}),
    ("  s       a     b\n  <chr> <dbl> <dbl>\n1 x   1.25  2.5\n2 y   2.25  3.5\n", ["row", "a", "b"], {}),
    ("T – °C\u200b,b\n1.5,2\n2.5,3\n", ["T – °C", "b"], {}),
])
def test_names_and_units_above_each_other(tmp_path, text, names, units):
    table = read(tmp_path, text)
    assert list(table) == names and table.attrs["units"] == units


@pytest.mark.parametrize("header", ["# Test data set\n# a b c", "# a b c\n# Test data set"])
def test_a_title_of_as_many_words_is_none_of_the_names(tmp_path, header):
    table = read(tmp_path, f"{header}\n{BLOCK}")
    assert list(table) == ["a", "b", "c"] and not table.attrs["units"]


def test_letters_of_windows(tmp_path):
    assert list(read(tmp_path, "T – °C;x\n1,5;2,5\n2,5;3\n", "cp1252")) == ["T – °C", "x"]


@pytest.mark.parametrize("options, error, words", [
    (dict(target=3), TypeError, "target=3"), (dict(weights=3), TypeError, "weights=3"),
    (dict(angles=3), TypeError, "angles=3"), (dict(comment=3), TypeError, "comment=3"),
    (dict(separator=3), TypeError, "separator=3"), (dict(units="px"), ValueError, "px=GeV"),
    (dict(units={"a": 3}), ValueError, "units="), (dict(units="nope=GeV"), ValueError, "no column 'nope'"),
    (dict(units=2), ValueError, "has numbers, and no units"), (dict(separator=";"), ValueError, "with separator=';'"),
    (dict(decimal=","), ValueError, "with decimal=','"), (dict(skip=99), ValueError, "skip=99 leaves no rows"),
    (dict(query="a => 2"), ValueError, "write '>='"), (dict(target="a", weights="a"), ValueError, "is the target"),
    (dict(target="a", columns="a"), ValueError, "no column is left beside the target 'a'"),
])
def test_options_that_do_not_fit_name_themselves(tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        read(tmp_path, "a,b\n1.5,2\n2.5,3\n", **options)


def test_columns_that_are_no_numbers_of_astropy_are_left_out(tmp_path):
    time, units = pytest.importorskip("astropy.time"), pytest.importorskip("astropy.units")
    table = pytest.importorskip("astropy.table").QTable
    made = table({"t": time.Time(6e4 + np.arange(9.0), format="mjd"), "E": np.arange(9.0) * units.keV})
    made.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    found = load(tmp_path / "t.ecsv")
    assert list(found) == ["E"] and "t (is a Time of astropy" in found.attrs["notes"][0]


def test_a_tree_without_entries_has_no_rows(tmp_path):
    with pytest.importorskip("uproot").recreate(tmp_path / "t.root") as file:
        file.mktree("t", {"x": "float64"})
    with pytest.raises(ValueError, match="has no rows: its tree t"):
        load(tmp_path / "t.root")


def test_atoms_called_by_numbers_keep_apart(tmp_path):
    frame = "12\n\n" + "".join(f"1 {k} 0 0\n" for k in range(11)) + "11 5 0 0\n"
    (tmp_path / "t.xyz").write_text(frame * 3)
    table = load(tmp_path / "t.xyz")
    assert table["x_1_11"].iloc[0] == 10 and table["x_11_1"].iloc[0] == 5


@pytest.mark.parametrize("attribute", [True, False])
def test_names_beside_an_array_of_hdf5(tmp_path, attribute):
    with pytest.importorskip("h5py").File(tmp_path / "t.h5", "w") as file:
        data = file.create_dataset("data", data=R.randn(30, 2))
        (data.attrs if attribute else file)["columns"] = ["px", "py"]
    table = load(tmp_path / "t.h5")
    assert list(table) == ["px", "py"] and not table.attrs["notes"]


@pytest.mark.parametrize("below", ["Operator,Meier\n", "\nOperator Meier\nend of run\n", "Datum,01.02.2024\n",
                                   "end\nOperator,Meier\n", "Total,4.5\n", "Mittelwert,1.5\nStabw,0.5\n"])
def test_words_and_sums_below_the_rows_are_told(tmp_path, below):
    table = read(tmp_path, "a,b\n" + "1.5,2\n2.5,4\n" * 9 + below)
    assert table.to_numpy().tolist() == [[1.5, 2], [2.5, 4]] * 9
    assert any("the last lines are no rows" in note for note in table.attrs["notes"])


@pytest.mark.parametrize("below", ["Summe;4,5\n", "Moyenne;2,5\nÉcart-type;1,5\n", ";4,5\n", "**Total**;4,5\n"])
def test_sums_below_rows_with_labels(tmp_path, below):
    table = read(tmp_path, "n;b\nP1;1,5\nP2;2,5\nP3;3,5\n" + below)
    assert table.b.tolist() == [1.5, 2.5, 3.5] and "no rows" in " ".join(table.attrs["notes"])
    assert len(read(tmp_path, "n;b\nP1;1,5\n;2,5\nP3;3,5\n;4,5\n")) == 4  # labels that are missing


@pytest.mark.parametrize("start, words", [("{| class='wikitable'\n|-\n| 1 || 2\n|}\n", "wiki"),
                                          ("structure(list(a = c(1, 2, 3, 4)))\n", "code of R"),
                                          ("\\begin{deluxetable}{cc}\n1 & 2 \\\\\n3 & 4\n", "LaTeX")])
def test_code_that_makes_a_table_is_named(tmp_path, start, words):
    with pytest.raises(ValueError, match=words):
        read(tmp_path, start)


def test_what_the_options_say_ends_a_doubt(tmp_path):
    assert read(tmp_path, DOTS, decimal=",").n.tolist() == [679 * k % 2000 + 5 for k in range(30)]
    assert read(tmp_path, DOTS, decimal=".").n.max() < 1000
    assert read(tmp_path, " ".join(map(str, range(12))) + "\n", names=0).shape == (1, 12)
