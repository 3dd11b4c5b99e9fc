"""Flaws that a text claims: attributes of the taxonomy it names, and whether it finds them wrong, right, or neither.

A text is read clause by clause. "No unnatural shadows" judges the shadows right, "the texture and the edges are
unnatural" both wrong. What is named without a judgement ("the hand has six fingers") is a claim where the text takes
the picture for fake and none where it takes it for real. What is said for a photograph (`stance`) is a reason for real
and found sound, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from fakeinstruct.chains.schema import Label
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.measure.words.stance import CAUSED, Part, Stance, stance_of, stances

Judgement = Literal["flawed", "sound"]

CLAUSE = re.compile(
    r"([.;:!?]+\s*|,?\s*\b(?:but(?! also\b)|yet|however|while|whereas|although|though|except|and so|so that"
    rf"|(?!{CAUSED})because|since)\b)"
)
SEGMENT = re.compile(r",\s*")
NEW_SUBJECT = re.compile(
    r"\s+and\s+(?!(?:that|this|these|those|it|they|which|both|such|so)\b)(?=(?:(?!(?:that|which|who|to|and)\b)"
    r"[\w'’-]+\s+){1,6}?(?:is|are|was|were|has|have|had|do|does|looks?|appears?|seems?|shows?)\b)",
    re.I,
)
"""An "and" before a subject and verb of its own: "it is typical of a lens and the hands are deformed"."""
ENDING = re.compile(r"[.!?]")
"""What ends a sentence among the marks between clauses."""

FLAW = re.compile(
    r"\b(?:unnatural\w*|unrealistic\w*|unconvincing\w*|unusual\w*|un(?:even|likely)\w*|inconsisten\w*|incoheren\w*"
    r"|implausib\w*|impossib\w*|incorrect\w*|inaccura\w*|improper\w*|irregular\w*|illegib\w*|abnormal\w*|anomal\w*"
    r"|artificial\w*|odd\w*|strange\w*|weird\w*|wrong\w*|distort\w*|deform\w*|warp(?:s|ed|ing)|blurr\w*|smear\w*"
    r"|melt\w*|fuse[sd]?|missing|mismatch\w*|misalign\w*|misshapen|garbled|nonsens\w*|overly|excessive\w*"
    r"|too (?:smooth|perfect|sharp|clean|even|regular|uniform)\w*|flaw\w*|artefacts?|artifacts?|fake\w*|forged"
    r"|suspicious\w*|errors?|defect\w*|disproportion\w*|jagged|halos?|waxy|plastic\w*|oversaturat\w*|contradict\w*"
    r"|violat\w*|def(?:y|ies)|problem\w*|tampered|manipulat\w*|generat(?:ed|ion|or)\w*|synthetic\w*|edit(?:ed|ing)"
    r"|gives? (?:[\w']+ ){0,3}away|betray\w*)\b",
    re.I,
)
SOUND = re.compile(
    r"\b(?:natural\w*|realistic\w*|realism|consisten\w*|correct\w*|plausib\w*|convincing\w*|coheren\w*|authentic\w*"
    r"|genuine\w*|believab\w*|accurate\w*|normal\w*|proper\w*|as expected|match(?:es|ing)?|agrees?|sound|real"
    r"|follows? (?:the )?perspective|photographs?(?! shows?\b))\b",
    re.I,
)
NEGATION = re.compile(
    r"\b(?:not(?! only\b)|no|without|never|nothing|none|neither|nor|hardly|lacks?|lacking|lack of|absence of"
    r"|free (?:of|from)|fails? to|rather than|instead of|cannot)\b|n['’]t\b",
    re.I,
)
BEHIND = re.compile(r"\s*(?:is|are|was|were)\s+(?:absent|not\b|nowhere)", re.I)
"""What denies a flaw behind its word: "distortion is absent"."""

VERB = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|does|do|looks?|appears?|seems?|shows?|falls?|points?|lies|fits?|blends?"
    r"|match(?:es)?|\w+s? (?:in)?to)\b",
    re.I,
)
"""A segment without one goes on with the list before it: "no odd edges, blurred fingers or warped text"."""

SAID_FOR: dict[Stance | None, Judgement] = {"photograph": "sound", "forgery": "flawed"}
"""What is found of an attribute by what it is said for: "no lens draws this texture" finds it wrong."""

REACH = 6
"""Words between a negation and what it denies, at most; they stand in the `WINDOW` characters before it."""

WINDOW = 120

MEMORY = 2**15
"""Clauses that are known again."""


class Claims(NamedTuple):
    """Attributes by what a text finds of them; one that is found both is flawed.

    Attributes:
        flawed: Keys of attributes that are claimed to betray the picture.
        sound: Keys of attributes that are found in order.
    """

    flawed: frozenset[str]
    sound: frozenset[str]


class ClaimReader:
    """Reads what texts claim of attributes; what it read before it knows, since models repeat themselves.

    Args:
        taxonomy: Names the attributes.

    >>> from fakeinstruct.chains.taxonomy import load_taxonomy
    >>> ClaimReader(load_taxonomy()).read("The texture is waxy. I see no unnatural shadows.", None)
    Claims(flawed=frozenset({'texture'}), sound=frozenset({'light_shadow'}))
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._judged = lru_cache(MEMORY)(self._judge)

    def read(self, text: str, verdict: Label | None) -> Claims:
        """What a text claims.

        Args:
            text: In words, without marks of the grammar.
            verdict: What the text takes the picture for, which settles what is named without a judgement.
        """
        found: dict[Judgement | None, set[str]] = {"flawed": set(), "sound": set(), None: set()}
        read = list(self._parts(text))
        for (_, judgement, keys), stance in zip(
            read, stances([part for part, *_ in read], verdict), strict=True
        ):
            if stance != "supposed" and (stance != "general" or verdict is Label.FAKE):
                found[SAID_FOR.get(stance, judgement)] |= keys
        neutral = found[None] - found["sound"]
        flawed = found["flawed"] | (neutral if verdict is Label.FAKE else set())
        return Claims(frozenset(flawed), frozenset(found["sound"] - flawed))

    def _parts(self, text: str) -> Iterator[tuple[Part, Judgement | None, frozenset[str]]]:
        """The parts of a text, what is found of them, and which attributes they name."""
        sentence, cleared = 0, -1
        for number, line in enumerate(text.splitlines()):
            sentence += 1
            pieces = [
                "",
                *CLAUSE.split(" ".join(line.split())),
                "",
            ]  # runs of spaces cost patterns their square
            for before, clause, after in zip(pieces[:-1:2], pieces[1::2], pieces[2::2], strict=True):
                sentence += bool(ENDING.search(before))
                read = self._judged(clause)
                for place, (segment, judgement, keys) in enumerate(read):
                    part = Part(
                        segment,
                        bool(keys),
                        judgement == "flawed",
                        number,
                        sentence,
                        "," if place else before,
                        after,
                    )
                    if judgement is None and sentence == cleared:
                        judgement = "sound"
                    yield part, judgement, keys
                    if judgement == "sound" and not keys and after.startswith(":"):
                        cleared = sentence  # "free of flaws: texture and edges"

    def _judge(self, clause: str) -> list[tuple[str, Judgement | None, frozenset[str]]]:
        """The segments of a clause that say anything, what is found of them, and the attributes they name."""
        return [
            (segment, judgement, frozenset(self._taxonomy.named_in(segment)))
            for segments in _judged_together(clause)
            for segment, judgement in zip(segments, _judgements(segments), strict=True)
            if segment.strip()
        ]


def _judged_together(clause: str) -> list[list[str]]:
    """The segments of a clause; what is said for a photograph ends where another subject and verb begin."""
    groups: list[list[str]] = [[]]
    for segment in SEGMENT.split(clause):
        first, *others = _subjects(segment) if stance_of(segment) == "photograph" else [segment]
        groups[-1].append(first)
        groups.extend([other] for other in others)
    return groups


def _subjects(segment: str) -> list[str]:
    """A segment cut at each "and" between two subjects with verbs of their own."""
    cut, start = [], 0
    for match in NEW_SUBJECT.finditer(segment):
        before = segment[start : match.start()]
        if VERB.search(before) or stance_of(before) == "photograph":
            cut.append(before)
            start = match.end()
    return [*cut, segment[start:]]


def _judgements(segments: list[str]) -> list[Judgement | None]:
    """The judgement of each segment; one without takes that of the next one that has one, or else of the one before."""
    own: list[Judgement | None] = []
    denying = False
    for segment in segments:
        listed = denying and not VERB.search(segment)
        judgement = _judgement(f"no {segment}" if listed else segment)
        denying = listed or (judgement == "sound" and bool(NEGATION.search(segment)))
        own.append(judgement)
    taken = list(own)
    for place in reversed(range(len(own) - 1)):
        taken[place] = taken[place] or taken[place + 1]
    for place in range(1, len(own)):
        taken[place] = taken[place] or taken[place - 1]
    return taken


def _judgement(segment: str) -> Judgement | None:
    """Flawed if anything in it is found wrong, sound if something is found right."""
    right = False
    for words, wrong in ((FLAW, True), (SOUND, False)):
        for match in words.finditer(segment):
            denied = _denied(segment, match)
            if wrong is not denied:
                return "flawed"
            right = True
    return "sound" if right else None


def _denied(segment: str, match: re.Match[str]) -> bool:
    before = segment[max(0, match.start() - WINDOW) : match.start()]
    for negation in NEGATION.finditer(before):
        if len(before[negation.end() :].split()) <= REACH:
            return True
    return bool(BEHIND.match(segment, match.end()))
