"Functions times fields: what generates the null space of a polynomial family, and what multiplies it."
from math import comb

import pytest
import torch

from symnb.flows.families import affine, field, field_jacobian, linear, polynomial, tied
from symnb.flows.multiples import function_multiples
from symnb.flows.nullspace import null_space
from symnb.flows.oracle import oracle_jacobian
from symnb.flows.points import find_points
from symnb.lie import field_closure, identify

pytestmark = pytest.mark.exact


def events(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def module(oracle, family, x=None):
    x = events(800, family.n_columns) if x is None else x
    jac = oracle_jacobian(oracle, x)
    space = null_space(jac, x, family)
    return space, function_multiples(space, jac, x)


def kinds(found):
    return tuple(sum(m.kind == kind for m in found.multiples) for kind in ("level", "orbit", "point"))


def circle(x):
    return (x[..., :2] ** 2).sum(-1)


def sphere(x):
    return x.square().sum(-1)


SHEARED = lambda x: x[..., 0] ** 2 + (x[..., 1] - x[..., 0] ** 2) ** 2
CASES = {
    "circle": (circle, polynomial(2, 3), ["-y ∂x + x ∂y"], (1, 0, 4)),
    "circle, degree 5": (circle, polynomial(2, 5), ["-y ∂x + x ∂y"], (2, 0, 12)),
    "cylinder": (circle, polynomial(3, 3), ["∂z", "-y ∂x + x ∂y"], (2, 10, 16)),
    "circles in planes": (lambda x: torch.stack([circle(x), x[..., 2]], -1), polynomial(3, 3), ["-y ∂x + x ∂y"],
                          (3, 0, 6)),
    "parabola": (lambda x: x[..., 1] - x[..., 0] ** 2, polynomial(2, 3), ["0.5 ∂x + x ∂y"], (1, 0, 4)),
    "sheared circle": (SHEARED, polynomial(2, 3), ["0.5 x² ∂x - 0.5 y ∂x + x³ ∂y - x y ∂y + 0.5 x ∂y"], (0, 0, 0)),
    "planes": (lambda x: x[..., 2].sinh(), polynomial(3, 2), ["∂x", "∂y"], (4, 6, 8)),
    "sine": (lambda x: x[..., 0].sin(), affine(2), ["∂y"], (1, 0, 1)),
}


@pytest.mark.parametrize("oracle, family, formulas, counts", CASES.values(), ids=CASES)
def test_modules_in_closed_form(oracle, family, formulas, counts):
    space, found = module(oracle, family)
    assert found.expressions() == formulas and kinds(found) == counts
    assert space.n == found.generators.n + sum(counts)


@pytest.mark.parametrize("oracle", [sphere, lambda x: sphere(x).exp(), lambda x: 1 / sphere(x)])
@pytest.mark.parametrize("degree, level", [(1, 0), (2, 0), (3, 3), (4, 3)])
def test_spheres_have_three_generators(oracle, degree, level):
    "h L_i with Σ x_i L_i = 0: 3 · C(degree + 2, 3) − C(degree + 1, 3) fields."
    space, found = module(oracle, polynomial(3, degree))
    assert space.n == 3 * comb(degree + 2, 3) - comb(degree + 1, 3) and kinds(found)[0] == level
    assert set(found.expressions()) == {"-y ∂x + x ∂y", "-z ∂x + x ∂z", "-z ∂y + y ∂z"}
    C, x = found.generators.coefficients, events(100, 3)
    closed = field_closure(field(space.family, C, x), field_jacobian(space.family, C, x))
    assert closed.relative < 1e-20 and identify(closed.constants).name == "so(3)"


@pytest.mark.parametrize("oracle, family", [(c[0], c[1]) for c in CASES.values()] + [(sphere, polynomial(3, 3))])
def test_generators_and_multiples_are_a_basis(oracle, family):
    "As functions, on events that were not seen; and each kind is what it says."
    space, found = module(oracle, family)
    x = events(300, family.dim, seed=7)
    G, jac = found.generators(x), oracle_jacobian(oracle, x)
    rows = torch.linalg.svd(jac, full_matrices=False)[2]
    products = [*G]
    for m in found.multiples:
        products.append((found.functions.features(x) @ m.function)[:, None] * G[m.generator])
        slope = torch.einsum("q,nqd->nd", m.function, found.functions.slopes(x))
        seen = torch.einsum("nd,nrd->nr", slope, rows).norm(dim=1)
        along = (slope * G[m.generator]).sum(1)
        level, orbit = bool((slope.norm(dim=1) - seen).abs().max() < 1e-9), bool(along.abs().max() < 1e-9)
        assert m.kind == ("level" if level else "orbit" if orbit else "point")
    products, fields = torch.stack(products).flatten(1), space(x).flatten(1)
    size = lambda v: v / v.norm(dim=1, keepdim=True)
    assert torch.linalg.matrix_rank(size(products), rtol=1e-9) == space.n == len(products)
    assert torch.linalg.matrix_rank(torch.cat([size(products), size(fields)]), rtol=1e-9) == space.n


def test_units_and_origin_do_not_matter():
    x = events(800, 2) * torch.tensor([1e3, 1e-2]) + torch.tensor([2e3, 0])
    space, found = module(lambda x: (x[:, 0] / 1e3 - 2) ** 2 + (100 * x[:, 1]) ** 2, polynomial(2, 3), x)
    assert space.n == 6 and found.generators.n == 1 and kinds(found) == (1, 0, 4)
    G, jac = found.generators(x)[0], oracle_jacobian(lambda x: (x[:, 0] / 1e3 - 2) ** 2 + (100 * x[:, 1]) ** 2, x)
    assert torch.einsum("nd,nd->n", jac[:, 0], G).abs().max() < 1e-9 * (jac[:, 0] * G).abs().max()


def test_words():
    _, found = module(circle, polynomial(3, 3))
    told = found.words(["p", "q", "s"])
    assert told[0] == "(∂s) times p² + q²: a function of the oracle, a speed for each level set"
    constant = "(-q ∂p + p ∂q) times s, s²: a function constant along its orbits but not one of the oracle"
    assert any(line.startswith(constant) for line in told)
    assert found.message.startswith("2 generators of a module of 30 fields")
    assert found.generators.message.endswith(found.message)


def test_an_ensemble_has_the_module_of_its_mean():
    x, draw = events(1500, 2), torch.Generator().manual_seed(1)
    jac = 2 * x[:, None] + 0.02 * torch.randn(4, 1500, 1, 2, generator=draw, dtype=torch.float64)
    space = null_space(jac, x, polynomial(2, 3))
    found = function_multiples(space, jac, x)
    assert space.n == 6 and found.generators.n == 1 and kinds(found) == (1, 0, 4)
    assert found.expressions() == ["-y ∂x + x ∂y"]


def test_a_function_for_the_jacobian_and_many_events():
    x = events(20_000, 2)[events(20_000, 1, seed=2)[:, 0].argsort()]
    jac = lambda x: oracle_jacobian(circle, x)
    found = function_multiples(null_space(jac, x, polynomial(2, 3)), jac, x)
    assert kinds(found) == (1, 0, 4)


def test_nothing_has_no_module():
    space, found = module(lambda x: x[:, 0].sin() + x[:, 0] * x[:, 1] + x[:, 1].exp(), polynomial(2, 2))
    assert space.n == found.generators.n == len(found.multiples) == 0 and found.words() == found.expressions() == []
    assert found.message == "0 generators, and no field is a function times another"


def test_linear_fields_are_no_multiples():
    space, found = module(lambda x: x[..., 0] * x[..., 3] - x[..., 1] * x[..., 2], linear(4))
    assert found.generators.n == space.n == 6 and not found.multiples


def test_fields_of_several_points_are_no_multiples():
    "Special conformal maps are sums of translations times functions, and generators all the same."
    def cross_ratios(x):
        s = lambda i, j: ((x[..., 3 * i:3 * i + 3] - x[..., 3 * j:3 * j + 3]) ** 2).sum(-1)
        return torch.stack([s(0, 1) * s(2, 3), s(0, 3) * s(1, 2)], -1) / (s(0, 2) * s(1, 3))[..., None]
    family = find_points(12, 4).tie(polynomial(3))
    space, found = module(cross_ratios, family)
    assert space.n == found.generators.n == 10 and not found.multiples
    C, x = found.generators.coefficients, events(50, 12)
    assert identify(field_closure(field(family, C, x), field_jacobian(family, C, x)).constants).name == "so(1,4)"


def test_points_that_may_move_alone_have_multiples():
    "Two circles at once: the same rotation of both, times functions; and of a distance the translations beside it."
    family = tied(polynomial(2, 3), [(0, 2), (1, 3)])
    space, found = module(lambda x: (x[..., [0, 2]] ** 2).sum(-1) + 2 * (x[..., [1, 3]] ** 2).sum(-1), family)
    assert space.n == 6 and found.expressions() == ["-y ∂x + x ∂y"] and kinds(found) == (1, 0, 4)
    heights = tied(affine(2), [(0, 1), (2, 3)])
    space, found = module(lambda x: (x[..., 1] - x[..., 3])[..., None], heights)
    assert space.n == 4 and set(found.expressions()) == {"∂x", "∂y"} and kinds(found) == (1, 0, 1)
