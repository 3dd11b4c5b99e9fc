"""Overlap of words: BLEU and ROUGE-L of one text against what annotators wrote, no package needed.

Both follow their authors: BLEU clips counts by the reference that has most of a word, takes the geometric mean of
the orders without smoothing, and the reference nearest in length for the brevity penalty (Papineni et al. 2002);
ROUGE-L is the F-measure of the longest common subsequence, the best over references (Lin 2004).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fakeinstruct.base.grammar import MARKUP, find_boxes

_WIDE = "぀-ヿ㐀-鿿가-힯"
_WORD = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}])[^\W_])+")


def plain_words(text: str) -> str:
    """A text without the boxes and marks of our grammar, which no annotator writes.

    >>> plain_words("<think>The hand <box>[[1, 2, 3, 4]]</box> is fused.</think>")
    ' The hand   is fused. '
    """
    for found in reversed(find_boxes(text)):
        text = f"{text[: found.start]} {text[found.end :]}"
    return MARKUP.sub(" ", text)


def tokens(text: str) -> list[str]:
    """Words in lower case without punctuation; characters of scripts that write no spaces stand alone.

    >>> tokens("It isn't 3D: 影子!")
    ['it', 'isn', 't', '3d', '影', '子']
    """
    return _WORD.findall(text.lower())


def bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, float]:
    """BLEU-1 and BLEU-2 of one text, 0 to 1.

    Args:
        words: Its words.
        references: Words of each reference, one or more.
    """
    if not words:
        return 0.0, 0.0
    nearest = min((abs(len(each) - len(words)), len(each)) for each in references)[1]
    brevity = math.exp(min(0.0, 1 - nearest / len(words)))
    one = _clipped(words, references)
    pairs = [list(pairwise(each)) for each in (words, *references)]
    two = _clipped(pairs[0], pairs[1:])
    return brevity * one, brevity * math.sqrt(one * two)


def _clipped(runs: Sequence[Any], references: Sequence[Sequence[Any]]) -> float:
    """Share of runs that are in the references, each counted as often as in the one that has most of it."""
    most: dict[Any, int] = Counter(references[0])
    for reference in references[1:]:
        most = Counter(most) | Counter(reference)
    found = Counter(runs)
    matched = sum(min(count, most.get(run, 0)) for run, count in found.items())
    return matched / len(runs) if runs else 0.0


def rouge_l(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L of one text, 0 to 1: the F-measure of the nearest reference."""
    return max((_f_measure(words, reference) for reference in references), default=0.0)


def _f_measure(words: Sequence[str], reference: Sequence[str]) -> float:
    common = common_length(words, reference)
    return 2 * common / (len(words) + len(reference)) if common else 0.0


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at once as the bits of a number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    everything = (1 << len(one)) - 1
    row = everything
    for word in other:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & everything
    return len(one) - row.bit_count()
