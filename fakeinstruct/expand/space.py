"""The variants that a template has for a chain: which there are, how many, and what each is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.context import Facts, TraceFacts
from fakeinstruct.expand.options import Shape, count_options, shapes
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.variants import decode


@dataclass(frozen=True)
class Item:
    """One thing of a chain that a template goes over, with the axes of its variants.

    Attributes:
        name: What it is called in the template: "trace" or "attribute"; empty for the chain itself.
        status: Status of the attribute, if the template goes over attributes.
        view: What the template sees under `name`.
        traces: The traces that it is about.
        radices: Sizes of the axes: advice, set of options, order of options, then each list of phrases.
    """

    name: str
    status: str | None
    view: dict[str, Any]
    traces: tuple[TraceFacts, ...]
    radices: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of variants."""
        return math.prod(self.radices)


@dataclass(frozen=True)
class Variant:
    """One variant, decoded: an item and a digit on each of its axes."""

    item: Item
    advice: int
    options: int
    order: int
    phrases: tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """The variants of one template for one chain that share a topic.

    The topic is the attribute asked about, "" where a question names none. Quotas are balanced by topic,
    since an attribute that only fakes are asked about would give the label away.
    """

    items: tuple[Item, ...]
    shapes: tuple[Shape, ...]

    @property
    def count(self) -> int:
        """Number of variants; some may render to the same text."""
        return sum(item.count for item in self.items)

    def decode(self, index: int) -> Variant:
        """The variant of an index, 0 to `count` - 1.

        Raises:
            ValueError: If the index lies outside the space.
        """
        for item in self.items:
            if index < item.count:
                advice, options, order, *phrases = decode(index, item.radices)
                return Variant(item, advice, options, order, tuple(phrases))
            index -= item.count
        raise ValueError("the index lies outside the space")


def spaces(template: Template, facts: Facts) -> dict[str, Space]:
    """A template's variants for a chain by topic; empty if the chain cannot fill the template."""
    needs = template.front.needs
    if len(facts.traces) < needs.traces or len(facts.absent) < needs.absent:
        return {}
    spec = template.front.options
    shown = shapes(spec, facts) if spec else ()
    orders = math.factorial(count_options(spec)) if spec else 1
    axes = (len(shown) if spec else 1, orders)
    items: dict[str, list[Item]] = {}
    for topic, name, status, view, traces in _subjects(template, facts):
        item = Item(name, status, view, traces, _radices(template, facts, status, traces, axes))
        if item.count:
            items.setdefault(topic, []).append(item)
    return {topic: Space(tuple(found), shown) for topic, found in items.items()}


Subject = tuple[str, str, str | None, dict[str, Any], tuple[TraceFacts, ...]]


def _subjects(template: Template, facts: Facts) -> Iterator[Subject]:
    """What the template goes over and the chain can fill: topic, name, status, view, traces."""
    if template.front.over == "chain":
        if not facts.traces or any(_fills(template, trace) for trace in facts.traces):
            yield "", "", None, {}, facts.traces
    elif template.front.over == "trace":
        for trace in facts.traces:
            if trace.attribute and _fills(template, trace):
                yield trace.attribute, "trace", None, trace.view, (trace,)
    else:
        for key, attribute in facts.attributes.items():
            if all(_fills(template, trace) for trace in attribute.traces):
                yield key, "attribute", attribute.status, attribute.view, attribute.traces


def _fills(template: Template, trace: TraceFacts) -> bool:
    """Whether a trace has what the template needs of each; advice is needed of flaws only."""
    needs = template.front.needs
    return (
        (bool(trace.boxes) or not needs.region)
        and (trace.view["inference"] is not None or not needs.inference)
        and (bool(trace.advice) or not needs.advice or trace.points_to is not Label.FAKE)
    )


def _radices(
    template: Template,
    facts: Facts,
    status: str | None,
    traces: tuple[TraceFacts, ...],
    axes: tuple[int, int],
) -> tuple[int, ...]:
    advice = max((len(trace.advice) for trace in traces), default=1) if template.tells_advice else 1
    label = facts.chain.label.value
    return (max(1, advice), *axes, *map(len, template.phrase_lists(label, status)))
