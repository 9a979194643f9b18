"Several points at once: the group that moves all points of an event together decides what is found."
import itertools

import pytest
import torch

from symnb.data.exceptional import triple
from symnb.flows.families import (
    FamilyField,
    affine,
    expressions,
    field,
    field_jacobian,
    linear,
    make_family,
    matrices,
    polynomial,
    tied,
)
from symnb.flows.matrices import invariance_factor, matrix_losses, train_matrices
from symnb.flows.nullspace import null_space
from symnb.flows.oracle import oracle_jacobian
from symnb.flows.points import find_points
from symnb.lie import closure, field_closure, identify

pytestmark = pytest.mark.exact
MINKOWSKI = torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)


def events(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def in_order(family, k):
    return find_points(k * family.dim, k).tie(family)


def named(space, x):
    "The algebra, from the fields at one point."
    family, C = space.family, space.coefficients
    if family.degree == 1:
        return identify(closure(matrices(family, C)).constants).name
    alone = polynomial(family.dim, family.degree)
    x = family.split(x[:200]).flatten(0, 1)
    return identify(field_closure(field(alone, C, x), field_jacobian(alone, C, x)).constants).name


# Invariants of x (..., k·d)

def square(x, i, j, d, form=1.0):
    return ((x[..., d * i:d * i + d] - x[..., d * j:d * j + d]) ** 2 * form).sum(-1)


def cross_ratios(d, form=1.0):
    def ratios(x):
        s = lambda i, j: square(x, i, j, d, form)
        return torch.stack([s(0, 1) * s(2, 3), s(0, 3) * s(1, 2)], -1) / (s(0, 2) * s(1, 3))[..., None]
    return ratios


def projective(x):
    p = torch.cat([x.unflatten(-1, (5, 2)), x.new_ones(*x.shape[:-1], 5, 1)], -1)
    area = lambda *corners: torch.linalg.det(p[..., list(corners), :])
    ratio = lambda o, a, b, c, d: area(o, a, b) * area(o, c, d) / (area(o, a, c) * area(o, b, d))
    return torch.stack([ratio(0, 1, 2, 3, 4), ratio(1, 0, 2, 3, 4)], -1)


def galilei(x):
    "Two times between three events (t, x, y, z), and how the velocities differ: singular where the times are equal."
    p = x.unflatten(-1, (3, 4))
    step = p[..., 1:, :] - p[..., :1, :]
    velocity = step[..., 1:] / step[..., :1]
    return torch.cat([step[..., 0], (velocity[..., 0, :] - velocity[..., 1, :]).norm(dim=-1, keepdim=True)], -1)


def carroll(x):
    "The distances in space between five events, and the volume in space and time."
    p = x.unflatten(-1, (5, 4))
    far = [(p[..., i, 1:] - p[..., j, 1:]).square().sum(-1) for i, j in itertools.combinations(range(5), 2)]
    return torch.stack([*far, torch.linalg.det(torch.cat([p, torch.ones_like(p[..., :1])], -1))], -1)


def octonions(x):
    "Re((xy)z) of three imaginary octonions, their lengths and angles."
    p = x.unflatten(-1, (3, 7))
    q = torch.cat([torch.zeros_like(p[..., :1]), p], -1)
    products = torch.einsum("...id,...jd->...ij", p, p)[..., [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    return torch.cat([triple(*q.unbind(-2))[..., None], products], -1)


CASES = [
    ("iso(1,3)", 10, lambda x: square(x, 0, 1, 4, MINKOWSKI)[..., None], affine(4), 2),
    ("e(3)", 6, lambda x: square(x, 0, 1, 3).sqrt()[..., None], affine(3), 2),
    ("sim(3)", 7, lambda x: (square(x, 0, 1, 3) / square(x, 0, 2, 3)).sqrt()[..., None], affine(3), 3),
    ("gal(3)", 10, galilei, affine(4), 3),
    ("carr(3)", 10, carroll, affine(4), 5),
    ("so(1,4)", 10, cross_ratios(3), polynomial(3), 4),
    ("so(2,4)", 15, cross_ratios(4, MINKOWSKI), polynomial(4), 4),
    ("sl(3,R)", 8, projective, polynomial(2), 5),
    ("so(1,2)", 3, cross_ratios(1), polynomial(1, 4), 4),
    ("G2", 14, octonions, linear(7), 3),
    ("gl(3,R)", 9, lambda x: torch.linalg.solve(x.unflatten(-1, (4, 3))[..., :3, :].mT, x[..., 9:]), linear(3), 4),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name, n, oracle, family, k", CASES, ids=[c[0] for c in CASES])
def test_groups_of_several_points(name, n, oracle, family, k, seed):
    x = events(1500, k * family.dim, seed)
    space = null_space(oracle_jacobian(oracle, x), x, in_order(family, k))
    assert space.n == n and space.coefficients.shape == (n, family.dim, family.n_features)
    assert space.singular_values[n - 1] < 1e-11 and [*space.singular_values, 1][n] > 0.1
    assert named(space, x) == name


def test_the_flow_of_a_field_keeps_the_oracle():
    "On events that the null space has not seen, to second order in the step."
    oracle, family = cross_ratios(3), in_order(polynomial(3), 4)
    x, fresh = events(1000, 12), events(20, 12, seed=1)
    space = null_space(oracle_jacobian(oracle, x), x, family)
    change = [oracle(fresh + h * space(fresh)) - oracle(fresh) for h in (1e-4, 1e-5)]
    assert change[1].abs().median() < 2e-2 * change[0].abs().median()


def test_units_and_the_order_of_columns_do_not_matter():
    "Seconds and metres; all times first. What is true of every point is true of each in the same units."
    c = 1e3
    oracle = lambda x: square(torch.stack([c * x[..., 0], *x[..., [2, 3, 4]].unbind(-1), c * x[..., 1],
                                           *x[..., [5, 6, 7]].unbind(-1)], -1), 0, 1, 4, MINKOWSKI)[..., None]
    x = events(500, 8) * torch.tensor([1 / c, 1 / c, 1, 1, 1, 1, 1, 1])
    points = find_points(["t1", "t2", "x1", "y1", "z1", "x2", "y2", "z2"], 2)
    space = null_space(oracle_jacobian(oracle, x), x, points.tie(affine(4)))
    assert space.n == 10 and named(space, x) == "iso(1,3)"
    assert {"∂t", "∂x", "∂y", "∂z", "-y ∂x + x ∂y"} <= set(space.expressions(points.names))


def test_points_are_alike_also_where_they_are_not():
    "Points far apart and of different spreads share their units, so that the field is the same at each."
    x = events(500, 4) * torch.tensor([1, 1, 30, 30]) + torch.tensor([0, 0, 200, -100])
    space = null_space(oracle_jacobian(lambda x: square(x, 0, 1, 2)[..., None], x), x, in_order(affine(2), 2))
    assert space.n == 3 and named(space, x) == "e(2)"


def test_one_point_is_a_family_of_its_own():
    x, family = events(300, 3), affine(3)
    jac = oracle_jacobian(lambda x: (x**2).sum(-1, keepdim=True), x)
    alone, tied_once = null_space(jac, x, family), null_space(jac, x, tied(family, [(0, 1, 2)]))
    assert torch.equal(alone.coefficients, tied_once.coefficients)
    assert torch.equal(alone.singular_values, tied_once.singular_values)


def test_fields_on_events_have_the_brackets_of_one_point():
    family = in_order(polynomial(2), 2)
    C, x = events(2 * 2 * 6, 1).reshape(2, 2, 6), events(5, 4, seed=1)
    G, D = field(family, C, x), field_jacobian(family, C, x)
    bracket = torch.einsum("nij,nj->ni", D[1], G[0]) - torch.einsum("nij,nj->ni", D[0], G[1])
    for point in (slice(0, 2), slice(2, 4)):
        g, d = field(polynomial(2), C, x[:, point]), field_jacobian(polynomial(2), C, x[:, point])
        assert torch.allclose(G[..., point], g)
        assert torch.allclose(bracket[:, point], (d[1] @ g[0, ..., None] - d[0] @ g[1, ..., None])[..., 0])


def test_losses_and_training_take_several_points():
    "e(2) of two points, trained; its losses vanish on others."
    family, x = in_order(affine(2), 2), events(400, 4)
    distance = lambda x: square(x, 0, 1, 2)[..., None]
    jac, fresh = oracle_jacobian(distance, x), events(200, 4, seed=1)
    trained = train_matrices(jac, x, 3, family, random_state=0)
    factor = invariance_factor(family, oracle_jacobian(distance, fresh), fresh)
    losses = matrix_losses(family, trained.coefficients, factor)
    assert sum(losses.values()) < 1e-12 and trained(fresh).shape == (3, 200, 4)
    assert identify(closure(matrices(family, trained.coefficients)).constants).name == "e(2)"


def test_expressions_are_those_of_one_point():
    family = in_order(linear(2), 3)
    turn = torch.tensor([[[0.0, -1], [1, 0]]])
    assert expressions(family, turn, ["u", "v"]) == ["-v ∂u + u ∂v"]
    assert FamilyField(family, turn)(torch.arange(6.0)[None]).tolist() == [[[-1, 0, -3, 2, -5, 4]]]


def test_events_confined_together_are_named():
    "Two points that sum to zero are one point: what moves their difference alone cannot be told."
    x = events(500, 2)
    with pytest.warns(Warning, match="quadric"):
        null_space(torch.cat([x, -x], 1)[:, None], torch.cat([x, -x], 1), in_order(linear(2), 2))


@pytest.mark.parametrize("change, error", [
    (dict(groups=[(0, 1), (2,)]), r"groups\[1\] has 1 columns"),
    (dict(groups=[]), "groups is empty"),
    (dict(groups=[(0, 1), (1, 2)]), "each of the columns 0 to 3 once"),
    (dict(groups=[(0, 1), (2, 4)]), "each of the columns 0 to 3 once"),
])
def test_tied_refuses(change, error):
    with pytest.raises(ValueError, match=error):
        tied(**dict(family=linear(2), groups=[(0, 1), (2, 3)]) | change)


def test_events_of_another_width_are_refused():
    family = in_order(linear(2), 2)
    with pytest.raises(ValueError, match="2 at 2 points: x must be"):
        field(family, torch.ones(1, 2, 2), events(5, 2))
    with pytest.raises(ValueError, match="2 features at each of 2 points, x has 6"):
        make_family(family, 6)
    assert make_family(family, 4) is family


@pytest.mark.parametrize("columns, k, groups, names", [
    (["x1", "y1", "x2", "y2"], 2, [(0, 1), (2, 3)], "x y"),
    (["x1", "x2", "x3", "y3", "y2", "y1"], 3, [(0, 5), (1, 4), (2, 3)], "x y"),
    (["E_1", "p_1", "E_2", "p_2"], 2, [(0, 1), (2, 3)], "E p"),
    (["x[0]", "x[1]"], 2, [(0,), (1,)], "x"),
    (["px_mu", "py_mu", "E_mu", "E_mubar", "px_mubar", "py_mubar"], 2, [(0, 1, 2), (4, 5, 3)], "px py E"),
    (["mu1_px", "mu1_py", "mu1_pz", "mu2_px", "mu2_py", "mu2_pz"], 2, [(0, 1, 2), (3, 4, 5)], "px py pz"),
    (["x0", "x1", "x2", "x3"], 2, [(0, 1), (2, 3)], ""),
    (["a", "b", "c"], 1, [(0, 1, 2)], "a b c"),
    (6, 3, [(0, 1), (2, 3), (4, 5)], ""),
])
def test_points_are_found_by_name_or_order(columns, k, groups, names):
    points = find_points(columns, k)
    assert points.groups == tuple(groups) and points.names == tuple(names.split()) and len(points.labels) == k


@pytest.mark.parametrize("columns, k, error", [
    (["x1", "y1", "x2", "z2"], 2, "point 1 has the columns x, y, point 2 has x, z"),
    (["x1", "y1", "x2", "x2"], 2, "the name 'x2' more than once"),
    (["x_a", "y_a", "x_b", "y_b"], 2, "points a, b or as x, y"),
    (["x", "y", "z"], 2, "n_points=2 does not divide the 3 columns"),
    (4, 0, "n_points=0"),
    (4, 2.0, "n_points=2.0"),
])
def test_columns_that_do_not_fit_are_named(columns, k, error):
    with pytest.raises(ValueError, match=error):
        find_points(columns, k)
