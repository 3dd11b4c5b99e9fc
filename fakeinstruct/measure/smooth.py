"""Smooth ECE: a calibration error without bins.

Blasiok and Nakkiran, "Smooth ECE: Principled reliability diagrams via kernel smoothing", 2023, arXiv 2309.12236.
The residuals (truth less probability) are smoothed along the probability by a Gaussian that is reflected at 0 and 1;
the error at a bandwidth is the integral of what is left, in absolute value. It falls as the bandwidth grows, and the
smooth ECE is the one bandwidth that equals its own error. Nothing is to be chosen.

A reflected Gaussian is diagonal in cosines, so the smoothing is a cosine transform of the residuals on a grid of
`CELLS` cells, and many sets of residuals on one grid (a bootstrap's draws) are smoothed at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct, idct

from fakeinstruct.measure.figure import UnavailableError

CELLS = 1024
"""Cells of the grid: a probability moves by less than .0005, which its smoothed residual hardly feels."""

BATCH = 128
"""Sets of residuals that are smoothed at once: about 1 MB an array."""

STEPS = 200
"""Far more than the search ever takes, about eight."""

PRECISION = 1e-6
"""How near the bandwidth comes to its own error."""

NOTHING_LEFT = 36.0
"""A frequency damped by the exponential of this, 2e-16, is lost in rounding, and so are all above it."""

_DAMPING = 0.5 * (np.pi * np.arange(CELLS)) ** 2


def cells(p: ArrayLike) -> NDArray[np.int64]:
    """The cell of each probability, shape (n,), 0 to `CELLS - 1`; 0 and 1 are in the first and the last.

    Raises:
        UnavailableError: If there are none, or one is not between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if not len(values):
        raise UnavailableError("no images")
    if not ((values >= 0) & (values <= 1)).all():
        raise UnavailableError("a probability is not between 0 and 1")
    return np.minimum((values * CELLS).astype(np.int64), CELLS - 1)


def error_at(frequencies: NDArray[np.float64], bandwidth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the smoothed residuals' absolute value, shape (sets,).

    Args:
        frequencies: Cosine transform of the residuals, shape (sets, `CELLS`).
        bandwidth: Standard deviation of each set's Gaussian, shape (sets,), 0 to 1.
    """
    heard = int(np.searchsorted(_DAMPING * bandwidth.min() ** 2, NOTHING_LEFT))
    damping = np.exp(-(bandwidth[:, None] ** 2) * _DAMPING[:heard])
    smoothed = idct(np.multiply(frequencies[:, :heard], damping, out=damping), n=CELLS, axis=1)
    return np.asarray(np.abs(smoothed, out=smoothed).sum(axis=1))


def smooth_errors(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth ECE of many sets of residuals, shape (sets,), 0 to 1.

    Args:
        residuals: Sum of (truth - probability) / images over each cell, shape (sets, `CELLS`).
    """
    parts = [_fixed_point(residuals[start : start + BATCH]) for start in range(0, len(residuals), BATCH)]
    return np.concatenate(parts) if parts else np.empty(0)


def _fixed_point(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bandwidths that equal their own error, by the Illinois variant of false position."""
    frequencies = dct(residuals, axis=1)
    low = np.zeros(len(residuals))
    above = error_at(frequencies, low)
    high = above.copy()  # the error falls from here, so the bandwidth that equals it is not above
    below = error_at(frequencies, high) - high  # like `above`, the error less the bandwidth
    side = np.zeros(len(residuals))
    found = np.where(above <= PRECISION, 0.0, np.nan)
    open_ = np.flatnonzero(np.isnan(found))
    for _ in range(STEPS):
        if not len(open_):
            break
        a, b, fa, fb = low[open_], high[open_], above[open_], below[open_]
        at = a + (b - a) * fa / (fa - fb)
        value = error_at(frequencies[open_], at) - at
        up = value > 0
        # the same end moved twice: halve the other's pull
        again = np.where(up, side[open_] == 1, side[open_] == -1)
        low[open_], above[open_] = np.where(up, at, a), np.where(up, value, np.where(again, fa / 2, fa))
        high[open_], below[open_] = np.where(up, b, at), np.where(up, np.where(again, fb / 2, fb), value)
        side[open_] = np.where(up, 1, -1)
        done = (np.abs(value) <= PRECISION) | (high[open_] - low[open_] <= PRECISION)
        found[open_[done]] = at[done]
        open_ = open_[~done]
    return found


def smooth_ece(y_true: ArrayLike, p: ArrayLike) -> float:
    """Smooth calibration error, 0 to 1.

    Args:
        y_true: Truth, true for fake, shape (n,).
        p: Probability of fake, shape (n,), 0 to 1.

    Raises:
        UnavailableError: If there are no images, or a probability is not between 0 and 1.
    """
    cell = cells(p)
    residual = np.asarray(y_true, dtype=bool) - np.asarray(p, dtype=np.float64)
    return float(smooth_errors(np.bincount(cell, residual / len(cell), CELLS)[None].astype(np.float64))[0])


def perfect_smooth_ece(p: ArrayLike, draws: int, seed: int) -> tuple[float, float]:
    """Smooth ECE that true probabilities of the same values would show: mean and 95th percentile.

    Args:
        p: Probability of fake, shape (n,), 0 to 1.
        draws: Simulated outcomes.
        seed: Seed of the simulation.

    Raises:
        UnavailableError: If there are no images, or a probability is not between 0 and 1.
    """
    cell, values = cells(p), np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")  # so that the order of the images does not matter
    cell, values = cell[order], values[order]
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for start in range(0, draws, BATCH):
        outcomes = (rng.random(len(values)) < values for _ in range(min(BATCH, draws - start)))
        residuals = np.stack(
            [np.bincount(cell, (each - values) / len(cell), CELLS) for each in outcomes], dtype=np.float64
        )
        found[start : start + BATCH] = smooth_errors(residuals)
    return float(found.mean()), float(np.percentile(found, 95))
