"""How the answers to verdict templates are read as probabilities, and which questions ask for reasons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fakeinstruct.expand import sandbox
from fakeinstruct.expand.pair import VerdictReadout
from fakeinstruct.expand.render import word
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
    found = (
        text for template in templates.templates if template.front.explains for text in questions(template)
    )
    return tuple(dict.fromkeys(found))


def questions(template: Template) -> Iterator[str]:
    """Every wording of a template's first question; none if it names something of the chain."""
    if template.question_names - set(template.variants):
        return
    names = [name for name in template.variants if name in template.question_names]
    for phrases in product(*(template.variants[name][""] for name in names)):
        context = sandbox.context_of(template.compiled, {})
        word(template, dict(zip(names, phrases, strict=True)), context)
        yield sandbox.render(template.compiled, context, "user")
