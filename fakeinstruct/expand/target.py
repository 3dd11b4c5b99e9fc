"""What the right answer to a pair says, for closed scoring, rewards and the contradiction test."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.expand.context import FLAWED, Facts, TraceFacts
from fakeinstruct.expand.space import Subject
from fakeinstruct.expand.template import Template

if TYPE_CHECKING:
    from fakeinstruct.expand.render import Choices

STATES_VERDICT = frozenset({"verdict", "reasoning"})
"""Tasks whose answer always says fake or real."""

WORDS = frozenset({"observation", "inference", "advice"})
"""Fields that are a trace's own words: an answer with one of them tells the trace."""

BOXES = frozenset({"boxes", "box"})
"""Fields that write boxes into the text."""

PLACES = WORDS | BOXES | {"where"}


class Telling(NamedTuple):
    """What the answers of a template tell, whichever phrases they are worded with, for one label and status.

    Attributes:
        verdict: Whether they state the label.
        words: Names whose traces they tell in words.
        named: Names whose attributes they name.
        judged: Whether they depend on the status of what is asked about; general knowledge does not.
        flaws: Whether they list the flawed attributes.
        boxes: Names whose boxes they write, or tell of.
        looks: Whether they write the boxes of the looks.
        tags: Whether they give the chain's tags.
    """

    verdict: bool
    words: tuple[str, ...]
    named: tuple[str, ...]
    judged: bool
    flaws: bool
    boxes: tuple[str, ...]
    looks: bool
    tags: bool


def target_of(template: Template, facts: Facts, subject: Subject, choices: Choices | None) -> dict[str, Any]:
    """What the right answer says, in the fields of `Target`.

    Verdict and letter; the attributes and boxes of the traces that the answer tells, in the order of the chain;
    its tags. A template that writes boxes has those that it writes, others those of the traces they tell.

    Args:
        template: The template.
        facts: The chain.
        subject: What of the chain the pair is about.
        choices: The options, if there are any.

    Returns:
        Plain values; `tags` is a list of names and values, or None if the answer gives none.
    """
    label = facts.values["label"]
    telling = _telling(template, label, subject.status)
    attributes = _attributes(telling, facts, subject)
    if choices:
        attributes += choices.attributes
    return {
        "verdict": label if telling.verdict else None,
        "choice": choices.letter if choices else None,
        "attributes": list(dict.fromkeys(attributes)),
        "boxes": list(dict.fromkeys(_boxes(telling, facts, subject))),
        "tags": list(facts.values["tags"]) or None if telling.tags else None,
        "text": None,
    }


def _telling(template: Template, label: str, status: str | None) -> Telling:
    known: Telling | None = template.tellings.get((label, status))
    if known is None:
        known = template.tellings[label, status] = _find_telling(template, label, status)
    return known


def _find_telling(template: Template, label: str, status: str | None) -> Telling:
    uses, names = template.answer_fields(label, status), template.answer_names
    options = template.front.options

    def owners(fields: Container[str]) -> tuple[str, ...]:
        return tuple(sorted({owner for owner, field in uses if field in fields}))

    by_status = (status in lists for name, lists in template.variants.items() if name in names)
    return Telling(
        verdict=template.front.task in STATES_VERDICT
        or "label" in names
        or (options is not None and (options.kind == "verdict" or options.none_means == "real")),
        words=owners(WORDS),
        named=tuple(name for name in owners({"name"}) if name not in ("attribute", "first", "second")),
        judged=any(by_status) or any(field == "status" or field in PLACES for _, field in uses),
        flaws="flaws" in names,
        boxes=owners(BOXES if template.writes_boxes else PLACES),
        looks=("looks", "box") in uses,
        tags="tags" in names,
    )


def _attributes(telling: Telling, facts: Facts, subject: Subject) -> list[str]:
    """Attributes of the traces told, and of the flaws named."""
    told = [*_traces_of(telling.words, facts, subject), *_traces_of(telling.named, facts, subject)]
    found = [trace.attribute for trace in told if trace.attribute]
    if telling.judged:
        about = (subject.attribute, *(subject.couple or ()))
        found += [one.key for one in about if one and one.status == FLAWED]
    return [*found, *facts.flawed] if telling.flaws else found


def _boxes(telling: Telling, facts: Facts, subject: Subject) -> Iterable[Fractions]:
    if subject.region:
        return [subject.region.box]
    if telling.looks:
        return [box for look in subject.looks for box in look.boxes]
    return [box for trace in _traces_of(telling.boxes, facts, subject) for box in trace.boxes]


def _traces_of(owners: tuple[str, ...], facts: Facts, subject: Subject) -> Sequence[TraceFacts]:
    """The traces that some names of the context stand for, in the order of the chain."""
    if not owners:
        return ()
    found = [_OWNED[owner](facts, subject) for owner in owners if owner in _OWNED]
    if len(found) <= 1:
        return found[0] if found else ()
    chosen = {trace.id: trace for traces in found for trace in traces}
    in_order = [trace for trace in facts.traces if chosen.pop(trace.id, None)]
    return [
        *in_order,
        *chosen.values(),
    ]  # a trace against the label is told where its attribute is asked about


_OWNED: dict[str, Callable[[Facts, Subject], Sequence[TraceFacts]]] = {
    "traces": lambda facts, _: facts.traces,
    "strongest": lambda facts, _: (facts.strongest,) if facts.strongest else (),
    "looks": lambda _, subject: [trace for look in subject.looks for trace in look.traces],
    "first": lambda _, subject: subject.couple[0].traces if subject.couple else (),
    "second": lambda _, subject: subject.couple[1].traces if subject.couple else (),
    "trace": lambda _, subject: subject.traces,
    "attribute": lambda _, subject: subject.traces,
    "region": lambda _, subject: subject.traces,
}
"""The traces that a name of the context stands for."""
