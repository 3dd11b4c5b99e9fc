"""Calibration error, its band, and scale and bias, against known answers and published bias figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from fakeinstruct.measure import calibration
from fakeinstruct.measure.calibration import (
    fit_bias,
    fit_covariance,
    fit_scale_bias,
    fitted_ece_band,
    nll,
    probability,
    reliability,
)
from fakeinstruct.measure.figure import UnavailableError


def calibrated(rng, n, spread=2.4):
    """Margins of a perfectly calibrated scorer, and outcomes that follow its probabilities."""
    margin = rng.normal(0, spread, n)
    return rng.random(n) < probability(margin), margin


@pytest.mark.parametrize(("n", "bias", "repeats"), [(100, 0.101, 60), (500, 0.051, 40), (2000, 0.0245, 20)])
def test_error_of_a_perfect_scorer_is_biased_upward_by_the_published_amount(n, bias, repeats):
    rng = np.random.default_rng(n)
    found = [
        reliability(y, probability(margin), draws=20)
        for y, margin in (calibrated(rng, n) for _ in range(repeats))
    ]
    assert np.mean([each.ece for each in found]) == pytest.approx(bias, rel=0.12)
    assert np.mean([each.ece_perfect for each in found]) == pytest.approx(bias, rel=0.12)


def test_band_of_a_perfect_scorer_of_area_98_on_4000_images():
    rng = np.random.default_rng(0)
    y = np.arange(4000) < 2000
    distance = math.sqrt(2) * 2.0537  # Phi(2.0537) = .98
    margin = rng.normal(np.where(y, 0.5, -0.5) * distance**2, distance)
    found = reliability(y, probability(margin))
    assert found.ece_perfect == pytest.approx(0.008, abs=0.001)
    assert found.ece_band == pytest.approx(0.0115, abs=0.0015)
    assert found.ece < found.ece_band


def test_a_perfect_scorer_stays_under_its_band_nineteen_times_of_twenty():
    rng = np.random.default_rng(5)
    under = 0
    for _ in range(200):
        y, margin = calibrated(rng, 300)
        found = reliability(y, probability(margin), draws=200)
        under += found.ece <= found.ece_band
    assert 0.90 <= under / 200 <= 0.99


def test_error_by_hand():
    y = [0, 0, 1, 1, 0, 1]
    found = reliability(y, [0.1, 0.2, 0.3, 0.6, 0.7, 0.9], bins=3)
    assert found.count.tolist() == [2, 2, 2]
    assert found.said == pytest.approx([0.15, 0.45, 0.8])
    assert found.were == pytest.approx([0, 1, 0.5])
    assert found.ece == pytest.approx((0.15 + 0.55 + 0.3) / 3)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0.25, 0.5, 1.0])), min_size=15, max_size=60))
def test_every_image_lands_in_a_bin_also_at_exactly_zero_and_one_and_order_does_not_matter(rows):
    y, p = np.array([a for a, _ in rows]), np.array([b for _, b in rows])
    found = reliability(y, p, draws=5)
    assert found.count.sum() == len(y)
    assert (found.count @ found.were) == pytest.approx(y.sum())
    turned = reliability(y[::-1], p[::-1], draws=5)
    assert turned.ece == pytest.approx(found.ece, abs=1e-12)
    assert turned.count.tolist() == found.count.tolist()


def test_same_seed_same_band_and_another_not():
    y, margin = calibrated(np.random.default_rng(1), 200)
    bands = [reliability(y, probability(margin), seed=seed).ece_band for seed in (0, 0, 1)]
    assert bands[0] == bands[1] != bands[2]


def test_what_has_no_calibration_error():
    with pytest.raises(UnavailableError, match="14 images are fewer than 15 bins"):
        reliability([1] * 14, [0.5] * 14)
    with pytest.raises(UnavailableError, match="not between 0 and 1"):
        reliability([1] * 15, [1.5] * 15)
    for figure in (calibration.brier, calibration.nll):
        with pytest.raises(UnavailableError, match="no images"):
            figure([], [])


def test_brier_and_log_loss_equal_those_of_scikit_learn():
    y, margin = calibrated(np.random.default_rng(2), 500)
    p = probability(margin, 1.5, -0.3)
    assert calibration.brier(y, margin, 1.5, -0.3) == pytest.approx(brier_score_loss(y, p))
    assert calibration.nll(y, margin, 1.5, -0.3) == pytest.approx(log_loss(y, p))


def test_log_loss_of_a_sure_mistake_is_its_margin_and_not_infinite():
    assert calibration.nll([1], [-5000.0]) == pytest.approx(5000)
    assert calibration.nll([0], [-5000.0]) == 0


@pytest.mark.parametrize(("scale", "bias"), [(0.4, 1.5), (2.0, -0.7), (0.01, 0.2)])
def test_scale_and_bias_that_made_the_outcomes_are_found_again(scale, bias):
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 2 / scale, 40_000)
    y = rng.random(40_000) < probability(margin, scale, bias)
    found = fit_scale_bias(y, margin)
    assert found == pytest.approx((scale, bias), rel=0.05, abs=0.03)
    assert found[0] == pytest.approx(scale, rel=0.05)


def test_fit_equals_unpenalised_logistic_regression_up_to_platts_targets():
    y, margin = calibrated(np.random.default_rng(4), 5000)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(margin[:, None], y)
    assert fit_scale_bias(y, margin) == pytest.approx(
        (model.coef_[0, 0], model.intercept_[0]), rel=0.01, abs=0.01
    )


def test_separated_margins_give_a_finite_scale():
    scale, bias = fit_scale_bias([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])
    assert 0 < scale < 10
    assert bias == pytest.approx(0, abs=1e-6)
    # Platt's targets for two of each are 3/4 and 1/4, so the inner margins stay short of certainty
    assert 0.6 < probability([1.0], scale, bias)[0] < 0.95


def test_what_cannot_be_fitted_on():
    with pytest.raises(UnavailableError, match="one class only"):
        fit_scale_bias([1, 1], [0.0, 1.0])
    with pytest.raises(UnavailableError, match="all margins are equal"):
        fit_scale_bias([1, 0], [2.0, 2.0])


@given(st.lists(st.tuples(st.booleans(), st.floats(-1e4, 1e4)), min_size=2, max_size=30))
def test_a_bias_alone_makes_the_mean_probability_the_share_of_fakes(images):
    truth, margin = [fake for fake, _ in images], np.array([each for _, each in images])
    if len(set(truth)) < 2:
        with pytest.raises(UnavailableError, match="one class only"):
            fit_bias(truth, margin)
        return
    bias = fit_bias(truth, margin)
    assert probability(margin, 1.0, bias).mean() == pytest.approx(np.mean(truth), abs=1e-6)


def test_a_bias_alone_is_the_most_likely_one():
    rng = np.random.default_rng(3)
    truth, margin = calibrated(rng, 24)
    grid = np.arange(-6, 6, 1e-3)
    best = grid[np.argmin([nll(truth, margin - 2.5, 1.0, bias) for bias in grid])]
    assert fit_bias(truth, margin - 2.5) == pytest.approx(best, abs=1e-3)


def test_a_bias_alone_undoes_a_shift():
    truth, margin = calibrated(np.random.default_rng(4), 20_000)
    assert fit_bias(truth, margin - 2.5) == pytest.approx(2.5, abs=0.1)


def test_the_error_of_a_fit_is_how_far_fits_on_other_images_lie_apart():
    rng = np.random.default_rng(0)
    margin = rng.normal(4, 3, 1500)
    fits = [fit_scale_bias(rng.random(1500) < probability(margin, 0.7, 0.4), margin) for _ in range(400)]
    found = np.cov(np.array(fits).T)
    assert found[0, 1] < -0.5 * np.sqrt(found[0, 0] * found[1, 1])
    assert fit_covariance(margin, 0.7, 0.4) == pytest.approx(found, rel=0.2)


def test_a_band_counts_the_images_that_scale_and_bias_were_fitted_on():
    rng = np.random.default_rng(1)
    few, margin = rng.normal(0, 3, 600), rng.normal(0, 3, 2000)
    covariance = fit_covariance(few, 0.7, 0.4)

    def another() -> float:
        scale, bias = fit_scale_bias(rng.random(600) < probability(few, 0.7, 0.4), few)
        return reliability(
            rng.random(2000) < probability(margin, 0.7, 0.4), probability(margin, scale, bias), draws=1
        ).ece

    mean, top = fitted_ece_band(margin, (0.7, 0.4), covariance)
    found = [another() for _ in range(300)]
    assert mean == pytest.approx(np.mean(found), rel=0.06)
    assert top == pytest.approx(np.percentile(found, 95), rel=0.1)
    known = fitted_ece_band(margin, (0.7, 0.4), 0 * covariance)
    perfect = reliability(margin > 0, probability(margin, 0.7, 0.4))
    assert known == pytest.approx((perfect.ece_perfect, perfect.ece_band), rel=0.03)
    assert known[1] < top


def test_of_margins_that_are_all_sure_no_error_of_a_fit_is_known():
    with pytest.raises(UnavailableError, match="say nothing"):
        fit_covariance([-5000.0, 5000.0], 1.0, 0.0)


def test_a_fit_may_turn_the_order_round():
    margin = np.linspace(-4, 4, 300)
    covariance = fit_covariance(margin, 1.0, 0.5)
    turned = fitted_ece_band(-margin, (-1.0, 0.5), covariance * [[1, -1], [-1, 1]])
    assert turned == pytest.approx(fitted_ece_band(margin, (1.0, 0.5), covariance), rel=0.1)


def test_of_margins_that_hardly_differ_beside_their_size_the_error_of_a_fit_is_lost_in_rounding():
    near = np.random.default_rng(0).normal(0, 1, 500)
    assert fit_covariance(near + 100, 1.0, -100.0)[0, 0] == pytest.approx(
        fit_covariance(near, 1.0, 0.0)[0, 0], rel=1e-6
    )
    with pytest.raises(UnavailableError, match="say nothing"):
        fit_covariance(near + 1e6, 1.0, -1e6)
