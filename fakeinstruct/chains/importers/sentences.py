"""Cutting English text into sentences and listed points, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MARKER = re.compile(r"\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-e]\))\s+")
_HEADING = re.compile(r"\s*\**(?P<heading>[^:*.\n]{3,60}?)\**:\**\s+(?=\S)")
_STOP = re.compile(r"[.!?]+[\"'”’)\]*]*(?=\s|$)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|Mr|Mrs|Ms|Dr|St|No|Fig|approx|cf|al)|\b[A-Z])\.$")
_CONNECTIVE = re.compile(
    r"(?:However|Additionally|Also|Furthermore|Moreover|Notably|In addition|Similarly|Besides|Further|Finally"
    r"|Lastly|Firstly|First|Secondly|Second|Thirdly|Third|Overall|Therefore|Thus|Hence|As a result), ?"
    r"|Another (?:hint|clue|sign|indication) is (?:the fact )?that "
)


class Part(NamedTuple):
    """A sentence or a listed point: characters `start` to `end` of the text, and the heading of a point."""

    start: int
    end: int
    heading: str | None = None
    listed: bool = False


def parts(text: str) -> Iterator[Part]:
    """The sentences and listed points of a text, in order; a point is not cut into its sentences."""
    at = 0
    for line in text.split("\n"):
        marker = _MARKER.match(line)
        begin = at + (marker.end() if marker else 0)
        end = at + len(line.rstrip())
        heading = _HEADING.match(text, begin, end)
        if marker and begin < end:
            yield Part(heading.end() if heading else begin, end, heading and heading["heading"], listed=True)
        else:
            yield from _sentences(text, begin, end)
        at += len(line) + 1


def _sentences(text: str, start: int, end: int) -> Iterator[Part]:
    for stop in _STOP.finditer(text, start, end):
        if not _ABBREVIATION.search(text[max(start, stop.end() - 12) : stop.end()]):
            yield from _trimmed(text, start, stop.end())
            start = stop.end()
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Part]:
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    if any(char.isalnum() for char in words):
        yield Part(start, start + len(words.strip()))


def as_sentence(words: str) -> str:
    """Words as a sentence that can stand alone: no leading connective, a capital first, a full stop last."""
    words = " ".join(words.replace("**", "").split()).strip(" ,;")
    words = _CONNECTIVE.sub("", words, count=1) if _CONNECTIVE.match(words) else words
    words = words[:1].upper() + words[1:]
    return words if words.endswith((".", "!", "?", '."', ".”", ".'")) else f"{words}."
