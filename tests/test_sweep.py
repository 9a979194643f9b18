"""Many data sets in one batch: each must fare as it would alone."""
import numpy as np
import pytest

from symnb.data.geometry import circle, gaussian
from symnb.probe.sweep import mean_elbo, probe_sweep, stack
from symnb.probe.vae import train_vae


def test_stacked_columns_are_standardised_and_padded():
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(5, 3, (100, 4)), np.column_stack([rng.normal(size=100), np.full(100, 7.0)])
    x = stack([wide, narrow])
    np.testing.assert_allclose(x[0], (wide - wide.mean(0)) / wide.std(0))
    assert x.shape == (2, 100, 4) and not x[1, :, 1:].any()
    np.testing.assert_array_equal(stack([narrow], standardise=False)[0], narrow)


@pytest.mark.parametrize("datasets", [[], [np.ones((5, 2)), np.ones((6, 2))], [np.ones(5)]])
def test_data_sets_that_cannot_be_stacked_are_refused(datasets):
    with pytest.raises(ValueError, match="datasets must be arrays"):
        stack(datasets)


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(resolution=0), "must be positive"),
        (dict(resolution=np.nan), "must be positive"),
        (dict(schedules=["fast"]), "'fast' is unknown: use 'standard' or 'progressive'"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        probe_sweep([circle(50)], **options)


def test_a_list_of_resolutions_must_match_the_data_sets():
    with pytest.raises(ValueError, match="resolution"):
        probe_sweep([circle(50)] * 3, resolution=[0.1, 0.2])


def test_each_run_sees_its_own_data_set():
    line = np.linspace(-1.7, 1.7, 400)
    sets = [np.column_stack([line, line]), np.column_stack([line, -line]), gaussian(400, 2, random_state=0)]
    found = probe_sweep(sets, schedules=["standard"], n_runs=2, max_steps=500, random_state=0)
    assert found.counts().tolist() == [[1, 1], [1, 1], [2, 2]] == found.directions().tolist()
    mu, sigma = found.encode()["standard"]
    assert mu.shape == sigma.shape == (3, 2, 400, 4)
    strongest = np.take_along_axis(mu, mu.std(2).argmax(-1)[:, :, None, None], axis=-1)[..., 0]
    assert all(abs(np.corrcoef(line, z)[0, 1]) > 0.99 for z in strongest[:2].reshape(4, -1))


def test_one_data_set_for_all_is_the_same_as_a_copy_for_each():
    x = circle(300, random_state=0)
    options = dict(plan=[("standard", 0.2), ("progressive", 0.3)], n_latents=3, hold=(100, 200), random_state=1)
    shared, copied = train_vae(x, **options), train_vae(np.stack([x, x]), **options)
    np.testing.assert_allclose(shared.fit.loss, copied.fit.loss, rtol=1e-3)
    np.testing.assert_allclose(
        mean_elbo(shared.vae, x, shared.s2, seed=0),
        mean_elbo(copied.vae, np.stack([x, x]), copied.s2, seed=0),
        rtol=1e-3,
    )


def test_an_unknown_schedule_is_refused_before_any_training():
    with pytest.raises(ValueError, match="schedule='progresive' is unknown: use 'standard' or 'progressive'"):
        train_vae(circle(50), [("standard", 0.2), ("progresive", 0.2)])
