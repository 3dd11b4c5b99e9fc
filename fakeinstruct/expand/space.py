"""The variants that a template has for a chain: which there are, how many, and what each is made of."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import AttributeFacts, Facts, TraceFacts
from fakeinstruct.expand.options import OptionSet, count_options, option_sets
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.variants import decode


@dataclass(frozen=True)
class Subject:
    """One thing of a chain that a template goes over.

    Attributes:
        topic: The attribute or attributes that the question names, "" if none.
        traces: The traces that it is about.
        attribute: The attribute, if the template goes over attributes.
        options: The options, if the template has any.
    """

    topic: str
    traces: tuple[TraceFacts, ...]
    attribute: AttributeFacts | None = None
    options: OptionSet | None = None

    @property
    def status(self) -> str | None:
        """Status of the attribute."""
        return self.attribute.status if self.attribute else None

    def values(self, advice: int) -> dict[str, Any]:
        """What the template sees of it, with advice number `advice`."""
        advised = [trace.advised(advice) for trace in self.traces]
        if self.attribute:
            words = dict.fromkeys(view["advice"] for view in advised if view["advice"])
            return {"attribute": {**self.attribute.view, "advice": " ".join(words) or None}}
        if self.topic and not self.options:
            return {"trace": advised[0]}
        return {"traces": advised}


@dataclass(frozen=True)
class Item:
    """A subject with its number of variants.

    Attributes:
        subject: The subject.
        radices: Sizes of its axes: advice, order of options, then each list of phrases.
        count: Their product.
    """

    subject: Subject
    radices: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class Variant:
    """One variant, decoded: a subject and a digit on each of its axes."""

    subject: Subject
    advice: int
    order: int
    phrases: tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """The variants of one template for one chain that share a topic.

    Quotas are balanced by topic, since an attribute that only fakes are asked about would give the label away.
    """

    items: tuple[Item, ...]

    @property
    def count(self) -> int:
        """Number of variants; some may render to the same text."""
        return sum(item.count for item in self.items)

    def decode(self, number: int) -> Variant:
        """The variant of a number, 0 to `count` - 1.

        Raises:
            ValueError: If the number lies outside the space.
        """
        for item in self.items:
            if number < item.count:
                advice, order, *phrases = decode(number, item.radices)
                return Variant(item.subject, advice, order, tuple(phrases))
            number -= item.count
        raise ValueError("the number lies outside the space")


def spaces(template: Template, facts: Facts, topics: Container[str] | None = None) -> dict[str, Space]:
    """A template's variants for a chain by topic; empty if the chain cannot fill the template.

    Args:
        template: The template.
        facts: The chain.
        topics: The topics of interest; all by default.
    """
    needs = template.front.needs
    if len(facts.traces) < needs.traces or len(facts.absent) < needs.absent:
        return {}
    items: dict[str, list[Item]] = {}
    sizes: dict[tuple[str | None, int], tuple[int, ...]] = {}
    for subject in _subjects(template, facts):
        if topics is not None and subject.topic not in topics:
            continue
        case = (subject.status, _count_advice(template, subject))
        radices = sizes.get(case) or sizes.setdefault(case, _radices(template, facts, *case))
        if count := math.prod(radices):
            items.setdefault(subject.topic, []).append(Item(subject, radices, count))
    return {topic: Space(tuple(found)) for topic, found in items.items()}


def _subjects(template: Template, facts: Facts) -> Iterator[Subject]:
    """What the template goes over and the chain can fill."""
    front = template.front
    if front.over == "trace":
        for trace in facts.traces:
            if trace.attribute and _fills(template, trace):
                yield Subject(trace.attribute, (trace,))
    elif front.over == "attribute":
        for key, attribute in facts.attributes.items():
            if all(_fills(template, trace) for trace in attribute.traces):
                yield Subject(key, attribute.traces, attribute)
    elif not front.needs.of_traces or any(_fills(template, trace) for trace in facts.traces):
        if front.options is None:
            yield Subject("", facts.traces)
        else:
            for options in option_sets(front.options, facts):
                yield Subject(options.topic, facts.traces, options=options)


def _fills(template: Template, trace: TraceFacts) -> bool:
    """Whether a trace has what the template needs of each; advice is needed of flaws only."""
    needs = template.front.needs
    return (
        (bool(trace.boxes) or not needs.region)
        and (trace.view["inference"] is not None or not needs.inference)
        and (bool(trace.advice) or not needs.advice or trace.points_to is not Label.FAKE)
    )


def _count_advice(template: Template, subject: Subject) -> int:
    """Ways to word the advice on a subject; one if the template gives none."""
    if not template.tells_advice:
        return 1
    return max([1, *(len(trace.advice) for trace in subject.traces)])


def _radices(template: Template, facts: Facts, status: str | None, advice: int) -> tuple[int, ...]:
    options = template.front.options
    orders = math.factorial(count_options(options)) if options else 1
    return (advice, orders, *map(len, template.phrase_lists(facts.chain.label.value, status)))
