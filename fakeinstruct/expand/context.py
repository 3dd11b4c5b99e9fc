"""What a template sees of a chain: plain text and lists of it, worded, and nothing that was not said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fakeinstruct.base.boxes import Fractions, place
from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.schema import Assessment, Chain, Label, Manipulation, Trace
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.expand.sandbox import listing, sentence

PLACEHOLDER = re.compile(
    r"<\|[^<>|]{1,40}\|>|\[/?(?:INST|IMG)\]|</?(?:s|bos|eos|unk|pad)>"
    r"|</?(?:image|img|video|audio|vision|im_start|im_end|start_of|end_of)[\w-]*(?:\s[^<>]{0,80})?/?>",
    re.I,
)
"""Text that a processor may take for an image or for the end of a turn."""

NATURE = {
    Manipulation.GENERATED: "a generated image",
    Manipulation.EDITED: "an edited photograph",
    Manipulation.PROCESSED: "a photograph",
    Manipulation.NONE: "a photograph",
    None: "",
}
"""What an image is called. "Generated" is not said of an edited photograph; nothing is said of the unknown."""

CHAIN_NAMES = ("label", "nature", "traces", "flaws", "absent")
TRACE_FIELDS = ("name", "observation", "inference", "where", "advice")
ATTRIBUTE_FIELDS = ("key", "name", "definition", "betrays", "clean", "status", *TRACE_FIELDS[1:])
OPTION_FIELDS = ("letter", "text")

FLAWED, SOUND, ABSENT = "flawed", "sound", "absent"
STATUSES = (FLAWED, SOUND, ABSENT)
"""What is known of an attribute: a trace points to fake; traces point to real only; no trace, and judged absent."""


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
        advice = self.advice[number % len(self.advice)] if self.advice else None
        return {**self.view, "advice": advice}


@dataclass(frozen=True)
class AttributeFacts:
    """What a chain says of one attribute: its traces, or that it was judged absent."""

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
        attributes: By key, each attribute that a trace is filed under or that was judged absent.
        flawed: Keys of attributes that give the image away; none of a real one.
        absent: Keys judged absent, which no trace contradicts: honest distractors.
        names: Name of each flawed or absent attribute.
        references: The annotators' own explanations.
    """

    chain: Chain
    values: dict[str, Any]
    traces: tuple[TraceFacts, ...]
    attributes: dict[str, AttributeFacts]
    flawed: tuple[str, ...]
    absent: tuple[str, ...]
    names: dict[str, str]
    references: tuple[str, ...]


def gather(chain: Chain, taxonomy: Taxonomy) -> Facts:
    """Word a chain.

    Raises:
        RecordError: If one of its texts holds an image placeholder or a control token.
    """
    _refuse_placeholders(chain)
    traces = tuple(_word_trace(trace, taxonomy) for trace in chain.traces)
    supporting = tuple(trace for trace in traces if trace.points_to == chain.label)
    attributes = {facts.key: facts for facts in _attributes(chain, traces, taxonomy)}
    flawed = tuple(key for key, facts in attributes.items() if facts.status == FLAWED)
    judged = [key for key, what in chain.assessed.items() if what is Assessment.ABSENT]
    absent = tuple(key for key in taxonomy.attributes if key in judged and key in attributes)
    names = {key: taxonomy.attributes[key].name for key in (*flawed, *absent)}
    values = {
        "label": chain.label.value,
        "nature": NATURE[chain.manipulation],
        "traces": [trace.advised(0) for trace in supporting],
        "flaws": [names[key] for key in flawed],
        "absent": [names[key] for key in absent],
    }
    references = tuple(text.text for text in chain.texts if text.role in ("explanation", "conclusion"))
    return Facts(chain, values, supporting, attributes, flawed, absent, names, references)


def _refuse_placeholders(chain: Chain) -> None:
    for field, text in _texts(chain):
        match = PLACEHOLDER.search(text)
        if match:
            raise RecordError(
                f"a text holds the placeholder or control token {match.group()!r}",
                record=chain.id,
                field=field,
                hint="The place of the image is set by the program; remove the token from the text.",
            )


def _texts(chain: Chain) -> Iterator[tuple[str, str]]:
    for index, trace in enumerate(chain.traces):
        for name in ("attribute_raw", "observation", "inference", "advice"):
            if text := getattr(trace, name):
                yield f"traces.{index}.{name}", text
    for index, written in enumerate(chain.texts):
        yield f"texts.{index}.text", written.text


def _word_trace(trace: Trace, taxonomy: Taxonomy) -> TraceFacts:
    attribute = taxonomy.attributes[trace.attribute] if trace.attribute else None
    bank = attribute.advice if attribute and trace.points_to is Label.FAKE else ()
    advice = (trace.advice,) if trace.advice else bank
    boxes = tuple(region.box for region in trace.regions)
    view = {
        "name": attribute.name if attribute else trace.attribute_raw,
        "observation": sentence(trace.observation),
        "inference": sentence(trace.inference) if trace.inference else None,
        "where": _where(boxes),
    }
    worded = tuple(sentence(text) for text in advice)
    return TraceFacts(trace.id, trace.attribute, trace.points_to, view, boxes, worded, not trace.advice)


def _where(boxes: Iterable[Fractions]) -> str | None:
    """Places as adverbials: "in the upper left and in the centre"; None without a region."""
    named: dict[str, None] = {}
    for box in boxes:
        where = place(box)
        if where == "whole picture":
            return "all over the picture"
        named[f"on the {where}" if where.endswith("side") else f"in the {where}"] = None
    return listing(named) or None


def _attributes(chain: Chain, traces: tuple[TraceFacts, ...], taxonomy: Taxonomy) -> Iterator[AttributeFacts]:
    """Known attributes in the taxonomy's order, without those on which the annotation contradicts itself."""
    for key, attribute in taxonomy.attributes.items():
        own = tuple(trace for trace in traces if trace.attribute == key)
        judged_absent = chain.assessed.get(key) is Assessment.ABSENT
        flawed = any(trace.points_to is Label.FAKE for trace in own)
        disputed = flawed and (
            judged_absent or chain.label is Label.REAL or any(trace.points_to is Label.REAL for trace in own)
        )
        if disputed or not (own or judged_absent):
            continue
        status = FLAWED if flawed else SOUND if own else ABSENT
        inferences = [trace.view["inference"] for trace in own if trace.view["inference"]]
        view = {
            "key": key,
            "name": attribute.name,
            "definition": attribute.definition,
            "betrays": attribute.betrays,
            "clean": attribute.clean,
            "status": status,
            "observation": " ".join(trace.view["observation"] for trace in own) or None,
            "inference": " ".join(dict.fromkeys(inferences)) or None,
            "where": _where(box for trace in own for box in trace.boxes),
        }
        yield AttributeFacts(key, status, view, own)
