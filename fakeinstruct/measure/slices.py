"""Tables of a split's parts: each generator against all reals or its own, each manipulation, each photograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure import detection, roc
from fakeinstruct.measure.bootstrap import Resampled
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.intervals import part_intervals
from fakeinstruct.measure.scores import Scores

MOST_GROUPS = 20
"""Up to so many photographs are given a row each; beyond, an interval over photographs says more."""

KINDS = ("generated", "edited")
"""Manipulations of fakes that have a row of their own."""

SHARED = "all real images of the test split, the same for every generator"
OWN = "the real images whose camera_set is the generator's name"

AVERAGED = ("auc", "average_precision", "eer", "accuracy_half")
"""Figures whose mean over generators is given."""

Masks = dict[str, NDArray[np.bool_]]
"""Which images a row is of, shape (n,), by the row's name."""


def rank(row: Row, scores: Scores) -> None:
    """AUC, its interval by DeLong or Obuchowski, average precision."""
    y, margin = scores.fake, scores.margin
    row.give(("auc",), lambda: detection.auc(y, margin))
    row.give(("auc_low", "auc_high"), lambda: detection.auc_interval(y, margin, scores.group)[1:])
    row.give(("average_precision",), lambda: detection.average_precision(y, margin))


def operate(row: Row, scores: Scores) -> None:
    """Equal error rate, finds at few false alarms, accuracy at 0.5 and at the threshold that these images like best."""
    y, margin = scores.fake, scores.margin
    row.give(("eer",), lambda: roc.equal_error_rate(y, margin))
    for name, rate in roc.RATES.items():
        row.give((name,), lambda rate=rate: roc.tpr_at_fpr(y, margin, rate))  # type: ignore[misc]
    row.give(("accuracy_half",), lambda: detection.accuracy(y, scores.unfitted()))
    row.give(("accuracy_oracle_threshold",), lambda: roc.oracle_accuracy(y, margin))


def part_figures(scores: Scores) -> Row:
    """Counts and every figure of detection of some fakes and some reals."""
    row = Row(n_fake=int(scores.fake.sum()), n_real=int((~scores.fake).sum()))
    rank(row, scores)
    operate(row, scores)
    return row


def slices(test: Scores, seed: int) -> dict[str, Any]:
    """The tables of the test split and their summaries.

    Args:
        test: Clean scores of the test split.
        seed: Seed of the bootstrap.

    Returns:
        `per_generator`, `generators` (macro mean and the worst), `per_manipulation`, `per_group`,
        `mean_per_group`.
    """
    names = [str(name) for name in np.unique(test.generator[test.fake])]
    shared = {name: (test.generator == name) | ~test.fake for name in names}
    own = {name: (test.generator == name) | (~test.fake & (test.camera_set == name)) for name in names}
    own = {name: mask for name, mask in own.items() if (mask & ~test.fake).any()}
    kinds = {kind: (test.manipulation == kind) & test.fake for kind in KINDS}
    kinds = {kind: mask | ~test.fake for kind, mask in kinds.items() if mask.any()}
    tables = {"shared": shared, "own": own, "kind": kinds}
    masks = {f"{table} {name}": mask for table, some in tables.items() for name, mask in some.items()}
    rows = {name: part_figures(test.where(mask)) for name, mask in masks.items()}
    found = part_intervals(test, masks, rows, seed)
    per_group = _per_group(test)
    return {
        "per_generator": {name: _generator(name, rows) for name in names},
        "generators": _generators(shared, own, rows, found),
        "per_manipulation": {kind: rows[f"kind {kind}"].json() for kind in kinds},
        "per_group": per_group,
        "mean_per_group": _mean_per_group(per_group),
    }


def _generator(name: str, rows: Mapping[str, Row]) -> dict[str, Any]:
    """A generator's row against all reals, and under `own_reals` that against its own."""
    row = rows[f"shared {name}"]
    row.values["reals"] = SHARED
    own = rows.get(f"own {name}")
    if own is None:
        row.values["own_reals"] = None
        row.reasons["own_reals"] = "no real image has the generator's name as its camera_set"
    else:
        row.nest("own_reals", own)
    return row.json()


def _generators(
    shared: Masks, own: Masks, rows: Mapping[str, Row], found: Resampled | None
) -> dict[str, Any]:
    """Macro mean and the worst over generators, against all reals and, where each has them, its own."""
    row = _macro("shared", shared, rows, found)

    def complete() -> dict[str, Any]:
        if not own or len(own) < len(shared):
            raise UnavailableError(f"{len(own)} of {len(shared)} generators have real images of their own")
        return _macro("own", own, rows, found).json()

    row.give(("own_reals",), complete)
    return row.json()


def _macro(table: str, masks: Masks, rows: Mapping[str, Row], found: Resampled | None) -> Row:
    areas = {name: rows[f"{table} {name}"].values["auc"] for name in masks}
    known = {name: area for name, area in areas.items() if area is not None}
    row = Row(reals=OWN if table == "own" else SHARED)

    def worst() -> tuple[str, float]:
        if not known:
            raise UnavailableError("no generator has an AUC")
        least = min(known, key=lambda name: (known[name], name))
        return least, known[least]

    row.give(("worst", "worst_auc"), worst)
    intervals = Row()
    for figure in AVERAGED:
        name = f"macro_{figure}"
        row.give((name,), lambda figure=figure: _mean(figure, table, masks, rows))  # type: ignore[misc]
        if row.values[name] is None:
            intervals.values[name] = None
            continue
        intervals.give(
            (name,),
            lambda figure=figure: _mean_interval(figure, table, masks, rows, found),  # type: ignore[misc]
        )
    row.nest("intervals", intervals)
    return row


def _mean(figure: str, table: str, masks: Masks, rows: Mapping[str, Row]) -> float:
    known = [rows[f"{table} {name}"].values[figure] for name in masks]
    known = [each for each in known if each is not None]
    if not known:
        what = "AUC" if figure == "auc" else figure
        raise UnavailableError(f"no generator has an {what}" if what == "AUC" else f"no generator has {what}")
    return float(np.mean(known))


def _mean_interval(
    figure: str, table: str, masks: Masks, rows: Mapping[str, Row], found: Resampled | None
) -> tuple[float, float]:
    """Interval of a mean over generators, each of which must have sources enough."""
    if found is None:
        raise UnavailableError("too few sources to draw from")
    for name in masks:
        if reason := rows[f"{table} {name}"].reasons.get(f"intervals.{figure}"):
            raise UnavailableError(f"{name}: {reason}")
    every = np.stack([found.values[f"{table} {name}: {figure}"] for name in masks])
    return Resampled({figure: every.mean(axis=0)}, found.groups).interval(figure)


def _per_group(test: Scores) -> dict[str, Any]:
    """One row a photograph, its fakes against its own reals, where there are few and each holds both."""
    names = np.unique(test.group)
    if not 0 < len(names) <= MOST_GROUPS:
        return {}
    table = {}
    for name in names:
        own = test.where(test.group == name)
        if own.fake.all() or not own.fake.any():
            continue
        masks = {kind: own.fake & (own.manipulation == kind) for kind in KINDS}
        parts = {"all": own.fake, **{kind: mask for kind, mask in masks.items() if mask.any()}}
        table[name] = {part: _ranked(own.where(mask | ~own.fake)) for part, mask in parts.items()}
    return table


def _ranked(scores: Scores) -> dict[str, Any]:
    row = Row(n_fake=int(scores.fake.sum()), n_real=int((~scores.fake).sum()))
    rank(row, scores)
    return row.json()


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
