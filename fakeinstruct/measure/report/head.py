"""What a report calls the one that it measures, and what has to be known before its figures are believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.scores import UNNAMED
from fakeinstruct.measure.table.said import rows_line

EXPERT, DETECTOR = "expert", "detector"
"""Who is measured: one that was asked here, or one whose table was brought."""

TURN = {
    EXPERT: "its words for fake and real may be swapped, or the labels of the images",
    DETECTOR: "its high scores may mean real (--positive real), or its labels be the other way round (--fake-is)",
}
"""What may be wrong where fakes score lower than reals."""


def subject(figures: Mapping[str, Any]) -> str:
    """Who is measured: "expert", or "detector" of whom there is a table and no more."""
    return DETECTOR if figures["provenance"]["tables"] else EXPERT


def by_generator(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The table by generator, empty where nobody named any."""
    table = dict(figures["per_generator"])
    return table if set(table) != {UNNAMED} else {}


def read_tables(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What every table was read as: that which is measured, and those beside it."""
    beside = [each["table"] for each in figures["baselines"].values() if each.get("table")]
    return [*figures["provenance"]["tables"], *beside]


def table_lines(figures: Mapping[str, Any]) -> list[str]:
    """How many rows of each table were used and why others were not, and what else is to be known of it."""
    return [
        f"{said['file']}: {line}"
        for said in read_tables(figures)
        for line in (rows_line(said), *said["remarks"])
    ]


def doubts(figures: Mapping[str, Any]) -> list[str]:
    """What makes the figures doubtful, each a sentence: an AUC that is none, fits that say little."""
    against = against_chance(figures["overall"]["test"], subject(figures))
    return [*([f"beware: {against}"] if against else []), *doubtful_fits(figures)]


def doubtful_fits(figures: Mapping[str, Any]) -> list[str]:
    """What to beware of where scale and bias were fitted, of all that have some."""
    fits = {"": figures["provenance"]["fit"]}
    fits |= {f" of {name}": each["fit"] for name, each in figures["baselines"].items()}
    return [
        f"beware of the calibrated figures{of}: {fit['warning']}"
        for of, fit in fits.items()
        if fit["warning"]
    ]


def against_chance(row: Mapping[str, Any], who: str = EXPERT) -> str | None:
    """What an AUC and its interval say against chance, if that is not that fakes score higher.

    Args:
        row: Its `auc`, `auc_low` and `auc_high`.
        who: A key of `TURN`, for what may be wrong.
    """
    area, low, high = row["auc"], row["auc_low"], row["auc_high"]
    if area == 0:
        return f"every fake scores lower than every real: {TURN[who]}"
    if low is None or high is None:
        return None
    if high < 0.5:
        return (
            f"AUC {area:.3f} is below chance, with its whole interval: {TURN[who]}; it is reported as it is"
        )
    if low <= 0.5:
        return (
            "the interval of the AUC holds 0.5: these images do not show that fakes score higher than reals"
        )
    return None
