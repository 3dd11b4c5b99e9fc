"""What a table was read as, what of it was used, and what to know before its figures are believed."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fakeinstruct.base.errors import Rejects
from fakeinstruct.measure.table.cells import Scale

SHOWN_REASONS = 3
"""Commonest reasons of rejected rows that one line names; `figures.json` counts them all."""

GENERATOR_WORDS = frozenset({"generator", "generators", "gan", "model", "source", "architecture"})
"""Words in the name of a column that may hold generators."""


def counts(read: Sequence[str | None], used: Sequence[str], rejects: Rejects) -> dict[str, Any]:
    """Rows and images of a table, apart: of several prompts or conditions an image has several rows.

    Args:
        read: The id of every row, none where it has none that can be read.
        used: The id of every row that is used.
        rejects: The rows that are not.

    Returns:
        `rows`, `used`, `images`, `images_used` and `rejected`, reason to count.
    """
    images = {name for name in read if name} | set(used)
    return {
        "rows": len(read),
        "used": len(used),
        "images": len(images),
        "images_used": len(set(used)),
        "rejected": dict(rejects.reasons()),
    }


def rows_line(said: Mapping[str, Any]) -> str:
    """How many rows were used, how many were rejected, and why most of them.

    Args:
        said: What the table was read as, with `counts`.
    """
    rows, used = said["rows"], said["used"]
    line = f"all {rows:,} rows used" if rows == used else f"{used:,} of {rows:,} rows used"
    if used != said["images_used"]:
        line += f" ({said['images_used']:,} of {said['images']:,} images)"
    if rows == used:
        return line
    reasons = Counter(said["rejected"]).most_common()
    common = ", ".join(f"{reason} ({count:,})" for reason, count in reasons[:SHOWN_REASONS])
    rarer = sum(count for _, count in reasons[SHOWN_REASONS:])
    others = f", other reasons ({rarer:,})" if rarer else ""
    return f"{line}; {rows - used:,} rejected, listed in rejects.jsonl: {common}{others}"


def remarks(
    rows: Sequence[Mapping[str, Any]], scale: Scale, names: Sequence[str], where: Mapping[str, str]
) -> Iterator[str]:
    """What to know of a table: what its numbers have lost, or what makes it doubtful that they are what was said.

    Args:
        rows: The rows of answers that came of it.
        scale: What its scores are.
        names: Its columns.
        where: Those that are read.
    """
    margins = np.array([row["margin"] for row in rows])
    if sure := int(np.isinf(margins).sum()):
        yield (
            f"{sure:,} of {len(margins):,} probabilities ({sure / len(margins):.1%}) are exactly 0 or 1: they tie, "
            "and the order among them is lost; margins (logits) would keep it"
        )
    distinct, stored = len(np.unique(margins)), len(np.unique(margins.astype(np.float32)))
    if stored < distinct:
        yield f"{distinct:,} distinct scores are {stored:,} in single precision, in which they are compared"
    if scale == "margin" and margins.min() >= 0 and margins.max() <= 1:
        yield "every margin lies between 0 and 1: are they not probabilities?"
    for label in ("fake", "real"):
        if not any(row["label"] == label for row in rows):
            yield f"no image is {label}"
    if not any(row.get("generator") for row in rows):
        yield from _unread_generators(names, where)


def _unread_generators(names: Sequence[str], where: Mapping[str, str]) -> Iterator[str]:
    """A remark on a column that is not read although it may hold the generators that nobody named."""
    for name in names:
        words = set(re.split(r"[\W_]+", name.lower()))
        if "generator" not in where and name not in where.values() and words & GENERATOR_WORDS:
            yield (
                f"no column was taken for the generator; if '{name}' holds it, "
                f"--column generator={shlex.quote(name)} gives figures by generator"
            )
            return
