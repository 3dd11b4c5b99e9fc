"""Cells of tables: figures, their intervals and reasons, as they are taken from `figures.json` and shown to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BESIDE = {"auc": ("auc_low", "auc_high"), "difference": ("low", "high")}
"""Figures whose interval stands under names that do not follow from theirs."""


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % interval, shown in one cell."""

    low: float
    high: float


@dataclass(frozen=True)
class Absent:
    """A figure that cannot be given, and why."""

    reason: str


@dataclass(frozen=True)
class Table:
    """A table: its title, what its columns are called, and its cells, the first of each row a name."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def shown(cell: Any, missing: str = "-") -> str:
    """A cell for people: four decimals, `missing` where there is no figure."""
    if cell is None:
        return missing
    if isinstance(cell, Absent):
        return f"{missing} ({cell.reason})"
    if isinstance(cell, Interval):
        return f"{cell.low:.4f}–{cell.high:.4f}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def interval(row: Mapping[str, Any], name: str = "auc") -> Interval | None:
    """The interval of a figure of a row, if there is one."""
    low, high = (row.get(end) for end in BESIDE.get(name, (f"{name}_low", f"{name}_high")))
    if low is None or high is None:
        low, high = (row.get("intervals") or {}).get(name) or (None, None)
    return None if low is None or high is None else Interval(low, high)


def figure(row: Mapping[str, Any], name: str) -> Any:
    """A figure of a row, or why there is none."""
    value, reasons = row.get(name), row.get("unavailable") or {}
    return Absent(reasons[name]) if value is None and name in reasons else value


def part(figures: Mapping[str, Any], path: str) -> Any:
    """A part of the figures by its dotted path; none where it is absent or empty."""
    found: Any = figures
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found or None


def named(title: str, row: Mapping[str, Any]) -> list[Table]:
    """Any nested figures: one row a figure with its interval, and a table of its own for rows that are alike.

    Args:
        title: Of the tables.
        row: Figures under names; nested ones under the names of all levels.
    """
    alike = dict(_alike(row, ()))
    head = ("figure", "value", "95 % interval")
    rest = tuple(
        cells for cells in _flat(row, ()) if not any(cells[0].startswith(f"{path}, ") for path in alike)
    )
    return [Table(title, head, rest)] + [
        Table(f"{title}: {path}", ("name", *next(iter(rows.values()))), tuple(_lines(rows)))
        for path, rows in alike.items()
    ]


def _lines(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for name, row in rows.items():
        yield (name, *row.values())


def _alike(row: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Mappings of name to flat rows of numbers with the same names, by their path."""
    for name, value in row.items():
        if not isinstance(value, Mapping) or name in ("unavailable", "intervals"):
            continue
        inner = list(value.values())
        flat = inner and all(isinstance(each, Mapping) for each in inner)
        numbers = flat and all(isinstance(cell, int | float) for each in inner for cell in each.values())
        if numbers and len({tuple(each) for each in inner}) == 1:
            yield ", ".join((*path, name)), value
        else:
            yield from _alike(value, (*path, name))


def _flat(row: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any, Interval | str]]:
    ends = {end for name in row for end in BESIDE.get(name, (f"{name}_low", f"{name}_high"))}
    for name, value in row.items():
        if name in ends or name in ("unavailable", "intervals"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        elif value is None or isinstance(value, str | int | float):
            yield ", ".join((*path, name)), figure(row, name), interval(row, name) or ""
