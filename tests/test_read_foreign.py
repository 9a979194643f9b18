"""Files of kinds that are not read: each is named in one line, with what to do."""
import gzip
import io
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest

from symnb.data import load
from symnb.data.sniff import file_format

TABLE = pd.DataFrame(np.random.RandomState(0).randn(50, 3), columns=[*"abc"])


def zipped(**members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info, text = tarfile.TarInfo("t.csv"), TABLE.to_csv().encode()
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


FOREIGN = {
    **dict.fromkeys(("t.parquet", "t.csv"), (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n",
                                             "pointer of Git LFS.*lfs pull")),
    "t.xlsx": (zipped(xl__workbook_dot_xml="<a/>"), "an Excel workbook.*CSV"),
    "t.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel workbook"),
    "t.pt": (zipped(net__data_dot_pkl="x", net__version="3"), "a file of PyTorch.*never loaded"),
    "t.zip": (zipped(t_dot_csv=TABLE.to_csv()), "a zip archive with t.csv: unpack"),
    "t.tar": (tar(), "a tar archive: unpack"),
    "t.tar.gz": (gzip.compress(tar()), "a tar archive: unpack"),
    "records.json": (TABLE.to_json(orient="records").encode(), "JSON.*read_json"),
    "lines.jsonl": (TABLE.to_json(orient="records", lines=True).encode(), "JSON.*read_json"),
    "table.txt": (TABLE.to_json(orient="values").encode(), "JSON.*read_json"),
    "new.pkl": (pickle.dumps(TABLE), "a Python pickle.*never loaded"),
    "old.pkl": (pickle.dumps([1.5], 0), "a Python pickle.*never loaded"),
    "t.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x01IM", "a MATLAB file.*scipy.io.loadmat"),
    "new.mat": (b"MATLAB 7.3 MAT-file".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n", "a MATLAB file of version 7.3"),
    "t.npy.gz": (gzip.compress(b"\x93NUMPY\x01\x00"), "NPY, packed with gzip: unpack"),
    "t.nc": (b"CDF\x01\x00\x00\x00\x0a", "netCDF file of version 3.*nccopy"),
    "t.xml": (b"<?xml version='1.0'?><VOTABLE version='1.4'/>", "a VOTable"),
    "t.jdx": (b"##TITLE=CO\n##JCAMP-DX=4.24\n##XYDATA= (X++(Y..Y))\n400 1 2 3\n", "a spectrum in JCAMP-DX"),
    "t.slist": (b"TIMESERIES XX_A__BHZ_R, 100 samples, 20 sps, 2010, SLIST, INTEGER, Counts\n1\t2\n", "a seismogram"),
    "t.raw": (b"Title: rc\nDate: Mon\nPlotname: Transient\n", "a raw file of SPICE"),
    "t.pdb": (b"HEADER    PROTEIN\nATOM      1  N   MET A   1      38.8\n", "a PDB structure"),
    "rdf.txt": (b"# Time-averaged data for fix r\n# TimeStep Number-of-rows\n# Row g\n100 2\n1 0.5\n2 0.7\n",
                "an average of LAMMPS in blocks"),
    "t.sql": (b"-- dump\nINSERT INTO t VALUES (1,2.5),(2,3.5);\n", "SQL: write one"),
    "t.yaml": (b"dependent_variables:\n- header: {name: SIG}\n  values: [1.5]\n", "a table of HEPData in YAML"),
    "t.tex": (b"\\begin{tabular}{cc}\n1 & 2 \\\\\n\\end{tabular}\n", "a table of LaTeX"),
    "t.safetensors": (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"w":{"dtype":"F32"}}', "network weights"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_kind_is_named(tmp_path, name):
    contents, words = FOREIGN[name]
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(ValueError, match=words) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(name)


def test_matlab_and_databases_as_their_own_tools_write_them(tmp_path):
    from scipy.io import savemat
    savemat(tmp_path / "t.mat", {"x": TABLE.to_numpy()})
    with sqlite3.connect(tmp_path / "t.db") as database:
        TABLE.to_sql("events", database)
    for name, words in {"t.mat": "a MATLAB file", "t.db": "an SQLite database"}.items():
        with pytest.raises(ValueError, match=words):
            load(tmp_path / name)


@pytest.mark.parametrize("text", ["ORC,BZh,RDX\n1,2,3\n4,5,6\n", "root PAR1 GIF8\n1 2 3\n4 5 6\n",
                                  "[1] 0.5 2\n[2] 0.7 3\n", "SIMPLE,b\n1,2\n3,4\n", "3\n1\n2\n"])
def test_a_text_that_starts_like_a_binary_file_is_text(tmp_path, text):
    (tmp_path / "t.txt").write_text(text)
    assert file_format(tmp_path / "t.txt") == "CSV"


def test_kinds_are_told_by_their_contents(tmp_path):
    for write, kind in ((TABLE.to_feather, "Arrow"), (TABLE.to_parquet, "Parquet")):
        write(tmp_path / "t.bin")
        assert file_format(tmp_path / "t.bin") == kind
    TABLE.to_feather(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="has a name for Parquet, but its contents are Arrow: rename it to t.arrow"):
        load(tmp_path / "t.parquet")
