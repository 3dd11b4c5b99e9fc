"""What a part of a sentence is said for: that a camera took the picture, that somebody made it up, or neither.

"Distorted" is a flaw in "the hand is distorted" and none in "the lens distorted it, as wide angles do". Each cue is
read with what denies it: "no lens draws this" speaks against a photograph, "no sign of editing" does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from fakeinstruct.chains.schema import Label

Stance = Literal["photograph", "forgery", "supposed", "general"]
"""What speaks for a photograph, what against it, what is only supposed, and what is said of forgeries in general."""

_TAKEN = (
    r"(?:photograph\w*|photos?|snapshots?|cameras?|lens(?:es)?|sensors?|exposure|authentic\w*|genuine\w*"
    r"|real(?:ity)?)\b"
)
_CAUSE = (
    r"(?:camera\w*|lens(?:es)?|sensors?|photographer|compression|jpe?g|exposure|depth of field|focus|motion|movement"
    r"|shutter|wide[- ]angle|flash|lossy|resizing|scaling|film|scanner|perspective)\b"
)
_MADE_UP = (
    r"(?:generat\w+|ai|edit\w*|forge\w*|fakes?|faked|manipulat\w+|tamper\w+|synthe\w+|artificial\w*|inpaint\w*"
    r"|retouch\w*)\b"
)
_FEW = r"(?:[\w'’-]+\s+){0,4}?"

CAUSED = rf"because\s+of\s+(?i:{_FEW}{_CAUSE})"
"""What a camera does to a picture, which belongs to what it is said of: "blurred because of the lens"."""

_TAKEN_BY = re.compile(
    rf"\b(?:speaks?|argues?|points?|testif\w+|evidence|proof|signs?|marks?|hallmarks?|indicat\w+|suggest\w*|confirm\w*"
    rf"|supports?|proves?)\s+{_FEW}{_TAKEN}"
    rf"|\b(?:typical|characteristic|normal|natural|common|usual|consistent|compatible|in keeping|in line|expected)"
    rf"\s+(?:of|for|with|in|from|to)\s+{_FEW}(?:{_TAKEN}|{_CAUSE})"
    r"|\bas\s+(?:[\w-]+\s+){0,2}?(?:(?:lens(?:es)?|cameras?)\s+(?:shows?|draws?)"
    r"|(?:lens(?:es)?|cameras?|photographs?|photos?)\s+(?:do|does|has|have|looks?))\b"
    rf"|\b(?:(?:caused|made|explained|produced|introduced|left|given|drawn|blurred|bent|distorted|softened|warped)\s+by"
    rf"|due\s+to|owing\s+to|because\s+of|(?:comes?|results?|stems?|resulting)\s+(?:from|of)|(?:effects?|artifacts?"
    rf"|artefacts?)\s+of|(?:is|are|was|were)\s+only)\s+{_FEW}{_CAUSE}"
    r"|\b(?:lens(?:es)?|cameras?|sensors?|photographer)\s+(?:made|makes?|draws?|drew|records?|recorded|gives?|gave|leaves?"
    r"|left|causes?|caused|produces?|bends?)\b"
    r"|\b(?:leaves?|left)\s+(?:it|the\s+\w+|this)\s+an?\s+photograph\b|\bany\s+photograph\b",
    re.I,
)
_CLEARED = re.compile(
    rf"\b(?:says?|speaks?|prove[sn]?)\s+nothing\s+against|\bnothing\s+(?:\w+\s+)?(?:speaks?|says?|argues?|counts?)\s+against"
    rf"|(?:\b(?:not|never)|n['’]t)\s+(?:\w+\s+)?(?:make|mean|prove|show|suggest|indicate|imply|betray|point|speak|count)\s+{_FEW}"
    rf"(?:against|{_MADE_UP})"
    r"|\b(?:there\s+(?:is|are|was|were)|i|we|(?:can|could)\s+(?:be\s+)?)?\s*(?:see|saw|find|found|is|are|was|were)\s+none\b"
    r"|\bnone\s+(?:of\s+(?:these|this|that|them|which)\s+)?(?:(?:is|was|are|were)\s+(?:found|seen|visible|present|here)|breaks|bends|shows|appears)\b"
    r"|\bno\s+such\s+[\w-]+\s+(?:is|are|can|was|were)\b|\bno\s+such\s+[\w-]+\s*\Z"
    r"|\b(?:no|none|nothing)\b[^.;:,]{0,60}?\b(?:was|were|is|has\s+been)\s+(?:edited|filled|moved|displaced|shifted"
    r"|added|painted|relit|removed|retouched|pasted|generated|altered|bent|warped|sharpened|hardened|softened|blurred"
    r"|brightened|darkened|deformed|reshaped|mirrored|copied|traced)\b",
    re.I,
)
_NOT_TAKEN = re.compile(
    r"\b(?:no|not\s+(?:by|from|of|as)\s+(?:an?|any|the)|unlike\s+(?:an?|any|in\s+an?))\s+(?:[\w-]+\s+){0,2}?"
    r"(?:lens|camera|sensor|photograph|photo|exposure)\b(?!\s+(?:is|was)\s+(?:needed|perfect))",
    re.I,
)
_MADE = re.compile(
    r"\b(?:area|spot|patch|region|part|place|it|image|picture|object|this)\s+(?:was|is|has\s+been|were)\s+(?:[\w-]+ly\s+)?"
    r"(?:edited|filled|generated|pasted|manipulated|altered|retouched|inpainted|tampered|faked|forged|fake)\b"
    r"|\b(?:speaks?|points?|suggests?|indicat\w+|signs?|traces?|marks?|hallmarks?|typical|characteristic|evidence|proof)\s+"
    rf"{_FEW}{_MADE_UP}"
    r"|\b(?:gives?\s+(?:[\w']+\s+){0,3}?away|betrays?)\b",
    re.I,
)
_DENIED = re.compile(
    r"\b(?:no|not(?!\s+only\b)|never|none|nothing|neither|nor|cannot|without|hardly|than|unlike|lack\w*|rather|instead"
    r"|contrary|far\s+from|deviat\w*|depart\w*|differ\w*|missing|absent|absence|loss|fails?|would|should|if|too|contradict\w*)\b"
    r"|n['’]t\b",
    re.I,
)
_CALLED_FAKE = re.compile(r"\b(?:is|was|as)\s+fake\b", re.I)
_MAKERS = (
    r"(?:warp\w*|forge\w*|edit(?:s|or|ing)?|generators?|generation|generative|(?:de|en)coders?|networks?|ai|inpainting"
    r"|cloning|pasting|removal|mirroring|mirrored|retouching|manipulation|montage|splic\w+|fakes?|deepfakes?|relighting)\b"
)
_SUPPOSED = re.compile(
    rf"\b{_MAKERS}[^.;:]{{0,60}}\bwould\b(?!\s+expect)|\bif\s+(?:it|this|the\s+\w+)\s+(?:were|was|had\s+been)\b",
    re.I,
)
_IN_GENERAL = re.compile(
    rf"\b(?:{_MAKERS}|(?:generated|edited|synthetic|fake)\s+(?:images|pictures|photos|faces)|models)[^.;:]{{0,200}}"
    r"\b(?:often|typically|commonly|usually|sometimes|frequently|tend|struggle)\b",
    re.I,
)
_OF_THIS = re.compile(r"\b(?:such|here|exactly|this|these|as\s+seen)\b", re.I)

_REFERS = re.compile(
    r"\s*(?:and\s+)?(?:all\s+|both\s+)?(?:that|this|these|those|such|it|they|which|both|the\s+same)\b", re.I
)
_OF_BEFORE = re.compile(r"\bagainst\s+(?:that|this|these|those|it|them)\b", re.I)
_CONTRAST = re.compile(r"\b(?:but|yet|however|while|whereas|although|though|except)\b", re.I)
_REASON = re.compile(r"\b(?:because|since)\b|:", re.I)
_REAL = re.compile(r"\b(?:real|genuine|authentic|photograph)\b", re.I)
_BULLET = re.compile(r"\s*(?:[-*•–]|\d+[.)])\s+")
_NO_REASONS = re.compile(
    r"\b(?:against|but|however|flaws?|problems?|anomal\w+|artifacts?|artefacts?|doubts?|concerns?|suspicious|caveats?)\b",
    re.I,
)


class Part(NamedTuple):
    """A part of a sentence and where it stands.

    Attributes:
        text: Its words.
        named: Whether it names an attribute.
        flawed: Whether its own words find something wrong.
        line: Number of its line.
        sentence: Number of its sentence, over all lines.
        link: What stands between it and the part before: a mark, a conjunction.
        after: What stands behind its clause.
    """

    text: str
    named: bool
    flawed: bool
    line: int
    sentence: int
    link: str
    after: str


@lru_cache(2**15)
def stance_of(text: str) -> Stance | None:
    """What a part of a sentence speaks for by its own words.

    >>> stance_of("the lens distorted it, as any lens does"), stance_of("no lens draws this")
    ('photograph', 'forgery')
    """
    if not _OF_THIS.search(text):
        if _SUPPOSED.search(text):
            return "supposed"
        if _IN_GENERAL.search(text):
            return "general"
    if _CLEARED.search(text):
        return "photograph"
    denial = _DENIED.search(text)
    undenied = denial.end() if denial else len(text) + 1
    unlike = any(match.start() < undenied for match in _NOT_TAKEN.finditer(text))
    if unlike or any(match.end() < undenied for match in _MADE.finditer(text)):
        return "forgery"
    called = _CALLED_FAKE.search(text)  # "it is fake because of the odd motion"
    undenied = min(undenied, called.end()) if called else undenied
    return "photograph" if any(match.end() < undenied for match in _TAKEN_BY.finditer(text)) else None


def stances(parts: Sequence[Part], verdict: Label | None) -> list[Stance | None]:
    """What each part of a text speaks for, by itself or by what it belongs to.

    A cue holds for the parts before it up to a contrast, unless it has an attribute of its own; for the sentence
    before if it refers to it ("That speaks for a photograph"); for an item of a list up to a contrast, but in a text
    that says fake for nothing that is found wrong. Of a text that says real, what stands behind a colon or "because"
    are reasons for it, unless it speaks against a photograph itself.

    Args:
        parts: The text's, in order.
        verdict: What it takes the picture for.
    """
    own = [stance_of(part.text) for part in parts]
    sentences = [
        list(which) for _, which in groupby(range(len(parts)), key=lambda place: parts[place].sentence)
    ]
    for which in sentences:
        _within(parts, own, which, verdict)
    for before, which in pairwise(sentences):
        first, last = parts[which[0]], parts[before[-1]]
        refers = _REFERS.match(first.text) or _OF_BEFORE.search(first.text)
        if own[which[0]] == "photograph" and refers and not first.named and first.line == last.line:
            _take(own, [place for place in before if own[place] is None])
    _of_lists(parts, own, verdict)
    return own


def _take(own: list[Stance | None], which: Sequence[int]) -> None:
    for place in which:
        own[place] = own[place] or "photograph"


def _between_contrasts(parts: Sequence[Part], which: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for place in which:
        if _CONTRAST.search(parts[place].link) or _CONTRAST.match(parts[place].text.lstrip()):
            runs.append([])
        runs[-1].append(place)
    return [run for run in runs if run]


def _within(parts: Sequence[Part], own: list[Stance | None], which: list[int], verdict: Label | None) -> None:
    """Carry stances inside a sentence; between contrasts one that is against a photograph outdoes those for it."""
    for run in _between_contrasts(parts, which):
        if own[run[0]] == "supposed":  # "if it were generated, the texture would be waxy"
            own[run[0] : run[-1] + 1] = [
                "supposed" if re.search(r"\bwould\b", parts[p].text) else own[p] for p in run
            ]
        if any(own[place] == "forgery" for place in run):
            own[run[0] : run[-1] + 1] = [None if own[p] == "photograph" else own[p] for p in run]
            continue
        if verdict is Label.REAL:
            _take(own, _reasons(parts, run))
        held = 0
        for number, place in enumerate(run):
            if own[place] == "photograph" and (_REASON.search(parts[place].link) or not parts[place].named):
                held = number
        _take(own, run[:held])


def _reasons(parts: Sequence[Part], run: list[int]) -> list[int]:
    """What follows "it is real because" or "it is real:", if no attribute is named before."""
    real = False
    for number, place in enumerate(run):
        if real and _REASON.search(parts[place].link):
            return run[number:]
        if parts[place].named:
            break
        real = real or bool(_REAL.search(parts[place].text))
    return []


def _of_lists(parts: Sequence[Part], own: list[Stance | None], verdict: Label | None) -> None:
    """Carry stances inside each item of a list, and from a text that says real to the list of its reasons."""
    reasons = False
    for _, line in groupby(range(len(parts)), key=lambda place: parts[place].line):
        which = list(line)
        if not _BULLET.match(parts[which[0]].text):
            last = parts[which[-1]]
            lead = " ".join(parts[place].text for place in which if parts[place].sentence == last.sentence)
            reasons = verdict is Label.REAL and last.after.startswith(":") and not _NO_REASONS.search(lead)
            continue
        if any(own[place] == "forgery" for place in which):
            continue
        for run in [which] if reasons else _between_contrasts(parts, which):
            _take_of_item(parts, own, run, verdict, reasons)


def _take_of_item(
    parts: Sequence[Part], own: list[Stance | None], run: list[int], verdict: Label | None, reasons: bool
) -> None:
    """Carry the stance of an item; in a text that says fake, a cue with an attribute of its own is about that alone."""
    fake = verdict is Label.FAKE
    cued = any(own[place] == "photograph" and not (fake and parts[place].named) for place in run)
    if reasons or cued:
        _take(own, [place for place in run if not (fake and parts[place].flawed)])
