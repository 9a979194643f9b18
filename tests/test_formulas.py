"""Formulas as oracles: what is a polynomial of the columns is found as one, and its symmetries with it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from symnb import SymmetryFlows
from symnb.core import SymnbWarning
from symnb.flows.families import polynomial
from symnb.flows.formulas import (
    FormulaOracle,
    Rising,
    best_formula,
    fit_formula,
    logistic,
    together,
)
from symnb.flows.labels import Labels
from symnb.flows.learning import learn_oracle, raw_coefficients, tell_formula, tell_learned
from symnb.flows.misfit import find_misfit
from symnb.flows.oracle import BatchedOracle


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def fit(X, y, **more):
    return SymmetryFlows("all", generators="linear", random_state=0, **more).fit(X, y)


RADIAL = {
    "r": lambda r: r,
    "r2": lambda r: r**2,
    "minus r": lambda r: -r,
    "r to the eighth": lambda r: r**8,
    "exponential": lambda r: np.exp(r**2),
    "inverse": lambda r: 1 / r,
    "steps and slopes": lambda r: np.floor(r) + 0.3 * (r % 1) ** 4,
}


@pytest.mark.parametrize("name", RADIAL)
def test_what_depends_on_the_radius_alone_has_the_rotations(name):
    X = normal(2000, 3).numpy()
    flows = fit(X, RADIAL[name](np.linalg.norm(X, axis=1)), oracle="formula")
    assert flows.algebra_.startswith("so(3)")


@pytest.mark.parametrize("shift, scale", [(0, 1), (50, 1e4), (-3e-5, 1e-5)])
def test_a_polynomial_is_found_to_rounding_whatever_the_units(shift, scale):
    x = shift + scale * normal(800, 2)
    u, v = (x / scale).T
    y = 2 * u**2 - u * v + 3
    oracle = fit_formula(x, Labels(y[:, None]), 2)
    assert torch.allclose(oracle(x[None])[0, :, 0], y, rtol=1e-6)
    raw = raw_coefficients(oracle)[0, 0] @ torch.diag(torch.tensor(
        [scale ** sum(j > 0 for j in m) for m in oracle.family.monomials], dtype=torch.double))
    expected = {(1, 1): 2.0, (1, 2): -1.0, (): 3.0}
    for monomial, value in zip(oracle.family.monomials, raw):
        assert float(value) == pytest.approx(expected.get(tuple(j for j in monomial if j), 0), abs=1e-4)


def test_a_formula_in_words():
    x = normal(1000, 3)
    y = (x[:, 0] ** 2 - 0.5 * x[:, 1] * x[:, 2]).exp()[:, None]
    oracle = together(x, Labels(y), *best_formula(x[:700], Labels(y[:700]), x[700:], Labels(y[700:]))[:2])
    assert tell_formula(oracle, x, "W", ["a", "b", "c"]) == "log W = a² - 0.5 b c"
    assert tell_learned(None, x, "W", ["a", "b", "c"]) == "given"


@pytest.mark.parametrize("sign, words", [(1, "r² = x² + y²"), (-1, "-r² = -x² - y²")])
def test_the_square_of_a_negative_quantity_falls_where_it_rises(sign, words):
    x = normal(500, 2)
    oracle = together(x, Labels(sign * x.norm(dim=1, keepdim=True)), 2, "square")
    assert tell_formula(oracle, x, "r", ["x", "y"]) == words


def test_columns_that_never_vary_teach_nothing():
    with pytest.raises(ValueError, match="constant columns x0, x1"):
        fit(np.ones((200, 2)), normal(200, 1)[:, 0].numpy(), oracle="formula")


def test_more_terms_than_can_be_read_are_counted_not_told():
    x = normal(3000, 5)
    y = (x @ normal(5, 5, 1) * x).sum(1, keepdim=True)
    oracle = together(x, Labels(y), 2, "itself")
    assert tell_formula(oracle, x, "Q", list("abcde")) is None
    assert "polynomial of degree" in tell_learned(oracle, x, "Q", list("abcde"))


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_logistic_regression_finds_the_log_odds(n_classes):
    x = normal(20_000, 2)
    features = torch.cat([torch.ones(len(x), 1), x], 1).double()
    C = normal(n_classes - 1, 3, 2)
    share = torch.cat([torch.zeros(len(x), 1), features @ C.T], 1).softmax(1)
    y = torch.multinomial(share, 1, generator=torch.Generator().manual_seed(7))[:, 0]
    found = logistic(features, y, n_classes)
    found = found if n_classes == 2 else found[1:] - found[:1]
    assert ((found - C).abs() < 0.1 * (1 + C.abs())).all()


def test_a_class_that_a_half_of_the_events_misses_is_learned_from_all():
    x = normal(200, 2)
    y = torch.where(torch.arange(200) == 7, 2, (x[:, 0] > 0).long())
    samples = torch.stack([torch.arange(100), torch.arange(100, 200)])
    oracle = fit_formula(x, Labels(y, np.array(["a", "b", "c"])), 1, samples=samples)
    assert oracle.coefficients.shape == (2, 3, 3) and oracle.coefficients.isfinite().all()
    with pytest.raises(ValueError, match="no event of the class 1"):
        logistic(x, torch.zeros(200, dtype=torch.long), 2)


def test_a_network_is_taken_where_no_polynomial_is_as_good(monkeypatch):
    x = normal(1500, 2)
    y = torch.sin(4 * x[:, :1]) * torch.sign(x[:, 1:])
    assert isinstance(learn_oracle(x, Labels(y), random_state=0), BatchedOracle)
    assert isinstance(learn_oracle(x, Labels(y), "formula"), FormulaOracle)


def test_noise_is_not_taken_for_a_formula():
    x, y = normal(1500, 3), normal(1500, 1, 5)
    degree, _, missed = best_formula(x[:1200], Labels(y[:1200]), x[1200:], Labels(y[1200:]))
    assert missed.mean() > 0.8
    with pytest.warns(SymnbWarning, match="at chance"):
        assert fit(x.numpy(), y[:, 0].numpy()).n_generators_ == 0


@pytest.mark.parametrize("seed", range(6))
def test_generic_cubics_and_broken_forms_have_no_symmetry(seed):
    x = normal(1500, 3, seed)
    C = normal(20, 1, 100 + seed)
    broken = (x**2).sum(1, keepdim=True) + 0.3 * x[:, :1] ** 3 + 0.4 * x[:, 1:2] * x[:, 2:] ** 2
    for y in (polynomial(3, 3).features(x) @ C, broken):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SymnbWarning)
            assert fit(x.numpy(), y[:, 0].numpy()).n_generators_ == 0


def test_several_components_need_a_network_and_say_so():
    x = normal(100, 3)
    with pytest.raises(ValueError, match="2 components.*oracle='mlp'"):
        learn_oracle(x, Labels(x[:, :2]), "formula")


@pytest.mark.parametrize("name", ["itself", "square", "log"])
def test_there_and_back(name):
    y = np.array([0.1, 1.0, 30.0])
    h = Rising(name)(y)
    assert np.all(np.diff(h) > 0) and np.allclose(Rising(name).back(h), y)


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_muons_have_the_lorentz_transformations(seed):
    """A peak 2.5 GeV wide, p_z ten times p_T, and momenta that a detector rounded to six digits."""
    rng = np.random.default_rng(seed)
    p = rng.normal(size=(5000, 3)) * [10, 10, 100]
    mass = 91 + 2.5 * np.clip(rng.standard_cauchy(5000), -8, 8) / 2
    energy = np.sqrt((p**2).sum(1) + mass**2)
    rounded = lambda a: a * (1 + 1e-6 * rng.normal(size=a.shape))
    flows = fit(pd.DataFrame(np.c_[rounded(p), rounded(energy)], columns=["px", "py", "pz", "E"]),
                pd.Series(rounded(mass), name="M"))
    assert flows.algebra_.startswith("so(1,3)") and "M² = -px² - py² - pz² + E²" in str(flows.answer())


@pytest.mark.parametrize("n_same", [900, 1000])
def test_events_that_nearly_all_are_the_same(n_same):
    "What is missed at one place has no slope; without a distance between events no width is known."
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(1000, 2, dtype=torch.float64, generator=draw), torch.arange(1000) % 2
    x[:n_same] = torch.tensor([1.0, 2.0], dtype=torch.float64)
    value = torch.zeros(2, 1000, 1, dtype=torch.float64)
    halves, labels = torch.stack([torch.arange(k, 1000, 2) for k in (0, 1)]), Labels(y, np.array(["a", "b"]))
    assert find_misfit(value, labels, x, halves) is None
    found = find_misfit(value, labels, x.flip(0), halves)
    assert found is None or found.jacobian(x).isfinite().all()
    assert find_misfit(value, labels, torch.randn(1000, 2, dtype=torch.float64), halves, torch.zeros(1000)) is None
