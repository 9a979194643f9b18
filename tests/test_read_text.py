"""Tables of text in many dialects, written by the tools that people use, and read back equal or refused."""
import csv
import gzip

import numpy as np
import pandas as pd
import pytest
from conftest import refused_damages

from symnb.data import load
from symnb.data.dialect import find_dialect
from symnb.data.reading import ReadOptions

N = 60


def numbers(seed, n=N, columns=3):
    rng = np.random.RandomState(seed)
    return np.round(rng.randn(n, columns) * 10.0 ** rng.randint(-2, 4, columns), 4)


def read(tmp_path, text, encoding="utf-8", name="t.csv", **options):
    path = tmp_path / name
    data = text if isinstance(text, bytes) else text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return load(path, **options)


def rows(values, separator=",", form="{:.6f}", tail=""):
    return "".join(separator.join(form.format(v) for v in row) + tail + "\n" for row in values)


def dialect(rng):
    "How a random table is written."
    pick = lambda *of: of[rng.randint(len(of))]
    separator = pick(",", ";", "\t", "|", " ", "  ", ", ")
    return dict(
        separator=separator, decimal="." if separator in (",", ", ") else pick(".", ".", ","),
        header=pick("names", "names", "comment", "none"), units=pick(None, None, "row", "brackets"),
        comments=pick(0, 0, 1, 5, 40), mark=pick("#", "#", "%", "//"), quoted=bool(rng.randint(2)),
        tail=pick(False, False, True), encoding=pick("utf-8", "utf-8-sig", "utf-16", "latin-1"),
        end=pick("\n", "\r\n", "\r"), form=pick("{:.6f}", "{:.5e}", "{:g}"), packed=rng.rand() < 0.2,
        last=bool(rng.randint(2)),
    )


def write(values, names, units, how):
    sep, quote = how["separator"], '"' * how["quoted"]
    line = lambda cells: sep.join(cells) + (sep.strip() or "") * (how["tail"] and bool(sep.strip())) + how["end"]
    decimal = lambda v: how["form"].format(v).replace(".", how["decimal"])
    remark = f"{how['mark']} of what was measured, für später{how['end']}"
    text = how["comments"] * remark
    labels = [f"{n} [{u}]" if how["units"] == "brackets" else n for n, u in zip(names, units)]
    if how["header"] == "comment":
        text += f"{how['mark']} " + sep.join(labels) + how["end"]
        if how["units"] == "row":
            text += f"{how['mark']} " + sep.join(units) + how["end"]
    if how["header"] == "names":
        text += line([quote + label + quote for label in labels])
        if how["units"] == "row":
            text += line([quote + u + quote for u in units])
    text += "".join(line([decimal(v) for v in row]) for row in values)
    return text if how["last"] else text[:-len(how["end"])]


@pytest.mark.parametrize("block", range(10))
def test_random_dialects_are_read_back(tmp_path, block):
    for seed in range(block * 60, block * 60 + 60):
        rng = np.random.RandomState(seed)
        d = rng.randint(2, 7)
        values = numbers(seed, rng.randint(8, 80), d)
        names, units = [f"q_{'abcdef'[j]}" for j in range(d)], [["GeV", "cm", "rad", "m/s"][j % 4] for j in range(d)]
        how = dialect(rng)
        text, told = write(values, names, units, how), f"{seed}: {how}"
        table = read(tmp_path, text, how["encoding"], "t.csv.gz" if how["packed"] else "t.csv")
        written = np.array([[float(how["form"].format(v)) for v in row] for row in values])
        np.testing.assert_array_equal(table.to_numpy(), written, err_msg=told)
        assert list(table) == (names if how["header"] != "none" else [f"x{j}" for j in range(d)]), told
        if how["header"] != "none" and how["units"]:
            assert table.attrs["units"] == dict(zip(names, units)), told


def test_what_other_tools_write(tmp_path):
    values = numbers(1)
    table = pd.DataFrame(values, columns=["a", "b", "c"])
    np.savetxt(tmp_path / "np.txt", values, header="a b c")
    table.to_csv(tmp_path / "pd.csv", sep=";", decimal=",", quoting=csv.QUOTE_NONNUMERIC)
    table.to_string(tmp_path / "s.txt")
    table.to_csv(tmp_path / "q.csv", quoting=csv.QUOTE_ALL, index=False)
    (tmp_path / "m.txt").write_text(
        "| a | b | c |\n|---|---|---|\n" + "".join(f"| {a} | {b} | {c} |\n" for a, b, c in values))
    for name in ("np.txt", "pd.csv", "s.txt", "q.csv", "m.txt"):
        found = load(tmp_path / name)
        np.testing.assert_allclose(found[["a", "b", "c"]].to_numpy(), values, atol=1e-9, err_msg=name)
        assert list(found) == ["a", "b", "c"], name


@pytest.mark.parametrize("text, names, first", [
    ("a,b,c\n" + rows([[1, 2, 3]] * 9, tail=","), "a b c", 1),  # case 1: a separator too many
    (rows([[1, 2, 3]] * 9, tail=",g"), "x0 x1 x2", 1),  # case 2: text in the first row is no header
    ("t,u,v\ns,V,V\n" + rows([[1, 2, 3]] * 9), "t u v", 1),  # case 3: a row of units
    (rows([[1.5, 2, 3]] * 9, form="{:.3f}D+01"), "x0 x1 x2", 15),  # case 4: Fortran
    ("# a,b,c\n# m,m,s\n" + rows([[1, 2, 3]] * 9), "a b c", 1),  # case 5: names and units in comments
    (rows([[1.5, 2, 3]] * 9, "\t").replace(".", ","), "x0 x1 x2", 1.5),  # decimal commas with tabs
    ("# c\n" * 500 + "a b c\n" + rows([[1, 2, 3]] * 9, " "), "a b c", 1),  # many comments
    ("#   1 NUM  running number\n#   2 X  place [pixel]\n#   3 Y\n" + rows([[1.5, 2, 3]] * 9, "  "), "NUM X Y", 1.5),
    ("@relation r\n@attribute a numeric\n@attribute b real\n@data\n" + rows([[1, 2]] * 9), "a b", 1),
    ("1 1:0.5 3:2\n0 2:1.5\n" * 9, "label x1 x2 x3", 1),  # svmlight
    ("sep=;\na;b\n" + rows([[1, 2]] * 9, ";"), "a b", 1),
    ("".join(f"{a:8.3f}{b:8.3f}{a:8.3f}\n" for a, b in [(-111.5, -222.25)] * 9), "x0 x1 x2", -111.5),
    ("a,b\n" + rows([[1, 2]] * 9) + "a,b\n" + rows([[3, 4]] * 9), "a b", 1),  # the header comes again
    ("a,b\n" + rows([[1, 2]] * 9) + "9 rows written\n", "a b", 1),  # words at the end
    ("px,px,py\nx,y,x\n" + rows([[1, 2, 3]] * 9), "px_x px_y py_x", 1),  # two rows of names
    ("a\tb\n" + rows([[1, 2]] * 9, "\t", "−{:.2f}"), "a b", -1),  # a minus that is none in ASCII
    ("*****\n* Row * px *\n*****\n" + "* 1 * 2.5 *\n" * 9, "Row px", 1),  # as TTree::Scan prints
    ("1,2,3\n" + rows([[1.5, 2.5, 3.5]] * 9), "x1 x2 x3", 1.5),  # whole numbers above decimals: the columns' numbers
    ("0,1,0\n" + rows([[0.5, 2.5, 3.5]] * 9), "x0 x1 x2", 0),  # a first row that happens to be whole
    ("[[" + "],\n [".join(["1.5, 2.5"] * 9) + "]]\n", "x0 x1", 1.5),  # as Python prints
    ("".join(f"{a}  # fine\n" for a in ["1 2.5"] * 9), "x0 x1", 1),  # comments behind rows
    ('# plot\n@ xaxis label "t"\n@ s0 legend "E"\n@ s1 legend "T"\n' + rows([[1, 2, 3]] * 9, " "), "t E T", 1),
    ('name,a\n' + '"two\nlines, really",1.5\n' * 9, "a", 1.5),  # a line end in quotes
    ("a;b\n" + "1'234;1.5\n" * 9, "a b", 1234),  # thousands as in Switzerland
    ("a,b\n" + rows([[1, 2]] * 9) + "#DIV/0!,2\n", "a b", 1),  # what Excel writes is no comment
    ('a;b\n' + '"1.234,5";2\n' * 9, "a b", 1234.5),
    ("Datum;Ort;m\n" + "1.3.15;A;3,5\n" * 9, "m", 3.5),  # more text than numbers: the sign that parts the names, too
    ("c,1960,1961,\nA,1.5,2.5,\n" + "B,2.5,1.5,\n" * 9, "1960 1961", 1.5),  # years are names
    (",400.0,400.5,401.0\n" + "".join(f"{i},2.5,4.5,3.5\n" for i in range(30)), "400.0 400.5 401.0", 2.5),
    ("# made by hand\na,b,c\n" + rows([[1, 2, 3]] * 9), "a b c", 1),  # titles of as many words as columns
    ("Measured last Monday\nt,m,s\n" + rows([[1, 2, 3]] * 9), "t m s", 1),
    ("T,P,f\nK,Torr,sccm\n" + rows([[1, 2, 3]] * 9), "T P f", 1),
    ("t,V,I\nsec,V,mA\nmeasured,run 1,run 1\n" + rows([[1, 2, 3]] * 9), "t V I", 1),  # as Origin writes
    ("x-axis,1,2\nsecond,Volt,Volt\n" + rows([[1.5, 2.5, 3.5]] * 9), "x-axis 1 2", 1.5),
    (",mu,mu,el\n,px,py,px\n" + "".join(f"{i},{i % 7},2.5,3.5\n" for i in range(9)), "mu_px mu_py el_px", 0),
    (",a,a,b\n,u,v,u\nsite,,,\n" + "".join(f"s{i},1.5,2.5,3.5\n" for i in range(9)), "a_u a_v b_u", 1.5),
    ("#column double E\n#column int L\n" + rows([[1.5, 2]] * 9), "E L", 1.5),  # as Geant4 writes
    ("#F f.dat\n#S 1 ascan\n#N 3\n#L Two Theta  mon  det\n" + rows([[1, 2, 3]] * 9, " "), "Two|Theta mon det", 1),
    ("a b\n" + "".join(f"{i / 7:<8.2f}{'' if i % 4 == 1 else '1.5':<8}\n" for i in range(40)), "a b", 0),  # gaps
    ("a\tb\tc\n" + "1.5\t2.5\t3.5\n" * 9 + "\t2.5\t3.5\n", "a b c", 1.5),
    ("a,b\n12-123,1\n" + "110-119,2\n" * 9, "b", 1),  # ranges are no exponents
    ("item,a\nTotal width,1\n" + "x,1\n" * 9 + "Total,10\nMean,1\n", "a", 1),  # sums below the rows
    ("name,a,b,c\nA,10,20,30\n" + "B,2.5,1.5,7.5\n" * 9, "a b c", 10),  # names stand above: the first row is a row
    ("a,b,c,d\n1,2,3,4\n" + "7,2,5,1\n" * 9, "a b c d", 1),
    ("city,founded,people\nRome,1950,2000\n" + "Bonn,1960,31000\n" * 9, "founded people", 1950),
    ("# a,b,c,d\n1,2,3,4\n" + rows([[7.5, 2.5, 5.5, 1.5]] * 9), "a b c d", 1),
    (";400,0;400,5;401,0\n" + "".join(f"{i};2,5;4,5;3,5\n" for i in range(30)), "400,0 400,5 401,0", 2.5),
    ("stat,a\n" + "max,1\n" * 9 + "mean,2\n" * 9, "a", 1),  # more than three are no sums
    ("ref,a\n" + "".join(f"[{i % 4}],{i}.5\n" for i in range(9)), "a", 0.5),  # numbers in brackets, that do not rise
    ("3 4\n1 2\na b c\n" + rows([[1, 2, 3]] * 9, " "), "a b c", 1),  # two lines above are no table
    ("".join(f"{(-1)**i * (i % 7)},{i % 2}\n" for i in range(9)), "x0 x1", 0),  # a class is no fraction
    ("mag,band\n" + "1.5,H\n1.5,YH\n" * 9, "mag", 1.5),  # bands and spectral types are no units
    ("a b\n1 2\n# 3 more rows were bad here\n" + rows([[1, 2]] * 9, " "), "a b", 1),
    ("Title: scan\nDate: 2024-01-02\na,b\n" + rows([[1, 2]] * 9), "a b", 1),
    ("well,b\n" + "1D2,1\n2D4,2\n" * 9, "b", 1),
])
def test_kinds_of_text(tmp_path, text, names, first):
    table = read(tmp_path, text, columns=None)
    assert list(table) == [name.replace("|", " ") for name in names.split()] and table.iloc[0, 0] == first
    assert len(table) >= 9
    assert np.isfinite(table).all(axis=None)


@pytest.mark.parametrize("text, words", [
    ("1,234\t5,678\n" * 9, "decimal point, thousands ',', or with separator tab, decimal comma"),
    ("1 2;3 4\n" * 9, "say which by separator"),
    ("a;b\n1.5;2,5\n" * 1 + "2.5;1,5\n" * 9, "can be read with"),
    ("a,b\n" + "1,2,3\n" * 9, "line 1 has 2 fields, and the rows below have 3"),
    ("a,b\n" + "1,2\n" * 9 + "1,2,3\n" + "1,2\n" * 9, "line 11 has 3 fields where the others have 2"),
    ("a,b\n" + "1,2\n" * 9 + "\nc,d,e\n" + "1,2,3\n" * 9,
     "a table of 3 columns begins at line 13, and above it, from line 2 on"),
    ("a,b,c\n" + "1,2,3\n" * 9 + "\nc,d\n" + "1,2\n" * 7, "another one of 2 columns begins at line 12"),
    ("150,4,one,two\n" + "1.5,2.5,1,2\n" * 9, "both numbers and words: .*names=1.*skip=1"),
    ("Temperatur\n" + "12,04\n3,17\n" * 9, "separator ',', decimal point, or with one column, decimal comma"),
    ("0,4000\n-1,4012\n" * 9, "or with one column, decimal comma"),
    ("a;b\n" + "1.5;1,234\n" * 500 + "1.5;12,5\n", "mixes numbers and text in the column 'b': '12,5'"),
    ("run\nStep T P\n" + rows([[1, 2, 3]] * 9, " ") + "Part | min | max\n" + "A | 1.0 | 2.0\nB | 1.5 | 2.5\n" * 9,
     "a table of 3 columns begins at line 13, and above it, from line 3 on, are rows of another"),
    ("   1.0e+03 *\n\n" + rows([[1, 2]] * 9, "  "), "line 1 multiplies all numbers by 1.0e.03"),
    ("".join(f" [{6 * i + 1:3}] 1.5 2.5 3.5\n" for i in range(20)), "one list of numbers, as R prints it"),
    ("a b\n" + rows([[1, 2]] * 9, " ") + "# … with 70 more rows\n", "it says, .*with 70 more rows.*, that"),
    ("E - d\n" + "900 keV 1.5\n" * 5 + "1.5 MeV 2.5\n" * 5, "units that differ from row to row: MeV, keV"),
    ("".join(f"({i}.5,2.5) ({i}.5,1.5)\n" for i in range(9)), "no column of numbers"),
    ("a,b,c\n1,2,3\n1,2\n" + "1,2,3\n" * 9, "line 3 has 2 fields, and the rows below have 3: mend or delete it"),
    ("id,x\n" + "#1,2\n" * 9, "say comment='none'"),
    ("A,1,2,3\n" + "B,2.5,1.5,7.5\n" * 9, "'A, 1, 2, 3', are in equal steps: say names=1 .* names=0"),
    ("0.0,0.5,1.0,1.5\n" + rows([[7.5, 2.5, 5.5, 1.5]] * 9), "in equal steps: say names=1"),
    ("a b\n" + rows([[1, 2]] * 9, " ") + ' [ reached getOption("max.print") -- omitted 90 rows ]\n', "omitted 90 rows"),
    ("a,b\n" + "1,2\n" * 9 + "1", "truncated or damaged .its last line has 1 of 2 fields"),
])
def test_what_nobody_can_know_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError, match=words) as caught:
        read(tmp_path, text)
    assert "t.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_every_guess_can_be_set(tmp_path):
    text = "1,234\t5,678\n" * 9
    assert read(tmp_path, text, decimal=",").iloc[0, 0] == 1.234
    assert read(tmp_path, text, decimal=".").iloc[0, 0] == 1234
    text = "made,by,me\nu,v,w\nm,s,V\n" + rows(numbers(0))
    table = read(tmp_path, text, names=2, units=3)
    assert list(table) == ["u", "v", "w"] and table.attrs["units"] == {"u": "m", "v": "s", "w": "V"}
    assert list(read(tmp_path, text, names="p,q,r", units="p=GeV")) == ["p", "q", "r"]
    assert list(read(tmp_path, text, names=0, skip=3)) == ["x0", "x1", "x2"]
    assert len(read(tmp_path, "a b\n" + "1 2\n" * 9 + "! 3 4\n", comment="!")) == 9
    with pytest.raises(ValueError, match="names=.*makes 2 names, and the rows have 3 columns"):
        read(tmp_path, text, names="p,q")
    with pytest.raises(ValueError, match="no rows below line 2, which names=2 takes"):
        read(tmp_path, "a,b\n1,2\n", names=2)
    with pytest.raises(ValueError, match="names=1: that line has 1 fields"):
        read(tmp_path, "title\na,b\n" + "1,2\n" * 9, names=1)


def test_the_guess_is_told_in_one_line(tmp_path):
    text = "made by hand\n# on a Monday\nx;y\ncm;s\n" + rows(numbers(0, columns=2), ";").replace(".", ",")
    assert read(tmp_path, text).attrs["reading"] == (
        "separator ';', decimal comma, names from line 3, units from line 4, comments after #, line 1 left out")


def test_sums_below_the_rows_are_told(tmp_path):
    table = read(tmp_path, "item,a,b\nTotal width,2,1\n" + "x,1,2\n" * 9 + "Total,11,19\n")
    assert len(table) == 10 and "the last lines are no rows: Total,11,19" in table.attrs["notes"]
    methods = read(tmp_path, "method,a,b\n" + "x,1,2\n" * 9 + "mean-field,3,4\n")
    assert len(methods) == 10 and not any("last lines" in note for note in methods.attrs["notes"])
    means = read(tmp_path, "stat,a,b\n" + "".join(f"mean,{i}.5,{i % 3}\n" for i in range(30)))
    assert len(means) == 30


def test_parts_of_a_text_are_told(tmp_path):
    "Two blank lines, or comments, may part different data; a single blank line parts the lines of a grid."
    part = rows([[1, 2], [3, 4]] * 5, " ")
    for between, parts in (("\n\n# Curve 2\n", 2), ("\n\n", 2), ("\n", 1), ("# 3 4\n", 1), ("# a\n# b\n", 2)):
        table = read(tmp_path, "# Curve 1\n" + part + between + part)
        told = [note for note in table.attrs["notes"] if "parts, with comments" in note]
        assert len(table) == 20 and len(told) == parts - 1


def test_fixed_widths_do_not_cut_numbers(tmp_path):
    "A cell that grows into the next column below the lines that were looked at is refused."
    lines = [f"{i:<4}{i / 7:<8.3f}{i / 3:<8.3f}" for i in range(600)] + ["12345678" + "1.500   2.500   "] * 9
    with pytest.raises(ValueError, match="line 602 goes on over place .*, where a column of fixed width ends"):
        read(tmp_path, "i   a       b\n" + "\n".join(lines) + "\n", separator="fixed")
    touching = [f"{i / 7:8.3f}{i / 3:8.3f}{i:8.1f}" for i in range(450)] + ["   1.500-123.456-12345.5"] * 9
    table = read(tmp_path, "       a       b       c\n" + "\n".join(touching) + "\n", separator="fixed")
    assert len(table) == 459 and table.iloc[-1].tolist() == [1.5, -123.456, -12345.5]


def test_a_dialect_does_not_depend_on_more_lines():
    lines = ("a;b\n" + rows(numbers(0, 300, 2), ";")).splitlines()
    short, long = find_dialect(lines[:20]), find_dialect(lines, ReadOptions())
    assert short.says() == long.says() and short.labels == long.labels


@pytest.mark.parametrize("kind", [f"ascii.{kind}" for kind in "ecsv ipac cds rdb fixed_width daophot".split()])
def test_standards_of_astronomers(tmp_path, kind):
    table_of = pytest.importorskip("astropy.table").Table
    values = np.round(numbers(2), 3)
    table = table_of(values, names=["a", "b", "c"], units=["m", "s", "kg"])
    path = tmp_path / "t.dat"
    if kind == "ascii.daophot":
        head = "#K MERGERAD = INDEF scaleunit %-23.7g\n#N a          b          c          \\\n"
        head += "#U m          s          kg         \\\n"
        path.write_text(head + "#F %-11.3f    %-11.3f    %-11.3f    \\\n#\n" + rows(values, " ", "{:<11.3f}"))
    else:
        table.write(path, format="ascii.mrt" if kind == "ascii.cds" else kind)
    found = load(path)
    np.testing.assert_allclose(found.to_numpy(), values)
    assert list(found) == ["a", "b", "c"]
    assert kind in ("ascii.rdb", "ascii.fixed_width") or found.attrs["units"] == {"a": "m", "b": "s", "c": "kg"}


def test_random_corruptions_end_in_a_table_or_in_one_line(tmp_path):
    good = ("# made by hand\na [m];b;c\n" + rows(numbers(3), ";").replace(".", ",")).encode()
    for n, data in ((200, good), (100, good.decode().encode("utf-16"))):
        assert refused_damages(load, tmp_path / "t.csv", data, n) > n // 4
