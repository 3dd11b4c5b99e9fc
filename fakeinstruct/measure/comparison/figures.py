"""Figures of two detectors on the same images, their differences, and where these are largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from fakeinstruct.measure import detection
from fakeinstruct.measure.comparison.alignment import Aligned
from fakeinstruct.measure.comparison.paired import (
    PairedDraws,
    holm,
    paired_accuracy,
    paired_auc,
    paired_draws,
)
from fakeinstruct.measure.figure import Row, UnavailableError, rounded
from fakeinstruct.measure.fitting import Fit, apply
from fakeinstruct.measure.intervals import few
from fakeinstruct.measure.scores import Scores

FIGURES = ("accuracy", "brier", "nll", "ece", "smooth_ece")
"""Figures of a probability whose difference has a bootstrap interval."""

SHOWN = 8
"""Images shown of each side: on these it is nearer to the truth than the other."""


def compared(pair: Aligned, fits: tuple[Fit, Fit], seed: int) -> Row:
    """Figures of both detectors and their differences, on some images of one condition.

    Args:
        pair: The scores.
        fits: What was fitted for each, on other images.
        seed: Seed of the bootstrap.
    """
    a, b = pair.a, pair.b
    row = Row(
        n=len(a), n_fake=int(a.fake.sum()), n_real=int((~a.fake).sum()), n_groups=len(np.unique(a.group))
    )
    row.nest("auc", _auc(a, b))
    row.nest("unfitted", _probabilities(a, lambda: (a.unfitted(), b.unfitted()), None, seed))

    def calibrated() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        one, other = (
            each.applied(apply(each, scores, {})) for each, scores in zip(fits, (a, b), strict=True)
        )
        return one, other

    row.nest("calibrated", _probabilities(a, calibrated, None, seed))

    def plain() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return a.margin.astype(np.float64), b.margin.astype(np.float64)

    def cuts() -> tuple[float, float]:
        return fits[0].cut(), fits[1].cut()

    row.nest("validation_threshold", _probabilities(a, plain, cuts, seed, ("accuracy",)))
    return row


def _auc(a: Scores, b: Scores) -> Row:
    row = Row()
    for name, each in (("a", a), ("b", b)):
        row.give((name,), lambda each=each: detection.auc(each.fake, each.margin))  # type: ignore[misc]
        ends = (f"{name}_low", f"{name}_high")
        row.give(ends, lambda each=each: detection.auc_interval(each.fake, each.margin, each.group)[1:])  # type: ignore[misc]
    row.give(("difference",), lambda: detection.auc(a.fake, a.margin) - detection.auc(b.fake, b.margin))
    row.give(("low", "high", "z", "p"), lambda: paired_auc(a.fake, a.margin, b.margin, a.group)[1:])
    return row


def _probabilities(
    a: Scores,
    margins: Callable[[], tuple[NDArray[np.float64], NDArray[np.float64]]],
    cuts: Callable[[], tuple[float, float]] | None,
    seed: int,
    names: tuple[str, ...] = FIGURES,
) -> Row:
    """Figures of both detectors' probabilities, their differences and intervals."""
    row = Row()
    try:
        if not len(a):
            raise UnavailableError("no images")
        both, at = margins(), (cuts or _at_half)()
        found = paired_draws(a.fake, both, a.group, thresholds=at if cuts else None, seed=seed)
    except UnavailableError as reason:
        for name in names:
            row.values[name], row.reasons[name] = None, reason.problem
        return row
    for name in names:
        row.nest(name, _difference(name, found))
    if row.values["accuracy"]:
        verdicts = both[0] > at[0], both[1] > at[1]
        accuracy = Row(**row.values["accuracy"])
        accuracy.give(("p",), lambda: paired_accuracy(a.fake, verdicts, a.group))
        row.nest("accuracy", accuracy)
    return row


def _at_half() -> tuple[float, float]:
    """The margins at which a probability is 0.5."""
    return 0.0, 0.0


def _difference(name: str, found: PairedDraws) -> Row:
    """Both values of a figure, their difference and its interval."""
    row = Row()

    def both() -> tuple[float, float, float]:
        if name not in found.first or name not in found.second:
            raise UnavailableError(
                "a wrong verdict of one of them has a probability of exactly 0 or 1: infinite"
                if name == "nll"
                else "too few images for the bins"
            )
        return found.first[name], found.second[name], found.first[name] - found.second[name]

    def interval() -> tuple[float, float]:
        both()
        if reason := few(found.differences.groups, "images"):
            raise UnavailableError(reason)
        return found.differences.interval(name)

    row.give(("a", "b", "difference"), both)
    row.give(("low", "high"), interval)
    return row


def per_generator(test: Aligned) -> dict[str, Any]:
    """Each generator's fakes against the same reals."""
    fake, generator = test.a.fake, test.a.generator
    table = {}
    for name in np.unique(generator[fake]):
        own = test.where(~fake | (generator == name))
        row = Row(n_fake=int(own.a.fake.sum()), n_real=int((~own.a.fake).sum()))
        row.nest("auc", _auc(own.a, own.b))
        table[str(name)] = row.json()
    return table


def adjusted(table: dict[str, Any]) -> dict[str, Any]:
    """The table with `p_holm` beside `p`: adjusted for the number of its rows that have one."""
    known = [row["auc"] for row in table.values() if row["auc"]["p"] is not None]
    for row, p in zip(known, holm([each["p"] for each in known]), strict=True):
        row["p_holm"] = rounded(p)
    for row in table.values():
        row["auc"].setdefault("p_holm", None)
    return table


def verdicts(test: Aligned) -> Row:
    """How often both are right at a probability of 0.5, only one, or neither."""
    row = Row()

    def counts() -> tuple[int, int, int, int]:
        a, b = ((each.unfitted() > 0) == each.fake for each in (test.a, test.b))
        return int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())

    row.give(("both_right", "only_a_right", "only_b_right", "both_wrong"), counts)
    return row


def most_different(test: Aligned) -> dict[str, Any]:
    """The images on which one is nearer to the truth than the other by most, `SHOWN` of each.

    Nearer by probability; by the share of images that score lower, where a score is no logit.

    Returns:
        `by` ("probability" or "rank"), `a_nearer` and `b_nearer`: rows of `index, image, label, generator, a, b`.
    """
    a, b = test.a, test.b
    by_probability = bool(a.logit.all() and b.logit.all())
    said = [
        expit(each.margin.astype(np.float64))
        if by_probability
        else (rankdata(each.margin) - 0.5) / max(1, len(each))
        for each in (a, b)
    ]
    nearer = (said[0] - said[1]) * np.where(a.fake, 1, -1)

    def rows(gain: NDArray[np.float64]) -> list[dict[str, Any]]:
        order = [int(index) for index in np.argsort(-gain, kind="stable")[:SHOWN] if gain[index] > 0]
        return [
            {
                "index": index,
                "image": str(a.image[index]),
                "label": "fake" if a.fake[index] else "real",
                "generator": str(a.generator[index]),
                "a": rounded(said[0][index]),
                "b": rounded(said[1][index]),
            }
            for index in order
        ]

    return {
        "by": "probability" if by_probability else "rank",
        "a_nearer": rows(nearer),
        "b_nearer": rows(-nearer),
    }
