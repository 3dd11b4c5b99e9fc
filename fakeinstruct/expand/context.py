"""What a template sees of a chain: plain text and lists of it, worded, and nothing that was not said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fakeinstruct.base.boxes import WHOLE_PICTURE, Fractions, place
from fakeinstruct.base.grammar import box_text
from fakeinstruct.chains.schema import Assessment, Chain, Label, Manipulation, Trace
from fakeinstruct.chains.taxonomy import Attribute, Taxonomy
from fakeinstruct.expand.placeholders import PLACEHOLDER as PLACEHOLDER
from fakeinstruct.expand.placeholders import refuse_markup
from fakeinstruct.expand.sandbox import listing, sentence

NATURE = {
    Manipulation.GENERATED: "a generated image",
    Manipulation.EDITED: "an edited photograph",
    Manipulation.PROCESSED: "a photograph",
    Manipulation.NONE: "a photograph",
    None: "",
}
"""What an image is called. "Generated" is not said of an edited photograph; nothing is said of the unknown."""

CHAIN_NAMES = ("label", "nature", "traces", "flaws", "absent", "strongest", "tags")
TRACE_FIELDS = ("name", "observation", "inference", "where", "boxes", "advice")
ATTRIBUTE_FIELDS = ("key", "name", "definition", "betrays", "clean", "status", *TRACE_FIELDS[1:])
OPTION_FIELDS = ("letter", "text")
TAG_FIELDS = ("name", "value")

FLAWED, SOUND, ABSENT, PHOTOGRAPH = "flawed", "sound", "absent", "photograph"
STATUSES = (FLAWED, SOUND, ABSENT, PHOTOGRAPH)
"""What is known of an attribute: a trace points to fake; traces point to real only; no trace, and judged absent;
no trace and no judgement, but the image is real, so whatever it looks like it bears no trace of a generator."""

SEVERITIES = ("slight", "clear", "severe")


@dataclass(frozen=True)
class TraceFacts:
    """One trace, worded.

    Attributes:
        id: The trace's id.
        attribute: Key of the taxonomy, if it was filed under one.
        points_to: The label it speaks for.
        view: What templates see of it, advice aside.
        boxes: Its regions, in fractions of the image.
        advice: The annotator's advice alone, or the taxonomy's bank for its attribute, or nothing.
        from_bank: Whether the advice is the taxonomy's.
    """

    id: str
    attribute: str | None
    points_to: Label
    view: dict[str, Any]
    boxes: tuple[Fractions, ...]
    advice: tuple[str, ...]
    from_bank: bool

    def advised(self, number: int) -> dict[str, Any]:
        """The view with advice number `number`, counted round."""
        return self._advised[number % len(self._advised)]

    @cached_property
    def _advised(self) -> tuple[dict[str, Any], ...]:
        return tuple({**self.view, "advice": advice} for advice in self.advice or (None,))


@dataclass(frozen=True)
class AttributeFacts:
    """What a chain says of one attribute: its traces, that it was judged absent, or what its label entails."""

    key: str
    status: str
    view: dict[str, Any]
    traces: tuple[TraceFacts, ...]


@dataclass(frozen=True)
class Facts:
    """A chain, worded for templates.

    Attributes:
        chain: The chain.
        values: What every template sees: the names of `CHAIN_NAMES`.
        traces: Those that point to the chain's label.
        attributes: By key, each attribute that a trace is filed under or that was judged absent; of a real image
            all others too.
        flawed: Keys of attributes that give the image away; none of a real one.
        absent: Keys judged absent, which no trace contradicts: honest distractors.
        photograph: Keys of attributes of a real image of which only its label says something.
        strongest: The flaw of uniquely highest severity, if all flaws have one.
        names: Name of each of these attributes.
        references: The annotators' own explanations.
        parts: What templates go over, found once by `space`.
    """

    chain: Chain
    values: dict[str, Any]
    traces: tuple[TraceFacts, ...]
    attributes: dict[str, AttributeFacts]
    flawed: tuple[str, ...]
    absent: tuple[str, ...]
    photograph: tuple[str, ...]
    strongest: TraceFacts | None
    names: dict[str, str]
    references: tuple[str, ...]
    parts: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def gather(chain: Chain, taxonomy: Taxonomy) -> Facts:
    """Word a chain.

    Raises:
        RecordError: If one of its texts holds an image placeholder, a control token or a mark of our grammar.
    """
    refuse_markup(chain)
    traces = tuple(_word_trace(trace, taxonomy) for trace in chain.traces)
    supporting = tuple(trace for trace in traces if trace.points_to == chain.label)
    attributes = {facts.key: facts for facts in _attributes(chain, traces, taxonomy)}
    flawed = tuple(key for key, facts in attributes.items() if facts.status == FLAWED)
    judged = [key for key, what in chain.assessed.items() if what is Assessment.ABSENT]
    absent = tuple(key for key in taxonomy.attributes if key in judged and key in attributes)
    photograph = tuple(key for key, facts in attributes.items() if facts.status == PHOTOGRAPH)
    names = {key: taxonomy.attributes[key].name for key in (*flawed, *absent, *photograph)}
    strongest = _strongest(chain, traces)
    values = {
        "label": chain.label.value,
        "nature": NATURE[chain.manipulation],
        "traces": [trace.advised(0) for trace in supporting],
        "flaws": [names[key] for key in flawed],
        "absent": [names[key] for key in absent],
        "strongest": strongest.advised(0) if strongest else None,
        "tags": [
            {"name": " ".join(name.split()), "value": " ".join(value.split())}
            for name, value in chain.tags.items()
        ],
    }
    references = tuple(text.text for text in chain.texts if text.role in ("explanation", "conclusion"))
    return Facts(
        chain, values, supporting, attributes, flawed, absent, photograph, strongest, names, references
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _strongest(chain: Chain, traces: tuple[TraceFacts, ...]) -> TraceFacts | None:
    """The flaw that its annotator found more severe than every other; None of a real image."""
    if chain.label is Label.REAL:
        return None
    ranked = [
        (SEVERITIES.index(trace.severity), facts)
        for trace, facts in zip(chain.traces, traces, strict=True)
        if trace.points_to is Label.FAKE and trace.severity
    ]
    if not ranked or len(ranked) < sum(trace.points_to is Label.FAKE for trace in traces):
        return None  # a flaw without a severity could be the gravest
    highest = max(rank for rank, _ in ranked)
    gravest = [facts for rank, facts in ranked if rank == highest]
    return gravest[0] if len(gravest) == 1 else None


def _word_trace(trace: Trace, taxonomy: Taxonomy) -> TraceFacts:
    attribute = taxonomy.attributes[trace.attribute] if trace.attribute else None
    bank = attribute.advice if attribute and trace.points_to is Label.FAKE else ()
    advice = (trace.advice,) if trace.advice else bank
    boxes = tuple(region.box for region in trace.regions)
    view = {
        "name": attribute.name if attribute else trace.attribute_raw,
        "observation": sentence(trace.observation),
        "inference": sentence(trace.inference) if trace.inference else None,
        "where": where(boxes),
        "boxes": box_text(boxes) if boxes else None,
    }
    worded = tuple(sentence(text) for text in advice)
    return TraceFacts(trace.id, trace.attribute, trace.points_to, view, boxes, worded, not trace.advice)


def where(boxes: Iterable[Fractions]) -> str | None:
    """Places as adverbials: "in the upper left and in the centre"; None without a region."""
    named: dict[str, None] = {}
    for box in boxes:
        where = place(box)
        if where == WHOLE_PICTURE:
            return "all over the picture"
        named[f"on the {where}" if where.endswith("side") else f"in the {where}"] = None
    return listing(named) or None


def _attributes(chain: Chain, traces: tuple[TraceFacts, ...], taxonomy: Taxonomy) -> Iterator[AttributeFacts]:
    """Known attributes in the taxonomy's order, without those on which the annotation contradicts itself."""
    for key, attribute in taxonomy.attributes.items():
        own = tuple(trace for trace in traces if trace.attribute == key)
        status = _status(chain, own, chain.assessed.get(key))
        if not own and status:
            yield AttributeFacts(key, status, _untraced(key, status, attribute), own)
        elif status:
            yield AttributeFacts(key, status, _traced(key, status, attribute, own), own)


def _status(chain: Chain, own: tuple[TraceFacts, ...], judged: Assessment | None) -> str | None:
    """Status of an attribute with these traces; None if nothing is known or the annotation contradicts itself."""
    if any(trace.points_to is Label.FAKE for trace in own):
        disputed = (
            chain.label is Label.REAL
            or judged is Assessment.ABSENT
            or any(trace.points_to is Label.REAL for trace in own)
        )
        return None if disputed else FLAWED
    if own:
        return None if judged is Assessment.PRESENT else SOUND
    if judged is Assessment.ABSENT:
        return ABSENT
    return PHOTOGRAPH if chain.label is Label.REAL and judged is None else None


def _traced(key: str, status: str, attribute: Attribute, own: tuple[TraceFacts, ...]) -> dict[str, Any]:
    inferences = [trace.view["inference"] for trace in own if trace.view["inference"]]
    boxes = tuple(dict.fromkeys(box for trace in own for box in trace.boxes))
    return {
        **_untraced(key, status, attribute),
        "observation": " ".join(trace.view["observation"] for trace in own),
        "inference": " ".join(dict.fromkeys(inferences)) or None,
        "where": where(boxes),
        "boxes": box_text(boxes) if boxes else None,
    }


def _untraced(key: str, status: str, attribute: Attribute) -> dict[str, Any]:
    return {
        "key": key,
        "name": attribute.name,
        "definition": attribute.definition,
        "betrays": attribute.betrays,
        "clean": attribute.clean,
        "status": status,
        **dict.fromkeys(TRACE_FIELDS[1:]),
    }
