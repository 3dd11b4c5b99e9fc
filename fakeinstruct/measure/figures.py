"""From scores to the tables of `figures.json`, by the same functions for an expert and for every baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fakeinstruct.measure import calibration, detection
from fakeinstruct.measure.calibration import probability, reliability
from fakeinstruct.measure.figure import Row, UnavailableError, rounded
from fakeinstruct.measure.scores import Scores

MASS_FLOOR = 0.5
"""Label mass below which the model wanted to say something other than a label, more likely than not."""

MOST_GROUPS = 20
"""Up to so many photographs are given a row each; beyond, an interval over photographs says more."""

KINDS = ("generated", "edited")
"""Manipulations of fakes that have a row of their own."""


@dataclass(frozen=True)
class Fit:
    """What was fitted on validation images: scale and bias, and the threshold; each absent for a reason.

    Attributes:
        scale: Factor of the margin.
        bias: Added to it.
        threshold: Threshold on the unfitted margin.
        source: "validation split of the answers", or "expert.json" where an earlier `calibrate` fitted them.
        n: Validation images behind it, where known.
        reason: Why something is absent.
    """

    scale: float | None = None
    bias: float | None = None
    threshold: float | None = None
    source: str | None = None
    n: int | None = None
    reason: str = "no validation images to fit on"

    def scale_bias(self) -> tuple[float, float]:
        """Scale and bias.

        Raises:
            UnavailableError: If there are none.
        """
        if self.scale is None or self.bias is None:
            raise UnavailableError(self.reason)
        return self.scale, self.bias

    def cut(self) -> float:
        """The threshold.

        Raises:
            UnavailableError: If there is none.
        """
        if self.threshold is None:
            raise UnavailableError(self.reason)
        return self.threshold

    def json(self) -> dict[str, Any]:
        """The fit as plain JSON."""
        values = {"scale": self.scale, "bias": self.bias, "threshold": self.threshold}
        reason = self.reason if None in values.values() else None
        return rounded({**values, "source": self.source, "n": self.n, "reason": reason})  # type: ignore[no-any-return]


def fit(validation: Scores, scale: float | None = None, bias: float | None = None) -> Fit:
    """Fit scale, bias and threshold on validation scores.

    Args:
        validation: Clean scores of the validation split; may be empty.
        scale: Scale fitted earlier, used where there are no validation scores.
        bias: Bias fitted earlier.
    """
    if not len(validation):
        return Fit(scale, bias, source=None if scale is None else "expert.json")
    try:
        found = calibration.fit_scale_bias(validation.fake, validation.margin)
        threshold = detection.best_threshold(validation.fake, validation.margin)
    except UnavailableError as reason:
        return Fit(reason=f"validation images: {reason.problem}", n=len(validation))
    return Fit(*found, threshold, "validation split of the answers", len(validation))


def split_figures(scores: Scores, fitted: Fit, seed: int) -> Row:
    """Every detection and calibration figure of the images given.

    Args:
        scores: Scores of one split and condition.
        fitted: What was fitted on other images.
        seed: Seed of the consistency bands.
    """
    y, margin = scores.fake, scores.margin
    row = Row(
        n=len(scores), n_fake=int(y.sum()), n_real=int((~y).sum()), n_groups=len(np.unique(scores.group))
    )
    _rank(row, scores)
    row.give(("accuracy_half",), lambda: detection.accuracy(y, margin))
    row.give(("accuracy_validation_threshold",), lambda: detection.accuracy(y, margin, fitted.cut()))
    _probabilities(row, scores, lambda: (1.0, 0.0), seed)
    beside = Row()
    _probabilities(beside, scores, fitted.scale_bias, seed)
    row.nest("calibrated", beside)
    row.give(("label_mass",), lambda: _label_mass(scores))
    row.give(("ties",), lambda: _ties(scores))
    return row


def _rank(row: Row, scores: Scores) -> None:
    """AUC, its interval, average precision."""
    y, margin = scores.fake, scores.margin
    row.give(("auc",), lambda: detection.auc(y, margin))
    row.give(("auc_low", "auc_high"), lambda: detection.auc_interval(y, margin, scores.group)[1:])
    row.give(("average_precision",), lambda: detection.average_precision(y, margin))


def _probabilities(
    row: Row, scores: Scores, scale_bias: Callable[[], tuple[float, float]], seed: int
) -> None:
    """Brier, log loss and calibration error of the probabilities that scale and bias give, if there are any."""
    y, margin = scores.fake, scores.margin
    row.give(("brier",), lambda: calibration.brier(y, margin, *scale_bias()))
    row.give(("nll",), lambda: calibration.nll(y, margin, *scale_bias()))

    def ece() -> tuple[float, dict[str, Any]]:
        found = reliability(y, probability(margin, *scale_bias()), seed=seed)
        perfect = {"mean": found.ece_perfect, "percentile_95": found.ece_band}
        return found.ece, {"bins": len(found.count), "mass": "equal", "perfectly_calibrated": perfect}

    row.give(("ece", "ece_band"), ece)


def _label_mass(scores: Scores) -> dict[str, float]:
    known = scores.mass[np.isfinite(scores.mass)]
    if not len(known):
        raise UnavailableError("the answers carry no label mass")
    return {"mean": known.mean(), "floor": MASS_FLOOR, "share_under_floor": (known < MASS_FLOOR).mean()}


def _ties(scores: Scores) -> dict[str, float]:
    share = detection.tied_share(scores.fake, scores.margin)
    return {"distinct_margins": len(np.unique(scores.margin)), "tied_pair_share": share}


def against_reals(fakes: Scores, reals: Scores) -> dict[str, Any]:
    """Counts, AUC with its interval, and average precision of some fakes against some reals."""
    both = concatenate(fakes, reals)
    row = Row(n_fake=len(fakes), n_real=len(reals))
    _rank(row, both)
    return row.json()


def concatenate(first: Scores, second: Scores) -> Scores:
    """Scores of both, the first's first."""
    return Scores(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in vars(first)))


def slices(test: Scores) -> dict[str, Any]:
    """The tables of the test split: per generator, per manipulation, per photograph, and their summaries.

    Args:
        test: Clean scores of the test split.

    Returns:
        `per_generator`, `generators` (macro mean and the worst), `per_manipulation`, `per_group`,
        `mean_per_group`.
    """
    fakes, reals = test.where(test.fake), test.where(~test.fake)
    per_generator = {
        name: against_reals(fakes.where(fakes.generator == name), reals)
        for name in np.unique(fakes.generator)
    }
    per_group = _per_group(test)
    return {
        "per_generator": per_generator,
        "generators": _generators(per_generator),
        "per_manipulation": {
            kind: against_reals(fakes.where(fakes.manipulation == kind), reals)
            for kind in KINDS
            if (fakes.manipulation == kind).any()
        },
        "per_group": per_group,
        "mean_per_group": _mean_per_group(per_group),
    }


def _generators(rows: dict[str, Any]) -> dict[str, Any]:
    """Macro mean and worst AUC over generators."""
    known = {name: row["auc"] for name, row in rows.items() if row["auc"] is not None}
    row = Row(reals="all real images of the test split, the same for every generator")

    def summary() -> tuple[float, str, float]:
        if not known:
            raise UnavailableError("no generator has an AUC")
        worst = min(known, key=lambda name: (known[name], name))
        return float(np.mean(list(known.values()))), worst, known[worst]

    row.give(("macro_auc", "worst", "worst_auc"), summary)
    return row.json()


def _per_group(test: Scores) -> dict[str, Any]:
    """One row a photograph, its fakes against its own reals, where there are few and each holds both."""
    names = np.unique(test.group)
    if not 0 < len(names) <= MOST_GROUPS:
        return {}
    table = {}
    for name in names:
        own = test.where(test.group == name)
        fakes, reals = own.where(own.fake), own.where(~own.fake)
        if not len(fakes) or not len(reals):
            continue
        kinds = {kind: fakes.where(fakes.manipulation == kind) for kind in KINDS}
        parts = {"all": fakes, **{kind: some for kind, some in kinds.items() if len(some)}}
        table[name] = {part: against_reals(some, reals) for part, some in parts.items()}
    return table


def _mean_per_group(per_group: dict[str, Any]) -> dict[str, Any]:
    """Mean over photographs of the AUC within a photograph."""
    row = Row()
    for part in ("all", *KINDS):
        areas = [group[part]["auc"] for group in per_group.values() if part in group]

        def mean(areas: list[float] = areas) -> float:
            if not areas:
                raise UnavailableError(
                    f"no photograph of the test split has both labels, or there are more than {MOST_GROUPS}"
                )
            return float(np.mean(areas))

        row.give((part,), mean)
    return row.json()
