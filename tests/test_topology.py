"""Holes of shapes whose Betti numbers topology knows, from samples."""

import numpy as np
import pytest

from symnb.data.geometry import arc, circle, disk, gaussian, group_orbit, helix, sphere, swiss_roll, torus
from symnb.data.zoo import FITTED, HELD, known_betti
from symnb.probe import topology
from symnb.probe.estimator import fit_probe
from symnb.probe.topology import betti_table, persistence


def figure_eight(n, random_state):
    t = np.random.RandomState(random_state).uniform(0, 2 * np.pi, n)
    return np.column_stack([np.sin(t), np.sin(t) * np.cos(t)])


def moebius(n, random_state):
    t, w = np.random.RandomState(random_state).uniform(0, 1, (2, n)) * [[2 * np.pi], [1]] - [[0], [0.5]]
    return np.column_stack(
        [(1 + w * np.cos(t / 2)) * np.cos(t), (1 + w * np.cos(t / 2)) * np.sin(t), w * np.sin(t / 2)]
    )


def klein_bottle(n, random_state):
    u, v = np.random.RandomState(random_state).uniform(0, 2 * np.pi, (2, n))
    return np.column_stack(
        [(2 + np.cos(v)) * np.cos(u), (2 + np.cos(v)) * np.sin(u), np.sin(v) * np.cos(u / 2), np.sin(v) * np.sin(u / 2)]
    )


BOOST = [[[0.0, 1.0], [1.0, 0.0]]]
SHAPES = {  # betti numbers modulo 2: the Klein bottle has two loops
    "figure eight": (figure_eight, [2, 0]),
    "Moebius band": (moebius, [1, 0]),
    "Klein bottle": (klein_bottle, [2, 1]),
    "torus": (torus, [2, 1]),
    "sphere": (sphere, [0, 1]),
    "disk": (disk, [0, 0]),
    "330° arc": (lambda n, random_state: arc(n, angle=330 / 180 * np.pi, random_state=random_state), [0, 0]),
    "helix": (lambda n, random_state: helix(n, turns=1, random_state=random_state), [0, 0]),
    "Swiss roll": (swiss_roll, [0, 0]),
    "boost orbit": (lambda n, random_state: group_orbit(BOOST, [1, 0], n, random_state=random_state), [0, 0]),
    "Gaussian": (lambda n, random_state: gaussian(n, 3, random_state=random_state), [0, 0]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_betti_numbers_of_exact_shapes(name):
    make, betti = SHAPES[name]
    table = betti_table(make(2000, random_state=3), max_dim=2 if betti[1] or name == "disk" else 1)
    assert table.betti.tolist() == betti[:len(table)]
    assert [len(lives) for lives in table.lifetimes] == table.betti.tolist()
    assert ((table.strongest_rejected >= 0) & (table.strongest_rejected < 1)).all()


@pytest.mark.parametrize("n, n_landmarks", [(60, 400), (300, 40), (1000, 150)])
def test_a_circle_is_closed_at_any_size_of_the_sample(n, n_landmarks):
    "Points without chance gaps: a few at random may well leave the circle open."
    at = np.random.default_rng(0).uniform(0, 0.5, n) + np.arange(n)
    for opening, betti in ((2, [1]), (1.5, [0])):
        angle = np.pi * opening * at / n
        assert betti_table(np.column_stack([np.cos(angle), np.sin(angle)]), 1, n_landmarks).betti.tolist() == betti


def test_neither_units_nor_place_nor_constant_columns_matter():
    X = circle(600, random_state=0)
    for changed in (1e-6 * X, X + 1e3, X * [1, 500], np.column_stack([X, np.full(600, 7.0)])):
        assert betti_table(changed, 1).betti.tolist() == [1]
    np.testing.assert_allclose(betti_table(X + 5, 1).lifetimes[0], betti_table(X, 1).lifetimes[0], atol=2e-3)


def test_persistence_of_a_circle():
    diagrams, cover = persistence(circle(1000, random_state=0), 1, 100)
    birth, death = diagrams[1][np.diff(diagrams[1]).ravel().argmax()]
    assert death == pytest.approx(np.sqrt(3), abs=0.05)  # of a Vietoris-Rips complex on the unit circle
    assert 0 < birth < 5 * cover < 0.5


def test_voids_end_where_they_are_no_longer_followed():
    diagrams, cover = persistence(sphere(1000, random_state=0), 2, 100)
    assert len(diagrams) == 3 and np.isfinite(diagrams[2]).all() and (diagrams[2][:, 0] <= diagrams[2][:, 1]).all()


@pytest.mark.parametrize(
    "X", [np.full((50, 2), 3.0), np.array([[0.0, 1], [np.nan, 2], [1, 1], [2, 0]]), np.arange(9.0), np.zeros((3, 2))]
)
def test_data_without_a_shape_are_refused(X):
    with pytest.raises(ValueError, match="X "):
        betti_table(X)


def test_the_probe_denoises_before_it_looks():
    def noisy(make):
        X = make(1000, random_state=0)
        return X + 0.1 * X.std(0) * np.random.RandomState(1).randn(*X.shape)
    for make, betti in ((sphere, [0, 1]), (disk, [0, 0])):
        X = noisy(make)
        probe = fit_probe(X, training="standard", n_runs=1, max_steps=300, random_state=0)
        assert probe.topology(X).betti.tolist() == betti


def test_a_margin_tells_how_clear_the_nearest_call_was(monkeypatch):
    X = circle(300, random_state=0)
    holes = lambda share: np.array([[10.0, 22.5 * share]])  # a share of the death that a loop born at 10 needs

    def table(*shares):
        monkeypatch.setattr(topology, "persistence", lambda X, m, n, draw: ([None, holes(shares[draw])], 10.0))
        return betti_table(X, 1).iloc[0]

    clear = table(2.5)
    assert (clear.betti, clear.margin) == (1, np.log(2.5).clip(max=1))
    assert table(0.5).betti == 0 and np.isclose(table(0.5).margin, np.log(2))
    steady, torn = table(1.2, 1.1, 1.3), table(0.97, 1.3, 1.3, 1.3)
    assert steady.betti == torn.betti == 1 and np.isclose(steady.margin, np.log(1.1)) and torn.margin == 0


@pytest.mark.parametrize("name, m", [("circle", 1), ("sphere", 3), ("torus", 2), ("Möbius band", 2), ("cone", 2),
                                     ("bowl", 2), ("knot", 1), ("cylinder", 2), ("ellipsoid", 3), ("oscillator", 2),
                                     ("rotations", 4), ("decay at rest", 3), ("flat torus", 2)])
def test_the_zoo_knows_the_holes_of_its_shapes(name, m):
    shape, numbers, less = (FITTED | HELD)[name]
    rng = np.random.default_rng(1)
    X = shape(rng, rng.random((1500, m)))
    table = betti_table(X, 2 if m + less == 2 else 1)
    assert m in numbers and tuple(table.betti) == known_betti(name, m)[:len(table)]
