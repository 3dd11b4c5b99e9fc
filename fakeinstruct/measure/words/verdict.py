"""The verdict that a text states, a plain denial included: "this image is not real" says fake.

Where a margin is read, a denied word is no place for it (`forensics.verdict`). Measured in words, the same sentence
is a verdict, since there are only two.
"""

from __future__ import annotations

import re

from fakeinstruct.chains.importers.verdict import verdicts
from fakeinstruct.chains.schema import Label
from fakeinstruct.forensics.verdict import DENIED, LABELS, LEFT_OPEN, OF_ANOTHER, REACH, find_verdict

_WORD = r"(?:an?\s+|the\s+)?(?:\w+ly\s+)?(?P<word>fake|real)\b"
_DENIAL = re.compile(
    r"\b(?:image|picture|photo|photograph|it|this|that)(?:\s+(?:(?:is|was)\s+(?:\w+ly\s+)?(?:not|anything\s+but|far\s+from)"
    r"|(?:is|was)n['’]t|cannot\s+be|can['’]t\s+be|could\s?n(?:o|['’])t\s+be)|['’]s\s+not)\s+" + _WORD,
    re.I,
)
_OPENING = re.compile(r"(?:\A|[.!?:>\n])[\s*_\"'`(]*not\s+" + _WORD, re.I)

_LABELS = re.compile(r"\b(?:fake|real)\b", re.I)
_DOUBTED = re.compile(
    r"(?<!no )(?<!without )(?<!without a )(?<!beyond )"
    r"\b(?:doubt|unlikely|hard to (?:believe|tell|say)|cannot (?:tell|say)|would not say|far from|anything but)\b"
    r"[^.;:!?\n]*\Z",
    re.I,
)


def written_verdict(text: str) -> Label | None:
    """What a text takes the picture for; None if it says nothing, or both.

    First what is stated with the words fake and real, then what is denied of them, then other words.

    >>> written_verdict("This is not a real photograph.")
    <Label.FAKE: 'fake'>
    >>> written_verdict("I cannot tell whether it is real.")
    """
    stated = find_verdict(text, LABELS)
    if stated is not None:
        return Label(stated.label)
    denied = {Label(match["word"].lower()) for match in _denials(text)}
    said = {label.other for label in denied} or _in_other_words(text)
    return said.pop() if len(said) == 1 else None


def _in_other_words(text: str) -> set[Label]:
    """What is stated without the words fake and real: "it is AI-generated", "a genuine photograph"."""
    found = set()
    for start, end, label in verdicts(text):
        before = text[max(0, start - REACH) : start]
        if not (_LABELS.search(text[start:end]) or _DOUBTED.search(before) or LEFT_OPEN.search(before)):
            found.add(label)
    return found


def _denials(text: str) -> list[re.Match[str]]:
    matches = [*_DENIAL.finditer(text), *_OPENING.finditer(text)]
    return [match for match in matches if _said_of_it(text, match)]


def _said_of_it(text: str, match: re.Match[str]) -> bool:
    """Whether it is neither denied again, nor asked, nor said of something else."""
    before = text[max(0, match.start() - REACH) : match.start()]
    another = OF_ANOTHER.match(text, match.end(), match.end() + 2 * REACH)
    return not (another or DENIED.search(before) or LEFT_OPEN.search(before))
