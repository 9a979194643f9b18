"""Answers in plain words, and reports that open anywhere."""
import functools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import without_pictures

from symnb import SymmetryFlows, SymmetryProbe
from symnb.data.collider import MOMENTA, ee_to_mumu
from symnb.flows import learning, oracle, problem
from symnb.flows.report import in_basis, kind_of, readable_basis
from symnb.pages import Words
from symnb.probe.answer import tell_count, tell_scan, tell_topology
from symnb.probe.certainty import tell_certainty
from symnb.probe.following import follow, formula, linear_constraints

pytestmark = pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
SECTIONS = [
    "Closed or open",
    "What the relevant latents follow",
    "What does not vary",
    "How sure, and why",
    "What would change the answer",
    "Relevance of the latents",
    "Local dimension",
    "Latents and columns",
    "Resolution scan",
    "Holes",
    "Settings",
]


@pytest.fixture(scope="module")
def events():
    table = ee_to_mumu(700, random_state=0)[MOMENTA]
    table.attrs["units"] = dict.fromkeys(MOMENTA, "GeV")
    return table


@pytest.fixture(scope="module")
def probe(events):
    return SymmetryProbe(training="both", n_runs=2, max_steps=500, random_state=0).fit(events)


@pytest.fixture
def soon(monkeypatch):
    """Oracles and autoencoders that are trained for a short while, for answers that do not depend on how well."""
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=200))
    monkeypatch.setattr(problem, "train_autoencoder", functools.partial(problem.train_autoencoder, steps=200))


def headings(page: str) -> "list[str]":
    return re.findall(r"<h2>(.*?)</h2>", page)


# The probe

def test_an_answer_has_the_counts_the_laws_and_the_reasons(probe, events):
    answer = probe.answer(events)
    assert (
        answer.relevant == probe.relevant_dim_ == 3
        and answer.intrinsic == probe.intrinsic_dim_
        and answer.level in ("sure", "fairly sure", "not sure")
    )
    laws = [re.sub(r" = 0 .*", "", law) for law in answer.words["What does not vary"]]
    assert {frozenset(law.split(" + ")) for law in laws} == {frozenset((f"p{i}_mu", f"p{i}_mubar")) for i in "xyz"}
    assert len(answer.following) == 3 and all(f.kind == "linear" and f.r2 > 0.9 for f in answer.following)
    assert "GeV in px_mu" in str(answer) and [*answer.words][0] == "Answer" and "Scanning" not in str(answer)


def test_the_report_shows_everything_with_units(probe, events, tmp_path):
    path = probe.report(
        tmp_path / "report.html", events, scan=probe.resolution_scan(events, [0.1, 0.22, 0.5], n_runs=1)
    )
    page = path.read_text(encoding="utf-8")
    assert headings(page) == SECTIONS and page.count("data:image/png;base64,") == 4
    assert "px_mu [GeV]" in page and "scikit-learn" in page and "max_steps" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "<script" not in page
    assert "http" not in without_pictures(page)


def test_a_report_needs_no_events_and_survives_saving(probe, tmp_path):
    again = SymmetryProbe.load(probe.save(tmp_path / "probe.safetensors"))
    pages = [p.report(tmp_path / "r.html", scan=False).read_text(encoding="utf-8") for p in (probe, again)]
    without_time = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", page) for page in pages]
    assert without_time[0] == without_time[1] and "Resolution scan" not in headings(pages[0])


def test_arrays_without_names_and_one_schedule(tmp_path):
    X = np.random.default_rng(0).normal(size=(500, 2)) @ [[1, 0, 1], [0, 1, 1]]
    probe = SymmetryProbe(n_runs=1, max_steps=200, training="progressive", random_state=0).fit(X)
    answer = probe.answer(X)
    assert (
        answer.relevant is None
        and "x0 + x1 = 1 x2" not in str(answer)
        and any("x2" in law for law in answer.words["What does not vary"])
    )
    assert "one run cannot disagree with itself" in str(answer)
    assert probe.report(tmp_path / "r.html", scan=False).exists()


def test_a_page_that_cannot_be_written_leaves_the_old_one(probe, tmp_path, monkeypatch):
    path = probe.report(tmp_path / "r.html", scan=False)
    before = path.read_text(encoding="utf-8")
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        probe.report(path, scan=False)
    assert path.read_text(encoding="utf-8") == before and [p.name for p in tmp_path.iterdir()] == ["r.html"]


# Sentences

def test_counts_in_words():
    assert tell_count(1, 1, 2)[0].startswith(
        "1 degree of freedom in 2 varying columns: at each event the data varies in 1 direction "
    )
    assert (
        "curved, closed or graded" in tell_count(5, 2, 8)[1]
        and "only 1 latent" in tell_count(1, 2, 8)[1]
        and len(tell_count(None, 2, 8)) == 1
    )
    assert tell_count(2, 1, 2, 0.22)[0].startswith("At the resolution s = 0.22: ")


def test_a_scan_in_words():
    table = lambda counts: pd.DataFrame(dict(resolution=[0.05, 0.1, 0.2, 0.4, 0.8], directions=counts))
    assert tell_scan(table([2] * 5), 0.2) == (True, ["2 local directions at every resolution from 0.05 to 0.8."])
    holds, lines = tell_scan(table([5, 4, 3, 2, 1]), 0.22)
    assert not holds and "Around s = 0.22 it is 3" in lines[0] and "quoted together with it" in lines[-1]
    unfinished = table([3, 2, 2, 2, 1])
    unfinished.attrs["unfinished"] = [0.05]
    assert "Training had not ended at s = 0.05" in " ".join(tell_scan(unfinished, 0.22)[1])


@pytest.mark.parametrize(
    "numbers, intrinsic, words",
    [
        ((1, 0), 1, "closed orbit"),
        ((0, 0), 1, "open curve"),
        ((0, 1), 2, "like a sphere"),
        ((2, 1), 2, "like a torus"),
        ((1, 0), 2, "a ring or a cylinder"),
        ((0, 0), 3, "not looked for"),
        ((3, 0), 2, "no shape with a short name"),
    ],
)
def test_holes_in_words(numbers, intrinsic, words):
    betti = pd.DataFrame(dict(dimension=[1, 2], betti=numbers, lifetimes=[[], []], strongest_rejected=[0.1, 0.2]))
    [sentence] = tell_topology(betti, intrinsic)
    assert words in sentence
    assert tell_topology(betti, intrinsic, 0.97) == [
        f"{sentence} Sure: of known data sets with such evidence 97 % are seen with the right holes."
    ]
    [doubt] = tell_topology(betti, intrinsic, 0.3)
    assert doubt.startswith("Cannot tell") and "30 %" in doubt and words in doubt
    assert (
        "close" in tell_topology(betti.assign(strongest_rejected=0.95), intrinsic)[1]
        and tell_topology(None, intrinsic) == []
    )


def test_few_events_get_an_answer_that_says_so():
    X = np.random.default_rng(0).normal(size=(15, 2))
    answer = SymmetryProbe(n_runs=1, max_steps=20, random_state=0).fit(X).answer(X)
    assert "15 events: use 500 or more" in str(answer) and answer.level == "not sure"


def test_certainty_counts_what_speaks_against():
    assert (
        tell_certainty([(True, "a")] * 5)[0] == "sure" and tell_certainty([(True, "a"), (False, "b")])[1][-1] == "− b"
    )
    assert tell_certainty([(False, "a")] * 2)[0] == "not sure"


def test_words_print_and_split():
    words = Words(Answer=["a" * 120], Empty=[], More=["b"])
    assert (
        str(words).splitlines()[0] == "Answer"
        and "Empty" not in str(words)
        and words.sections() == [("More", "<p>b</p>\n")]
    )


# Followed columns, conserved combinations

def test_formulas():
    assert (
        formula(np.array([1, -2, 0.01]), ["a", "b", "c"]) == "b − 0.5 a"
        and formula(np.ones(6), list("abcdef")) == "a + b + c + d + …"
    )


def test_what_is_followed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 6))
    names = list("abcdef")
    assert follow(2 * x[:, 1] - x[:, 4], x, names, 1).columns == ("b", "e")
    alone = follow(np.tanh(3 * x[:, 2]) + x[:, 2] ** 2, x, names, 2)
    assert alone.kind == "function" and alone.columns == ("c",) and "c alone, not linearly" in alone.text
    assert set(follow(np.hypot(x[:, 0], x[:, 5]), x, names, 3).columns) == {"a", "f"}
    assert follow(rng.normal(size=1500), x, names, 4).kind == "nothing"


def test_conserved_combinations_in_their_units():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    X = np.column_stack([a, 91.2 - a, b])
    assert linear_constraints(X, ["E1", "E2", "x"], dict.fromkeys(["E1", "E2", "x"], "GeV")) in (
        ["E1 + E2 = 91.2 GeV"],
        ["E2 + E1 = 91.2 GeV"],
    )
    assert (
        linear_constraints(rng.normal(size=(500, 3)), list("abc"), {}) == []
        and linear_constraints(a[:, None], ["a"], {}) == []
    )
    [mixed] = linear_constraints(np.column_stack([a, 1000 * a + 5, b]), list("abc"), {"a": "m", "b": "mm"})
    assert "standard deviations" in mixed


# The flows

def test_kinds_of_matrices():
    turn, boost = np.zeros((4, 4)), np.zeros((4, 4))
    turn[0, 1], turn[1, 0], boost[0, 3], boost[3, 0] = -2, 2, 3, 3
    assert (
        kind_of(turn),
        kind_of(boost),
        kind_of(5 * np.eye(4)),
        kind_of(np.triu(np.ones((3, 3)), 1)),
        kind_of(turn + np.eye(4)),
        kind_of(np.zeros((2, 2))),
    ) == ("rotation", "boost", "scaling", "shear", "", "")


def minkowski(x):
    return x[:, 3] ** 2 - x[:, 0] ** 2 - x[:, 1] ** 2 - x[:, 2] ** 2


@pytest.fixture(scope="module")
def lorentz():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(800, 4)), columns=["px", "py", "pz", "E"])
    X.attrs["units"] = dict.fromkeys(X, "GeV")
    return SymmetryFlows("all", oracle=minkowski, generators="linear", random_state=0).fit(X)


def test_the_sentence_of_a_physicist(lorentz):
    words = lorentz.answer()
    assert words["Answer"] == [
        "The oracle does not change under 6 independent linear transformations of px, py, pz, E.",
        f"Their generators close and form {lorentz.algebra_}, the algebra of Lorentz transformations.",
    ]
    assert sum("(boost)" in g for g in words["Generators"]) == 3 == sum("(rotation)" in g for g in words["Generators"])
    constants = in_basis(lorentz.structure_constants_, readable_basis(lorentz))
    matrices = np.tensordot(readable_basis(lorentz), lorentz.generator_matrices_, 1)
    bracket = matrices[0] @ matrices[1] - matrices[1] @ matrices[0]
    np.testing.assert_allclose(np.tensordot(constants[0, 1], matrices, 1), bracket, atol=1e-8)


def test_the_report_of_the_flows(lorentz, tmp_path):
    page = lorentz.report(tmp_path / "flows.html").read_text(encoding="utf-8")
    assert headings(page) == [
        "How well",
        "Generators",
        "Algebra",
        "What would change the answer",
        "Streamlines",
        "Losses",
        "Generators as matrices",
        "Structure constants and Killing form",
        "Settings",
    ]
    assert (
        page.count("data:image/png;base64,") == 5
        and page.count("(boost)</h3>") == 3
        and "minkowski" in page
        and "http" not in without_pictures(page)
    )
    again = SymmetryFlows.load(lorentz.save(tmp_path / "f.safetensors"), oracle=minkowski)
    assert str(again.answer()) == str(lorentz.answer())


def test_flows_that_claim_nothing_report_it(tmp_path, soon):
    rng = np.random.default_rng(0)
    flows = SymmetryFlows("all", generators="linear", random_state=0).fit(
        rng.normal(size=(200, 2)), pd.Series(rng.integers(0, 2, 200), name="coin")
    )
    assert (
        flows.answer()["Answer"][0].startswith("No symmetry of coin is claimed: the oracle is at chance")
        and flows.n_generators_ == 0
    )
    assert "Streamlines" not in headings(flows.report(tmp_path / "r.html").read_text(encoding="utf-8"))


def test_smooth_flows_and_latents_report_as_well(tmp_path, soon):
    X = torch.randn(400, 6, generator=torch.Generator().manual_seed(0)).numpy()
    flows = SymmetryFlows(1, generators="exact", latent_dim=2, random_state=0).fit(X, (X[:, 0] > 0).astype(int))
    page = flows.report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Generators as matrices" not in headings(page)
    if flows.n_generators_:
        assert "one smooth transformation of the latent space" in page and page.count("data:image/png;base64,") == 1


# In a browser, from the disk

def test_reports_open_offline(probe, events, lorentz, tmp_path, offline):
    scan = pd.DataFrame(
        dict(
            resolution=[0.1, 0.2, 0.4],
            relevant=[3, 3, 2],
            progressive=[3, 2, 2],
            local_dim=[2.2, 2.0, 1.9],
            directions=[3, 2, 2],
            on_plateau=[False, True, True],
        )
    )
    for path in (probe.report(tmp_path / "probe.html", events, scan=scan), lorentz.report(tmp_path / "flows.html")):
        offline.goto(path.as_uri())
        assert offline.evaluate(
            "document.images.length >= 4 && [...document.images].every(i => i.complete && i.naturalWidth > 300)"
        )
        offline.set_viewport_size({"width": 400, "height": 800})
        assert offline.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"


@pytest.mark.parametrize("n, halves", [(1000, True), (999, False)])
def test_the_words_say_which_trainings_saw_half_of_the_events(n, halves):
    plane = np.random.default_rng(0).normal(size=(n, 2)) @ [[1, 0, 1], [0, 1, 1]]
    probe = SymmetryProbe(max_steps=20, random_state=0).fit(plane)
    assert (", 2 of them on halves of the events, find" in str(probe.answer())) == halves
