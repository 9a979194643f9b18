"""Networks, exact generators, finite transformations and streamlines, against functions whose symmetries are known."""

import pytest
import torch

from symnb.core import jacobian
from symnb.flows.exact import ExactGenerators, ProjectedGenerators, project
from symnb.flows.networks import (
    brackets,
    closure_loss,
    evaluate,
    finite_invariance,
    fit_structure,
    flow_losses,
    loss_rows,
    smallest_loss,
    train_networks,
)
from symnb.flows.streamlines import streamlines
from symnb.flows.transformations import decision, margin, train_transformations

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torchdiffeq


def events(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def radius(x):
    return (x**2).sum(-1)


def small(jac, x, n, **settings):
    return train_networks(jac, x, n, **dict(dict(n_replicas=2, hidden=(32, 32), steps=600, random_state=0), **settings))


ROTATIONS = torch.tensor(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]]
).double()


def linear_fields(matrices, x):
    return torch.einsum("aij,nj->ani", matrices, x), matrices[:, None].expand(-1, len(x), -1, -1)


# The losses

@pytest.mark.exact
def test_losses_by_hand():
    G = torch.tensor([[[1.0, 0, 0], [0, 2, 0]], [[0, 1, 0], [0, 1, 0]]])  # two fields at two events
    rows = torch.tensor([[[0.0, 1, 0]], [[0, 1, 0]]])
    pointwise, averaged = flow_losses(G, rows), flow_losses(G, rows, "averaged")
    assert [v.item() for v in pointwise.values()] == [(0 + 4) / 2 + (1 + 1) / 2, (0 + 9) / 2, (0 + 4) / 2]
    assert [v.item() for v in averaged.values()] == [3, (2.5 - 1) ** 2, 1]


@pytest.mark.exact
@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_the_printed_loss_is_eq_10_and_knows_the_units_of_the_oracle(unit):
    x, G = events(50, 3).double(), events(2, 50, 3, seed=1).double()
    oracle = lambda x: unit * torch.stack([radius(x), 3 * x[..., 2]], -1)
    jac = torch.stack([2 * x, 3 * torch.eye(3).double()[2].expand(50, 3)], 1) * unit
    change = [oracle(x[i] + 0.5 * G[a, i]) - oracle(x[i]) for a in range(2) for i in range(50)]
    by_hand = sum(c.square().sum() for c in change) / 50 / 0.5**2
    torch.testing.assert_close(finite_invariance(oracle, G, x, 0.5), by_hand)
    printed, whitened = (flow_losses(G, loss_rows(jac, loss))["invariance"] for loss in ("printed", "whitened"))
    torch.testing.assert_close(printed, torch.einsum("nkd,and->ank", jac, G).square().sum() / 50)
    torch.testing.assert_close(finite_invariance(oracle, G, x, 1e-6), printed, rtol=1e-4, atol=0)
    torch.testing.assert_close(whitened, flow_losses(G, loss_rows(7 * jac))["invariance"])


@pytest.mark.exact
def test_closure_for_given_constants_is_smallest_for_those_that_fit():
    G, DG = linear_fields(ROTATIONS, events(300, 3).double())
    c = fit_structure(G, brackets(G, DG))
    torch.testing.assert_close(closure_loss(G, DG, c), closure_loss(G, DG))
    rest, size = closure_loss(G, DG, 0 * c)
    assert abs(rest / size - 1) < 1e-12 and closure_loss(G, DG, -c)[0] > 3.9 * size


@pytest.mark.exact
def test_three_rotations_close_and_two_do_not():
    G, DG = linear_fields(ROTATIONS, events(300, 3).double())
    rest, size = closure_loss(G, DG)
    assert rest < 1e-9 * size
    c = fit_structure(G, brackets(G, DG))
    killing = torch.einsum("agd,bdg->ab", c, c)
    torch.testing.assert_close(killing, -2 * torch.eye(3).double(), atol=1e-4, rtol=0)
    rest, size = closure_loss(G[:2], DG[:2])
    assert rest > 0.9 * size  # [L1, L2] is L3, which is missing


@pytest.mark.exact
def test_the_bracket_is_antisymmetric_and_that_of_the_commutator():
    G, DG = linear_fields(ROTATIONS, events(10, 3).double())
    B = brackets(G, DG)
    torch.testing.assert_close(B, -B.transpose(0, 1))
    torch.testing.assert_close(B[0, 1], -G[2])  # linear fields: minus the commutator of the matrices


@pytest.mark.parametrize("n, free, weight", [(2, 1, 1.0), (2, 1, 10.0), (3, 2, 1.0), (4, 3, 1.0), (3, 1, 1.0)])
@pytest.mark.exact
def test_smallest_loss_is_reached_and_not_undercut(n, free, weight):
    G = events(64, n, n, seed=n).double().requires_grad_()
    rows = torch.eye(n).double()[free:].expand(1, -1, -1)
    def loss():
        parts = flow_losses(G[:, :, None], rows)
        return parts["invariance"] * weight + parts["normalization"] + parts["orthogonality"]
    solver = torch.optim.LBFGS([G], max_iter=300, line_search_fn="strong_wolfe")
    def closure():
        solver.zero_grad()
        total = loss().sum()
        total.backward()
        return total
    solver.step(closure)
    assert abs(loss().min().item() - smallest_loss(n, free, weight)) < 1e-5


# Networks

def test_one_field_in_the_plane_follows_the_circles():
    x = events(2, 1500, 2)
    found = small(2 * x[:, :, None], x, 1)
    fresh = events(500, 2, seed=1).double()
    G = found.select(1)(fresh)[0]
    assert (torch.nn.functional.cosine_similarity(G, fresh, dim=1).abs().median() < 0.03) and found.losses[
        "total"
    ].shape == (2,)
    torch.testing.assert_close(found(fresh.expand(2, -1, -1))[1, 0], G)


def test_two_fields_in_the_plane_are_refused_with_the_loss_that_is_known():
    x = events(1500, 2) + torch.tensor([3.0, 0])
    found = small(2 * x[:, None], x, 2, invariance=1.0)
    assert abs(float(found.losses["total"]) - smallest_loss(2, 1)) < 0.05


def test_two_orthogonal_fields_in_space_are_found():
    x = events(1500, 3) + torch.tensor([4.0, 0, 0])
    found = small(2 * x[:, None], x, 2)
    assert found.losses["total"] < 0.02


def test_networks_on_the_radius_in_space_form_so3():
    x = events(1, 2000, 3)
    found = small(2 * x[:, :, None], x, 3, form="averaged", closure=5.0, steps=900, n_replicas=1)
    x = events(1, 2000, 3, seed=1).double()
    losses = evaluate(found, 2 * x[:, :, None], x, "averaged", closure=True)
    assert losses["closure"] < 0.01 * losses["bracket"] and losses["invariance"] < 0.01
    G = found(x)[0]
    c = fit_structure(G, brackets(G, jacobian(found, x)[0]))
    assert torch.linalg.eigvals(torch.einsum("agd,bdg->ab", c, c)).real.max() < -0.1


def test_the_printed_loss_takes_a_second_field_for_a_symmetry_where_the_oracle_is_in_small_units():
    x = events(1500, 2) + torch.tensor([3.0, 0])
    oracle = lambda x: 0.01 * radius(x)
    jac = 0.02 * x[:, None]
    least = sum(smallest_loss(2, 1, float(w)) for w in jac.square().sum((1, 2))) / len(x)
    limit, finite = small(jac, x, 2, loss="printed"), small(oracle, x, 2, loss="printed", epsilon=1e-3)
    assert least < 0.01 and limit.losses["total"] < least + 0.02 and finite.losses["total"] < least + 0.02
    whitened = small(oracle, x, 2, invariance=1.0)
    assert abs(float(whitened.losses["total"]) - smallest_loss(2, 1)) < 0.05


def curves(*shape, seed=0):
    "Events, and the gradients of y + 0.3 x², whose level sets are open curves."
    x = events(*shape, 2, seed=seed)
    return torch.stack([0.6 * x[..., 0], torch.ones_like(x[..., 0])], -1)[..., None, :], x


def test_an_algebra_is_learned_by_its_constants_where_it_acts_and_refused_where_it_does_not():
    c = {}
    for name, sign, size in (("sl(2,R)", -1.0, [1, 2**0.5, 2**0.5]), ("so(3)", 1.0, [1, 1, 1])):
        c[name] = torch.zeros(3, 3, 3)
        for a, b, g, value in ((1, 2, 0, sign), (2, 0, 1, 1), (0, 1, 2, 1)):
            c[name][a, b, g], c[name][b, a, g] = value, -value
        s = torch.tensor(size)
        c[name] = torch.einsum("a,b,abg,g->abg", s, s, c[name], 1 / s)
    jac, x = curves(2, 1500)
    ask = lambda c: small(jac, x, 3, form="averaged", closure=1.0, constants=c, steps=800, n_replicas=1)
    found, refused = ask(c["sl(2,R)"]), ask(c["so(3)"])
    assert found.losses["total"].max() < 0.3 and refused.losses["total"].min() > 1
    jac, x = curves(2, 1500, seed=1)
    G, DG = found(x.double()), jacobian(found, x.double())
    for run in range(2):
        c = fit_structure(G[run], brackets(G[run], DG[run]))
        killing = torch.linalg.eigvalsh(torch.einsum("agd,bdg->ab", c, c))
        assert killing[0] < -0.5 and killing[1] > 0.5


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(loss="exact"), "loss='exact'"),
        (dict(loss="printed", form="averaged"), "loss='printed' normalises"),
        (dict(epsilon=0.1), "epsilon belongs to eq. 10"),
        (dict(epsilon=0.1, loss="printed"), "give the oracle as jac"),
        (dict(epsilon=-1), "epsilon=-1"),
        (dict(constants=torch.zeros(1, 1, 1)), "closure=0.0"),
        (dict(constants=torch.zeros(2, 2, 2), closure=1.0), "constants has 2 generators"),
        (dict(constants=torch.ones(1, 1, 1), closure=1.0), "antisymmetric"),
        (dict(n_generators=3), "3 orthogonal directions do not exist in 2 dimensions"),
        (dict(n_generators=0), "n_generators=0"),
        (dict(n_generators=1.5), "n_generators=1.5"),
        (dict(n_generators=True), "n_generators=True"),
        (dict(form="strict"), "form='strict'"),
        (dict(jac=torch.zeros(5, 1, 2)), "jac has shape"),
        (dict(jac=torch.zeros(20, 2)), "jac has shape"),
        (dict(jac=torch.full((20, 1, 2), torch.nan)), "jac has values"),
        (dict(x=torch.zeros(20)), "x has shape"),
    ],
)
def test_bad_arguments_are_named(change, words):
    arguments = dict(jac=torch.ones(20, 1, 2), x=torch.zeros(20, 2), n_generators=1, steps=1) | change
    with pytest.raises(ValueError, match=words):
        train_networks(**arguments)


# Exact generators and streamlines

def two_values(x):
    return torch.stack([x[:, 0] + 0.2 * x[:, 1] ** 2, x[:, 2] * x[:, 3].exp()], 1)


@pytest.mark.exact
def test_exact_generators_are_orthonormal_and_conserve_the_oracle():
    x = events(40, 5).double()
    exact = ExactGenerators(two_values, x)
    assert exact(x).norm(dim=-1).max() < 1 + 1e-12 and exact(x).norm(dim=-1).median() > 0.95
    G = ExactGenerators(two_values, x, smoothing=0)(x)
    torch.testing.assert_close(torch.einsum("and,bnd->nab", G, G), torch.eye(3).double().expand(40, -1, -1))
    path = streamlines(lambda x: exact(x)[1], x, torch.linspace(-1, 1, 5).double())
    values = torch.stack([two_values(p) for p in path])
    assert (path[-1] - path[0]).norm(dim=1).min() > 0.5 and (values - values[2]).abs().max() < 1e-5


@pytest.mark.exact
def test_projection_is_the_nearest_symmetry():
    jac, v = events(9, 2, 4).double(), events(3, 9, 4, seed=1).double()
    rest = project(v, jac)
    assert torch.einsum("nkd,and->ank", jac, rest).abs().max() < 1e-12
    torch.testing.assert_close(project(rest, jac), rest)
    assert ProjectedGenerators(radius, lambda x: x[None])(v[0]).abs().max() < 1e-12


def test_more_exact_generators_than_free_directions_are_refused():
    with pytest.raises(ValueError, match="n_generators=4.*rank 2 in 5 dimensions.*3 free"):
        ExactGenerators(two_values, events(40, 5), 4)
    with pytest.raises(ValueError, match="0 free directions"):
        ExactGenerators(lambda x: x**3, events(40, 2))


@pytest.mark.exact
def test_streamlines_of_a_rotation_at_times_between_the_steps():
    t = torch.tensor([-1.003, -0.5, 0, 0.011, 2.5]).double()
    path = streamlines(lambda z: torch.stack([-z[:, 1], z[:, 0]], 1), torch.tensor([[1.0, 0]]).double(), t)
    torch.testing.assert_close(path[:, 0], torch.stack([t.cos(), t.sin()], 1), atol=1e-7, rtol=0)
    late = streamlines(lambda z: z, torch.ones(1, 1).double(), torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(late[:, 0, 0], torch.tensor([0.5, 1.0]).double().exp(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("field, t, words", [
    (lambda z: z, [0, 1, 1], "t must be"), (lambda z: z, [1, 0], "t must be"), (lambda z: z, [], "t must be"),
    (lambda z: z[None], [0, 1], "field returned shape"), (lambda z: z / 0, [0, 1], "not finite")])
def test_bad_streamlines_are_named(field, t, words):
    with pytest.raises(ValueError, match=words):
        streamlines(field, torch.ones(2, 2), t)


# Finite transformations

def test_finite_transformations_preserve_values_or_the_class_alone():
    x = events(800, 2)
    inside, change = lambda x: 3 * (radius(x) - 1), {}
    for condition in ("values", "class"):
        maps = train_transformations(inside, x, distance=0.3, condition=condition, n_runs=2, steps=400, random_state=0)
        after = torch.stack([inside(new) for new in maps(x)])
        change[condition] = (after - inside(x)).abs().mean()
        assert ((after > 0) == (inside(x) > 0)).double().mean() > 0.97
        assert 0.2 < (maps(x) - x).norm(dim=-1).median() < 0.4
    assert change["class"] > 3 * change["values"]


def test_margin_and_decision():
    value = torch.tensor([[1.0, 3, 2], [5, 1, 0]])
    assert decision(value).tolist() == [1, 0] and margin(value, torch.tensor([2, 0])).tolist() == [-1, 4]
    one = torch.tensor([[-2.0], [0.5]])
    assert decision(one).tolist() == [0, 1] and margin(one, torch.tensor([0, 0])).tolist() == [2, -0.5]


@pytest.mark.parametrize(
    "change, words", [(dict(condition="label"), "condition='label'"), (dict(distance=0.0), "distance=0.0")]
)
def test_bad_transformations_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        train_transformations(radius, events(50, 2), **change)
