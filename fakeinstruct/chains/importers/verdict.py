"""Reading the verdict of a free English text: a statement about the picture, negation aware, never a mere mention.

"The image is artificially generated" and "this is not a real photograph" state a verdict. "Details that would be
expected in a real photo" and "which AI-generated images struggle with" only mention one and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fakeinstruct.chains.schema import Label

_PICTURE = r"(?:image|photo|photograph|picture|depiction|creation|rendering|rendition|one)\b"

_MADE = re.compile(
    r"\b(?:(?:artificially|digitally|synthetically|computer|machine|AI)[\s-]+(?:generated|created|made|altered"
    r"|designed|manipulated|produced|rendered|synthesi[sz]ed|edited)"
    r"|products? of (?:an )?(?:artificial|AI|digital) generat(?:ion|or)"
    r"|(?:generated|created|made|produced|synthesi[sz]ed) by (?:an? )?(?:advanced )?(?:AI|artificial intelligence)"
    r"|digital rendition|artificial designing|digital (?:manipulation|alteration))\b",
    re.IGNORECASE,
)
"""Words that say of a picture how it was made: nearly always a verdict."""

_GENERATED = re.compile(
    rf"\b(?:{_PICTURE}|it|this)(?: (?:is|was|has been|(?:can(?:not)?|could|might|may|must) (?:be|have been)"
    r"|(?:seems?|appears?|looks?)(?: to (?:be|have been))?)|'s|(?: (?:is|was))n't)"
    r"(?: not)?(?: \w+ly| indeed)?(?: not)? (?:generated|synthesi[sz]ed|manipulated|doctored|photoshopped)"
    r"(?= *(?:[.,;:!)\"*]|$|because\b|since\b|due\b|and\b|rather\b|as\b))",
    re.IGNORECASE,
)
"""The same of a picture alone ("the image is generated"): a sound or a text may be generated in a photograph."""

_CALLED = re.compile(
    r"(?:\b(?:is|was|be|been|being|as|like|indicates?|suggests?|seems?|appears?|looks?)|'s|isn't|^)"
    r"(?: (?:not|clearly|likely|probably|definitely|indeed|most likely|truly|really|completely|entirely))*"
    r"(?: (?:an?|the))?(?: [\w-]+ly)?(?: |(?<=^))"
    r"(?P<word>fake|forged|tampered|synthetic|artificial|real|genuine|authentic)"
    rf"(?= *(?:[.,;:!)\"*]|$|because\b|since\b|due\b|and\b|or\b|but\b|as\b)|(?:,? [\w-]+)?,? {_PICTURE})",
    re.IGNORECASE,
)
"""A link ("is a", "looks") and a word for a verdict that stands alone or before a word for the picture."""

_NEGATED = re.compile(
    r"(?:(?:\b(?:not|never|no)|n't)(?: [\w-]+){0,2}"
    r"|\b(?:no|without(?: any)?) (?:signs?|evidence|indications?|hints?|traces?|reason)\b[^,]*) $",
    re.IGNORECASE,
)
_MENTIONED = re.compile(
    r"\b(?:rather than|instead of|unlike|than|compared (?:to|with)|expected (?:in|of|from)|(?:typical|common|found)"
    r" (?:in|of|for)|whether|if)(?: [\w'-]+){0,4} ?$",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"^(?:,? [\w-]+)? (?:images|photos|photographs|pictures)\b", re.IGNORECASE)
_OTHER = {Label.FAKE: Label.REAL, Label.REAL: Label.FAKE}


def verdicts(text: str) -> Iterator[tuple[int, int, Label]]:
    """The verdicts that a text states: (start, end, label)."""
    for match in _MADE.finditer(text):
        yield from _stated(text, match.start(), match.end(), Label.FAKE, "")
    for match in _GENERATED.finditer(text):
        yield from _stated(text, match.start(), match.end(), Label.FAKE, match[0])
    for match in _CALLED.finditer(text):
        real = match["word"].lower() in ("real", "genuine", "authentic")
        label = Label.REAL if real else Label.FAKE
        yield from _stated(text, match.start(), match.end(), label, match[0])


def _stated(text: str, start: int, end: int, label: Label, words: str) -> Iterator[tuple[int, int, Label]]:
    before, after = text[max(0, start - 60) : start], text[end : end + 40]
    before = re.split(r"[.;:!?\n]", before)[-1]
    if _MENTIONED.search(before) or _PLURAL.match(after):
        return
    negated = bool(re.search(r"(?:\b|n)not\b|n't\b", words) or _NEGATED.search(before))
    yield start, end, _OTHER[label] if negated else label


def stated_verdict(text: str) -> Label | None:
    """The verdict of a text: None if it states none, or both."""
    found = {label for _, _, label in verdicts(text)}
    return found.pop() if len(found) == 1 else None
