"""Explanations in free English become traces: what speaks for the verdict, sentence by sentence.

A sentence is evidence if it draws the conclusion ("..., suggesting that the image is artificially generated"), if a
sentence drawing it refers back to it ("These abnormalities suggest ..."), if it is a point of a list, or if it calls
something odd (of a fake) or natural (of a real image). A sentence that only describes the scene is no evidence, and a
sentence that is only a verdict is no observation. Where no sentence can be told to be evidence, the text is one trace,
or one a sentence if each names an attribute; sentences that say what the image shows are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from fakeinstruct.chains.importers.readings import VERB, readings
from fakeinstruct.chains.importers.sentences import Part, as_sentence, parts
from fakeinstruct.chains.importers.verdict import verdicts
from fakeinstruct.chains.schema import Label, Span, Trace
from fakeinstruct.chains.taxonomy import Taxonomy

_ODD = (
    r"unusual|unnatural|abnormal|odd|weird|strange|bizarre|peculiar|eer(?:ie|ily)|creepy|uncanny|unsettling|surreal"
    r"|distort|warp(?:ed|ing)|twisted|misshap|malform|deform|disproportion|asymmetr|mismatch|misalign|nonsens|gibberish"
    r"|garbled|jumbled|scrambled|illegib|unreadable|unintelligib|incoheren|inconsisten|unrealistic|implausib|impossib"
    r"|impractical|illogical|irregular|artifact|artefact|anomal|smear|merg(?:ed|es|ing)|fused|blend(?:s|ed)? together"
    r"|clip(?:s|ping)|exaggerat|unclear|chaotic|too perfect|overly|look(?:s|ed)? (?:slightly )?off|slightly off"
    r"|not (?:match|align|make sense|correspond|belong|typical)|hint|giveaway|However,"
)
_NATURAL = (
    r"natural|realistic|authentic|genuine|consisten|sharp|crisp|clearly|readable|legible|detailed|proportion"
    r"|lifelike|coheren|plausib|real-life|imperfection|varied"
)
_CUES = {
    Label.FAKE: re.compile(rf"\b(?:{_ODD})", re.IGNORECASE),
    Label.REAL: re.compile(rf"\b(?:{_NATURAL})", re.IGNORECASE),
}

_REFERS = re.compile(
    rf"(?:This|That|These|Those|Such|All of this)\b(?! (?:image|photo|photograph|picture|is|was)\b)[^.]*?\b(?:{VERB})"
)
_GENERAL = re.compile(r"(?:Sometimes|Often|Typically|Usually|Generally|In general)\b")
_PRONOUN = re.compile(
    r"(?:It|Its|They|Their|He|His|She|Her|Both)\b(?! is (?:not )?(?:clear|unclear|likely|possible)\b)"
)
_SCENE = re.compile(
    r"(?:(?:The|This) (?:image|photo|photograph|picture) (?:shows|depicts|features|displays|captures|presents|is of"
    r"|is an? (?:[\w-]+ )?(?:photo|photograph|picture|view|shot|image|portrait|close-up) of)"
    r"|In (?:the|this) (?:image|photo|photograph|picture))\b"
)
_EMPTY = re.compile(
    r"(?:this|the|that|these|image|photo|photograph|picture|is|are|was|be|been|being|it|a|an|likely|probably|"
    r"clearly|definitely|indeed|obviously|could|might|may|can|must|would|appears|appear|seems|seem|looks|look|"
    r"like|to|not|overall|therefore|thus|so|hence|in|conclusion|summary|suggests|suggest|indicates|indicate|all|"
    r"most|very|as|rather|than|or|and|one|depiction|i|we|think|believe|say|conclude|verdict|answer|judgement|"
    r"final|fact|of|by)"
)
"""Words that add nothing to a verdict."""


def split_text(text: str, taxonomy: Taxonomy, *, label: Label, text_index: int = 0) -> tuple[Trace, ...]:
    """Cut an explanation into traces.

    A trace whose observation names exactly one attribute of the taxonomy gets it, by alias.

    Args:
        text: The annotator's words, English.
        taxonomy: The attributes.
        label: What the image is, which the traces point to.
        text_index: Which of the chain's texts it is, for the spans.

    Returns:
        The traces, none if the text is only a verdict or only says what the image shows.
    """
    steps = [step for step in _steps(text, label) if step.observation]
    evidence = [step for step in steps if step.evidence] or _untold(steps, taxonomy)
    return tuple(
        trace(
            f"t{number}",
            step.observation,
            taxonomy,
            label=label,
            inference=step.inference,
            named=step.heading,
            span=Span(text=text_index, start=step.start, end=step.end),
        )
        for number, step in enumerate(evidence, start=1)
    )


def trace(
    id: str,
    observation: str,
    taxonomy: Taxonomy,
    *,
    label: Label,
    named: str | None = None,
    inference: str | None = None,
    span: Span | None = None,
) -> Trace:
    """A trace with the attribute that `named` is a name of, or else the only one that the observation names."""
    raw = named
    key = taxonomy.key(named) if named else None
    if key is None:
        found = taxonomy.named_in(observation)
        if len(found) == 1:
            [(key, raw)] = found.items()
    return Trace(
        id=id,
        attribute=key,
        attribute_raw=raw,
        mapped_by="alias" if key else None,
        points_to=label,
        observation=observation,
        inference=inference,
        span=span,
    )


@dataclass(frozen=True)
class _Step:
    """A sentence as a step of reasoning; without an observation it is only a verdict."""

    start: int
    end: int
    observation: str
    inference: str | None = None
    evidence: bool = False
    heading: str | None = None


def _steps(text: str, label: Label) -> list[_Step]:
    """The sentences of a text; what refers back to the sentence before is joined to it."""
    steps: list[_Step] = []
    for part in parts(text):
        step = _step(text, part, label)
        before = steps[-1] if steps else None
        if before and before.observation and not step.observation and step.inference:
            inference = " ".join(filter(None, (before.inference, step.inference)))
            steps[-1] = replace(before, end=step.end, inference=inference, evidence=True)
        elif before and before.observation and step.evidence and _PRONOUN.match(step.observation):
            steps[-1] = replace(
                step,
                start=before.start,
                observation=f"{before.observation} {step.observation}",
                inference=" ".join(filter(None, (before.inference, step.inference))) or None,
            )
        elif step.inference and not step.observation and not _is_only_verdict(step.inference):
            steps.append(replace(step, observation=step.inference, inference=None, evidence=True))
        else:
            steps.append(step)
    return steps


def _untold(steps: Sequence[_Step], taxonomy: Taxonomy) -> list[_Step]:
    """What stands for the evidence where no sentence can be told to be it."""
    told: list[_Step] = []
    for step in steps:
        if told and _PRONOUN.match(step.observation):
            told[-1] = _joined(told[-1], step)
        else:
            told.append(step)
    named = [len(taxonomy.named_in(step.observation)) for step in told]
    rest = [
        step for step, names in zip(told, named, strict=True) if names or not _SCENE.match(step.observation)
    ]
    if all(names == 1 for step, names in zip(told, named, strict=True) if step in rest):
        return rest
    return [reduce(_joined, rest)]


def _joined(before: _Step, step: _Step) -> _Step:
    return replace(before, end=step.end, observation=f"{before.observation} {step.observation}")


def _step(text: str, part: Part, label: Label) -> _Step:
    words = text[part.start : part.end]
    stated = [(start, end) for start, end, said in verdicts(words) if said is label]
    plain = _Step(part.start, part.end, "", heading=part.heading)
    if stated and not part.listed and _REFERS.match(words):
        return replace(plain, inference=as_sentence(words))
    if _is_only_verdict(words):
        return plain
    if stated and not part.listed:
        for observation, inference in readings(words, stated):
            return replace(plain, observation=observation, inference=inference, evidence=True)
    evidence = bool(stated or part.listed or _CUES[label].search(words)) and not _GENERAL.match(words)
    return replace(plain, observation=as_sentence(words), evidence=evidence)


def _is_only_verdict(words: str) -> bool:
    stated = list(verdicts(words))
    rest = words
    for start, end, _ in reversed(stated):
        rest = rest[:start] + rest[end:]
    return bool(stated) and all(_EMPTY.fullmatch(word) for word in re.findall(r"[a-z']+", rest.lower()))
