"""Images that have several rows: of processings or wordings, which a column tells apart, or by mistake."""

from __future__ import annotations

import math
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.measure.table.cells import text_of
from fakeinstruct.measure.table.rows import table_rows

CLEAN = "clean"
"""The condition of unprocessed images, of which the leading figures are."""

AGAIN = "the id was used before"
"""How the problem of a row begins whose image, condition and prompt another row had."""

MANY = 0.05
"""Share of rows whose id was used before from which on they are hardly mistakes."""

MOST_VALUES = 200
"""A column of more values is neither a processing nor a wording."""

SHOWN = 8
"""Conditions that an error names."""

MEANT = {"condition": "how an image was processed", "prompt": "how it was asked"}
"""What may tell the rows of an image apart."""


def torn(found: Mapping[tuple[str, ...], Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Keys of the images whose prompts give probabilities of exactly 0 and exactly 1.

    Args:
        found: Rows of answers by chain, condition and prompt.
    """
    signs: dict[tuple[str, ...], set[float]] = defaultdict(set)
    for key, row in found.items():
        signs[key[:2]].add(row["margin"])
    return [key for key in found if {math.inf, -math.inf} <= signs[key[:2]]]


def repeated(answer: Mapping[str, Any], before: Mapping[str, Any]) -> RecordError:
    """What is wrong with a row whose image, condition and prompt another row had."""
    if answer["label"] != before["label"]:
        hint = (
            "A file name without its folders is no id: name the column of whole paths with --column id=NAME."
        )
        return RecordError(f"{AGAIN} with another label", field="id", hint=hint)
    if answer["margin"] == before["margin"]:
        hint = "The first row counts; drop_duplicates() of pandas removes the others."
        return RecordError(AGAIN, field="id", hint=hint)
    hint = "The first row counts. If a column tells the rows apart, name it: --column condition=NAME or prompt=NAME."
    return RecordError(f"{AGAIN} with another score", field="id", hint=hint)


def check_clean(rows: Sequence[Mapping[str, Any]], where: Mapping[str, str], path: Path) -> None:
    """See that some images are unprocessed: without them every leading figure would be of no image.

    Args:
        rows: The rows of answers.
        where: Which column holds what.
        path: The table.

    Raises:
        UsageError: If none is, naming the conditions and how to say which it is.
    """
    there = Counter(row["condition"] for row in rows)
    if "condition" not in where or CLEAN in there:
        return
    several = ", ".join([name for name, _ in there.most_common(SHOWN)] + ["…"] * (len(there) > SHOWN))
    name, first = where["condition"], next(iter(there))
    call = f"table[{name!r}] = table[{name!r}].replace({first!r}, {CLEAN!r})"
    raise UsageError(
        f"no row has the condition '{CLEAN}' in column '{name}'; there {'are' if len(there) > 1 else 'is'}: {several}",
        file=path,
        hint="Figures are of unprocessed images first: leave their condition empty or call it "
        f"{CLEAN}; with pandas, if it is {first!r}: {call}",
    )


def untold(path: Path, where: Mapping[str, str], repeats: int, rows: int) -> Iterator[str]:
    """A remark on a column that is not read and tells the rows of an image apart, where many ids come again.

    Args:
        path: The table, which is read once more.
        where: Which column holds what.
        repeats: Rows rejected because their id was used before.
        rows: All rows.
    """
    if repeats < 2 or repeats < MANY * rows:
        return
    open_to = {role: what for role, what in MEANT.items() if role not in where}
    for name in _telling(path, where, repeats) if open_to else ():
        said = "; ".join(
            f"if it says {what}, --column {role}={shlex.quote(name)}" for role, what in open_to.items()
        )
        yield (
            f"{repeats:,} of {rows:,} rows have an id that was used before and are rejected, but column '{name}' "
            f"tells them apart; {said}"
        )


def _telling(path: Path, where: Mapping[str, str], repeats: int) -> list[str]:
    """Columns not read of which hardly two rows of an image hold the same, and that hold few values."""
    ids: Counter[str] = Counter()
    pairs: dict[str, set[tuple[str, str | None]]] = {}
    values: dict[str, set[str | None]] = defaultdict(set)
    clashes: Counter[str] = Counter()
    with table_rows(path) as (names, rows):
        pairs |= {name: set() for name in names if name not in where.values()}
        for _, row in rows:
            own = None if isinstance(row, RecordError) else text_of(row.get(where["id"]))
            if own is None or isinstance(row, RecordError):
                continue
            ids[own] += 1
            for name, seen in list(pairs.items()):
                pair = own, text_of(row.get(name))
                values[name].add(pair[1])
                clashes[name] += pair in seen
                seen.add(pair)
                if clashes[name] > MANY * repeats or len(values[name]) > MOST_VALUES:
                    del pairs[name], values[name]  # a wide table's other columns shall not be held in memory
    most = 2 * max(ids.values(), default=0)  # a value a row of an image; a score or row number has far more
    return [name for name in pairs if len(values[name]) <= most]
