"""Event files of generators: Les Houches and HepMC, with their quirks, weights and damages."""
import gzip
from pathlib import Path

import numpy as np
import pytest
from conftest import refused_damages

from symnb.data import load
from symnb.data.events import read_lhe
from symnb.data.reading import ReadOptions
from symnb.data.sniff import file_format

NAMES = [f"{c}_{who}" for who in ("mu_minus", "mu_plus") for c in ("px", "py", "pz", "E")]


def momenta(n: int = 40) -> np.ndarray:
    p = np.random.default_rng(0).normal(size=(n, 3)).round(6)
    energy = np.sqrt((p**2).sum(1) + 0.01).round(6)[:, None]
    return np.hstack([p, energy, -p, energy])


def lhe_text(rows, weight=lambda i: 1.0, status=1, more=lambda i: "", header="", tag="<event>") -> str:
    "As generators write it: two incoming electrons, a Z, two muons."
    line = lambda pdg, status, p: f" {pdg} {status} 1 2 0 0 " + " ".join(f"{x:.10E}" for x in p) + " 0.1 0. 9."
    events = [
        f"{tag}\n 3 1 {weight(i):.6E} 91.2 0.0078 0.118\n"
        + "\n".join([line(23, 2, row[:4]), line(13, status, row[:4]), line(-13, status, row[4:])])
        + f"\n{more(i)}</event>\n" for i, row in enumerate(rows)
    ]
    init = "<init>\n 11 -11 45.6 45.6 0 0 0 0 3 1\n 1.0 0.1 1.0 1\n</init>\n"
    return f'<LesHouchesEvents version="3.0">\n{header}{init}{"".join(events)}</LesHouchesEvents>\n'


QUIRKS = {
    "as it should be": lambda text: text,
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "Fortran": lambda text: text.replace("E+0", "D+0").replace("E-0", "d-0"),
    "attributes without quotes": lambda text: text.replace("<event>", "<event npLO= -1 npNLO='1' >"),
    "comments between events": lambda text: text.replace("<event>", "# a < b & c\n\n<!-- no <event> -- -->\n<event>"),
    "comments in events": lambda text: text.replace("</event>", "# a < b & c\n#aMC 1 2\n\n<mgrwt>1<2</mgrwt></event>"),
    "text after the end": lambda text: text + "<< seed & time of the job >>\n<event>\n",
    "a header that is no XML": lambda text: text.replace(
        "<init>", "<header>\n<slha>\na < b & c -- d\n<event>\n</slha>\n</header>\n<init>"),
    "a comment of POWHEG": lambda text: text.replace("<init>", "<!--\nnumevts 10 ! a & b -- <c>\n-->\n<init>", 1),
    "a declaration": lambda text: '<?xml version="1.0" encoding="UTF-8"?>\n' + text,
    "blank lines": lambda text: text.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("quirk", QUIRKS)
@pytest.mark.parametrize("ending", ["lhe", "lhe.gz"])
def test_quirks_of_generators_change_nothing(tmp_path, quirk, ending):
    data, path = QUIRKS[quirk](lhe_text(momenta())).encode(), tmp_path / f"z.{ending}"
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    table = load(path)
    assert list(table) == NAMES and set(table.attrs["units"].values()) == {"GeV"}
    np.testing.assert_allclose(table, momenta(), rtol=1e-9)


def test_exponents_of_three_digits_without_a_letter(tmp_path):
    (tmp_path / "z.lhe").write_text(lhe_text(momenta()).replace(" 0.1 0. 9.", " 0.1-102 0. 9."))
    np.testing.assert_allclose(load(tmp_path / "z.lhe"), momenta(), rtol=1e-9)


def _lhe(*events, head="", start="<event>"):
    "A file of events with one muon each, px in GeV."
    event = start + "\n 1 1 1. 91. .007 .1\n 13 1 0 0 0 0 {} 2 3 10 .1 0 9\n</event>\n"
    return (f'<LesHouchesEvents version="3.0">\n{head}<init>\n</init>\n' + "".join(map(event.format, events))
            + "</LesHouchesEvents>\n")


@pytest.mark.parametrize("text, px", [
    (_lhe(1, 2) + _lhe(3), [1, 2, 3]),  # files one behind the other
    (_lhe(1, 2, head="<header />\n"), [1, 2]),
    (_lhe(1, 2, head="<header> <!-- made by hand -->\n<event>\n</header>\n"), [1, 2]),
    (_lhe(1, 2, head="<!-- a --> <!-- b\n<event> --> <header>\n<event>\n</header>\n"), [1, 2]),
    (_lhe(1, 2, start="<event\n  npNLO='1'\n>"), [1, 2]),
])
def test_headers_and_ends_of_les_houches_files(tmp_path, text, px):
    (tmp_path / "e.lhe").write_text(text)
    assert load(tmp_path / "e.lhe", columns="px*").iloc[:, 0].tolist() == px
    gz = tmp_path / "e.lhe.gz"
    gz.write_bytes(gzip.compress(text.encode()) + gzip.compress(_lhe(7).encode()))
    assert load(gz, columns="px*").iloc[:, 0].tolist() == [*px, 7]
    (tmp_path / "e.lhe").write_text(text + text[:-30])
    with pytest.raises(ValueError, match="it ends without"):
        load(tmp_path / "e.lhe")


def test_signs_of_weights_are_told_also_where_all_are_as_large(tmp_path):
    path = tmp_path / "w.lhe"
    path.write_text(lhe_text(momenta(), weight=lambda i: -2.5 if i % 4 == 0 else 2.5))
    [note] = [n for n in load(path).attrs["notes"] if "negative" in n]
    assert note.startswith("25.00% of the events") and "weights='auto'" in note
    [piece] = read_lhe(path, options=ReadOptions(weights="auto"))
    assert piece.attrs["own weights"] == "weight" and piece.weight.tolist() == [-2.5, 2.5, 2.5, 2.5] * 10
    [piece] = read_lhe(path, options=ReadOptions(weights="none"))
    assert list(piece) == NAMES and "own weights" not in piece.attrs


@pytest.mark.parametrize("layout", ["rwgt", "weights"])
def test_other_weights_by_their_names(tmp_path, layout):
    header = ("<header>\n<initrwgt>\n<weightgroup name='scale & pdf'>\n<weight id='1001'> muR=1 < 2 </weight>\n"
              "<weight id=\"up\">b</weight>\n</weightgroup>\n</initrwgt>\n</header>\n")
    more = {"rwgt": lambda i: f"<rwgt>\n<wgt id='1001'> {i}.5D0 </wgt>\n<wgt id='up'> -1 </wgt>\n</rwgt>\n",
            "weights": lambda i: f"<weights> {i}.5D0 -1 </weights>\n"}[layout]
    path = tmp_path / "w.lhe"
    path.write_text(lhe_text(momenta(), header=header, more=more))
    assert "other weights besides (1001, up)" in " ".join(load(path).attrs["notes"])
    for name in ("weight_1001", "1001"):
        [piece] = read_lhe(path, options=ReadOptions(weights=name))
        assert piece.attrs["own weights"] == "weight_1001"
        assert piece.weight_1001.tolist() == [i + 0.5 for i in range(40)]
    with pytest.raises(ValueError, match="no such weight; it has weight .the event's own., weight_1001, weight_up"):
        list(read_lhe(path, options=ReadOptions(weights="down")))


def test_a_final_state_that_is_none(tmp_path):
    path = tmp_path / "z.lhe"
    path.write_text(lhe_text(momenta(), status=2))
    with pytest.raises(ValueError, match=r"z.lhe has no particle of the final state \(status 1\).*2 \(120 times\)"):
        load(path)
    path.write_text(lhe_text(momenta()))
    with pytest.raises(ValueError, match="none of the 40 events of z.lhe has exactly these.*mu_minus mu_plus in 100%"):
        load(path, particles="gamma")


@pytest.mark.parametrize("end, words", [
    (lambda t: t.replace("</LesHouchesEvents>", ""), "ends without </LesHouchesEvents>"),
    (lambda t: t.replace("</event>\n", "", 1), "event does not end"),
    (lambda t: t.replace(" 3 1 ", " 4 1 ", 1), "event 1: it has 3 particles of 4"),
    (lambda t: t.replace("0.118", "0.1x8", 1), "event 1: could not convert"),
    (lambda t: t.replace(" 9.\n", "\n", 1), "event 1: ")])
def test_damaged_events_get_one_line(tmp_path, end, words):
    (tmp_path / "z.lhe").write_text(end(lhe_text(momenta())))
    with pytest.raises(ValueError, match=words) as caught:
        load(tmp_path / "z.lhe")
    assert "z.lhe is truncated or damaged" in str(caught.value) and "\n" not in str(caught.value)


# HepMC

def write_hepmc(path: Path, kind: str, unit: str = "GEV", weights=(1.0,), rows=None) -> Path:
    pyhepmc = pytest.importorskip("pyhepmc")
    run = pyhepmc.GenRunInfo()
    run.weight_names = ["nominal", "up", "down"][:len(weights)]
    with pyhepmc.open(str(path), "w", format=kind) as file:
        for i, row in enumerate(momenta() if rows is None else rows):
            event = pyhepmc.GenEvent(getattr(pyhepmc.Units, unit), pyhepmc.Units.MM)
            event.run_info, event.event_number, scale = run, i, 1000 if unit == "MEV" else 1
            vertex = pyhepmc.GenVertex()
            vertex.add_particle_in(pyhepmc.GenParticle((0, 0, 0, 91.2 * scale), 23, 4))
            for pdg, p in ((13, row[:4]), (-13, row[4:])):
                vertex.add_particle_out(pyhepmc.GenParticle(tuple(scale * p), pdg, 1))
            event.add_vertex(vertex)
            event.weights = [w * (-1) ** i for w in weights]
            file.write(event)
    return path


@pytest.mark.parametrize("kind, unit", [("HepMC3", "GEV"), ("HepMC3", "MEV"), ("HepMC2", "GEV"), ("HepMC2", "MEV")])
@pytest.mark.parametrize("ending", ["hepmc", "hepmc.gz"])
def test_hepmc_by_pyhepmc(tmp_path, kind, unit, ending):
    path = write_hepmc(tmp_path / f"z.{ending}", kind, unit, (1.0, 3.0))
    assert file_format(path) == "HepMC"
    table = load(path)
    assert list(table) == NAMES and set(table.attrs["units"].values()) == {"GeV"}
    np.testing.assert_allclose(table, momenta(), rtol=1e-6, atol=1e-9)
    assert "50.00% of the events have a negative weight" in " ".join(table.attrs["notes"])
    assert load(path, weights="up").weight_up.tolist() == [3.0, -3.0] * 20
    assert list(load(path, particles="mu-")) == NAMES[:4]


def test_hepmc_by_hand_with_names_and_attributes(tmp_path):
    pytest.importorskip("pyhepmc")
    (tmp_path / "z.hepmc3").write_text(
        "HepMC::Version 3.02.06\nHepMC::Asciiv3-START_EVENT_LISTING\nW 1\nN Weight\nT Gen\\|1.0\\|by hand\n"
        + "".join(f"E {i} 1 3\nU GEV MM\nW {w}\nA 0 signal_process_id 1\nP 1 0 23 0 0 0 91 91 4\nV -1 0 [1]\n"
                  f"P 2 -1 13 {i}.5 0 0 30 0.1 1\nP 3 -1 -13 -30 0 0 30 0.1 1\n" for i, w in enumerate((2.0, 2.0, 3.0)))
        + "HepMC::Asciiv3-END_EVENT_LISTING\n\n")
    table = load(tmp_path / "z.hepmc3", weights="auto")
    assert table.px_mu_minus.tolist() == [0.5, 1.5, 2.5] and table.weight.tolist() == [2, 2, 3]


def test_damaged_hepmc_gets_one_line(tmp_path):
    whole = write_hepmc(tmp_path / "whole", "HepMC3").read_text()
    for end, words in ((lambda t: t.rpartition("HepMC::")[0], "event 40: it ends without END_EVENT_LISTING"),
                       (lambda t: t.replace("P 2 ", "Q 2 ", 1), "event 1: a line begins with 'Q 2"),
                       (lambda t: t.replace("\nP 3 ", "\nA 3 ", 1), "event 1: it has 2 particles of 3")):
        (tmp_path / "z.hepmc").write_text(end(whole))
        with pytest.raises(ValueError, match=f"z.hepmc is truncated or damaged .{words}"):
            load(tmp_path / "z.hepmc")


# Damages

@pytest.mark.parametrize("kind", ["LHE", "HepMC2", "HepMC3"])
def test_a_hundred_damages_each_end_in_a_table_or_one_line(tmp_path, kind):
    whole, path = tmp_path / "whole", tmp_path / "z.dat"
    if kind == "LHE":
        header = "<header>\na\n</header>\n"
        whole.write_text(lhe_text(momenta(), header=header, more=lambda i: "<weights>1</weights>\n"))
    else:
        write_hepmc(whole, kind)
    assert refused_damages(load, path, whole.read_bytes(), 100) > 33
