"""What the files give away: how well names and headers alone tell fake from real on the very images that are measured.

Cross-validated on the measured images themselves, so that it can be had of a benchmark without a train split too.
FakeBench's file extensions alone score .76: a detector's accuracy there is read beside that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.audit.facts import HEADER_FAMILIES, NAME_FAMILIES, Encoder, Facts, facts_of
from fakeinstruct.measure.audit.judged import TESTS, judge
from fakeinstruct.measure.audit.look import Look, draw, look_at
from fakeinstruct.measure.audit.telling import Folds, Told, by_boosting, make_folds, tell
from fakeinstruct.measure.figure import Row, UnavailableError

EXTENSIONS = {
    "extension": "extension",
    "extension_any_case": "extension, letter case aside",
}
"""Rows of single facts, each with its fact's name in `facts.name_facts`."""

FIGURES = ("n", "auc", "auc_low", "auc_high", "accuracy")


def leaks(chains: ChainSet, measured: Sequence[Chain], seed: int) -> dict[str, Any]:
    """How well names and headers tell the label of some images.

    Args:
        chains: The chain set that they are of.
        measured: The chains that figures are of; at most as many as an audit looks at are drawn.
        seed: Seed of the draw, the folds and what is fitted.

    Returns:
        `extension`, `extension_any_case`, `names` and `headers`, each with `n`, `auc`, `auc_low`, `auc_high` and
        `accuracy` on images held out; the extensions also with `rule`, the accuracy of the commoner label of each,
        none held out. What cannot be given is null with its reason.
    """
    looks = look_at(chains, draw(measured, seed))
    readable = [look for look in looks if look.header is not None]
    names, headers = [look.names for look in looks], [look.header or {} for look in readable]
    found = {row: _single(fact, names, looks, seed) for row, fact in EXTENSIONS.items()}
    found["names"] = _together(NAME_FAMILIES, names, looks, seed)
    found["headers"] = _together(HEADER_FAMILIES, headers, readable, seed)
    return found


def _single(fact: str, rows: list[Facts], looks: Sequence[Look], seed: int) -> dict[str, Any]:
    def figures() -> tuple[float, ...]:
        judged = judge(fact, rows, _folds(looks, seed))
        return (*_figures(judged.told), judged.rule)

    return _row((*FIGURES, "rule"), figures)


def _together(
    families: dict[str, tuple[str, ...]], rows: list[Facts], looks: Sequence[Look], seed: int
) -> dict[str, Any]:
    def figures() -> tuple[float, ...]:
        folds = _folds(looks, seed)
        encoder = Encoder(rows, facts_of(families))
        return _figures(tell(folds, by_boosting(folds, encoder.encode(rows), encoder.words), TESTS))

    return _row(FIGURES, figures)


def _row(names: tuple[str, ...], figures: Callable[[], tuple[float, ...]]) -> dict[str, Any]:
    row = Row()
    row.give(names, figures)
    return row.json()


def _figures(told: Told) -> tuple[float, ...]:
    return told.n, told.auc.value, told.auc.low, told.auc.high, told.accuracy


def _folds(looks: Sequence[Look], seed: int) -> Folds:
    fake = np.array([look.fake for look in looks], dtype=bool)
    if len(looks) == 0 or fake.all() or not fake.any():
        raise UnavailableError("no image could be opened" if not len(looks) else "all images have one label")
    return make_folds(fake, [look.chain.group for look in looks], seed)
