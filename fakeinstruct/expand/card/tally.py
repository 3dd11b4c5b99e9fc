"""Tally: what the pairs of a set are, counted in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from fakeinstruct.base.grammar import find_boxes
from fakeinstruct.expand.card.ngrams import Distinct, WordHashes
from fakeinstruct.expand.card.sources import Source
from fakeinstruct.expand.pair import Pair

BATCH = 1 << 17
"""Words counted at a time."""


class Spread(NamedTuple):
    """How a length is distributed."""

    median: int
    p90: int
    most: int


class Lengths:
    """Lengths of texts, kept as a count for each length."""

    def __init__(self) -> None:
        self._count: Counter[int] = Counter()

    def add(self, length: int) -> None:
        """Add a text."""
        self._count[length] += 1

    def spread(self) -> Spread | None:
        """Median, ninetieth percentile (nearest rank) and maximum; None if there is no text."""
        if not self._count:
            return None
        lengths = sorted(self._count)
        upto = list(accumulate(self._count[length] for length in lengths))

        def rank(share: float) -> int:
            return next(
                length for length, seen in zip(lengths, upto, strict=True) if seen >= share * upto[-1]
            )

        return Spread(rank(0.5), rank(0.9), lengths[-1])


class Words:
    """What one side says: how long its turns are, how varied."""

    def __init__(self) -> None:
        self.characters = Lengths()
        self.words = Lengths()
        self._distinct = tuple(map(Distinct, (1, 2, 3)))
        self._hashes = WordHashes()
        self._waiting: list[int] = []
        self._sizes: list[int] = []

    def add(self, text: str) -> None:
        """Add a turn."""
        said = self._hashes.of(text)
        self.characters.add(len(text))
        self.words.add(len(said))
        self._waiting += said
        self._sizes.append(len(said))
        if len(self._waiting) > BATCH:
            self._count()

    def distinct(self) -> tuple[Distinct, ...]:
        """Distinct words, couples and triples of words."""
        self._count()
        return self._distinct

    def _count(self) -> None:
        words = np.array(self._waiting, np.uint64)
        text = np.repeat(np.arange(len(self._sizes)), self._sizes)
        for each in self._distinct:
            each.add(words, text)
        self._waiting, self._sizes = [], []


class Tally:
    """Counts of a pair set's pairs.

    Args:
        sources: Each chain's source by the chain's id; empty if the chain set is not at hand.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.pairs = 0
        self.images: Counter[Source] = Counter()
        self.words = {"questions": Words(), "answers": Words()}
        self.features: Counter[str] = Counter()
        self._by: dict[str, Counter[tuple[str, str]]] = {}
        self._per_source: Counter[Source] = Counter()
        self._sources = sources
        self._seen: set[str] = set()

    def add(self, pair: Pair) -> None:
        """Count a pair."""
        self.pairs += 1
        kinds = {"task": pair.task, "template": pair.template, "split": pair.split or "none"}
        for name, value in kinds.items():
            self._by.setdefault(name, Counter())[value, pair.label] += 1
        for attribute in pair.target.attributes:
            self._by.setdefault("attribute", Counter())[attribute, pair.label] += 1
        if source := self._sources.get(pair.chain):
            self._per_source[source] += 1
            if pair.chain not in self._seen:
                self._seen.add(pair.chain)
                self.images[source] += 1
        for message in pair.messages:
            who = "questions" if message.role == "user" else "answers"
            self.words[who].add(message.text())
        self._count_features(pair)

    def by(self, what: str) -> dict[str, dict[str, int]]:
        """Pairs by task, template, split or attribute, then by label, in the order of their names."""
        found: dict[str, dict[str, int]] = {}
        for (name, label), count in sorted(self._by.get(what, {}).items()):
            found.setdefault(name, {"fake": 0, "real": 0})[label] = count
        return found

    def of_source(self, source: Source) -> int:
        """Pairs of a source's images."""
        return self._per_source[source]

    def _count_features(self, pair: Pair) -> None:
        turns = [message.role for message in pair.messages]
        texts = [message.text() for message in pair.messages]
        self.features += Counter(
            {
                "of several turns": turns.count("user") > 1,
                "of several images": len(pair.images) > 1,
                "with boxes in their words": any("<box>" in text and find_boxes(text) for text in texts),
                "with boxes in their target": bool(pair.target.boxes),
                "multiple choice": bool(pair.choices),
                "with advice of the taxonomy's": pair.advice_origin == "bank",
                "without an answer (evaluation items)": "assistant" not in turns,
            }
        )
