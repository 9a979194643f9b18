"""Finite symmetries: groups whose elements are known, and nulls that have none."""
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import block_diag

from symnb.data.collider import MOMENTA, ee_cross_section, ee_to_mumu
from symnb.finite import close_group, find_finite, name_group
from symnb.finite.candidates import corner_maps, plane_rotations, signed_permutations, swaps_and_signs
from symnb.finite.catalogue import (
    dicyclic,
    dihedral,
    direct_product,
    isomorphic,
    metacyclic,
    permutation_matrices,
    quaternion_matrices,
    table_names,
)
from symnb.finite.equivalence import judge_oracle, judge_sample
from symnb.finite.groups import centre, commutator_subgroup, conjugacy_classes, element_orders

GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array([np.roll([0, a, b * GOLDEN], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)])


def plane(n=200, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


# Groups

@pytest.mark.parametrize("n", range(3, 9))
def test_a_turn_and_a_mirror_make_the_dihedral_group(n):
    group = close_group([plane_rotations(2, folds=[n])[0], np.diag([1.0, -1])])
    report = name_group(group)
    assert (report.name, report.order, report.point_group) == (f"D_{n}", 2 * n, f"C_{n}v")
    assert report.n_classes == (n + 3) // 2 if n % 2 else n // 2 + 3
    products = group.elements[:, None] @ group.elements
    assert np.abs(products - group.elements[group.table]).max() < 1e-12


@pytest.mark.parametrize("matrices, name", [
    ([np.eye(3)], "trivial"),
    ([-np.eye(2)], "Z_2"),
    (swaps_and_signs(3)[3:], "Z_2^3"),
    (plane_rotations(2, folds=[7]), "C_7"),
    ([block_diag(plane_rotations(2, folds=[4])[0], -1.0), np.diag([1.0, 1, -1])], "C_4×C_2"),
    (quaternion_matrices([[0, 1, 0, 0], [0, 0, 1, 0]]), "Q_8"),
    (permutation_matrices(4, [(0, 1), (1, 2), (2, 3)]), "S_4"),
    (permutation_matrices(5, [(0, 1, 2), (0, 1, 3), (0, 1, 4)]), "A_5"),
    (swaps_and_signs(3), "O_h"),
    (swaps_and_signs(4), "Z_2^4⋊S_4"),
    (corner_maps(ICOSAHEDRON), "I_h"),
    (corner_maps([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]), "T_d"),
    (quaternion_matrices([[GOLDEN / 2, 0.5, 1 / (2 * GOLDEN), 0], [0.5] * 4]), "2I"),
])
def test_groups_are_named_in_any_coordinates(matrices, name):
    matrices = np.asarray(matrices)
    assert name_group(matrices).name == name
    if not name.startswith("S_"):  # its columns are no longer permuted
        S = rotation(matrices.shape[1], 3) @ np.diag(np.linspace(1, 2, matrices.shape[1]))
        assert name_group(S @ matrices @ np.linalg.inv(S)).name == name


def test_the_table_tells_the_structure():
    table = direct_product(dihedral(3), dihedral(3))
    assert len(centre(table)) == 1 and len(commutator_subgroup(table)) == 9 and conjugacy_classes(table).max() == 8
    assert sorted(element_orders(dicyclic(2))) == [1, 2, 4, 4, 4, 4, 4, 4]


def test_groups_that_count_alike_are_told_apart():
    """The modular group of order 16 and C_8 × C_2 have the same numbers of elements of each order."""
    modular = metacyclic(8, 2, 5)
    both = direct_product(np.add.outer(range(8), range(8)) % 8, np.add.outer(range(2), range(2)) % 2)
    assert sorted(element_orders(modular)) == sorted(element_orders(both))
    assert table_names(modular) == ("C_8⋊C_2 (a → a^5)",) and table_names(both) == ("C_8×C_2",)
    assert isomorphic(modular, both) is False


def test_a_group_outside_the_catalogue_gets_its_invariants():
    """Two triangles and their exchange: S_3 wr Z_2, of order 72."""
    triangles = [block_diag(m, np.eye(3)) for m in permutation_matrices(3, [(0, 1), (1, 2)])]
    report = name_group([*triangles, np.kron([[0, 1], [1, 0]], np.eye(3))])
    assert (report.name, report.names, report.n_classes) == ("a group of order 72", (), 9)


def test_rough_generators_close_and_are_put_right():
    noise = 0.01 * np.random.default_rng(0).normal(size=(2, 2, 2))
    group = close_group(np.array([plane_rotations(2, folds=[4])[0], np.diag([1.0, -1])]) + noise, tolerance=0.3)
    assert group.order == 8
    assert np.abs(group.elements[:, None] @ group.elements - group.elements[group.table]).max() < 1e-10


# Oracles

@pytest.mark.parametrize("n", range(3, 9))
@pytest.mark.parametrize("tilt", [0, 0.37])
def test_polygons(n, tilt):
    def polygon(x):
        z = (x[:, 0] + 1j * x[:, 1]) * np.exp(1j * tilt)
        return (z**n).real + abs(z) ** 2
    found = find_finite(plane(), polygon, random_state=0)
    assert (found.name, found.order) == (f"D_{n}", 2 * n)
    assert np.abs(polygon(plane(50, 1) @ found.elements[-1].T) - polygon(plane(50, 1))).max() < 1e-8


def test_a_polygon_without_mirrors():
    def propeller(x):
        z = x[:, 0] + 1j * x[:, 1]
        return (z**5).real + abs(z) ** 2 * (z**5).imag
    assert find_finite(plane(), propeller, random_state=0).name == "C_5"


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("function, name", [
    (lambda x: (x**4).sum(1), "O_h"), (lambda x: x.prod(1) + (x**2).sum(1), "T_d"),
    (lambda x: ((x @ ICOSAHEDRON.T) ** 6).sum(1), "I_h")])
def test_solids_lying_straight_and_askew(function, name, seed):
    Q = np.eye(3) if seed is None else rotation(3, seed)
    X = np.random.default_rng(0).normal(size=(300, 3))
    assert find_finite(X, lambda x: function(x @ Q), random_state=0).name == name


@pytest.mark.parametrize("d, name, order", [(2, "Z_2", 2), (3, "S_3", 6), (4, "S_4", 24), (8, "S_8", 40320)])
def test_symmetric_functions(d, name, order):
    X = np.random.default_rng(0).normal(size=(200, d))
    found = find_finite(X, lambda x: x.sum(1) + (x**3).sum(1), random_state=0)
    assert (found.name, found.order) == (name, order)


@pytest.mark.parametrize("k, name", [(1, "Z_2"), (2, "Z_2^2"), (3, "Z_2^3"), (4, "Z_2^4")])
def test_even_functions(k, name):
    a = np.array([0.7, 1.1, 1.6, 2.0])
    X = np.random.default_rng(0).normal(size=(200, 4))
    even = lambda x: (a[:k] * x[:, :k] ** 2).sum(1) + np.sin(a[k:] * x[:, k:] + 0.3).sum(1)
    assert find_finite(X, even, random_state=0).name == name


def test_a_continuous_symmetry_is_not_given_a_finite_name():
    found = find_finite(plane(), lambda x: (x**2).sum(1), random_state=0)
    assert found.order is None and found.group is None and "SymmetryFlows" in found.words


def leptons(n, rng):
    "Momenta (n, 12) of e⁻, e⁺, μ⁻, μ⁺ in frames of their own."
    u = rng.normal(size=(n, 2, 3))
    u /= np.linalg.norm(u, axis=2, keepdims=True)
    E, v = rng.uniform(30, 60, (n, 1, 1)), rng.uniform(-0.4, 0.4, (n, 1, 3))
    p = E * np.stack([u[:, 0], -u[:, 0], u[:, 1], -u[:, 1]], 1)
    gamma = (1 - (v**2).sum(2, keepdims=True)) ** -0.5
    return (p + v * (gamma**2 / (1 + gamma) * (p * v).sum(2, keepdims=True) + gamma * E)).reshape(n, 12)


def test_parity_charge_conjugation_and_lepton_exchange_of_a_cross_section():
    def rate(x):
        p = x.reshape(-1, 4, 3)
        E = np.linalg.norm(p, axis=2)
        square = lambda i, j, sign: (E[:, i] + sign * E[:, j]) ** 2 - ((p[:, i] + sign * p[:, j]) ** 2).sum(1)
        s = square(0, 1, 1)
        return ee_cross_section(np.clip((square(0, 2, -1) - square(0, 3, -1)) / s, -1, 1), np.sqrt(np.maximum(s, 1)))
    found = find_finite(leptons(300, np.random.default_rng(0)), rate, random_state=0)
    vectors = lambda order: np.kron(np.eye(4)[order], np.eye(3))
    P, C, exchange, muons = -np.eye(12), vectors([1, 0, 3, 2]), vectors([2, 3, 0, 1]), vectors([0, 1, 3, 2])
    inside = lambda g: (np.abs(found.elements - g).max((1, 2)) < 1e-9).any()
    assert (found.name, found.order) == ("Z_2^3", 8)
    assert all(map(inside, (P, C, C @ P, exchange, exchange @ C))) and not inside(muons)


def test_noise_of_an_oracle_given_or_from_several():
    X, rng = np.random.default_rng(0).normal(size=(400, 3)), np.random.default_rng(1)
    bend = rng.normal(size=(5, 6))
    def member(b):  # the cube's function, known up to a smooth error of its own
        return lambda x: (x**4).sum(1) + 0.05 * np.column_stack([np.sin(x), np.cos(x)]) @ b
    several = find_finite(X, [member(b) for b in bend], signed_permutations(3), random_state=0)
    assert several.name == "O_h"
    assert find_finite(X, member(bend[0]), signed_permutations(3), random_state=0).order == 1
    assert find_finite(X, member(bend[0]), signed_permutations(3), random_state=0, noise=0.02).name == "O_h"


def test_oracles_of_torch():
    module = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False))
    module[0].weight.data[:] = torch.tensor([[1.0, 1.0]])
    assert find_finite(plane(), module, signed_permutations(2), random_state=0, noise=1e-5).name == "Z_2"


# Samples

def test_a_sample_shows_its_mirrors_and_not_more():
    """Nothing outside the eight symmetries of the first two columns; all of them in most samples."""
    orders = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(size=(1500, 2)), rng.exponential(size=1500) - 0.3])
        found = find_finite(X, candidates=signed_permutations(3), random_state=seed, margin=0.01)
        assert (found.elements[:, 2] == [0, 0, 1]).all()
        orders.append(found.order)
    assert orders.count(8) >= 2


def test_charge_conjugation_of_muons_holds_where_the_photon_rules():
    swap, parity = np.kron([[0, 1], [1, 0]], np.eye(3)), -np.eye(6)
    for energy, name in ((10.58, "Z_2^2"), (80.0, "trivial")):
        X = ee_to_mumu(3000, energy, random_state=1)[MOMENTA]
        found = find_finite(X, candidates=[swap, parity, swap @ parity], random_state=0)
        assert found.name == name, energy
        assert len(found.table) == 2  # CP moves none of these events


def test_few_events_exclude_nothing():
    X = np.random.default_rng(0).normal(size=(60, 2))
    verdict = judge_sample(X, signed_permutations(2), np.random.default_rng(0))
    assert (verdict.p_value > 0.05).all() and not verdict.accepted.any()
    assert find_finite(X, random_state=0).order == 1


# Nulls

def test_generic_functions_have_none():
    claimed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 4))
        W, b, a = rng.normal(size=(d, 12)), rng.normal(size=12), rng.normal(size=12)
        found = find_finite(rng.normal(size=(150, d)), lambda x: np.tanh(x @ W + b) @ a, random_state=seed)
        claimed += found.order != 1
    assert claimed <= 1


def test_generic_samples_have_none():
    claimed = could = 0
    options = dict(candidates=signed_permutations(2), margin=0.01)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        mu, L, c = 1.5 * rng.normal(size=(3, 2)), 0.7 * rng.normal(size=(3, 2, 2)), rng.integers(0, 3, 600)
        X = mu[c] + np.einsum("nij,nj->ni", L[c], rng.normal(size=(600, 2)))
        claimed += find_finite(X, random_state=seed, **options).order != 1
        if seed < 10:
            could += find_finite(rng.normal(size=(2000, 2)), random_state=seed, **options).name == "D_4"
    assert claimed <= 1 and could >= 8  # the same test does claim what is there


# Bad input

@pytest.mark.parametrize("change, message", [
    (dict(X=np.ones(5)), "X has the shape"),
    (dict(X=np.full((30, 2), np.nan)), "X has NaN"),
    (dict(X=np.zeros((30, 2))), "X is zero"),
    (dict(X=np.ones((5, 2))), "at least 20"),
    (dict(X=pd.DataFrame({"a": ["x"] * 30, "b": ["y"] * 30})), "X has columns that are not numbers"),
    (dict(oracle=3), "oracle=3 is not callable"),
    (dict(oracle=lambda x: np.ones(len(x))), "oracle is constant"),
    (dict(oracle=lambda x: x[:, 0] / 0), "oracle is not finite"),
    (dict(oracle=lambda x: x[:3, 0]), "oracle returned the shape"),
    (dict(candidates=np.eye(3)), "candidates has the shape"),
    (dict(candidates=np.eye(3)[None]), "candidates act on 3 columns"),
    (dict(candidates=np.zeros((1, 2, 2))), "without an inverse"),
    (dict(margin=0), "margin=0"), (dict(level=2), "level=2"), (dict(max_order=0), "max_order=0"),
    (dict(noise=-1), "noise=-1"), (dict(random_state="x"), "random_state='x'"),
])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_is_named(change, message):
    arguments = dict(X=plane(), oracle=lambda x: x[:, 0]) | change
    with pytest.raises((ValueError, TypeError), match=message):
        find_finite(**arguments)


@pytest.mark.parametrize("generators, message", [
    (np.eye(2), "generators has the shape"), ([[[1.0, 1], [0, 1]]], "no power"), ([[[2.0]]], "no power"),
    (plane_rotations(2, folds=[2**0.5]), "no power")])
def test_what_makes_no_finite_group_is_refused(generators, message):
    with pytest.raises(ValueError, match=message):
        close_group(generators)


def test_the_order_is_bounded():
    with pytest.raises(ValueError, match="max_order=100"):
        close_group(swaps_and_signs(4), max_order=100)


def test_an_oracle_with_too_much_noise_shows_nothing():
    verdict = judge_oracle(lambda x: (x**2).sum(1), plane(), signed_permutations(2), noise=0.5)
    assert not verdict.accepted.any()
