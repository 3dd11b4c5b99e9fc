"""Smooth calibration error: by hand, by quadrature of its definition, and its properties."""

import numpy as np
import pytest
from golden_scores import golden
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct
from scipy.special import erf

from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.smooth import CELLS, error_at, perfect_smooth_ece, smooth_ece

outcomes = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40)


def by_quadrature(y, p, bandwidth, points=4001):
    """The error at a bandwidth as the paper defines it: residuals under a Gaussian reflected at 0 and 1."""
    t = (np.arange(points) + 0.5) / points
    smoothed = np.zeros(points)
    for mirror in range(-6, 7):
        for sign in (1, -1):
            distance = t[:, None] - (sign * p + 2 * mirror)
            smoothed += np.exp(-(distance**2) / (2 * bandwidth**2)) @ (y - p)
    return np.abs(smoothed).mean() / (np.sqrt(2 * np.pi) * bandwidth * len(p))


@pytest.mark.parametrize(("n", "scale"), [(50, 1.0), (500, 1.0), (500, 2.0), (500, 0.3)])
def test_the_bandwidth_equals_its_own_error(n, scale):
    rng = np.random.default_rng(n)
    margin = rng.normal(0, 2.4, n)
    y, p = rng.random(n) < probability(margin), probability(margin, scale)
    found = smooth_ece(y, p)
    assert by_quadrature(y, p, found) == pytest.approx(found, rel=0.005)


def test_near_the_authors_own_package():
    """relplot 1.0.3, `config.use_logit_scaling = False; config.smECE_mesh_pts = 20000; metrics.smECE(p, y)`: .03985;
    its search stops at a thousandth. netcal 1.4.0, `ECE(15, equal_intervals=False).measure(p, y)`: .05085266286077661.
    torchmetrics' `BinaryCalibrationError` has bins of equal width, and so another figure (.0513).
    """
    y, margin = golden()
    assert smooth_ece(y, probability(margin)) == pytest.approx(0.03985, abs=1e-3)
    assert reliability(y, probability(margin), draws=2).ece == pytest.approx(0.05085266286077661, abs=1e-12)


def test_one_probability_by_hand():
    # |1/4 - .6|, whatever the bandwidth
    assert smooth_ece([1, 0, 0, 0], [0.6] * 4) == pytest.approx(0.35, abs=1e-5)
    assert smooth_ece([1, 0, 0, 0], [0.25] * 4) == 0


def test_two_probabilities_by_hand():
    # residuals +1/2 at p and -1/2 at 1 - p; far from the ends each half of the line keeps 1/2 erf(d / (2 sqrt 2 s))
    y, p = [1, 0], [0.4, 0.6]
    frequencies = dct(np.bincount([int(0.4 * CELLS), int(0.6 * CELLS)], [0.3, -0.3], CELLS))[None]
    for bandwidth in (0.02, 0.05):
        expected = 0.6 * erf(0.1 / (bandwidth * np.sqrt(2)))
        assert error_at(frequencies, np.array([bandwidth]))[0] == pytest.approx(expected, rel=0.01)
    assert 0 < smooth_ece(y, p) < 0.6


def test_exactly_zero_and_one_are_in_a_cell():
    assert smooth_ece([0, 1], [0.0, 1.0]) == 0
    assert smooth_ece([1], [0.0]) == pytest.approx(1)
    assert 0.4 < smooth_ece([0, 1], [1.0, 0.0]) < 0.5  # so wide a Gaussian lets the two cancel in part
    assert smooth_ece([1, 0, 1], [0.0, 1.0, 1.0]) > 0  # n = 3 has one too


@given(outcomes)
def test_no_more_than_the_error_of_every_image_and_no_less_than_that_of_all(rows):
    y, p = np.array([a for a, _ in rows]), np.array([b for _, b in rows])
    found = smooth_ece(y, p)
    assert abs((y - p).mean()) - 1e-5 <= found <= np.abs(y - p).mean() + 1e-5
    assert smooth_ece(~y, 1 - p) == pytest.approx(found, abs=2e-3)  # cells are half open
    assert smooth_ece(y[::-1], p[::-1]) == pytest.approx(found, abs=1e-6)


def test_the_error_falls_with_the_bandwidth():
    rng = np.random.default_rng(0)
    frequencies = dct(rng.normal(size=(1, CELLS)) / CELLS)
    errors = [error_at(frequencies, np.array([bandwidth]))[0] for bandwidth in np.linspace(0, 1, 40)]
    assert (np.diff(errors) <= 1e-12).all()


def test_a_perfect_scorer_stays_under_its_band():
    rng = np.random.default_rng(3)
    under = 0
    for _ in range(60):
        p = probability(rng.normal(0, 2.4, 300))
        mean, top = perfect_smooth_ece(p, 100, 0)
        assert 0 < mean < top
        under += smooth_ece(rng.random(300) < p, p) <= top
    assert under >= 52
    assert perfect_smooth_ece(p, 50, 1) == perfect_smooth_ece(p[::-1], 50, 1)


def test_what_has_none():
    with pytest.raises(UnavailableError, match="no images"):
        smooth_ece([], [])
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(UnavailableError, match="not between 0 and 1"):
            smooth_ece([1], [p])
