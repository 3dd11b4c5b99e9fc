"""Cases: what of a chain, and of its parts, decides how many variants templates have; and that number.

Chains differ in their words, and little else. What a case decides is counted once and remembered by `survey`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from fakeinstruct.base.boxes import Fractions, place
from fakeinstruct.chains.schema import Chain
from fakeinstruct.expand.context import Facts, TraceFacts
from fakeinstruct.expand.front import FrontMatter
from fakeinstruct.expand.options import asked, bucket_of
from fakeinstruct.expand.regions import regions_of
from fakeinstruct.expand.space import OptionSubjects, Subject, all_fill, has_enough, item_of, of_the_chain
from fakeinstruct.expand.template import Template


def shape_of(chain: Chain) -> Hashable:
    """All of a chain that decides how many variants it has: not its words, nor where exactly its boxes lie."""
    boxes: dict[Fractions, int] = {}
    return (
        chain.label,
        bucket_of(chain),
        tuple(
            (
                trace.attribute,
                trace.points_to,
                trace.severity,
                trace.inference is None,
                trace.advice is None,
                *((place(r.box), boxes.setdefault(r.box, len(boxes))) for r in trace.regions),
            )
            for trace in chain.traces
        ),
        frozenset(chain.assessed.items()),
    )


def count_whole(template: Template, facts: Facts) -> dict[str, int]:
    """Number of variants by topic of a template that goes over whole chains, counted without making them."""
    if not has_enough(template.front.needs, facts):
        return {}
    parts = of_the_chain(template, facts)
    if isinstance(parts, OptionSubjects):
        each = item_of(template, facts, parts.whole).count
        found = {topic: each * len(sets) for topic, sets in parts.sets.items()}
    else:
        found = {topic: sum(item_of(template, facts, s).count for s in own) for topic, own in parts.items()}
    return {topic: number for topic, number in found.items() if number}


def count_part(template: Template, facts: Facts, subjects: Iterable[Subject]) -> int:
    """Number of variants that a template has for some subjects of a chain."""
    if not has_enough(template.front.needs, facts):
        return 0
    return sum(item_of(template, facts, s).count for s in subjects if all_fill(template, s.traces))


def case_of(subject: Subject) -> Hashable:
    """All of a subject, its topic aside, that decides how many variants templates have for it."""
    return subject.status, tuple(map(_case_of_trace, subject.traces))


def case_of_chain(front: FrontMatter, facts: Facts) -> Hashable:
    """All of a chain that decides how many variants templates like this one have for it as a whole."""
    case = (case_of_needs(facts), frozenset(map(_case_of_trace, facts.traces)))
    if front.looks:
        return *case, tuple(tuple(map(_case_of_trace, region.traces)) for region in regions_of(facts.traces))
    return (*case, asked(facts)) if front.options else case


def case_of_needs(facts: Facts) -> Hashable:
    """What of a chain `needs` asks for."""
    return facts.chain.label, len(facts.traces), len(facts.absent), facts.strongest is not None


def _case_of_trace(trace: TraceFacts) -> Hashable:
    inferred = trace.view["inference"] is not None
    return trace.attribute is not None, bool(trace.boxes), inferred, len(trace.advice), trace.points_to
