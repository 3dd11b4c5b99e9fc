"""One source under several spellings: figures per generator then are of parts of it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from fakeinstruct.measure.audit.finding import Example, Finding, Section, Table
from fakeinstruct.measure.audit.sample import EXAMPLES

MOST: Final = 500
"""Names of one field that are compared with one another; of more, the commonest."""

SHORTEST: Final = 5
"""Letters of a name from which one letter more or less is taken for a slip: ADM and ADT are two things."""

FIELDS: Final = ("generator", "camera_set", "dataset", "content")
"""Fields that figures are given by."""

ROWS: Final = 40
"""Most names that a table shows."""

Counts = dict[str, Counter[str]]


def names_section(counts: Counts) -> Section:
    """Names that may mean the same.

    Args:
        counts: How many chains have each name, for each of `FIELDS`.
    """
    findings = [finding for field in FIELDS for finding in _findings(field, counts[field])]
    tables = [
        Table(title=f"Names in {field}", columns=(field, "chains"), rows=tuple(names.most_common(ROWS)))
        for field, names in counts.items()
        if names
    ]
    total = ", ".join(f"{len(names):,} in {field}" for field, names in counts.items() if names)
    return Section(
        name="Names of sources", summary=f"Names: {total}.", findings=tuple(findings), tables=tuple(tables)
    )


def _findings(field: str, names: Counter[str]) -> Iterator[Finding]:
    families = spellings(names)
    for same in families:
        yield Finding(
            level="warning",
            title=f"'{field}' has one name in {len(same)} spellings: {', '.join(map(repr, same))}",
            detail=f"They differ in letter case, spaces or marks alone: {_counted(same, names)}.",
            hint="Write one of them in all chains, so that figures for it are of all its images.",
            examples=tuple(Example(text=f"{name}: {names[name]:,} chains") for name in same[:EXAMPLES]),
        )
    for one, other in slips(names):
        yield Finding(
            level="note",
            title=f"'{field}' has two names that may be one: {one!r} and {other!r}",
            detail=f"They differ by one letter: {_counted([one, other], names)}.",
            hint="If they mean the same, write one of them in all chains.",
        )


def _counted(some: list[str], names: Counter[str]) -> str:
    return ", ".join(f"{name!r} {names[name]:,}" for name in some)


def fold(name: str) -> str:
    """A name without letter case, spaces and marks.

    >>> fold("Big_GAN") == fold("big gan")
    True
    """
    return re.sub(r"[\W_]", "", name.casefold())


def spellings(names: Counter[str]) -> list[list[str]]:
    """Names that differ in letter case, spaces or marks alone, the commonest first."""
    families: dict[str, list[str]] = defaultdict(list)
    for name, _ in names.most_common():
        families[fold(name) or name].append(name)
    return [same for same in families.values() if len(same) > 1]


def slips(names: Counter[str]) -> list[tuple[str, str]]:
    """Pairs of names, the commoner first, that differ by one letter once folded, and in no digit."""
    folded: dict[str, str] = {}
    for name, _ in names.most_common(MOST):
        folded.setdefault(fold(name), name)
    found = []
    known = list(folded)
    for index, one in enumerate(known):
        for other in known[index + 1 :]:
            if min(len(one), len(other)) >= SHORTEST and _one_letter(one, other):
                found.append((folded[one], folded[other]))
    return found


def _one_letter(one: str, other: str) -> bool:
    """Whether one letter was added, dropped, replaced, or swapped with its neighbour."""
    if abs(len(one) - len(other)) > 1 or _digits(one) != _digits(other):
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if one[start + 1 :] == other[start + 1 :]:
        return True
    if one[start:] == other[start + 1 :] or one[start + 1 :] == other[start:]:
        return True
    swapped = one[start : start + 2][::-1] + one[start + 2 :]
    return len(one) == len(other) and swapped == other[start:]


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name)
