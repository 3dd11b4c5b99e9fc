"""Means and shares over images, each with an interval that draws whole groups.

A mean over images and a share such as precision are both a sum over images divided by another one, so that all of
them share one set of draws: of each, the sums by group are taken once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fakeinstruct.measure.bootstrap import number_groups, resample
from fakeinstruct.measure.figure import Row, UnavailableError

FEW_GROUPS = 5
"""Of fewer groups than this no interval is given: drawing from them shows next to nothing."""


class Ratio(NamedTuple):
    """A sum over images divided by another one.

    Attributes:
        top: What each image adds above the line, shape (images,).
        bottom: What it adds below it; 0 where it does not count.
        missing: Why there is no figure, if no image counts.
    """

    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    missing: str

    def figure(self) -> float:
        """The figure.

        Raises:
            UnavailableError: If no image counts.
        """
        if not self.bottom.sum():
            raise UnavailableError(self.missing)
        return float(self.top.sum() / self.bottom.sum())


def mean_of(values: ArrayLike, missing: str) -> Ratio:
    """The mean over the images that have a value; NaN stands for none."""
    numbers = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    return Ratio(np.where(known, numbers, 0.0), known.astype(np.float64), missing)


def give_ratios(row: Row, ratios: Mapping[str, Ratio], groups: ArrayLike, seed: int) -> None:
    """Set every ratio in a row, and its 95 % interval as `NAME_low` and `NAME_high`.

    Args:
        row: Where they are set.
        ratios: By name.
        groups: What each image comes from, shape (images,).
        seed: Seed of the draws.
    """
    index, count = number_groups(np.asarray(groups).astype(str))
    tops, bottoms = (
        np.stack([np.bincount(index, getattr(each, side), count) for each in ratios.values()])
        for side in ("top", "bottom")
    )

    def statistic(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        above, below = weights @ tops.T, weights @ bottoms.T
        drawn = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
        return {name: drawn[:, place] for place, name in enumerate(ratios)}

    drawn = resample(statistic, count, count, seed=seed) if count else None
    for place, (name, ratio) in enumerate(ratios.items()):

        def interval(name: str = name, ratio: Ratio = ratio, place: int = place) -> tuple[float, float]:
            ratio.figure()  # what there is none of has no interval, for the same reason
            used = int((bottoms[place] > 0).sum())
            if used < FEW_GROUPS or drawn is None:
                raise UnavailableError(f"only {used} source{'s' * (used != 1)} to draw from")
            return drawn.interval(name)

        row.give((name,), ratio.figure)
        row.give((f"{name}_low", f"{name}_high"), interval)
