"""From a judge's replies to marks of images, with what could not be read counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fakeinstruct.base.errors import printable
from fakeinstruct.measure.figure import rounded
from fakeinstruct.measure.judge.kept import Asked, JudgeMeta
from fakeinstruct.measure.judge.prompt import read_marks
from fakeinstruct.measure.words.beside import ASPECTS

EXAMPLES = 5
"""Replies without marks that are shown, and the first `SHOWN` characters of each."""

SHOWN = 200


class Case(NamedTuple):
    """One text to be marked once.

    Attributes:
        chain: The image's chain.
        key: A hash of what the judge is shown.
        sample: Which time it is asked, from 0.
        messages: What it is asked.
    """

    chain: str
    key: str
    sample: int
    messages: list[dict[str, Any]]

    @property
    def asked(self) -> Asked:
        """What its reply is kept under."""
        return self.key, self.sample


@dataclass(frozen=True)
class Judgement:
    """What a judge said.

    Attributes:
        meta: Who was asked, and how.
        marks: By chain id the mean mark of each aspect over texts and samples, 0 to 2.
        replies: Number of replies.
        texts: Number of texts.
        unparsed: Replies that hold no marks; they count for nothing, and are counted.
        deviation: Mean over texts of the sample standard deviation of a mark, where a text was marked several times.
        given: By aspect how many replies gave 0, 1 and 2.
    """

    meta: JudgeMeta
    marks: Mapping[str, Mapping[str, float]]
    replies: int
    texts: int
    unparsed: Sequence[str] = ()
    deviation: Mapping[str, float] = field(default_factory=dict)
    given: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """All but the marks, for the figures."""
        examples = [printable(each)[:SHOWN] for each in self.unparsed[:EXAMPLES]]
        return {
            **self.meta.model_dump(mode="json"),
            "texts": self.texts,
            "images": len(self.marks),
            "replies": self.replies,
            "unparsed": {"n": len(self.unparsed), "examples": examples},
            "deviation": rounded(self.deviation),
            "given": {name: list(counts) for name, counts in self.given.items()},
        }


def judgement_of(meta: JudgeMeta, cases: Sequence[Case], replies: Mapping[Asked, str]) -> Judgement:
    """Marks of every image, from the replies to its cases; a case without a reply counts for nothing."""
    texts: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    unparsed = []
    answered = 0
    for case in cases:
        reply = replies.get(case.asked)
        if reply is None:
            continue
        answered += 1
        marks = read_marks(reply)
        if marks is None:
            unparsed.append(reply)
        else:
            texts[case.chain, case.key].append([marks[name] for name in ASPECTS])
    by_chain: dict[str, list[Any]] = defaultdict(list)
    for (chain, _), given in texts.items():
        by_chain[chain].append(np.mean(given, axis=0))
    return Judgement(
        meta=meta,
        marks={chain: _named(np.mean(means, axis=0)) for chain, means in by_chain.items()},
        replies=answered,
        texts=len({case[:2] for case in cases if case.asked in replies}),
        unparsed=unparsed,
        deviation=_deviation(texts.values()),
        given=_given(texts.values()),
    )


def _named(values: Iterable[float]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(ASPECTS, values, strict=True)}


def _given(texts: Iterable[list[list[int]]]) -> dict[str, list[int]]:
    marks = np.array([marks for given in texts for marks in given], dtype=np.int64).reshape(-1, len(ASPECTS))
    counts = [np.bincount(marks[:, place], minlength=3).tolist() for place in range(len(ASPECTS))]
    return dict(zip(ASPECTS, counts, strict=True))


def _deviation(texts: Iterable[list[list[int]]]) -> dict[str, float]:
    several = [np.std(given, axis=0, ddof=1) for given in texts if len(given) > 1]
    return _named(np.mean(several, axis=0)) if several else {}
