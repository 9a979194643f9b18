"""`SymmetryFlows`: known algebras are named, too many generators refused, and nothing is claimed about nothing."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import expm
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from symnb import SymmetryFlows, SymmetryProbe
from symnb.core import SymnbWarning
from symnb.flows import learning, oracle, problem, report

METRIC = {"so(3)": [1, 1, 1], "so(4)": [1, 1, 1, 1], "so(1,3)": [1, -1, -1, -1]}
DIMENSION = {"so(3)": 3, "so(4)": 6, "so(1,3)": 6}


def points(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def form(name):
    metric = torch.tensor(METRIC[name], dtype=torch.float64)
    return lambda x: (metric.to(x.dtype) * x**2).sum(-1, keepdim=True)


def quiet(function, *args, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymnbWarning)
        return function(*args, **parameters)


# Known algebras

@pytest.mark.parametrize("name", METRIC)
@pytest.mark.parametrize("n_generators", ["all", "given"])
@pytest.mark.exact
def test_the_algebra_of_a_quadratic_form_is_found_and_named(name, n_generators):
    n = "all" if n_generators == "all" else DIMENSION[name]
    X = points(1000, len(METRIC[name]))
    flows = SymmetryFlows(n, oracle=form(name), generators="linear", random_state=0).fit(X)
    assert flows.n_generators_ == DIMENSION[name] and flows.algebra_ == name
    metric = np.diag(METRIC[name])
    assert (
        np.abs(flows.generator_matrices_.transpose(0, 2, 1) @ metric + metric @ flows.generator_matrices_).max() < 1e-6
    )
    assert flows.losses_["total"] <= 1e-12
    signs = np.sign(np.linalg.eigvalsh(flows.killing_form_))
    assert (signs < 0).sum() == 3 + 3 * (name == "so(4)") and (signs != 0).all()


@pytest.mark.parametrize("oracle, name, n", [
    (lambda x: torch.stack([x[..., :2].square().sum(-1), x[..., 2:].square().sum(-1)], -1), "R^2", 2),
    (lambda x: x.prod(-1, keepdim=True), "R^3", 3),
])
@pytest.mark.exact
def test_generators_that_commute_close(oracle, name, n):
    "Rotations in two planes, and the scalings that keep xyzw: all brackets vanish, up to rounding errors."
    flows = SymmetryFlows("all", oracle=oracle, generators="linear", random_state=0).fit(points(1000, 4))
    assert flows.n_generators_ == n and flows.algebra_ == name
    assert not flows.structure_constants_.any() and not flows.killing_form_.any()


@pytest.mark.parametrize(
    "name, n", [("so(3)", 2), ("so(3)", 4), ("so(4)", 5), ("so(4)", 7), ("so(1,3)", 5), ("so(1,3)", 7)]
)
def test_where_there_is_no_such_subalgebra_it_is_refused(name, n):
    with pytest.warns(SymnbWarning, match=f"{n} generators"):
        flows = SymmetryFlows(n, oracle=form(name), generators="linear", random_state=0).fit(
            points(500, len(METRIC[name]))
        )
    assert flows.losses_["total"] > 0.3 and flows.algebra_ is None and str(n) in flows.message_


@pytest.mark.parametrize("name", METRIC)
def test_count_needs_not_to_be_told(name):
    X = points(500, len(METRIC[name]))
    count = quiet(SymmetryFlows.count, X, oracle=form(name), generators="linear", random_state=0)
    assert count == DIMENSION[name]
    assert count.evidence.set_index("n_generators").loss[DIMENSION[name]] < 1e-10
    assert (count.evidence.query(f"n_generators > {DIMENSION[name]}").loss > 0.3).all()
    assert (
        SymmetryFlows(oracle=form(name), generators="linear", random_state=0).count(X, max_generators=DIMENSION[name])
        == count
    )


@pytest.fixture
def soon(monkeypatch):
    """Oracles and autoencoders that are trained for a short while, for answers that do not depend on how well."""
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=200))
    monkeypatch.setattr(problem, "train_autoencoder", functools.partial(problem.train_autoencoder, steps=200))


def test_a_learned_oracle_gives_the_rotations():
    X = points(2000, 3)
    y = (X**2).sum(1) + np.random.default_rng(1).normal(scale=0.1, size=len(X))
    flows = SymmetryFlows("all", generators="linear", random_state=0).fit(X, y)
    assert flows.n_generators_ == 3 and flows.algebra_ == "so(3)"


@pytest.mark.exact
def test_affine_symmetries_of_a_function_of_one_coordinate():
    flows = SymmetryFlows("all", oracle=lambda x: torch.sin(x[:, :1]), generators="affine", random_state=0).fit(
        points(1000, 2)
    )
    assert flows.n_generators_ == 3  # ∂y, x ∂y, y ∂y
    assert all("∂x1" in e and "∂x0" not in e for e in flows.expressions_)
    assert flows.algebra_ is not None and flows.coefficients_.shape == (3, 2, 3)


def test_networks_follow_the_circles():
    flows = SymmetryFlows(1, oracle=lambda x: (x**2).sum(-1), n_replicas=2, max_steps=800, random_state=0).fit(
        points(1000, 2)
    )
    x = points(200, 2, 5)
    G = flows.fields(x)
    assert G.shape == (1, 200, 2) and flows.losses_["total"] < 0.05
    cosine = np.abs((G[0] * x).sum(1)) / np.linalg.norm(G[0], axis=1) / np.linalg.norm(x, axis=1)
    assert np.median(cosine) < 0.05
    path = flows.flow(x[:5], [-0.5, 0, 0.5])
    assert path.shape == (3, 5, 2) and np.allclose(path[1], x[:5])
    assert np.abs((path**2).sum(2) / (x[:5] ** 2).sum(1) - 1).max() < 0.1


def test_a_second_flow_in_the_plane_is_refused():
    with pytest.warns(SymnbWarning, match="2 generators"):
        flows = SymmetryFlows(2, oracle=lambda x: (x**2).sum(-1), n_replicas=2, max_steps=800, random_state=0).fit(
            points(1000, 2)
        )
    assert 0.3 < flows.losses_["total"]


def test_exact_generators_conserve_the_oracle():
    oracle = lambda x: torch.stack([(x**2).sum(-1), x[:, 0] * x[:, 3]], -1)
    flows = SymmetryFlows(2, oracle=oracle, generators="exact", random_state=0).fit(points(500, 5))
    start = points(20, 5, 3)
    path = flows.flow(start, np.linspace(0, 1, 5))
    value = flows.oracle_values(path.reshape(-1, 5)).reshape(5, 20, 2)
    assert np.abs(value - value[0]).max() < 1e-3 and np.abs(path[-1] - path[0]).max() > 0.1
    assert flows.losses_["invariance"] < 1e-12


# Nothing is claimed about nothing

def claims_nothing(flows, why):
    assert flows.n_generators_ == 0 and flows.algebra_ is None
    assert why in flows.message_ and flows.fields(np.zeros((4, 3))).shape == (0, 4, 3)


@pytest.mark.parametrize("generators", ["mlp", "linear", "exact"])
def test_random_labels(generators, soon):
    y = np.random.default_rng(0).integers(0, 2, 600)
    with pytest.warns(SymnbWarning):
        claims_nothing(
            SymmetryFlows("all" if generators == "linear" else 1, generators=generators, random_state=0).fit(
                points(600, 3), y
            ),
            "chance",
        )


@pytest.mark.parametrize("generators", ["mlp", "linear", "affine", "polynomial", "exact"])
def test_a_constant_oracle(generators):
    with pytest.warns(SymnbWarning, match="constant"):
        claims_nothing(
            SymmetryFlows(oracle=lambda x: 0 * x[:, :1] + 3, generators=generators).fit(points(300, 3)), "constant"
        )


def test_an_oracle_with_dead_zones():
    with pytest.warns(SymnbWarning, match="flat"):
        claims_nothing(
            SymmetryFlows(oracle=lambda x: torch.relu(x[:, :1] - 1), random_state=0).fit(points(500, 3)), "flat"
        )


def test_an_untrained_oracle():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    X = points(600, 3)
    with pytest.warns(SymnbWarning):
        claims_nothing(SymmetryFlows(oracle=net, random_state=0).fit(X, (X[:, 0] * X[:, 1] > 0).astype(int)), "chance")


@pytest.mark.exact
def test_an_anisotropic_gaussian_keeps_its_own_rotations_only():
    precision = torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64))
    flows = SymmetryFlows("all", oracle=lambda x: -0.5 * (x @ precision.to(x) * x).sum(-1), generators="linear").fit(
        points(600, 3)
    )
    assert flows.n_generators_ == 3 and flows.algebra_ == "so(3)"
    A, P = flows.generator_matrices_, precision.numpy()
    assert np.abs(P @ A + A.transpose(0, 2, 1) @ P).max() < 1e-8
    rotation = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 0]]).ravel() / 2**0.5  # Euclidean ones are not among them
    basis = np.linalg.qr(A.reshape(3, -1).T)[0]
    assert np.linalg.norm(basis.T @ rotation) < 0.99


def test_a_function_without_linear_symmetry():
    oracle = lambda x: (x**3).sum(-1, keepdim=True) + x[:, :1] * x[:, 1:2] + torch.exp(x[:, 2:])
    with pytest.warns(SymnbWarning):
        flows = SymmetryFlows("all", oracle=oracle, generators="linear").fit(points(600, 3))
    assert flows.n_generators_ == 0 and flows.generator_matrices_.shape == (0, 3, 3) and flows.expressions_ == []


# What users do

@pytest.mark.exact
def test_units_of_the_columns_do_not_matter():
    units = np.array([1e3, 1, 1e-3])
    oracle = lambda x: ((x / torch.as_tensor(units)) ** 2).sum(1)
    flows = SymmetryFlows("all", oracle=oracle, generators="linear").fit(points(500, 3) * units)
    assert flows.algebra_ == "so(3)"
    x = points(50, 3, 1) * units
    along = np.einsum("and,nd->an", flows.fields(x), 2 * x / units**2)
    assert np.abs(along).max() < 1e-8 and np.allclose(
        flows.fields(x), np.einsum("aij,nj->ani", flows.generator_matrices_, x)
    )


def test_an_oracle_in_single_precision():
    assert (
        SymmetryFlows("all", oracle=lambda x: (x.float() ** 2).sum(1), generators="linear").fit(points(500, 3)).algebra_
        == "so(3)"
    )


def test_affine_coefficients_are_in_the_units_of_the_events():
    flows = SymmetryFlows("all", oracle=lambda x: ((x - 500) ** 2).sum(1), generators="affine").fit(
        500 + 100 * points(500, 2)
    )
    assert flows.n_generators_ == 1
    x = 500 + 100 * points(20, 2, 1)
    by_hand = np.einsum("ip,np->ni", flows.coefficients_[0], np.c_[x, np.ones(20)])
    assert np.allclose(flows.fields(x)[0], by_hand) and np.abs(((x - 500) * by_hand).sum(1)).max() < 1e-6


def test_a_network_of_the_user_is_not_taken_for_exact():
    from symnb.flows.oracle import train_oracle
    X = points(2000, 3)
    network = train_oracle(torch.tensor(X), (X**2).sum(1), steps=800, random_state=0).select(0)
    flows = SymmetryFlows("all", oracle=network, generators="linear", random_state=0).fit(X)
    assert flows.algebra_ == "so(3)" and 1e-4 < np.sort(flows.singular_values_)[2] < 0.1


def test_scikit_learn_can_clone_it_and_a_data_frame_keeps_its_names():
    X = pd.DataFrame(points(500, 2), columns=["px", "py"])
    flows = clone(SymmetryFlows("all", oracle=lambda x: (x**2).sum(-1), generators="linear")).fit(X)
    assert set("".join(flows.expressions_)) >= set("px∂y") and flows.algebra_ == "R"


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(n_generators=0), "n_generators"),
        (dict(n_generators="some"), "n_generators"),
        (dict(n_generators=4), "n_generators"),
        (dict(generators="cubic"), "generators"),
        (dict(oracle="tree"), "oracle"),
        (dict(oracle=3), "oracle"),
        (dict(latent_dim=0), "latent_dim"),
        (dict(device="abacus"), "device"),
        (dict(oracle=lambda x: x[:5, :1]), "oracle"),
        (dict(oracle=lambda x: x[:, :1] / 0), "oracle"),
        (dict(oracle=lambda x: torch.as_tensor(np.square(x.detach().numpy()).sum(1))), "oracle"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SymmetryFlows(**{"oracle": lambda x: (x**2).sum(-1), **parameters}).fit(points(300, 3))


@pytest.mark.parametrize("y, message", [
    (None, "y"), (np.array(["zero"] * 300), "y"), (np.ones(300, dtype=int), "one"), (np.arange(299), "y"),
    (np.r_[np.nan, np.ones(299)], "y")])
def test_bad_labels_are_named(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SymmetryFlows().fit(points(300, 3), y)


@pytest.mark.parametrize("X", [np.zeros(5), np.full((20, 3), np.nan), np.array([["a", "b"]] * 20)])
def test_bad_events_are_named(X):
    with pytest.raises((ValueError, TypeError), match="X|array"):
        SymmetryFlows(oracle=lambda x: (x**2).sum(-1)).fit(X)


@pytest.fixture(scope="module")
def rotations():
    return SymmetryFlows("all", oracle=lambda x: (x**2).sum(-1), generators="linear", random_state=0).fit(
        points(300, 3)
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(generator=3), "3 generators"),
        (dict(generator=-1), "3 generators"),
        (dict(generator=[1.0, 2.0]), "3 weights"),
        (dict(t=[1, 0]), "t must be"),
        (dict(Z0=np.ones((2, 2))), "Z0 has 2 columns"),
        (dict(Z0=[[np.nan, 0, 0]]), "Z0"),
    ],
)
def test_bad_streamlines_are_named(rotations, arguments, message):
    with pytest.raises(ValueError, match=message):
        rotations.flow(**{"Z0": np.ones((2, 3)), "t": [0, 1], **arguments})


def test_a_sum_of_generators_is_followed(rotations):
    start, weights = points(5, 3, 2), np.array([0.5, -1, 2])
    path = rotations.flow(start, [0, 0.5], weights)
    assert np.allclose(
        path[1], start @ expm(0.5 * np.einsum("a,aij->ij", weights, rotations.generator_matrices_)).T, atol=1e-6
    )


@pytest.mark.parametrize("most", [0, 1.5, True])
def test_a_bad_number_to_count_to_is_named(most):
    with pytest.raises(ValueError, match="max_generators"):
        SymmetryFlows.count(points(300, 3), oracle=lambda x: (x**2).sum(-1), generators="linear", max_generators=most)


def test_too_many_latents_are_named():
    with pytest.raises(ValueError, match="latent_dim=4"):
        SymmetryFlows(latent_dim=4).fit(points(300, 3), np.arange(300) % 2)


def test_columns_in_other_units_are_named_for_networks():
    with pytest.warns(SymnbWarning, match="factor 30"):
        SymmetryFlows(oracle=lambda x: x[:, :1] + x[:, 1:2], generators="exact").fit(points(300, 3) * [1, 100, 1])


def test_flows_in_the_latents_of_digits(soon):
    from symnb.data import small_digits
    digits = small_digits("train", digits=(0, 1))
    flows = SymmetryFlows(1, generators="exact", latent_dim=2, random_state=0).fit(digits.images, digits.labels)
    z = flows.encode(digits.images[:20])
    assert z.shape == (20, 2) and flows.decode(z).shape == (20, 64) and flows.losses_["invariance"] < 1e-6
    value = flows.oracle_values(flows.flow(z, [-0.5, 0, 0.5]).reshape(-1, 2)).reshape(3, 20)
    assert np.abs(value - value[1]).max() < 1e-2 * flows.oracle_values(flows.encode(digits.images)).std()


# Inside scikit-learn

@parametrize_with_checks([SymmetryFlows(oracle="formula", n_replicas=1, max_steps=5)])
@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_scikit_learn_conventions(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # or a check is skipped
    check(estimator)


def norm(x):
    return (x**2).sum(-1)


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_it_ends_a_pipeline_and_takes_frames_and_series(monkeypatch):
    monkeypatch.setattr(learning, "train_oracle", functools.partial(oracle.train_oracle, steps=100))
    X = pd.DataFrame(points(600, 2), columns=["px", "py"], index=np.arange(600) + 1000)
    X.attrs["units"] = {"px": "GeV"}
    y = pd.Series(norm(X.to_numpy()), index=X.index)
    chain = Pipeline(
        [
            ("scale", StandardScaler().set_output(transform="pandas")),
            ("flows", SymmetryFlows("all", generators="linear", random_state=0)),
        ]
    )
    chain.fit(X, y)
    assert {*chain["flows"].feature_names_in_} == {"px", "py"} and chain.score(X) == chain.score(X, y) <= 0
    flows = SymmetryFlows("all", oracle=norm, generators="linear").fit(X, y.astype(object))
    assert "px" in flows.expressions_[0] and flows.column_labels() == ["px [GeV]", "py"]
    order = np.random.RandomState(0).permutation(600)
    again = SymmetryFlows("all", oracle=norm, generators="linear", random_state=0).fit(X, y)
    np.testing.assert_array_equal(again._sample_y, y.to_numpy()[order])
    np.testing.assert_array_equal(again._sample, X.to_numpy(np.float32)[order])


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_a_search_finds_the_kind_of_generators():
    X = points(600, 3)
    search = GridSearchCV(
        SymmetryFlows("all", oracle=norm, max_steps=20, n_replicas=1, random_state=0),
        {"generators": ["linear", "exact"]},
        cv=2,
    ).fit(X)
    assert search.best_params_ == {"generators": "linear"} and search.best_estimator_.algebra_ == "so(3)"
    assert -1e-9 < search.best_score_ <= 0
    search = GridSearchCV(
        SymmetryFlows(oracle=norm, generators="linear", random_state=0), {"n_generators": [2, 3]}, cv=2
    ).fit(X)
    assert search.best_params_ == {"n_generators": 3}  # so(3) has no subalgebra of two


@pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")
def test_the_score_is_minus_the_loss_and_finite_where_nothing_is_claimed():
    X = points(400, 3)
    kept_back = X[np.random.RandomState(0).permutation(400)[:80]]
    for generators in ("linear", "exact", "mlp"):
        flows = SymmetryFlows(2, oracle=norm, generators=generators, max_steps=20, n_replicas=1, random_state=0).fit(X)
        wanted = -flows.losses_["total"] if flows.n_generators_ else -2
        np.testing.assert_allclose(flows.score(kept_back), wanted, rtol=1e-5)
    for n, score in ((2, -2), ("all", -1)):
        flows = SymmetryFlows(n, oracle=lambda x: 0 * x[:, :1], generators="linear").fit(X)
        assert flows.n_generators_ == 0 and flows.score(X) == score


def test_the_same_seed_gives_the_same_fit_with_a_learned_oracle(soon):
    X = np.random.default_rng(0).normal(size=(200, 2))
    fits = []
    for noise in (1, 2):  # what else draws numbers in the process must not matter
        torch.manual_seed(noise)
        fits.append(SymmetryFlows("all", generators="linear", random_state=0).fit(X, (X**2).sum(1)))
    np.testing.assert_array_equal(fits[0].oracle_values(X), fits[1].oracle_values(X))
    np.testing.assert_array_equal(fits[0].coefficients_, fits[1].coefficients_)


# Oracles as they come (shared cases 22 to 26): any precision, units and steepness; labels of any kind

def r2(x):
    return x.square().sum(1)


def columns(*functions):
    return lambda x: torch.stack([f(x) for f in functions], 1)


def all_linear(oracle, X, **how):
    return SymmetryFlows("all", oracle=oracle, generators="linear", random_state=0, **how).fit(X)


@pytest.mark.parametrize("oracle, algebra", [
    (lambda x: r2(x).exp(), "so(3)"), (lambda x: r2(x)**4, "so(3)"), (lambda x: r2(x)**20, "so(3)"),
    (lambda x: r2(x).log(), "so(3)"), (lambda x: (r2(x)**2 / 4).exp(), "so(3)"),
    (columns(lambda x: 1e7 * (x[:, 0]**2 + x[:, 1]**2), lambda x: x[:, 2]), "R"),
    (columns(lambda x: 1e-9 * r2(x), lambda x: 1e9 * x[:, 2]), "R"),
    (columns(lambda x: r2(x).exp(), lambda x: x[:, 2]), "R"),
    (columns(r2, lambda x: 0 * x[:, 2] + 5), "so(3)"), (columns(r2, lambda x: r2(x)**2), "so(3)")])
def test_an_oracle_may_be_steep_and_have_any_units(oracle, algebra):
    flows = all_linear(oracle, np.random.default_rng(0).normal(size=(1000, 3)))
    assert flows.algebra_ == algebra and flows.losses_["invariance"] < 1e-15


def test_a_ratio_is_preserved_by_the_dilation():
    flows = all_linear(lambda x: x[:, 0] / x[:, 1], np.abs(np.random.default_rng(0).normal(size=(1000, 2))) + 0.01)
    assert flows.expressions_ == ["x0 ∂x0 + x1 ∂x1"]


def test_an_output_in_small_units_counts_where_the_noise_is_given():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    flows = all_linear(columns(r2, lambda x: 0.02 * x[:, 2]), X, noise=0.02)
    assert flows.expressions_ == ["-x1 ∂x0 + x0 ∂x1"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_module_in_any_precision(dtype):
    torch.manual_seed(0)
    plane = torch.nn.Linear(3, 1).to(dtype)
    flows = all_linear(plane, np.random.default_rng(0).normal(size=(1000, 3)))
    w = plane.weight.detach().double()[0]
    assert flows.n_generators_ == 6  # all matrices with w A = 0
    assert np.abs(np.einsum("i,aij->aj", w, flows.generator_matrices_)).max() < 10 * torch.finfo(dtype).eps


@pytest.mark.parametrize("kind", ["text", "object", "truth values", "whole", "whole float"])
def test_labels_of_any_kind_say_the_same(kind):
    X = np.random.default_rng(0).normal(size=(1200, 2))
    far = (X**2).sum(1) > 1.4
    y = {"text": np.where(far, "out", "in"), "object": np.where(far, "out", "in").astype(object), "truth values": far,
         "whole": 2 * far + 3, "whole float": far.astype(float)}[kind]
    flows = SymmetryFlows("all", generators="linear", random_state=0).fit(X, y)
    assert flows.n_generators_ == 1 and abs(np.trace(flows.generator_matrices_[0])) < 0.1


def test_a_rare_class_is_named_and_nothing_is_claimed():
    X, y = np.random.default_rng(0).normal(size=(1000, 2)), np.where(np.arange(1000) < 3, "rare", "common")
    with pytest.warns(SymnbWarning, match="3 events of the class rare, in 1000"):
        flows = SymmetryFlows("all", generators="linear", random_state=0).fit(X, y)
    assert flows.n_generators_ == 0


def test_whole_numbers_may_be_a_quantity():
    X = np.random.default_rng(0).integers(-6, 7, size=(1200, 2)).astype(float)
    flows = SymmetryFlows("all", generators="linear", random_state=0).fit(X, (X**2).sum(1).astype(int))
    assert flows.n_generators_ == 1 and flows.learned_oracle_.classes is None


def test_the_task_can_be_set():
    X = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.raises(ValueError, match="task="):
        SymmetryFlows(task="ranking").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="fractions"):
        SymmetryFlows(task="classes").fit(X, X[:, 0])


# Several points at once

def pairs(n=1500, seed=0):
    columns = [f"{c}_{i}" for i in (1, 2) for c in "xyzt"]
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 8)), columns=columns)


def interval(x):
    return ((x[:, :4] - x[:, 4:]) ** 2 * x.new_tensor([-1, -1, -1, 1])).sum(1)


@pytest.mark.parametrize("learned", [False, True])
def test_the_interval_of_two_events_has_the_poincare_transformations(learned, tmp_path):
    X = pairs()
    y = interval(torch.tensor(X.to_numpy())).numpy() if learned else None
    given = {} if learned else {"oracle": interval}
    flows = SymmetryFlows("all", generators="affine", points=2, random_state=0, **given).fit(X, y)
    assert flows.algebra_ == "iso(1,3)" and flows.coefficients_.shape == (10, 4, 5)
    assert flows.fields(X[:5]).shape == (10, 5, 8) and "-y ∂x + x ∂y" in flows.expressions_
    again = SymmetryFlows.load(flows.save(tmp_path / "pairs.safetensors"), **given)
    np.testing.assert_array_equal(again.fields(X[:5]), flows.fields(X[:5]))
    assert again.points_ == flows.points_
    path = flows.flow(X[:5], [0.0, 0.3], 2)
    np.testing.assert_allclose(*(interval(torch.tensor(p)) for p in path), rtol=1e-5, atol=1e-6)


def test_a_generator_of_ones_own_acts_on_every_point():
    flows = SymmetryFlows("all", oracle=interval, generators="linear", points=2, random_state=0).fit(pairs())
    boost, turn = np.zeros((2, 4, 4))
    boost[0, 3] = boost[3, 0] = turn[0, 1] = 1
    turn[1, 0] = -1
    found = flows.defects([boost, turn, np.eye(4)])
    assert (found.high[:2] < 1e-6).all() and found.low[2] > 0.3


def test_order_of_columns_and_units_play_no_part():
    X = pairs()[[f"{c}_{i}" for c in "xyzt" for i in (1, 2)]] * 1e-3
    def shuffled(x):
        return interval(torch.cat([x[:, ::2], x[:, 1::2]], 1))
    for points in (2, [["x_1", "y_1", "z_1", "t_1"], ["x_2", "y_2", "z_2", "t_2"]], [[0, 2, 4, 6], [1, 3, 5, 7]]):
        flows = SymmetryFlows("all", oracle=shuffled, generators="affine", points=points, random_state=0).fit(X)
        assert flows.algebra_ == "iso(1,3)"


@pytest.mark.parametrize("points, more, words", [
    (3, {}, "points=3 does not divide the 8 columns of X"),
    ([[0, 1], [2, 3]], {}, "name each of the 8 columns once"),
    ("two", {}, "points='two' must be a number"),
    (2, dict(generators="mlp"), "is for generators='linear'"),
    (2, dict(latent_dim=2), "is for generators='linear'"),
])
def test_points_that_cannot_be_are_named(points, more, words):
    with pytest.raises(ValueError, match=words):
        SymmetryFlows("all", **dict(oracle=interval, generators="affine", points=points) | more).fit(pairs(100))


@pytest.mark.parametrize("more, words", [
    (dict(noise="a"), "noise='a'"), (dict(noise=-1.0), "noise=-1.0"), (dict(noise=np.nan), "noise=nan"),
    (dict(points=[1, 2]), r"points=\[1, 2\] must hold a list"),
])
@pytest.mark.parametrize("generators", ["linear", "affine"])
def test_parameters_that_cannot_be_are_named_before_anything_is_done(more, words, generators):
    with pytest.raises(ValueError, match=words):
        SymmetryFlows("all", oracle=interval, generators=generators, **more).fit(pairs(100))


def test_a_generator_is_a_random_state():
    X = np.random.default_rng(0).normal(size=(300, 2))
    fits = [SymmetryFlows(generators="linear", oracle=lambda x: (x**2).sum(1), random_state=np.random.default_rng(5))
            .fit(X) for _ in range(2)]
    np.testing.assert_array_equal(fits[0].generator_matrices_, fits[1].generator_matrices_)


def test_questions_that_cannot_be_are_named():
    X = np.random.default_rng(0).normal(size=(300, 2))
    flows = SymmetryFlows("all", generators="linear", oracle=lambda x: (x**2).sum(1))
    with pytest.raises(NotFittedError):
        flows.defects(np.eye(2))
    flows.fit(X)
    for which in (-1, 1, [1.0, 1.0]):
        with pytest.raises(ValueError, match="generator"):
            flows.plot(generator=which)
    with pytest.raises(ValueError, match=r"generators returned shape \(60, 2\) for 60 events"):
        flows.defects(lambda z: z)


@pytest.mark.parametrize("share, words", [(1.0, "100 %"), (0.996, "100 %"), (0.25, "25 %"), (0.0053, "0.53 %")])
def test_shares_in_percent(share, words):
    assert report._percent(share) == words


# What a newcomer brings

@pytest.mark.parametrize("scale", [(1, 20), (1, 200), (1, 1000), (1e9, 1e-12)])
def test_a_formula_shows_what_matters_in_any_units(scale):
    a, b = map(float, scale)
    flows = SymmetryFlows(oracle=lambda x: (x[:, 0] / a) ** 2 + (x[:, 1] / b) ** 2, generators="linear", random_state=0)
    [formula] = flows.fit(points(500, 2) * scale).expressions_
    low, high = sorted([(a / b) ** 2, 1.0])
    assert "x1 ∂x0" in formula and "x0 ∂x1" in formula and f"{low / high:.2g} " in formula
    assert "(rotation)" in str(flows.answer())


def test_a_circle_on_a_narrow_strip_is_turned():
    flows = all_linear(r2, points(500, 2) * [1, 200])
    assert flows.expressions_ == ["-x1 ∂x0 + x0 ∂x1"] and "(rotation)" in str(flows.answer())


def test_terms_that_are_error_are_left_out_in_any_units():
    X = points(1000, 3) * [1, 1, 1000]
    flows = all_linear(lambda x: r2(x[:, :2]) + 1e-6 * x[:, 2] ** 2 + 1e-3 * x[:, 0] ** 3, X, tolerance=0.05)
    assert [text.count("∂") for text in flows.expressions_] == [2] * flows.n_generators_ == [2, 2, 2]


def test_functions_times_a_generator_are_those_of_the_columns():
    flows = SymmetryFlows("all", oracle=lambda x: x[:, 0] ** 2 + (x[:, 1] / 100) ** 2, generators="polynomial",
                          degree=3).fit(points(500, 2) * [1, 100])
    assert flows.expressions_[0] == "-0.0001 x1 ∂x0 + x0 ∂x1"
    assert flows.multiples_[0].startswith("(-0.0001 x1 ∂x0 + x0 ∂x1) times x0² + 0.0001 x1²: a function of the oracle")


@pytest.mark.parametrize("made, words", [
    (lambda x: np.c_[x, x[:, 0]], "X has x2, a copy or a multiple of x0.*leave these columns out"),
    (lambda x: np.c_[x, -3 * x[:, 1]], "X has x2, a copy or a multiple of x1"),
    (lambda x: np.c_[x, np.ones(len(x))], "X has the constant column x2"),
])
def test_columns_that_tell_nothing_are_named(made, words):
    X = made(points(200, 2))
    with pytest.raises(ValueError, match=words):
        SymmetryFlows("all", generators="linear").fit(X, X[:, 0] ** 2)
    flows = SymmetryFlows("all", oracle=lambda x: r2(x[:, :2]), generators="linear")
    if "constant" in words:
        assert flows.fit(X).n_generators_ == 1 + 3  # the rotation, and what moves the constant column
    else:
        with pytest.raises(ValueError, match=words):
            flows.fit(X)


def test_a_class_too_rare_to_judge_is_not_called_random():
    X = points(2000, 3)
    radius = (X**2).sum(1)
    flows = quiet(SymmetryFlows("all", generators="linear", random_state=0).fit, X, radius > np.sort(radius)[-21])
    assert flows.n_generators_ == 0 and "of the class True: so few cannot show" in flows.message_


@pytest.mark.parametrize("n", [2, 5])
def test_a_wrong_number_claims_nothing_and_says_that_there_may_be_another(n):
    flows = quiet(SymmetryFlows(n, oracle=form("so(3)"), generators="linear", random_state=0).fit, points(500, 3))
    assert flows.n_generators_ == 0 and flows.generator_matrices_.shape == (0, 3, 3) and flows.losses_["total"] > 0.3
    assert "n_generators='all' counts" in flows.message_ and "two rotations" in flows.message_
    assert flows.score(points(500, 3)) == -n


@pytest.mark.parametrize("n, generators", [(1, "linear"), ("all", "linear"), ("all", "affine"), ("all", "mlp")])
def test_one_column_has_no_symmetry(n, generators):
    X = points(300, 1)
    flows = quiet(SymmetryFlows(n, generators=generators, random_state=0).fit, X, X[:, 0] ** 2)
    assert flows.n_generators_ == 0 and "No symmetry of the label is claimed" in str(flows.answer())


@pytest.mark.parametrize("X, words", [
    (np.zeros(20), r"X has the shape \(20,\).*Reshape your data"),
    (np.zeros((20, 3, 2)), r"X has the shape \(20, 3, 2\)"),
    (np.zeros((20, 3)) * 1j, r"X has the shape \(20, 3\) and complex numbers.*X.real"),
    (torch.zeros(20), r"X has the shape \(20,\)"),
])
def test_events_of_another_shape_or_kind_are_told_what_to_do(X, words):
    for estimator in (SymmetryFlows(oracle=r2), SymmetryProbe()):
        with pytest.raises(ValueError, match=words):
            estimator.fit(X)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_tensor_is_an_array(dtype):
    X = torch.tensor(points(300, 2)).to(dtype).requires_grad_()
    flows = all_linear(r2, X)
    assert flows.expressions_ == ["-x1 ∂x0 + x0 ∂x1"]
    np.testing.assert_array_equal(flows.fields(X), flows.fields(X.detach().double().numpy()))
