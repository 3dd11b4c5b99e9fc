"""Calibration transfer: scale and bias fitted on one generator's fakes, tested on another's.

Sources are split in two halves; what is fitted on one half is tested on the other and the reverse, so that no
image, and no image of the same source, is on both sides, in the diagonal neither. The share of fakes is taken out: a
probability is corrected from the share that was fitted on to the share that is tested, or a generator with few images
would seem to transfer badly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.calibration import fit_scale_bias, nll, probability, reliability
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.fit_warnings import FEW
from fakeinstruct.measure.scores import Scores

MOST_GENERATORS = 30
"""Of more generators no matrix is given: nobody would read it."""

DRAWS = 200
"""Simulated outcomes behind what a perfectly calibrated scorer would show: a cell is read to two digits."""

HALVES = (0, 1)


@dataclass(frozen=True)
class Side:
    """One half of a generator's fakes and the reals beside them; both arrays of shape (n,)."""

    fake: NDArray[np.bool_]
    margin: NDArray[np.float32]

    def log_odds(self) -> float:
        """Log of fakes over reals."""
        return float(np.log(self.fake.sum() / (~self.fake).sum()))


def transfer_figures(test: Scores, seed: int) -> dict[str, Any]:
    """ECE and log loss on each generator of scale and bias that were fitted on each, and of the unfitted margin.

    Args:
        test: Clean scores of the test split.
        seed: Seed of the division into halves and of the consistency bands.

    Returns:
        `reals` (whose), `fitted_on` (generator, or "nothing", to generator that it was tested on, to a row with
        `n, n_fake, ece, ece_perfect_95, nll`). Without two generators, `fitted_on` is null with the reason.
    """
    names = [str(name) for name in np.unique(test.generator[test.fake])]
    own = all((~test.fake & (test.camera_set == name)).any() for name in names)
    row = Row(reals="own" if own and names else "shared", halves=len(HALVES), fewest=FEW)

    def matrix() -> dict[str, Any]:
        if not 2 <= len(names) <= MOST_GENERATORS:
            raise UnavailableError(
                f"a matrix needs 2 to {MOST_GENERATORS} generators, "
                f"there {'is' if len(names) == 1 else 'are'} {len(names)}"
            )
        test_sides = {name: _sides(test, name, own, seed) for name in names}
        fits = {"nothing": None, **{name: _fits(sides) for name, sides in test_sides.items()}}
        return {
            source: {name: _cell(fit, sides, seed) for name, sides in test_sides.items()}
            for source, fit in fits.items()
        }

    row.give(("fitted_on",), matrix)
    return row.json()


def _sides(test: Scores, name: str, own: bool, seed: int) -> tuple[Side, ...]:
    """The two halves of a generator's images, by group: in every generator a group is in the same half."""
    groups, index = np.unique(test.group.astype(str), return_inverse=True)
    half = np.random.default_rng(seed).permutation(len(groups))[index] % len(HALVES)
    reals = ~test.fake & ((test.camera_set == name) | (not own))
    mask = (test.generator == name) | reals
    return tuple(Side(test.fake[mask & (half == h)], test.margin[mask & (half == h)]) for h in HALVES)


Fits = tuple[tuple[float, float, float], ...] | UnavailableError
"""Of each half scale, bias and log-odds of a fake, or why there are none."""


def _fits(sides: tuple[Side, ...]) -> Fits:
    try:
        for side in sides:
            check_enough(side)
        return tuple((*fit_scale_bias(side.fake, side.margin), side.log_odds()) for side in sides)
    except UnavailableError as reason:
        return UnavailableError(f"fitted on: {reason.problem}")


def check_enough(side: Side) -> None:
    """Refuse a half that is too small to fit or test on.

    Raises:
        UnavailableError: If it has fewer than `FEW` fakes or reals.
    """
    fakes, reals = int(side.fake.sum()), int((~side.fake).sum())
    if min(fakes, reals) < FEW:
        raise UnavailableError(f"a half has {fakes:,} fakes and {reals:,} reals, it needs {FEW} of each")


def _cell(fits: Fits | None, sides: tuple[Side, ...], seed: int) -> dict[str, Any]:
    """Figures of a generator's images, each half with what was fitted on the other; without fits, unfitted."""
    row = Row(n=sum(len(side.fake) for side in sides), n_fake=sum(int(side.fake.sum()) for side in sides))

    def figures() -> tuple[float, float, float]:
        if isinstance(fits, UnavailableError):
            raise fits
        for side in sides:
            check_enough(side)
        margins = [side.margin.astype(np.float64) for side in sides]
        if fits is not None:
            odds = [side.log_odds() for side in sides]
            margins = [
                scale * margin + bias + own - theirs
                for margin, own, (scale, bias, theirs) in zip(margins, odds, reversed(fits), strict=True)
            ]
        truth, margin = np.concatenate([side.fake for side in sides]), np.concatenate(margins)
        found = reliability(truth, probability(margin), draws=DRAWS, seed=seed)
        return found.ece, found.ece_band, nll(truth, margin)

    row.give(("ece", "ece_perfect_95", "nll"), figures)
    return row.json()
