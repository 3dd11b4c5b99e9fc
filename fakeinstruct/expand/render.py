"""Rendering: (chain, template, variant) to a pair, a pure function."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.expand.context import PLACEHOLDER, Facts
from fakeinstruct.expand.options import LETTERS, option_texts
from fakeinstruct.expand.space import Space, Subject, Variant, spaces
from fakeinstruct.expand.target import target_of
from fakeinstruct.expand.template import Phrase, Template
from fakeinstruct.expand.variants import Permutation, mix, order
from fakeinstruct.expand.wording import Say, Values, WordingError

Row = dict[str, Any]
"""A pair as a row of a shard: the fields of `Pair`, in plain values."""

Stratum = tuple[str, str]
"""Template id and topic."""


class Choices(NamedTuple):
    """The options of one variant in the order they are shown."""

    texts: tuple[str, ...]
    letter: str
    attributes: tuple[str, ...]

    def values(self) -> Values:
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


class Rendered(NamedTuple):
    """A pair in words; what it shares with the other pairs of its chain and of its template stands there.

    Attributes:
        id: The pair's id.
        template: Its template.
        facts: Its chain.
        subject: What of the chain it is about.
        choices: Its options, if it has any.
        texts: The words of each turn.
    """

    id: str
    template: Template
    facts: Facts
    subject: Subject
    choices: Choices | None
    texts: tuple[str, ...]


def draw(template: Template, facts: Facts, topic: str, space: Space, seed: int) -> Iterator[Drawn]:
    """All variants of a topic in the order in which they are drawn: without replacement, keyed.

    The order depends on the seed, the chain's id, the template's id and the topic alone, so a larger quota
    adds pairs to those of a smaller one.
    """
    permutation = Permutation(space.count, mix(_key(seed, facts.chain.id) ^ _key(template.id, topic)))
    return (Drawn(number, space.decode(number)) for number in permutation)


@lru_cache(maxsize=65_536)
def _key(first: str | int, second: str) -> int:
    return stable_seed(first, second)


def render_variant(template: Template, facts: Facts, drawn: Drawn) -> Rendered:
    """Render one variant.

    Raises:
        RecordError: If it runs over a budget, meets a hole, or words a placeholder.
    """
    number, variant = drawn
    subject = variant.subject
    try:
        choices = choices_of(template, facts, variant)
        values = values_of(template, facts, variant, choices)
        word(template, chosen_phrases(template, facts, variant), values)
        texts = tuple([_turn(template, block, say, values) for block, say in template.says])
    except RecordError as error:
        raise error.located(record=facts.chain.id) from None
    identity = pair_id(facts.chain.id, template.id, subject.topic, number)
    return Rendered(identity, template, facts, subject, choices, texts)


def render_chain(
    templates: tuple[Template, ...], facts: Facts, quotas: dict[Stratum, int], seed: int
) -> Iterator[Rendered | RecordError]:
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
    by_template: dict[str, dict[str, int]] = {}
    for (name, topic), quota in quotas.items():
        by_template.setdefault(name, {})[topic] = quota
    for template in templates:
        wanted = by_template.get(template.id, {})
        for topic, space in (spaces(template, facts, wanted) if wanted else {}).items():
            left = wanted[topic]
            for drawn in draw(template, facts, topic, space, seed) if left else ():
                try:
                    pair = render_variant(template, facts, drawn)
                except RecordError as error:
                    yield error
                    left -= 1
                else:
                    if pair.texts not in seen:
                        seen.add(pair.texts)
                        yield pair
                        left -= 1
                if not left:
                    break


def pair_id(chain: str, template: str, topic: str, number: int) -> str:
    """The id of a pair: 20 hexadecimal digits of what it is made from."""
    return hashlib.blake2b(f"{chain}\0{template}\0{topic}\0{number}".encode(), digest_size=10).hexdigest()


def row_of(pair: Rendered) -> Row:
    """A pair as a row, with the fields of `Pair`; absent ones are None."""
    front, chain, path = pair.template.front, pair.facts.chain, pair.facts.chain.image.path
    crops = [{"path": path, "crop": list(crop), "parent": path} for crop in pair.subject.crops]
    return {
        "id": pair.id,
        "chain": chain.id,
        "template": pair.template.id,
        "task": front.task,
        "stage": front.stage,
        "images": [{"path": path}, *crops],
        "messages": [
            {"role": role, "content": [*_images(pair, turn), {"type": "text", "text": text}]}
            for turn, ((_, role), text) in enumerate(zip(pair.template.turns, pair.texts, strict=True))
        ],
        "label": chain.label.value,
        "split": chain.split.value if chain.split else None,
        "group": chain.group,
        "target": target_of(pair.template, pair.facts, pair.subject, pair.choices),
        "polarity": front.polarity.value if front.polarity else None,
        "choices": list(pair.choices.texts) if pair.choices else None,
        "references": list(pair.facts.references) or None if front.explains else None,
        "advice_origin": advice_origin(pair),
    }


def _images(pair: Rendered, turn: int) -> list[Row]:
    return [{"type": "image", "text": None}] * images_in_turn(pair, turn)


def images_in_turn(pair: Rendered, turn: int) -> int:
    """How many images a turn begins with: the whole one first of all, the crops with the second question."""
    return 1 if turn == 0 else len(pair.subject.crops) if turn == 2 else 0


def advice_origin(pair: Rendered) -> str | None:
    """Whether the advice that a pair gives is the annotator's alone ("chain") or the taxonomy's ("bank")."""
    if not pair.template.tells_advice:
        return None
    origins = {trace.from_bank for trace in pair.subject.traces if trace.advice}
    return None if not origins else "bank" if True in origins else "chain"


def choices_of(template: Template, facts: Facts, variant: Variant) -> Choices | None:
    """The options of a variant, worded and in order, if it has any."""
    spec, options = template.front.options, variant.subject.options
    if spec is None or options is None:
        return None
    texts = option_texts(spec, options, facts.names)
    arranged = order(variant.order, len(texts))
    worded = tuple(
        _phrase(template, template.phrase(spec.texts[kind]), values)
        for kind, values in (texts[n] for n in arranged)
    )
    return Choices(worded, LETTERS[arranged.index(options.right)], options.present)


def values_of(template: Template, facts: Facts, variant: Variant, choices: Choices | None) -> Values:
    """All that a template sees of a variant, but for its phrases."""
    values = {**facts.values, **variant.subject.values(variant.advice)}
    if choices:
        values |= choices.values()
    if template.front.polarity:
        values["yes_no"] = "Yes" if facts.chain.label is template.front.polarity else "No"
    return values


def chosen_phrases(template: Template, facts: Facts, variant: Variant) -> list[tuple[str, Phrase]]:
    """The phrases of a variant, by the names of their lists."""
    lists = template.phrase_lists(facts.values["label"], variant.subject.status)
    return [
        (name, phrases[digit])
        for name, phrases, digit in zip(template.variants, lists, variant.phrases, strict=True)
    ]


def word(template: Template, chosen: Iterable[tuple[str, Phrase]], values: Values) -> None:
    """Word the chosen phrases and add them to the values; those with Jinja in them see the plain ones.

    Raises:
        RecordError: If one runs over a budget or meets a hole.
    """
    to_say = []
    for name, phrase in chosen:
        if phrase.say is None:
            values[name] = phrase.text
        else:
            to_say.append((name, phrase))
    values |= [(name, _phrase(template, phrase, values)) for name, phrase in to_say]


def _phrase(template: Template, phrase: Phrase, values: Values) -> str:
    if phrase.say is None:
        return phrase.text
    try:
        return phrase.say(values)
    except WordingError as error:
        raise RecordError(f"phrase {phrase.text!r}: {error}", file=template.file) from None


def _turn(template: Template, block: str, say: Say, values: Values) -> str:
    try:
        text = say(values)
    except WordingError as error:
        place = f"{template.file}:{error.line}" if error.line else template.file
        raise RecordError(f"block {block}: {error}", file=place) from None
    if not text:
        raise RecordError(f"block {block} is empty", file=template.file)
    if "<" in text or "[" in text:
        match = PLACEHOLDER.search(text)
        if match:
            raise RecordError(
                f"the text holds the placeholder or control token {match.group()!r}", file=template.file
            )
    return text
