"""Judged: how well one fact of files alone tells fake from real, and what its values are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.audit.facts import HEADER_FAMILIES, NAME_FAMILIES, NUMBERS, Encoder, Facts, facts_of
from fakeinstruct.measure.audit.finding import Cell, Example, Table
from fakeinstruct.measure.audit.look import Look
from fakeinstruct.measure.audit.telling import Folds, Told, bins, by_value, tell

TESTS: Final = len(facts_of(NAME_FAMILIES | HEADER_FAMILIES)) + 3
"""Figures given together: each fact, names, headers, and both."""

ROWS: Final = 12
"""Most words that a table of values shows."""

SHOWN_BINS: Final = 8
"""Bins that a table of values shows of a number."""


@dataclass(frozen=True)
class Judged:
    """What one fact tells.

    Attributes:
        name: Of the fact, as in `facts`.
        told: How much it tells on images held out.
        column: Each image's value as a number, NaN for none, shape (n,).
        codes: Number of each image's value or bin, shape (n,).
        words: What each code stands for.
        rule: Share of images, 0 to 1, for which the commoner label of their value is right, none held out.
    """

    name: str
    told: Told
    column: NDArray[np.float32]
    codes: NDArray[np.int64]
    words: tuple[str, ...]
    rule: float

    @property
    def varies(self) -> bool:
        """Whether it is not the same for all images."""
        return bool((self.codes != self.codes[0]).any())


def judge(name: str, rows: list[Facts], folds: Folds) -> Judged:
    """How much one fact tells, counted value by value; numbers are cut into bins.

    Raises:
        UnavailableError: If there are too few images of a label.
    """
    encoder = Encoder(rows, [name])
    column = encoder.encode(rows)[:, 0]
    if name in NUMBERS:
        codes, edges = bins(column)
        words = _ranges(column, edges)
    else:
        codes = column.astype(np.int64)
        words = tuple("(none)" if word is None else str(word) for word in encoder.codes[name])
        words += ("(rarer ones)",) * (Encoder.WORDS + 1 - len(words))
    told = tell(folds, by_value(folds, codes), TESTS)
    fakes, reals = _counts(codes, folds.fake, len(words))
    return Judged(name, told, column, codes, words, float(np.maximum(fakes, reals).sum() / len(codes)))


def _ranges(column: NDArray[np.float32], edges: NDArray[np.float64]) -> tuple[str, ...]:
    """Names of the bins between edges, and of none."""
    known = np.unique(column[~np.isnan(column)])
    if not len(known):
        return ("(none)", "(none)")
    if len(known) == len(edges) + 1:  # a bin for each value
        return (*(f"{float(value):,.7g}" for value in known), "(none)")
    bounds = [float(known[0]), *map(float, edges), float(known[-1])]
    parts = [f"{low:,.7g} to {high:,.7g}" for low, high in pairwise(bounds)]
    parts[:-1] = [part.replace(" to ", " to below ") for part in parts[:-1]]
    return (*parts, "(none)")


def _counts(codes: NDArray[np.int64], fake: NDArray[np.bool_], count: int) -> tuple[NDArray[np.int64], ...]:
    return np.bincount(codes[fake], minlength=count), np.bincount(codes[~fake], minlength=count)


def best_of(facts: list[Judged]) -> Judged:
    """The fact that tells most; of equals the first."""
    return max(facts, key=lambda fact: round(fact.told.auc.value, 6))


def examples_of(fact: Judged, looks: Sequence[Look]) -> tuple[Example, ...]:
    """A fake and a real that the fact gives away most."""
    fake = np.array([look.fake for look in looks], dtype=bool)
    fakes, reals = _counts(fact.codes, fake, len(fact.words))
    found = []
    for wanted, lead in ((True, fakes - reals), (False, reals - fakes)):
        code = int(lead.argmax())
        for index in np.flatnonzero((fact.codes == code) & (fake == wanted))[:1]:
            chain = looks[index].chain
            text = f"{chain.image.path}: {fact.name} {fact.words[code]}"
            found.append(Example(text=text, label=chain.label, image=chain.image.path))
    return tuple(found)


def values_of(family: str, fact: Judged, looks: Sequence[Look]) -> Table:
    """Values by label, the commonest first; of numbers a few bins in their order."""
    fake = np.array([look.fake for look in looks], dtype=bool)
    codes, words = fact.codes, fact.words
    if fact.name in NUMBERS:
        codes, edges = bins(fact.column, SHOWN_BINS)
        words = _ranges(fact.column, edges)
    fakes, reals = _counts(codes, fake, len(words))
    found = np.flatnonzero(fakes + reals)
    if fact.name not in NUMBERS:
        found = found[np.argsort(-(fakes + reals)[found], kind="stable")]
    rows: list[tuple[Cell, ...]] = [
        (words[code], int(fakes[code]), int(reals[code])) for code in found[:ROWS]
    ]
    if len(found) > ROWS:
        rows.append(("all others", int(fakes[found[ROWS:]].sum()), int(reals[found[ROWS:]].sum())))
    return Table(
        title=f"{fact.name}, by label ({family})", columns=(fact.name, "fake", "real"), rows=tuple(rows)
    )
