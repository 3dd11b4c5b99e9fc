"""The variants that a template has for a chain: which there are, how many, and what each is made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.comparison import Couple, couples, relation
from fakeinstruct.expand.context import AttributeFacts, Facts, TraceFacts
from fakeinstruct.expand.front import Needs, Over
from fakeinstruct.expand.options import OptionSet, count_options, option_sets
from fakeinstruct.expand.regions import Look, RegionFacts, crop_of, looks_at, regions_of
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.variants import decode


@dataclass(eq=False)
class Subject:
    """One thing of a chain that a template goes over.

    Attributes:
        topic: What the question names, "" if nothing: an attribute or several, a place, a number of crops.
        traces: The traces that it is about.
        trace: The trace, if the template goes over traces.
        attribute: The attribute, if the template goes over attributes.
        region: The region, if the template goes over regions.
        couple: The attributes compared, if the template goes over comparisons.
        options: The options, if the template has any.
        strongest: The gravest of the traces, if there is one.
        looks: What a second look is taken at, in the order of the first answer.
    """

    topic: str
    traces: tuple[TraceFacts, ...]
    trace: TraceFacts | None = None
    attribute: AttributeFacts | None = None
    region: RegionFacts | None = None
    couple: Couple | None = None
    options: OptionSet | None = None
    strongest: TraceFacts | None = None
    looks: tuple[Look, ...] = ()
    _seen: dict[int, dict[str, Any]] = field(default_factory=dict, init=False, repr=False)

    @property
    def status(self) -> str | None:
        """The case that phrases may be listed by: status of the attribute, or relation of the couple."""
        if self.attribute:
            return self.attribute.status
        return relation(self.couple) if self.couple else None

    @cached_property
    def crops(self) -> tuple[Fractions, ...]:
        """What the second look shows, in the order of the first answer: fractions of the image."""
        return tuple(crop_of(box) for look in self.looks for box in look.boxes)

    def values(self, advice: int) -> dict[str, Any]:
        """What templates see of it, with advice number `advice`; found once, since templates share subjects."""
        if advice not in self._seen:
            self._seen[advice] = self._values(advice)
        return self._seen[advice]

    def _values(self, advice: int) -> dict[str, Any]:
        if self.attribute:
            return {"attribute": _advised(self.attribute, advice)}
        if self.couple:
            first, second = (_advised(one, advice) for one in self.couple)
            return {"first": first, "second": second}
        if self.region:
            return {"region": self.region.view}
        if self.trace:
            return {"trace": self.trace.advised(advice)}
        values: dict[str, Any] = {"traces": _all_advised(self.traces, advice)}
        if self.strongest:
            values["strongest"] = self.strongest.advised(advice)
        if self.looks:
            values["looks"] = [look.view for look in self.looks]
        return values


def _all_advised(traces: Iterable[TraceFacts], advice: int) -> list[dict[str, Any]]:
    """Views of traces; those of one attribute take the bank's advice in turn, so that none comes twice."""
    turns: Counter[str | None] = Counter()
    views = []
    for trace in traces:
        views.append(trace.advised(advice + turns[trace.attribute]))
        turns[trace.attribute] += 1
    return views


def _advised(attribute: AttributeFacts, advice: int) -> dict[str, Any]:
    views = (trace.advised(advice) for trace in attribute.traces)
    words = dict.fromkeys(view["advice"] for view in views if view["advice"])
    return {**attribute.view, "advice": " ".join(words) or None}


@dataclass(slots=True)
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


@dataclass(slots=True)
class Variant:
    """One variant, decoded: a subject and a digit on each of its axes."""

    subject: Subject
    advice: int
    order: int
    phrases: Sequence[int]


@dataclass(slots=True)
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
                digits = decode(number, item.radices)
                return Variant(item.subject, digits[0], digits[1], digits[2:])
            number -= item.count
        raise ValueError("the number lies outside the space")


def spaces(template: Template, facts: Facts, topics: Iterable[str] | None = None) -> dict[str, Space]:
    """A template's variants for a chain by topic; empty if the chain cannot fill the template.

    Args:
        template: The template.
        facts: The chain.
        topics: The topics of interest; all by default.
    """
    if not has_enough(template.front.needs, facts):
        return {}
    parts = _parts(template, facts)
    found = {}
    for topic in parts if topics is None else topics:
        items = [item_of(template, facts, subject) for subject in parts.get(topic, ())]
        if items := [item for item in items if item.count]:
            found[topic] = Space(tuple(items))
    return found


def has_enough(needs: Needs, facts: Facts) -> bool:
    """Whether the chain has what is needed of it as a whole."""
    if len(facts.traces) < needs.traces or len(facts.absent) < needs.absent:
        return False
    if facts.chain.label is Label.REAL:
        return True
    return len(facts.traces) >= needs.flaws and (facts.strongest is not None or not needs.strongest)


def _parts(template: Template, facts: Facts) -> Mapping[str, Sequence[Subject]]:
    """What the template goes over and the chain can fill, by topic."""
    over = template.front.over
    if over == "chain":
        return of_the_chain(template, facts)
    parts = parts_of(over, facts)
    if not template.front.needs.of_traces:
        return parts
    return _by_topic(s for own in parts.values() for s in own if all_fill(template, s.traces))


def parts_of(over: Over, facts: Facts) -> Mapping[str, Sequence[Subject]]:
    """What of a chain a template may go over, by topic; found once, since templates share it."""
    if over not in facts.parts:
        facts.parts[over] = _by_topic(_PARTS[over](facts))
    parts: Mapping[str, Sequence[Subject]] = facts.parts[over]
    return parts


def _by_topic(subjects: Iterable[Subject]) -> dict[str, list[Subject]]:
    found: dict[str, list[Subject]] = {}
    for subject in subjects:
        found.setdefault(subject.topic, []).append(subject)
    return found


def _of_traces(facts: Facts) -> Iterator[Subject]:
    for trace in facts.traces:
        if trace.attribute:
            yield Subject(trace.attribute, (trace,), trace=trace)


def _of_attributes(facts: Facts) -> Iterator[Subject]:
    for key, attribute in facts.attributes.items():
        yield Subject(key, attribute.traces, attribute=attribute)


def _of_regions(facts: Facts) -> Iterator[Subject]:
    for region in regions_of(facts.traces):
        yield Subject(region.place, region.traces, region=region)


def _of_comparisons(facts: Facts) -> Iterator[Subject]:
    for first, second in couples(facts):
        yield Subject(f"{first.key}+{second.key}", first.traces + second.traces, couple=(first, second))


_PARTS: dict[str, Callable[[Facts], Iterator[Subject]]] = {
    "trace": _of_traces,
    "attribute": _of_attributes,
    "region": _of_regions,
    "comparison": _of_comparisons,
}
"""What each `over` goes over, chains aside."""


def of_the_chain(template: Template, facts: Facts) -> Mapping[str, Sequence[Subject]]:
    """A chain as a whole, by topic: once, with each set of options, or with the regions for a second look."""
    front = template.front
    excused = front.needs.of_fakes and facts.chain.label is Label.REAL
    if front.needs.of_traces and not excused and not any(_fills(template, trace) for trace in facts.traces):
        return {}
    whole = Subject("", facts.traces, strongest=facts.strongest)
    if front.options:
        return OptionSubjects(whole, option_sets(front.options, facts))
    if not front.looks:
        return {"": (whole,)}
    looks = looks_at([one for one in regions_of(facts.traces) if all_fill(template, one.traces)])
    if not looks:
        return {}
    count = sum(len(look.boxes) for look in looks)
    topic = f"{count} crop{'s' if count > 1 else ''}"
    return {topic: (replace(whole, topic=topic, looks=looks),)}


class OptionSubjects(Mapping[str, Sequence[Subject]]):
    """A chain with each set of options, made when it is asked for: there are dozens, and few are drawn."""

    def __init__(self, whole: Subject, sets: Mapping[str, Sequence[OptionSet]]) -> None:
        self.whole, self.sets = whole, sets

    def __getitem__(self, topic: str) -> Sequence[Subject]:
        whole = self.whole
        return [
            Subject(topic, whole.traces, options=options, strongest=whole.strongest)
            for options in self.sets[topic]
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sets)

    def __len__(self) -> int:
        return len(self.sets)


def all_fill(template: Template, traces: Iterable[TraceFacts]) -> bool:
    """Whether each of some traces has what the template needs of each."""
    return all(_fills(template, trace) for trace in traces)


def _fills(template: Template, trace: TraceFacts) -> bool:
    """Whether a trace has what the template needs of each; advice is needed of flaws only."""
    needs = template.front.needs
    return (
        (trace.attribute is not None or not needs.attribute)
        and (bool(trace.boxes) or not needs.region)
        and (trace.view["inference"] is not None or not needs.inference)
        and (bool(trace.advice) or not needs.advice or trace.points_to is not Label.FAKE)
    )


def _count_advice(template: Template, subject: Subject) -> int:
    """Ways to word the advice on a subject; one if the template gives none."""
    if not template.tells_advice:
        return 1
    return max([1, *(len(trace.advice) for trace in subject.traces)])


def item_of(template: Template, facts: Facts, subject: Subject) -> Item:
    """A subject with the number of variants that the template has for it."""
    case = (facts.values["label"], subject.status, _count_advice(template, subject))
    size = template.sizes.get(case)
    if size is None:
        radices = _radices(template, *case)
        size = template.sizes[case] = (radices, math.prod(radices))
    return Item(subject, *size)


def _radices(template: Template, label: str, status: str | None, advice: int) -> tuple[int, ...]:
    options = template.front.options
    orders = math.factorial(count_options(options)) if options else 1
    return (advice, orders, *map(len, template.phrase_lists(label, status)))
