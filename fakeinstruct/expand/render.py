"""Rendering: (chain, template, variant) to a pair, a pure function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from jinja2.runtime import Context

from fakeinstruct.base.errors import RecordError
from fakeinstruct.expand import sandbox
from fakeinstruct.expand.context import PLACEHOLDER, Facts, TraceFacts
from fakeinstruct.expand.options import LETTERS, option_texts
from fakeinstruct.expand.space import Space, Variant, spaces
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.variants import Permutation, order

Row = dict[str, Any]
"""A pair as a row of a shard: the fields of `Pair`, in plain values."""

STATES_VERDICT = frozenset({"verdict", "reasoning"})
"""Tasks whose answer always says fake or real."""


class Choices(NamedTuple):
    """The options of one variant in the order they are shown."""

    texts: tuple[str, ...]
    letter: str
    attributes: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """What templates see of them."""
        options = [
            {"letter": letter, "text": text} for letter, text in zip(LETTERS, self.texts, strict=False)
        ]
        return {
            "options": options,
            "answer": self.letter,
            "answer_text": self.texts[LETTERS.index(self.letter)],
        }


class Drawn(NamedTuple):
    """A variant that was drawn, and its number in the space of its topic."""

    number: int
    variant: Variant


def draw(template: Template, facts: Facts, topic: str, space: Space, seed: int) -> Iterator[Drawn]:
    """All variants of a topic in the order in which they are drawn: without replacement, keyed.

    The order depends on the seed, the chain's id, the template's id and the topic alone, so a larger quota
    adds pairs to those of a smaller one.
    """
    for number in Permutation(space.count, seed, facts.chain.id, template.id, topic):
        yield Drawn(number, space.decode(number))


def render_variant(template: Template, facts: Facts, drawn: Drawn) -> Row:
    """Render one variant.

    Raises:
        RecordError: If it runs over a budget, meets a hole, or words a placeholder.
    """
    number, variant = drawn
    topic = variant.subject.topic
    choices = _choices(template, facts, variant)
    context = sandbox.context_of(template.compiled, _values(template, facts, variant, choices))
    try:
        word(template, _phrases(template, facts, variant), context)
    except RecordError as error:
        raise error.located(record=facts.chain.id) from None
    messages = _messages(template, context, facts.chain.id)
    return {
        "id": pair_id(facts.chain.id, template.id, topic, number),
        "chain": facts.chain.id,
        "template": template.id,
        "task": template.front.task,
        "stage": template.front.stage,
        "images": [{"path": facts.chain.image.path}],
        "messages": messages,
        "label": facts.chain.label.value,
        "split": facts.chain.split.value if facts.chain.split else None,
        "group": facts.chain.group,
        "target": _target(template, facts, variant, choices),
        "polarity": template.front.polarity.value if template.front.polarity else None,
        "choices": list(choices.texts) if choices else None,
        "references": list(facts.references) or None if template.front.explains else None,
        "advice_origin": _advice_origin(variant.subject.traces) if template.tells_advice else None,
    }


def render_chain(
    templates: tuple[Template, ...], facts: Facts, quotas: dict[tuple[str, str], int], seed: int
) -> Iterator[Row | RecordError]:
    """All pairs of one chain, no two with the same words.

    A variant that renders to words already used is passed over and the next one drawn, so a quota is
    missed only where the distinct variants run out. A variant that cannot be rendered is yielded as the
    error and counts against the quota.

    Args:
        templates: The template set, in order.
        facts: The chain.
        quotas: Number of pairs by (template id, topic).
        seed: Seed of the draw.
    """
    seen: set[tuple[str, ...]] = set()
    for template in templates:
        wanted = {topic: count for (name, topic), count in quotas.items() if name == template.id and count}
        found = spaces(template, facts, wanted) if wanted else {}
        for topic, quota in wanted.items():
            left = quota
            for drawn in draw(template, facts, topic, found[topic], seed):
                try:
                    row = render_variant(template, facts, drawn)
                except RecordError as error:
                    yield error
                    left -= 1
                else:
                    words = tuple(message["content"][-1]["text"] for message in row["messages"])
                    if words not in seen:
                        seen.add(words)
                        yield row
                        left -= 1
                if not left:
                    break


def pair_id(chain: str, template: str, topic: str, number: int) -> str:
    """The id of a pair: 20 hexadecimal digits of what it is made from."""
    return hashlib.blake2b(json.dumps([chain, template, topic, number]).encode(), digest_size=10).hexdigest()


def _choices(template: Template, facts: Facts, variant: Variant) -> Choices | None:
    spec, options = template.front.options, variant.subject.options
    if spec is None or options is None:
        return None
    texts = option_texts(spec, options, facts.names)
    arranged = order(variant.order, len(texts))
    worded = tuple(
        _option(template, spec.texts[kind], values) for kind, values in (texts[n] for n in arranged)
    )
    return Choices(worded, LETTERS[arranged.index(options.right)], options.present)


def _values(template: Template, facts: Facts, variant: Variant, choices: Choices | None) -> dict[str, Any]:
    values = facts.values | variant.subject.values(variant.advice)
    if choices:
        values |= choices.values()
    if template.front.polarity:
        values["yes_no"] = "Yes" if facts.chain.label is template.front.polarity else "No"
    return values


def _phrases(template: Template, facts: Facts, variant: Variant) -> dict[str, str]:
    """The chosen phrases, as they stand in the template."""
    lists = template.phrase_lists(facts.chain.label.value, variant.subject.status)
    return {
        name: phrases[digit]
        for name, phrases, digit in zip(template.variants, lists, variant.phrases, strict=True)
    }


def word(template: Template, chosen: dict[str, str], context: Context) -> None:
    """Render the chosen phrases into a context; those with Jinja in them see the context and the plain ones.

    Raises:
        RecordError: If one runs over a budget or meets a hole.
    """
    compiled = template.compiled_phrases
    values = context.parent
    values |= {name: text for name, text in chosen.items() if text not in compiled}
    values |= {name: _phrase(template, text, context) for name, text in chosen.items() if text in compiled}


def _phrase(template: Template, text: str, context: Context) -> str:
    compiled = template.compiled_phrases[text]
    try:
        return sandbox.render(compiled, context)
    except sandbox.FAILURES as error:
        problem, _ = sandbox.describe(error, compiled)
        raise RecordError(f"phrase {text!r}: {problem}", file=template.file) from None


def _option(template: Template, text: str, values: dict[str, str]) -> str:
    compiled = template.compiled_phrases.get(text)
    return _phrase(template, text, sandbox.context_of(compiled, {**values})) if compiled else text


def _messages(template: Template, context: Context, chain: str) -> list[Row]:
    messages: list[Row] = []
    for block, role in template.turns:
        try:
            text = sandbox.render(template.compiled, context, block)
        except sandbox.FAILURES as error:
            problem, line = sandbox.describe(error, template.compiled)
            place = f"{template.file}:{line}" if line else template.file
            raise RecordError(f"block {block}: {problem}", file=place, record=chain) from None
        if not text:
            raise RecordError(f"block {block} is empty", file=template.file, record=chain)
        if "<" in text or "[" in text:
            _refuse_placeholder(text, template, chain)
        content: list[Row] = [{"type": "text", "text": text}]
        if not messages:
            content.insert(0, {"type": "image", "text": None})
        messages.append({"role": role, "content": content})
    return messages


def _refuse_placeholder(text: str, template: Template, chain: str) -> None:
    match = PLACEHOLDER.search(text)
    if match:
        raise RecordError(
            f"the text holds the placeholder or control token {match.group()!r}",
            file=template.file,
            record=chain,
        )


def _target(template: Template, facts: Facts, variant: Variant, choices: Choices | None) -> Row:
    """What the right answer says: verdict, letter, and the attributes and boxes of the traces it tells."""
    spec = template.front.options
    names = template.answer_names
    says_label = (
        template.front.task in STATES_VERDICT
        or "label" in names
        or (spec is not None and (spec.kind == "verdict" or spec.none_means == "real"))
    )
    about_one = template.front.over != "chain"
    told: tuple[TraceFacts, ...] = variant.subject.traces if about_one or "traces" in names else ()
    attributes = [trace.attribute for trace in told if trace.attribute]
    if choices:
        attributes += choices.attributes
    if "flaws" in names:
        attributes += facts.flawed
    return {
        "verdict": facts.chain.label.value if says_label else None,
        "choice": choices.letter if choices else None,
        "attributes": list(dict.fromkeys(attributes)),
        "boxes": [list(box) for trace in told for box in trace.boxes],
        "text": None,
    }


def _advice_origin(traces: tuple[TraceFacts, ...]) -> str | None:
    origins = {trace.from_bank for trace in traces if trace.advice}
    return None if not origins else "bank" if True in origins else "chain"
