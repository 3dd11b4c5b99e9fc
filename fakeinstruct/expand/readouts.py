"""How the answers to verdict templates are read as probabilities, and which questions ask for reasons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fakeinstruct.expand.pair import VerdictReadout
from fakeinstruct.expand.render import word
from fakeinstruct.expand.template import Template, TemplateSet
from fakeinstruct.expand.wording import Values


def readouts(templates: TemplateSet) -> tuple[VerdictReadout, ...]:
    """The readout of each template with label words whose question needs nothing of a chain."""
    return tuple(
        VerdictReadout(
            template=template.id,
            prompts=prompts,
            held_out=tuple(held_out(template)),
            fake=words.fake,
            real=words.real,
        )
        for template in templates.templates
        if (words := template.front.label_words) and (prompts := tuple(questions(template)))
    )


def explanation_prompts(templates: TemplateSet) -> tuple[str, ...]:
    """Questions that ask for a verdict with its reasons, those for plain words before those for boxes."""
    explaining = [template for template in templates.templates if template.front.explains]
    explaining.sort(key=lambda template: template.front.task != "reasoning")
    return tuple(dict.fromkeys(text for template in explaining for text in questions(template)))


def questions(template: Template) -> Iterator[str]:
    """Every wording of a template's first question; none if it names something of the chain."""
    lists = _question_lists(template)
    if lists is not None:
        yield from _worded(template, lists)


def held_out(template: Template) -> Iterator[str]:
    """The wordings of its first question that no pair uses; none if it names something of the chain."""
    kept = template.front.held_out
    lists = _question_lists(template)
    if lists is not None and kept:
        yield from _worded(template, lists | kept)


def _question_lists(template: Template) -> dict[str, tuple[str, ...]] | None:
    if template.question_names - set(template.variants):
        return None
    return {name: lists[""] for name, lists in template.variants.items() if name in template.question_names}


def _worded(template: Template, lists: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for phrases in product(*lists.values()):
        values: Values = {}
        word(template, zip(lists, map(template.phrase, phrases), strict=True), values)
        _, say = template.says[0]
        yield say(values)
