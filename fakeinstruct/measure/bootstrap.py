"""Clustered bootstrap: intervals of any figure, by drawing what the images come from with replacement.

A draw is a weight of every group: how often it was drawn. Its images weigh as much, and figures are computed from
weights (see `weighted`), so nothing is copied or sorted again. Draws go in batches through arrays of
about `BATCH` numbers, on every core that there is; the figures do not depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.figure import UnavailableError

DRAWS = 1000
"""Draws behind an interval: its ends then vary by a twentieth of its width or so from seed to seed."""

BATCH = 2**17
"""Numbers in an array of weights: two such arrays fit into a core's cache."""

THREADS = 8
"""More do not help: the arrays of all no longer fit into the shared cache."""

KEPT = 30 * 2**20
"""Bytes. The C library keeps as much freed memory as the largest block that it ever saw freed, up to 32 MiB, and gives
the rest back. Without such a block every array of every draw is fetched from the system anew, which takes as long again
as the arithmetic."""

MOST_LEFT_OUT = 0.05
"""Share of draws without a figure (they lack a class) from which on the rest no longer stand for all."""

Statistic = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""From the weights of the groups, shape (draws, groups), to figures by name, each of shape (draws,)."""


@dataclass(frozen=True)
class Resampled:
    """Figures of every draw.

    Attributes:
        values: Of each figure its values, shape (draws,), NaN where a draw has none.
        groups: Groups that were drawn from.
    """

    values: Mapping[str, NDArray[np.float64]]
    groups: int

    def left_out(self, name: str) -> int:
        """Draws that have no such figure: they lack a class."""
        return int(np.isnan(self.values[name]).sum())

    def interval(self, name: str, confidence: float = 0.95) -> tuple[float, float]:
        """Percentile interval of a figure over the draws that have it.

        Raises:
            UnavailableError: If too few draws have it, or it is the same in all of them.
        """
        values = self.values[name]
        known = values[~np.isnan(values)]
        if len(known) < (1 - MOST_LEFT_OUT) * len(values):
            raise UnavailableError(f"{len(values) - len(known):,} of {len(values):,} draws lack a class")
        tail = 50 * (1 - confidence)
        low, high = (float(each) for each in np.percentile(known, [tail, 100 - tail]))
        if low == high:
            raise UnavailableError("the same in every draw, which is no certainty")
        return low, high


def number_groups(groups: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Groups numbered from 0, shape (n,), and how many there are."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    return index.astype(np.int64), len(names)


def resample(
    statistic: Statistic, groups: int, images: int, *, draws: int = DRAWS, seed: int = 0
) -> Resampled:
    """Draw as many groups as there are, with replacement, again and again.

    Two statistics that are computed from the same weights are paired: their difference has an interval of its own.

    Args:
        statistic: Computes figures from weights of groups.
        groups: Number of groups, at least 1.
        images: Weights of images that the statistic works on in a draw, which says how many draws go at once.
        draws: Number of draws.
        seed: Seed of the draws; the same groups, images and seed give the same ones.
    """
    np.empty(KEPT, np.uint8)  # freed at once
    size = max(1, min(draws, BATCH // max(images, groups, 1)))
    starts = range(0, draws, size)

    def batch(start: int) -> Mapping[str, NDArray[np.float64]]:
        count = min(size, draws - start)
        return statistic(draw_weights(np.random.default_rng((seed, start)), groups, count))

    with ThreadPoolExecutor(min(THREADS, len(starts), _cores())) as pool:
        parts = list(pool.map(batch, starts))
    return Resampled({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, groups)


def draw_weights(rng: np.random.Generator, groups: int, draws: int) -> NDArray[np.float64]:
    """How often each group is drawn, shape (draws, groups); each row sums to the number of groups."""
    drawn = rng.integers(groups, size=(draws, groups)) + groups * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * groups).reshape(draws, groups).astype(np.float64)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
