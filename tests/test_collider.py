"""The muon pairs of symnb.data.collider obey kinematics and the leading-order cross-section; bad input is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

from symnb.data import collider as col

pytestmark = pytest.mark.exact
RARE = 1e-6  # the right distribution is refused once in a million seeds, a wrong one always
ENERGIES = (10.58, 35.0, 75.0, col.M_Z, 200.0)


def four_momenta(events):
    assert list(events.columns) == ["px_mu", "py_mu", "pz_mu", "E_mu", "px_mubar", "py_mubar", "pz_mubar", "E_mubar"]
    assert (events.dtypes == np.float64).all()
    x = events.to_numpy()
    return x[:, :4], x[:, 4:]


def assert_on_shell(*momenta):
    for p in momenta:
        m2 = p[:, 3]**2 - (p[:, :3]**2).sum(1)
        np.testing.assert_allclose(m2, col.M_MU**2, atol=1e-12 * (p[:, 3]**2).max())


def angular_cdf(asymmetry):
    return lambda c: (4 + 3 * c + c**3) / 8 + asymmetry * (c**2 - 1) / 2


# ---- the formula ----------------------------------------------------------------------------------------------------

def test_qed_limit():
    for energy in (2.0, 5.0, 10.58):
        qed = 4 * np.pi * col.ALPHA**2 / (3 * energy**2) * col.GEV2_PB
        assert col.ee_total_cross_section(energy) == pytest.approx(qed, rel=1e-4)
        assert abs(col.ee_asymmetry(energy)) < 0.01


def test_pole_cross_section_is_that_of_the_partial_widths():
    "At s = M_Z² the Z alone gives 12π Γ_e Γ_μ / (M_Z Γ_Z)² with Γ = α M_Z (g_V² + g_A²) / (12 sin² cos²)."
    width = col.ALPHA * col.M_Z * (col.G_V**2 + col.G_A**2) / (12 * col.SIN2_THETA_W * (1 - col.SIN2_THETA_W))
    pole = 12 * np.pi * width**2 / (col.M_Z * col.GAMMA_Z)**2 * col.GEV2_PB
    photon = 4 * np.pi * col.ALPHA**2 / (3 * col.M_Z**2) * col.GEV2_PB
    assert col.ee_total_cross_section(col.M_Z) == pytest.approx(pole + photon, rel=1e-9)  # Re χ = 0 there


def test_z_peak_position_and_height():
    energy = np.linspace(88, 94, 6001)
    sigma = col.ee_total_cross_section(energy)
    assert abs(energy[sigma.argmax()] - col.M_Z) < 0.03
    assert sigma.max() == pytest.approx(2000, rel=0.02)  # pb; LEP: 1.99 nb, radiation unfolded
    half = energy[sigma > sigma.max() / 2]
    assert np.ptp(half) == pytest.approx(col.GAMMA_Z, rel=0.02)


def test_asymmetry_through_the_peak():
    below, pole, above = col.ee_asymmetry([75.0, col.M_Z, 200.0])
    assert below < -0.6 and 0.01 < pole < 0.03 and 0.5 < above < 0.6
    assert col.ee_asymmetry(35.0) == pytest.approx(-0.09, abs=0.005)  # as at PETRA
    a_lepton = 2 * col.G_V * col.G_A / (col.G_V**2 + col.G_A**2)
    assert pole == pytest.approx(0.75 * a_lepton**2, rel=0.02)


@pytest.mark.parametrize("energy", ENERGIES)
def test_total_and_asymmetry_are_integrals_of_the_differential(energy):
    forward, backward = (quad(col.ee_cross_section, low, low + 1, args=(energy,))[0] for low in (0, -1))
    assert forward + backward == pytest.approx(col.ee_total_cross_section(energy))
    assert (forward - backward) / (forward + backward) == pytest.approx(col.ee_asymmetry(energy))
    assert (col.ee_cross_section(np.linspace(-1, 1, 101), energy) > 0).all()


def test_cross_section_broadcasts():
    assert col.ee_cross_section(np.zeros((3, 1)), [10.0, 20.0]).shape == (3, 2)


# ---- leading-order events -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("energy", (0.22, *ENERGIES))
def test_lo_events_conserve_energy_and_momentum(energy):
    mu, mubar = four_momenta(col.ee_to_mumu(3000, energy, random_state=0))
    np.testing.assert_allclose(mu + mubar, [[0, 0, 0, energy]] * 3000, atol=1e-10)
    assert_on_shell(mu, mubar)


@pytest.mark.parametrize("energy", ENERGIES)
def test_lo_angles_follow_the_cross_section(energy):
    events = col.ee_to_mumu(20_000, energy, random_state=1)
    cos_theta = events["pz_mu"] / np.sqrt(energy**2 / 4 - col.M_MU**2)
    assert kstest(cos_theta, angular_cdf(col.ee_asymmetry(energy))).pvalue > RARE
    phi = np.arctan2(events["py_mu"], events["px_mu"])
    assert kstest(phi, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > RARE
    fitted, error = col.fit_asymmetry(cos_theta)
    assert abs(fitted - col.ee_asymmetry(energy)) < 5 * error


def test_energy_spread():
    events = col.ee_to_mumu(20_000, 91.19, energy_spread=0.05, random_state=0)
    mu, mubar = four_momenta(events)
    np.testing.assert_allclose((mu + mubar)[:, :3], 0, atol=1e-10)
    assert_on_shell(mu, mubar)
    assert kstest(col.dimuon(events)["mass"], "norm", args=(91.19, 0.05 * 91.19)).pvalue > RARE


def test_energy_spread_makes_each_event_forget_only_its_own_energy():
    "Over the Z the asymmetry changes sign with √s: each half of the events follows its own energies."
    events = col.ee_to_mumu(40_000, col.M_Z, energy_spread=0.05, random_state=0)
    pair = col.dimuon(events)
    for half in (pair[pair["mass"] < col.M_Z], pair[pair["mass"] > col.M_Z]):
        fitted, error = col.fit_asymmetry(half["cos_theta_cs"])
        assert abs(fitted - col.ee_asymmetry(half["mass"]).mean()) < 5 * error
        assert abs(fitted) > 0.2


def test_energy_spread_stops_at_the_threshold():
    mass = col.dimuon(col.ee_to_mumu(5000, 0.3, energy_spread=0.5, random_state=0))["mass"]
    assert mass.min() > 2 * col.M_MU and np.isfinite(mass).all()


@pytest.mark.parametrize(
    "make",
    [
        col.ee_to_mumu,
        lambda n, random_state: col.ee_to_mumu(n, generator="pythia", random_state=random_state),
        col.drell_yan,
    ],
)
def test_same_seed_same_events(make):
    first, again, other = (make(20, random_state=seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first, other)
    pd.testing.assert_frame_equal(first, make(20, random_state=np.random.RandomState(5)))
    state = np.random.get_state()[1].copy()
    make(20, random_state=5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


# ---- Pythia ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("energy", (10.58, 75.0, 200.0))
def test_pythia_without_radiation_is_leading_order(energy):
    events = col.ee_to_mumu(3000, energy, generator="pythia", random_state=0)
    mu, mubar = four_momenta(events)
    np.testing.assert_allclose(mu + mubar, [[0, 0, 0, energy]] * 3000, atol=1e-9)
    assert_on_shell(mu, mubar)
    assert kstest(col.dimuon(events)["cos_theta_cs"], angular_cdf(col.ee_asymmetry(energy))).pvalue > RARE


def test_pythia_finds_our_cross_section():
    for energy in (10.58, 75.0, 200.0):
        pythia = col._pythia(col._ee_settings(energy, isr=False, fsr=False), np.random.RandomState(0))
        for _ in range(50):
            pythia.next()
        assert pythia.infoPython().sigmaGen() * 1e9 == pytest.approx(col.ee_total_cross_section(energy), rel=2e-3)


def test_photons_take_energy_from_the_muons():
    for radiation in (dict(isr=True), dict(fsr=True)):
        events = col.ee_to_mumu(500, 200.0, generator="pythia", **radiation, random_state=0)
        mass = col.dimuon(events)["mass"]
        assert mass.max() <= 200 + 1e-6 and 0.1 < (mass < 199).mean() < 1
    returned = col.dimuon(col.ee_to_mumu(2000, 200.0, generator="pythia", isr=True, random_state=0))["mass"]
    assert (abs(returned - col.M_Z) < 5).mean() > 0.2  # the radiative return to the Z


def test_drell_yan_without_radiation_has_no_transverse_momentum():
    events = col.drell_yan(2000, isr=False, random_state=0)
    mu, mubar = four_momenta(events)
    assert_on_shell(mu, mubar)
    np.testing.assert_allclose((mu + mubar)[:, :2], 0, atol=1e-10)
    mass = col.dimuon(events)["mass"]
    assert mass.between(60 - 1e-6, 120 + 1e-6).all()
    assert abs(mass.median() - col.M_Z) < 0.5
    counts, edges = np.histogram(mass, np.arange(60, 121, 1.0))
    assert abs(edges[counts.argmax()] + 0.5 - col.M_Z) <= 1


def test_drell_yan_with_radiation_recoils():
    events = col.drell_yan(1500, random_state=0)
    mu, mubar = four_momenta(events)
    assert_on_shell(mu, mubar)
    pair = col.dimuon(events)
    assert 10 < pair["pt"].median() < 18 and pair["pt"].min() > 0
    assert (pair["mass"] < 60).any() and pair["mass"].max() <= 120 + 1e-6  # photons only lower the mass
    assert abs(pair["rapidity"].mean()) < 0.3 and 1.8 < pair["rapidity"].std() < 2.5


def test_each_kind_of_radiation_alone():
    isr_only = col.dimuon(col.drell_yan(500, isr=True, fsr=False, random_state=0))
    fsr_only = col.dimuon(col.drell_yan(500, isr=False, fsr=True, random_state=0))
    assert isr_only["mass"].between(60 - 1e-6, 120 + 1e-6).all() and isr_only["pt"].median() > 10
    assert (fsr_only["mass"] < 60).any() and fsr_only["pt"].median() < 0.1 and fsr_only["pt"].max() > 1
    kt_only = col.dimuon(col.drell_yan(500, isr=False, primordial_kt=True, random_state=0))
    assert 0.5 < kt_only["pt"].median() < 5 and kt_only["pt"].max() < 20
    still = col.dimuon(col.drell_yan(100, isr=True, primordial_kt=False, fsr=False, random_state=0))
    assert still["pt"].median() > 5


def test_mass_window():
    mass = col.dimuon(col.drell_yan(500, isr=False, mass_window=(20, 40), random_state=0))["mass"]
    assert mass.between(20 - 1e-6, 40 + 1e-6).all() and mass.median() < 30  # the photon's steep fall


def test_pythia_prints_nothing(capfd):
    col.drell_yan(5, random_state=0)
    assert capfd.readouterr() == ("", "")


def test_missing_pythia_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    for make in (col.drell_yan, lambda n: col.ee_to_mumu(n, generator="pythia")):
        with pytest.raises(ImportError, match=r"pip install 'symnb\[companion\]'"):
            make(1)


# ---- kinematics -----------------------------------------------------------------------------------------------------

def test_dimuon_of_a_boosted_pair():
    "A pair boosted along z keeps its mass and its Collins-Soper angle, and gains the boost's rapidity."
    events = col.ee_to_mumu(500, 91.19, random_state=0)
    at_rest, boosted = col.dimuon(events), events.copy()
    np.testing.assert_allclose(
        at_rest["cos_theta_cs"], events["pz_mu"] / np.sqrt(91.19**2 / 4 - col.M_MU**2), atol=1e-12
    )
    for muon in ("mu", "mubar"):
        pz, energy = events[f"pz_{muon}"], events[f"E_{muon}"]
        boosted[f"pz_{muon}"] = pz * np.cosh(1.3) + energy * np.sinh(1.3)
        boosted[f"E_{muon}"] = energy * np.cosh(1.3) + pz * np.sinh(1.3)
    moved = col.dimuon(boosted)
    np.testing.assert_allclose(moved["rapidity"], 1.3)
    for name in ("mass", "cos_theta_cs"):
        np.testing.assert_allclose(moved[name], at_rest[name], atol=1e-9)


def test_collins_soper_axis_halves_the_beams():
    "For a pair with transverse momentum: boost to its rest frame and measure the angle there."
    events = col.drell_yan(200, random_state=0)
    mu, mubar = four_momenta(events)

    def in_rest_frame(p, total):
        beta = total[:, :3] / total[:, 3:]
        gamma = 1 / np.sqrt(1 - (beta**2).sum(1, keepdims=True))
        along = (beta * p[:, :3]).sum(1, keepdims=True)
        return p[:, :3] + beta * (gamma**2 / (1 + gamma) * along - gamma * p[:, 3:])

    total, unit = mu + mubar, lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
    first, second = (unit(in_rest_frame(np.tile([0, 0, sign, 1.0], (200, 1)), total)) for sign in (1, -1))
    cos_theta = (unit(in_rest_frame(mu, total)) * unit(first - second)).sum(1)
    np.testing.assert_allclose(col.dimuon(events)["cos_theta_cs"], cos_theta, atol=1e-6)


def test_momentum_combinations():
    events = col.ee_to_mumu(100, random_state=0)
    table = col.momentum_combinations(events)
    assert list(table.columns) == ["sum_px", "sum_py", "sum_pz", "diff_px", "diff_py", "diff_pz"]
    np.testing.assert_allclose(table.filter(like="sum"), 0, atol=1e-12)
    np.testing.assert_allclose(table["diff_py"], 2 * events["py_mu"])


@pytest.mark.parametrize("asymmetry", (-0.7, -0.1, 0.0, 0.5))
def test_fitted_asymmetry_is_unbiased_with_the_right_error(asymmetry):
    rng = np.random.RandomState(0)
    fits = np.array([col.fit_asymmetry(col._sample_cos_theta(np.full(4000, asymmetry), rng)) for _ in range(200)])
    pull = (fits[:, 0] - asymmetry) / fits[:, 1]
    assert abs(pull.mean()) < 5 / np.sqrt(200)
    assert pull.std() == pytest.approx(1, abs=5 / np.sqrt(400))


def test_fitted_asymmetry_at_the_bound():
    assert col.fit_asymmetry(np.full(10, 0.5))[0] == pytest.approx(0.75)
    assert col.fit_asymmetry(np.full(10, -0.5))[0] == pytest.approx(-0.75)


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, message",
    [
        (dict(n=0), "n=0"),
        (dict(n=1.5), "n=1.5"),
        (dict(sqrt_s=0.2), "sqrt_s=0.2.*above 2 m_mu"),
        (dict(sqrt_s=-91.0), "sqrt_s"),
        (dict(sqrt_s=np.nan), "sqrt_s"),
        (dict(sqrt_s="high"), "sqrt_s"),
        (dict(sqrt_s=[10.0, 20.0]), "sqrt_s"),
        (dict(energy_spread=-0.1), "energy_spread"),
        (dict(energy_spread=0.6), "energy_spread"),
        (dict(energy_spread=np.inf), "energy_spread"),
        (dict(generator="madgraph"), "generator='madgraph' is unknown: use 'lo' or 'pythia'"),
        (dict(isr=True), "isr.*pythia"),
        (dict(fsr=True), "fsr.*pythia"),
        (dict(generator="pythia", energy_spread=0.1), "energy_spread.*lo"),
        (dict(random_state="seven"), "random_state"),
    ],
)
def test_ee_to_mumu_refuses(bad, message):
    with pytest.raises(ValueError, match=message):
        col.ee_to_mumu(**bad)


@pytest.mark.parametrize(
    "bad, message",
    [
        (dict(n=0), "n=0"),
        (dict(sqrt_s=5.0), "sqrt_s"),
        (dict(sqrt_s=np.nan), "sqrt_s"),
        (dict(mass_window=(120, 60)), "mass_window"),
        (dict(mass_window=(60, 60)), "mass_window"),
        (dict(mass_window=60), "mass_window"),
        (dict(mass_window=(60, 90, 120)), "mass_window"),
        (dict(mass_window=(0, 120)), "mass_window"),
        (dict(mass_window=(60, np.nan)), "mass_window"),
        (dict(mass_window=("a", "b")), "mass_window"),
        (dict(sqrt_s=100.0, mass_window=(60, 120)), "mass_window"),
        (dict(random_state=-1), "random_state"),
    ],
)
def test_drell_yan_refuses(bad, message):
    with pytest.raises(ValueError, match=message):
        col.drell_yan(**bad)


def test_pythia_that_cannot_start_says_so():
    with pytest.raises(RuntimeError, match="could not start at 0.3 GeV"):
        col.ee_to_mumu(1, 0.3, generator="pythia")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: col.ee_cross_section(1.1, 91.0), "cos_theta"),
        (lambda: col.ee_cross_section(np.nan, 91.0), "cos_theta"),
        (lambda: col.ee_cross_section(0.0, 0.1), "sqrt_s"),
        (lambda: col.ee_total_cross_section([91.0, np.inf]), "sqrt_s"),
        (lambda: col.fit_asymmetry([]), "cos_theta"),
        (lambda: col.fit_asymmetry([0.5, 2.0]), "cos_theta"),
        (lambda: col.fit_asymmetry([0.0]), "cos_theta"),
        (lambda: col.fit_asymmetry([0.1, np.nan]), "cos_theta"),
        (lambda: col.dimuon(pd.DataFrame({"px_mu": [1.0]})), "py_mu"),
        (lambda: col.momentum_combinations(np.zeros((2, 8))), "px_mu"),
    ],
)
def test_helpers_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
