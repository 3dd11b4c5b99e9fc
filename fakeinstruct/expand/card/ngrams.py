"""How varied words are: distinct n-grams over all n-grams (distinct-n), in bounded memory."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LIMIT = 1 << 20
"""Hashes kept of the n-grams of one length, 8 MiB of them. Up to here the count is exact."""

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""An odd number near 2^64 over the golden ratio: it spreads the hashes of words over those of n-grams."""


class Distinct:
    """Counts distinct n-grams of one length.

    Only hashes under a bound are kept, and the bound is halved whenever more than `limit` of them lie under it:
    what is left is an even sample of all distinct hashes, so their number is known to about one in a thousand.

    Args:
        n: Words of an n-gram.
        limit: Hashes kept at most.
    """

    def __init__(self, n: int, limit: int = LIMIT) -> None:
        self.n = n
        self.total = 0
        self._limit = limit
        self._halvings = 0
        self._kept: Hashes = np.empty(0, np.uint64)
        self._new: list[Hashes] = []
        self._waiting = 0

    def add(self, words: Hashes, text: NDArray[np.int64]) -> None:
        """Count the n-grams of some texts.

        Args:
            words: Hashes of the words of all of them, one text after the other.
            text: The number of the text that each word stands in.
        """
        count = len(words) - self.n + 1
        if count < 1:
            return
        grams = words[:count]
        for shift in range(1, self.n):
            grams = grams * MULTIPLIER + words[shift : count + shift]
        grams = grams[text[:count] == text[self.n - 1 :]]  # no n-gram straddles two texts
        self.total += len(grams)
        self._new.append(_spread(grams))
        self._waiting += len(grams)
        if self._waiting > self._limit:
            self._settle()

    @property
    def exact(self) -> bool:
        """Whether every n-gram was counted, none estimated."""
        self._settle()
        return self._halvings == 0

    def distinct(self) -> int:
        """Number of distinct n-grams."""
        self._settle()
        return len(self._kept) << self._halvings

    def ratio(self) -> float | None:
        """Distinct n-grams over all, 0 to 1; None where there are none."""
        return min(1.0, self.distinct() / self.total) if self.total else None

    def _settle(self) -> None:
        self._kept = np.unique(np.concatenate([self._kept, *self._new]))
        while True:
            self._kept = self._kept[self._kept <= np.uint64(((1 << 64) - 1) >> self._halvings)]
            if len(self._kept) <= self._limit:
                break
            self._halvings += 1
        self._new, self._waiting = [], 0


class WordHashes:
    """Hashes of words, the same in every process."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, text: str) -> list[int]:
        """The hashes of a text's words, in order, upper and lower case alike."""
        return [self._hash(word) for word in text.lower().split()]

    def _hash(self, word: str) -> int:
        found = self._known.get(word)
        if found is None:
            if len(self._known) >= LIMIT:  # words nobody says twice: begin anew rather than grow
                self._known.clear()
            digest = hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest()
            found = self._known[word] = int.from_bytes(digest, "little")
        return found


def _spread(hashes: Hashes) -> Hashes:
    """Mixed so that low and high values are equally likely (the finaliser of splitmix64)."""
    mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
