"""Boilerplate in annotations: the same long phrase again and again, copies, refusals, texts without words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fakeinstruct.chains.refusals import OF_ITSELF, has_refusal
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.measure.audit.finding import Cell, Example, Finding, Section, Table
from fakeinstruct.measure.audit.phrases import COMMON, Phrase, phrases, words_of
from fakeinstruct.measure.audit.sample import EXAMPLES, shortened

BOILERPLATE: Final = 0.2
"""Share of texts with the same phrase, or copies of others, that is worth a warning."""

FEWEST: Final = 20
"""Texts of one role below which shares are not given."""

SEEN: Final = ("caption", "explanation", "observation")
"""Roles that describe one image; what follows from it, and what would mend it, may well be said of many."""

TRANSLATOR: Final = re.compile(
    r"\b(?:the text|it|this) translates to\b|\bhere is the translation\b|\btranslation:", re.IGNORECASE
)
TO_ITS_USER: Final = re.compile(
    r"^(?:sure|certainly|of course)[,!]|\blet me know if\b|\bi hope this helps\b", re.IGNORECASE
)

MACHINE: Final[Mapping[str, Callable[[str], object]]] = {
    "a refusal": has_refusal,
    "an assistant of itself": OF_ITSELF.search,
    "a translator": TRANSLATOR.search,
    "an assistant to its user": TO_ITS_USER.search,
}
"""What no annotator says of an image, by who says it."""


@dataclass(frozen=True, slots=True)
class Written:
    """One text of a chain: an annotator's own, or a part of a trace."""

    chain: Chain
    role: str
    text: str

    @property
    def fake(self) -> bool:
        """The truth of its image."""
        return self.chain.label is Label.FAKE

    def example(self, what: str = "") -> Example:
        """The text, shown with its image."""
        return Example(text=what + shortened(self.text), label=self.chain.label, image=self.chain.image.path)


def texts_section(chains: Sequence[Chain], seed: int) -> Section:
    """What repeats in the texts of some chains.

    Args:
        chains: The chains.
        seed: Seed of the texts in which phrases are looked for.
    """
    roles: dict[str, list[Written]] = defaultdict(list)
    for chain in chains:
        for written in texts_of(chain):
            roles[written.role].append(written)
    if not roles:
        return Section(name="Texts", summary="No texts.", skipped="the chains have labels and no texts")
    every = [written for some in roles.values() for written in some]
    findings = [*_machine(every), *_wordless(every)]
    rows: list[tuple[Cell, ...]] = []
    for role, some in roles.items():
        if len(some) < FEWEST:
            continue
        findings += _copies(role, some)
        found = phrases([each.text for each in some], [each.fake for each in some], seed)
        findings += _boilerplate(role, some, found)
        share = [(each, round((each.fake + each.real) / len(some), 3)) for each in found]
        rows += [(role, each.place, each.words, part, each.fake, each.real) for each, part in share]
    columns = ("role", "place", "phrase", "share of texts", "fake", "real")
    counted = ", ".join(f"{role} {len(some):,}" for role, some in roles.items())
    return Section(
        name="Texts",
        summary=f"{len(every):,} texts of {len(chains):,} chains: {counted}.",
        findings=tuple(sorted(findings, key=lambda each: ("problem", "warning", "note").index(each.level))),
        tables=(Table(title="Phrases that texts share", columns=columns, rows=tuple(rows)),) if rows else (),
    )


def texts_of(chain: Chain) -> Iterator[Written]:
    """Everything that is written in a chain. What a trace quotes of a text is that text's."""
    for text in chain.texts:
        yield Written(chain, text.role, text.text)
    for trace in chain.traces:
        seen = trace.observation if trace.span is None else None
        parts = {"observation": seen, "inference": trace.inference, "advice": trace.advice}
        yield from (Written(chain, role, text) for role, text in parts.items() if text is not None)


def _machine(every: Sequence[Written]) -> Iterator[Finding]:
    for who, said in MACHINE.items():
        found = [written for written in every if said(written.text)]
        if found:
            yield Finding(
                level="problem" if len(found) >= COMMON * len(every) else "warning",
                title=f"{len(found):,} of {len(every):,} texts have words of {who}",
                detail=f"{sum(written.fake for written in found):,} are of fakes. An expert would learn to say them.",
                hint="Drop these texts, or write them anew.",
                examples=tuple(written.example() for written in found[:EXAMPLES]),
            )


def _wordless(every: Sequence[Written]) -> Iterator[Finding]:
    found = [written for written in every if not re.search(r"\w", written.text)]
    if found:
        yield Finding(
            level="warning",
            title=f"{len(found):,} of {len(every):,} texts hold no word",
            detail=f"Roles: {', '.join(sorted({written.role for written in found}))}.",
            hint="Drop them: a template would render a hole.",
            examples=tuple(written.example(f"{written.chain.id}: ") for written in found[:EXAMPLES]),
        )


def _copies(role: str, some: Sequence[Written]) -> Iterator[Finding]:
    """Texts that another image has word for word."""
    same: dict[str, list[Written]] = defaultdict(list)
    for written in some:
        same[" ".join(words_of(written.text))].append(written)
    images = {text: len({written.chain.id for written in found}) for text, found in same.items()}
    copies = sum(len(found) for text, found in same.items() if images[text] > 1)
    if copies < COMMON * len(some):
        return
    most = sorted((text for text in same if images[text] > 1), key=lambda text: (-images[text], text))
    yield Finding(
        level="warning" if copies >= BOILERPLATE * len(some) and role in SEEN else "note",
        title=f"{copies / len(some):.0%} of the texts of role '{role}' are copies of another image's",
        detail=f"{copies:,} of {len(some):,} texts; {len(same):,} are different.",
        hint="What fits many images describes none. Measure text against what annotators wrote themselves.",
        examples=tuple(same[text][0].example(f"{images[text]:,} images: ") for text in most[:EXAMPLES]),
    )


def _boilerplate(role: str, some: Sequence[Written], found: Sequence[Phrase]) -> Iterator[Finding]:
    common = [each for each in found if each.fake + each.real >= COMMON * len(some)]
    if not common:
        return
    top = max(common, key=lambda each: each.fake + each.real)
    share = (top.fake + top.real) / len(some)
    yield Finding(
        level="warning" if share >= BOILERPLATE else "note",
        title=f"{share:.0%} of the texts of role '{role}' {top.place} the same {len(top.words.split())} words",
        detail=f"'{shortened(top.words)}': {top.fake:,} of fakes, {top.real:,} of reals, of {len(some):,} texts; "
        f"{len(common)} such phrases in all, each in {COMMON:.0%} of texts or more.",
        hint="An expert learns such phrases first and says them of every image: cut or reword them.",
        examples=tuple(
            written.example() for written in some if top.words in " ".join(words_of(written.text))
        )[:EXAMPLES],
    )
