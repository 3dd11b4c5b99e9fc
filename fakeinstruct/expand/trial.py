"""Trying a template on examples: what it says, before any chain meets it."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from jinja2 import nodes

from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand import sandbox
from fakeinstruct.expand.branches import Branches, watched
from fakeinstruct.expand.context import ABSENT, PHOTOGRAPH, Facts
from fakeinstruct.expand.fields import fields_in
from fakeinstruct.expand.placeholders import HIDDEN
from fakeinstruct.expand.render import Drawn, Rendered, render_variant
from fakeinstruct.expand.sandbox import Finding
from fakeinstruct.expand.space import Item, Space, Subject, spaces
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.variants import encode

LONGEST_QUESTION = 1_000
"""Characters of a question about an example; a model reads it beside an image of hundreds of tokens."""

LONGEST_ANSWER = 4_000
"""Characters of an answer about an example: about 1,000 tokens. Chains may have longer texts than examples."""

TOLD_APART = 6
"""Words from which on a sentence of an answer may not stand in its question; "the image is fake" has four."""

GAP = re.compile(r"  |\n\s*\n\s*\n| $", re.M)
"""What a missing part leaves behind if its template is careless."""

THOROUGH = 2
"""Subjects of an example that all phrases are tried on; the others are tried once."""

HOLE = re.compile(
    r"((?:block (\w+)|phrase (.*)): )(?:there is no field '|would print a value that the chain lacks)", re.S
)
"""How rendering words that a value is missing: in which block or phrase."""

NEEDED = {"where": "region", "boxes": "region", "box": "region", "name": "attribute"} | {
    name: name for name in ("inference", "advice")
}
"""By field, what a template needs so that it is always there."""

SEARCHED = 3_000
"""Variants that are searched for branches that were not reached."""


@dataclass
class Trial:
    """What a template said of the examples.

    Attributes:
        template: The template.
        labels: Labels of the examples that filled it.
        questions: Everything it asked.
        answers: Everything it answered.
        findings: What was wrong with it.
    """

    template: Template
    labels: set[Label] = field(default_factory=set)
    questions: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


def attempt(template: Template, examples: Iterable[Facts]) -> Trial:
    """Try every phrase, option text and item of a template at least once.

    The findings end with the first of one kind: the rest are likely the same.

    Args:
        template: A template in which `check` found nothing.
        examples: Chains to try it on.
    """
    trial = Trial(template)
    copy, branches = watched(template)
    examples = list(examples)
    try:
        for facts in examples:
            for drawn in _thoroughly(spaces(copy, facts).values()):
                _look_at(trial, _render(copy, facts, drawn))
        _search(copy, branches, examples)
    except RecordError as error:
        _, _, line = (error.file or "").rpartition(":")
        trial.findings.append(Finding(int(line) if line.isdigit() else 0, error.problem, error.hint))
        return trial
    trial.findings += _unserved(trial) or branches.open.values()
    return trial


def _thoroughly(found: Iterable[Space]) -> Iterator[Drawn]:
    """Each item of each topic; of the first ones, each phrase."""
    seen = 0
    for space in found:
        first = 0
        for item in space.items:
            turns = max(item.radices[2:], default=1) if seen < THOROUGH * len(space.items) else 1
            yield from (_turn(space, item, first, turn) for turn in range(turns))
            first += item.count
            seen += 1


def _turn(space: Space, item: Item, first: int, turn: int) -> Drawn:
    """The variant with phrase number `turn` of every list, counted round."""
    number = first + encode([turn % radix for radix in item.radices], item.radices)
    return Drawn(number, space.decode(number))


def _search(template: Template, branches: Branches, examples: list[Facts]) -> None:
    """Render further variants as long as there are branches that none has reached."""
    for drawn, facts in islice(_all(template, examples), SEARCHED):
        if not branches.open:
            return
        _render(template, facts, drawn)


def _render(template: Template, facts: Facts, drawn: Drawn) -> Rendered:
    """Render a variant.

    Raises:
        RecordError: As `render_variant`, but naming the field that a chain may lack, and what to do about it.
    """
    try:
        return render_variant(template, facts, drawn)
    except RecordError as error:
        hole = HOLE.match(error.problem)
        if not hole:
            raise
        where, block, phrase = hole.groups()
        values = {**facts.values, **drawn.variant.subject.values(0)}
        tree = template.blocks[block] if block else sandbox.parse(literal_eval(phrase), template.file)
        for _, owner, name in _printed(tree):
            if _lacks(values.get(owner), name):
                problem = f"{where}would print {owner}.{name}, which a chain may lack"
                hint = _filler(template, facts, drawn.variant.subject, owner, name)
                raise RecordError(problem, file=error.file, hint=hint) from None
        raise


def _printed(tree: nodes.Node) -> list[tuple[int, str, str]]:
    """Uses of a field that no condition of the tree asks after."""
    asked = {use[1:] for branch in tree.find_all(nodes.If) for use in fields_in(branch.test)}
    return [use for use in fields_in(tree) if use[1:] not in asked]


def _lacks(owner: Any, name: str) -> bool:
    held = owner if isinstance(owner, list) else [owner]
    return any(one is None or (isinstance(one, dict) and one.get(name) is None) for one in held)


def _filler(template: Template, facts: Facts, subject: Subject, owner: str, name: str) -> str:
    """What to do about a field that is missing."""
    if owner == "strongest":
        needed = "" if template.front.needs.strongest else "Add 'strongest: true' to 'needs'."
        real = "A real image has no strongest trace: word it by label, or under {% if strongest %}."
        return f"{needed} {real if facts.chain.label is Label.REAL else ''}".strip()
    if owner == "attribute" and (name == "observation" or subject.status in (ABSENT, PHOTOGRAPH)):
        cases = "phrases for flawed, sound, absent, photograph"
        return f"Of an attribute that is '{subject.status}' it is never there: word it by status ({cases})."
    if owner in ("first", "second") and name == "observation":
        cases = "phrases for both, first, second, neither"
        return f"Where the relation is '{subject.status}' it may be missing: word it by relation ({cases})."
    need = NEEDED.get(name)
    return f"Put it under {{% if {_loop_name(owner)}.{name} %}}" + (
        f", or add '{need}: true' to 'needs'." if need else "."
    )


def _loop_name(owner: str) -> str:
    return {"traces": "trace", "looks": "look", "tags": "tag"}.get(owner, owner)


def _all(template: Template, examples: list[Facts]) -> Iterator[tuple[Drawn, Facts]]:
    """Variants of every example in turn, evenly spread over each space."""
    each = SEARCHED // len(examples)
    for facts in examples:
        found = spaces(template, facts)
        for space in found.values():
            step = max(1, space.count * len(found) // each) | 1  # odd: phrase lists are often of even length
            yield from ((Drawn(n, space.decode(n)), facts) for n in range(0, space.count, step))


def _look_at(trial: Trial, pair: Rendered) -> None:
    """Note what a pair says and what is wrong with it.

    Raises:
        RecordError: If anything is.
    """
    questions, answers = pair.texts[0::2], pair.texts[1::2]
    trial.labels.add(pair.facts.chain.label)
    trial.questions.update(questions)
    trial.answers.update(answers)
    for text in questions:
        _check_text("question", text, LONGEST_QUESTION)
    for text in answers:
        _check_text("answer", text, LONGEST_ANSWER)
    _check_first_word(pair, answers[0])
    if pair.choices is None:
        _check_leaks(questions, answers)


def _check_text(kind: str, text: str, most: int) -> None:
    if not re.search(r"\w", text):
        raise RecordError(f"the {kind} {text!r} says nothing")
    if len(text) > most:
        raise RecordError(f"a {kind} has {len(text):,} characters on an example, over {most:,}")
    if hidden := HIDDEN.search(text):
        raise RecordError(f"the {kind} has the character {hidden.group()!a}, which nobody sees")
    if gap := GAP.search(text):
        problem = (
            f"a {kind} has two spaces, one at a line's end, or two empty lines: {text[: gap.end()][-60:]!r}"
        )
        raise RecordError(problem, hint="A part that may be missing takes its space along.")


def _check_first_word(pair: Rendered, answer: str) -> None:
    words = pair.template.front.label_words
    if words is None:
        return
    label = pair.facts.chain.label
    wanted = words.fake if label is Label.FAKE else words.real
    first = answer.split()[0].rstrip(".,:;!")
    if first not in wanted:
        raise RecordError(
            f"the answer for a {label} image begins with '{first}', "
            f"not with a label word ({', '.join(wanted)})"
        )


def _check_leaks(questions: tuple[str, ...], answers: tuple[str, ...]) -> None:
    """An answer's sentence may not stand in the question that it replies to, or in one before."""
    asked = ""
    for question, answer in zip(questions, answers, strict=True):
        asked += " " + plain(question) + " "
        for sentence in re.split(r"(?<=[.!?])\s+|\n", answer):
            words = plain(sentence)
            if words.count(" ") >= TOLD_APART - 1 and f" {words} " in asked:
                raise RecordError(f"the answer's sentence {sentence!r} stands in the question")


def plain(text: str) -> str:
    """The words of a text: lower case, without punctuation, one space apart."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _unserved(trial: Trial) -> list[Finding]:
    if not trial.labels:
        return [
            Finding(
                0,
                "no example fills it",
                "Examples have up to a trace for every attribute, and up to five judged absent.",
            )
        ]
    if len(trial.labels) < len(Label):
        hint = "See 'flaws' under 'needs', and phrases by label."
        return [Finding(0, "serves one label only, so its questions give the label away", hint)]
    return []
