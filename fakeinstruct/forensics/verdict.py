"""Verdicts in words: where a text says what it takes the picture for, and what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fakeinstruct.base.grammar import parse_answer

LABELS = {"fake": ("fake",), "real": ("real",)}
"""The words for labels in every explanation that our templates teach."""

DENIED = re.compile(
    r"(?:(?:\b(?:not|cannot|never|no(?! (?:doubt|question)\b)|neither|nor|hardly|than|instead of|unlike)|n['’]t)\s+"
    r"(?:(?!(?:but|so|rather|instead|hence)\b)[\w'’]+\s+){0,3}"
    r"|\b(?:nothing|none|unlikely|(?<!no )(?<!without )(?<!without a )(?<!beyond )doubt(?:ful)?|far from|anything but"
    r"|hard to believe|an? (?:image|photo|photograph|picture) (?:may|might|can|could)"
    r"|(?:no|not enough|without(?: any)?|little) (?:signs?|evidence|indications?|traces?|reason)"
    r"|(?:expected|found|seen|typical|common) (?:in|of|for|from))\b[^.,;:!?\n]*)\Z",
    re.I,
)
"""A word behind this is what the picture is not, or is compared with: "not a real photograph"."""

LEFT_OPEN = re.compile(r"\b(?:whether|if)\s+(?:[\w'’]+\s+){0,6}\Z", re.I)
"""A word behind this is what is asked: "to see whether the picture is fake"."""

OF_ANOTHER = re.compile(
    r"[ \t]+(?!(?:a|an|the|this|these|that|those|it|its|i|my|there|he|she|we|they|and|or|but|yet|nor|not|so|as|at|by"
    r"|due|for|from|given|if|in|into|of|on|to|with|without|because|since|based|than|rather|though|although|while|when"
    r"|where|which|who|is|was|are|were|has|made|taken|created|generated|produced|edited|according|after|before|despite"
    r"|instead|overall|only|too|all|already|indeed|again|anyway|throughout|beyond|one"
    r"|image|photo|photograph|picture|shot|snapshot|scene|here|hence|thus|therefore)\b)"
    r"[a-z]|[ \t]+(?:image|photo|photograph|picture|one) (?:would|could|should|will|tends|never|usually)\b"
    r"|[^.!\n?]{0,80}\?",
    re.I,
)
"""A word before this is of something else, of any photograph, or asked: "real hands", "a real photo would", "real?"."""

YIELDED = re.compile(r"\b(?:although|though|even if|despite|while)\b[^.,;!?\n]*\Z", re.I)
YIELDING = re.compile(r"[^.,;!?\n]{0,40}(?:\b(?:at first|but|yet)\b|[.,;]\s*(?:but|yet|however)\b)", re.I)
"""A word between these is admitted before the opposite is said: "it looks real at first, but"."""

BETWEEN = re.compile(
    r"[\s,*\"'`]*(?:\b(?:or|nor|and|versus|vs)\b|[/|])[\s.*\"'`]*(?:(?:an?|is|it|it's)\s+)*", re.I
)
"""What joins two labels that are offered for choice: "real or fake"."""

ANSWERS = ("yes", "no")
"""Words that are a verdict only as a sentence's beginning: there is "no sign of" much."""

REACH = 80
"""Characters before a word that can deny it."""

QUOTES = " *_\"'`(“‘"


@dataclass(frozen=True)
class Verdict:
    """A verdict in a text.

    Attributes:
        start: Where its word begins.
        end: Where it ends.
        word: The word as it was written.
        label: What it means.
    """

    start: int
    end: int
    word: str
    label: str


def find_verdict(text: str, words: Mapping[str, Sequence[str]], after: str | None = None) -> Verdict | None:
    """The first label word of a text that is a verdict, whatever its case; None if there is none.

    A word that is denied, asked about, said of something else, or one of a choice ("real or fake") is none; nothing is
    guessed from it. One that is only admitted ("it looks real at first, but") counts where none is stated outright.

    Args:
        text: What was written.
        words: Words of each label.
        after: What the verdict stands behind; absent, `<verdict>` in an answer of our grammar, else nothing.
    """
    begin = _beginning(text, after)
    if begin is None:
        return None
    labels = {word.casefold(): label for label, members in words.items() for word in members}
    spelled = "|".join(re.escape(word) for word in sorted(labels, key=len, reverse=True))
    matches = list(re.finditer(rf"(?<![\w-])(?:{spelled})(?![\w-])", text[begin:], re.I))
    offered = _offered(text[begin:], matches)
    admitted = None
    for number, match in enumerate(matches):
        if number not in offered and _stated(text[begin:], match):
            word = match.group()
            verdict = Verdict(begin + match.start(), begin + match.end(), word, labels[word.casefold()])
            if not _admitted(text[begin:], match):
                return verdict
            admitted = admitted or verdict
    return admitted


def _beginning(text: str, after: str | None) -> int | None:
    if after is None and parse_answer(text):
        after = "<verdict>"
    if after is None:
        return 0
    found = re.search(re.escape(after), text, re.I)
    return found.end() if found else None


def _offered(text: str, matches: Sequence[re.Match[str]]) -> set[int]:
    """Numbers of the matches that are joined to a neighbour as a choice."""
    joined = {
        number
        for number, (one, other) in enumerate(pairwise(matches))
        if one.group().casefold() != other.group().casefold()
        and BETWEEN.fullmatch(text[one.end() : other.start()])
    }
    return joined | {number + 1 for number in joined}


def _stated(text: str, match: re.Match[str]) -> bool:
    before, behind = text[max(0, match.start() - REACH) : match.start()], text[match.end() : match.end() + 1]
    if match.group().casefold() in ANSWERS:  # an empty text is in any
        return before.rstrip(QUOTES)[-1:] in ".!?:>\n" and behind in ".,;:!*<\"'`)”’\n"
    if OF_ANOTHER.match(text, match.end(), match.end() + 2 * REACH):
        return False
    before = before.rstrip(QUOTES.strip())  # a name in quotes is denied as one without
    return not DENIED.search(before) and not LEFT_OPEN.search(before)


def _admitted(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - REACH) : match.start()]
    return bool(YIELDED.search(before) or YIELDING.match(text, match.end(), match.end() + REACH))
