"""Comparing two detectors on the same images: figures, tests, and the images on which they differ most."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.bootstrap import DRAWS
from fakeinstruct.measure.comparison.alignment import Aligned, align, check_alike
from fakeinstruct.measure.comparison.figures import (
    adjusted,
    compared,
    most_different,
    per_generator,
    verdicts,
)
from fakeinstruct.measure.comparison.files import Side, write_comparison
from fakeinstruct.measure.fitting import Fit, fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.report.head import DETECTOR, EXPERT, against_chance
from fakeinstruct.measure.table.detector_table import DetectorTable

PACKAGES = ("numpy", "scipy", "matplotlib", "pyarrow")
"""Packages whose version can change a figure or a drawing."""

TRAINING = (
    "Intervals and p values are over images: they speak of other images of the same kind. How much another training "
    "run of either detector would differ is not in them; for a headline, compare three training seeds of each."
)


def compare(
    a: AnswerSet,
    b: AnswerSet,
    out: str | Path,
    *,
    chains: ChainSet | None = None,
    image_root: str | Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two detectors and write `compare.json`, `compare.md` and `compare.html`.

    All differences are of the first less the second, on the test images that both scored. Probabilities are unfitted;
    where both scored validation images, `calibrated` and `accuracy_validation_threshold` stand beside, each
    detector fitted on the validation images of both.

    Args:
        a: Answers of an expert, or a detector's table.
        b: Those of the other.
        out: Folder to write to.
        chains: The chain set that was asked about: its image root finds the pictures.
        image_root: Where the images lie, if neither the chains nor the answers say.
        seed: Seed of the bootstrap.

    Returns:
        The contents of `compare.json`.

    Raises:
        UsageError: If the two were asked differently.
        FakeInstructError: If a set was never finished, they share no image, or disagree on what an image is.
    """
    first, second = read_answers([a]), read_answers([b])
    check_alike(first, second, (a, b))
    both = align(first.scores, second.scores)
    validation = both.split("validation")
    fits = (
        fit(validation.a, table=isinstance(a, DetectorTable)),
        fit(validation.b, table=isinstance(b, DetectorTable)),
    )
    test = both.split("test")
    conditions = sorted(set(both.a.condition[both.a.split == "test"]) - {"clean"})
    overall = compared(test, fits, seed).json()
    figures: dict[str, Any] = {
        "overall": overall,
        "verdicts": verdicts(test).json(),
        "per_generator": adjusted(per_generator(test)),
        "per_condition": adjusted(
            {name: compared(both.split("test", name), fits, seed).json() for name in conditions}
        ),
        "most_different": most_different(test),
        "remarks": _remarks(test, overall, (a, b), fits),
        "provenance": _provenance((a, b), both, validation, fits, seed),
    }
    root = (
        image_root
        if image_root is not None
        else chains.image_root
        if chains is not None
        else _root(a) or _root(b)
    )
    sides = Side(test.a, first.texts, first.paths), Side(test.b, second.texts, second.paths)
    write_comparison(figures, sides, None if root is None else Path(root), Path(out))
    return figures


def _remarks(
    test: Aligned, overall: Mapping[str, Any], sets: tuple[AnswerSet, AnswerSet], fits: tuple[Fit, Fit]
) -> list[str]:
    """What to know before a difference is believed."""
    found = []
    if np.array_equal(test.a.margin, test.b.margin):
        found.append("Both give every image the same score: they are identical, and nothing is compared.")
    elif sets[0].meta.expert_sha256 == sets[1].meta.expert_sha256:
        found.append("Both are answers of one expert: what differs is how it was asked or read.")
    if sets[0].meta.aggregation != sets[1].meta.aggregation:
        found.append(
            f"Margins were aggregated by {sets[0].meta.aggregation} and by {sets[1].meta.aggregation}."
        )
    for side, each, fitted in zip("ab", sets, fits, strict=True):
        found += [f"{side.upper()}: {remark}" for remark in _of_one(side, overall["auc"], each, fitted)]
    return [*found, TRAINING]


def _of_one(side: str, auc: Mapping[str, Any], each: AnswerSet, fitted: Fit) -> Iterator[str]:
    """What to know of one of the two."""
    own = {
        name: auc[f"{side}{end}"] for name, end in (("auc", ""), ("auc_low", "_low"), ("auc_high", "_high"))
    }
    if doubt := against_chance(own, DETECTOR if isinstance(each, DetectorTable) else EXPERT):
        yield doubt
    if fitted.warning:
        yield f"beware of the calibrated figures: {fitted.warning}"


def _root(each: AnswerSet) -> Path | None:
    """Where the pictures lie: as the answers say, relative to them or to here."""
    if each.meta.image_root is None:
        return None
    beside = each.folder / each.meta.image_root
    return beside if beside.is_dir() else Path(each.meta.image_root)


def _provenance(
    sets: tuple[AnswerSet, AnswerSet], both: Aligned, validation: Aligned, fits: tuple[Fit, Fit], seed: int
) -> dict[str, Any]:
    sides = {
        name: {
            "expert": each.meta.expert,
            "expert_sha256": each.meta.expert_sha256,
            "items": each.meta.items,
            "folder": str(each.folder),
            "fit": fitted.json(),
            "left_out": left_out,
            "table": each.said if isinstance(each, DetectorTable) else None,
        }
        for name, each, fitted, left_out in zip("ab", sets, fits, both.left_out, strict=True)
    }
    return {
        **sides,
        "scored_by_both": len(both.a),
        "validation": len(validation.a),
        "seed": seed,
        "draws": DRAWS,
        "difference": "a less b",
        "positive_class": "fake",
        "auc_test": "paired DeLong, clustered by group (Obuchowski 1997) where several images are of one",
        "accuracy_test": "exact McNemar, or clustered by group (Obuchowski 1998) where several images are of one",
        "other_tests": "paired bootstrap of groups, percentile interval",
        "p_holm": "p adjusted for the number of rows of its table (Holm 1979)",
        "python": platform.python_version(),
        "packages": versions(*PACKAGES),
    }
