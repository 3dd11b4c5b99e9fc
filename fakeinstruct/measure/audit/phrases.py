"""Phrases: what many texts say in the same words, at their beginning or anywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Place = Literal["begin with", "contain"]

LONG: Final = 8
"""Words of a phrase from which people do not write it twice by chance."""

OPENING: Final = 4
"""Words of a text's beginning that are compared."""

COMMON: Final = 0.05
"""Share of texts with the same phrase from which it is listed."""

SEARCHED: Final = 2_000
"""Texts of one role in which phrases are looked for; they are then counted in all."""

WORDS: Final = 300
"""Words of one text that are read for phrases."""

LONGEST: Final = 40
"""Words that a phrase is extended to at most."""

PHRASES: Final = 8
"""Phrases listed for one role."""


@dataclass(frozen=True)
class Phrase:
    """Words that many texts have, and how many texts of each label."""

    words: str
    place: Place
    fake: int
    real: int


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without marks."""
    return re.findall(r"\w+(?:['’]\w+)*", text.lower())


def phrases(texts: Sequence[str], fake: Sequence[bool], seed: int) -> list[Phrase]:
    """Openings and long phrases that at least `COMMON` of the texts share, the commonest first."""
    order = np.random.default_rng(seed).permutation(len(texts))[:SEARCHED]
    searched = [words_of(texts[index])[:WORDS] for index in sorted(order)]
    least = max(5, COMMON * len(searched))
    openings = Counter(tuple(words[:OPENING]) for words in searched if len(words) >= OPENING)
    begin = [" ".join(words) for words, count in openings.most_common(PHRASES) if count >= least]
    inside = _long_phrases(searched, least)
    padded = [f" {' '.join(words_of(text))} " for text in texts]
    found = [_count(words, "begin with", padded, fake) for words in begin]
    found += [_count(words, "contain", padded, fake) for words in inside]
    return sorted(found, key=lambda each: -(each.fake + each.real))


def _count(words: str, place: Place, padded: Sequence[str], fake: Sequence[bool]) -> Phrase:
    wanted = f" {words} "
    has = [
        truth
        for text, truth in zip(padded, fake, strict=True)
        if (text.startswith(wanted) if place == "begin with" else wanted in text)
    ]
    return Phrase(words, place, sum(has), len(has) - sum(has))


def _long_phrases(searched: Sequence[list[str]], least: float) -> list[str]:
    counts: Counter[tuple[str, ...]] = Counter()
    for words in searched:
        counts.update({tuple(words[i : i + LONG]) for i in range(len(words) - LONG + 1)})
    candidates = sorted(
        (gram for gram, count in counts.items() if count >= least), key=lambda g: (-counts[g], g)
    )
    chosen: list[str] = []
    for gram in candidates:
        # a phrase longer than `LONG` words is found at every shift: one that shares half with another is that other
        pieces = [" ".join(gram[i : i + LONG // 2]) for i in range(LONG // 2 + 1)]
        if not any(piece in phrase for piece in pieces for phrase in chosen):
            chosen.append(_extended(gram, searched))
        if len(chosen) == PHRASES:
            break
    return chosen


def _extended(gram: tuple[str, ...], searched: Sequence[list[str]]) -> str:
    """The phrase made longer at either end for as long as nearly all texts that have it go on alike."""
    phrase = list(gram)
    places = [(words, at) for words in searched if (at := _find(phrase, words)) is not None]
    for step in (1, -1):
        while len(phrase) < LONGEST:
            beyond = [at + len(phrase) if step == 1 else at - 1 for _, at in places]
            following = Counter(
                words[i] for (words, _), i in zip(places, beyond, strict=True) if 0 <= i < len(words)
            )
            word, count = following.most_common(1)[0] if following else ("", 0)
            if count < 0.9 * len(places):
                break
            kept = [
                (place, i)
                for place, i in zip(places, beyond, strict=True)
                if 0 <= i < len(place[0]) and place[0][i] == word
            ]
            places = [(words, at if step == 1 else i) for (words, at), i in kept]
            phrase = [*phrase, word] if step == 1 else [word, *phrase]
    return " ".join(phrase)


def _find(phrase: list[str], words: list[str]) -> int | None:
    size = len(phrase)
    return next((i for i in range(len(words) - size + 1) if words[i : i + size] == phrase), None)
