"""How the answers to verdict templates are read as probabilities, and which questions ask for reasons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fakeinstruct.expand import sandbox
from fakeinstruct.expand.pair import VerdictReadout
from fakeinstruct.expand.template import Template, TemplateSet


def readouts(templates: TemplateSet) -> tuple[VerdictReadout, ...]:
    """The readout of each template with label words whose question needs nothing of a chain."""
    return tuple(
        VerdictReadout(template=template.id, prompts=prompts, fake=words.fake, real=words.real)
        for template in templates.templates
        if (words := template.front.label_words) and (prompts := tuple(questions(template)))
    )


def explanation_prompts(templates: TemplateSet) -> tuple[str, ...]:
    """Questions that ask for a verdict with its reasons."""
    found = (text for template in templates.templates if template.front.explains for text in questions(template))
    return tuple(dict.fromkeys(found))


def questions(template: Template) -> Iterator[str]:
    """Every wording of a template's first question; none if it names something of the chain."""
    used = [name for name in template.variants if name in sandbox.names_in(template.blocks["user"])]
    if template.question_names - set(template.variants):
        return
    lists = (template.variants[name].get("", ()) for name in used)
    for phrases in product(*lists):
        yield sandbox.render(template.compiled, dict(zip(used, phrases, strict=True)), "user")
