"""Questions: what an expert is asked of each item, from a chain set or a pair set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any

from fakeinstruct.chains.schema import Chain
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.card import Aggregation, Position, Readout
from fakeinstruct.expert.rows import messages_of
from fakeinstruct.expert.sft import Messages
from fakeinstruct.forensics.conditions import Condition, parse_conditions
from fakeinstruct.forensics.intervene import interventions
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View


@dataclass(frozen=True)
class Question:
    """One question about one picture whose answer is read from a token.

    Attributes:
        view: The picture.
        messages: The conversation up to the answer.
        words: Words of each class, class to words.
        facts: Columns of the answer that are known before it is asked.
        position: Where the answer is read, see `Readout`.
        prefix: How the answer is made to begin.
        after: What a verdict that is scanned for stands behind.
        aggregation: How the words of a label are joined.
        draw: Seed of the rationale before a verdict that is scanned for; None writes the likeliest.
    """

    view: View
    messages: Messages
    words: dict[str, tuple[str, ...]]
    facts: dict[str, Any] = field(default_factory=dict)
    position: Position = "first"
    prefix: str = ""
    after: str | None = None
    aggregation: Aggregation = "logsumexp"
    draw: int | None = None

    def key(self) -> tuple[Any, ...]:
        """What tells this question from all others of a run: the columns of `answers.KEY`."""
        from fakeinstruct.forensics.answers import KEY

        return tuple(self.facts.get(name) for name in KEY)


def verdict_question(view: View, readout: Readout, facts: dict[str, Any]) -> Question:
    """A readout's question about a picture."""
    asked = {
        "kind": "verdict",
        "task": "verdict",
        "template": readout.name,
        "prompt": readout.prompt,
        "trained": readout.trained,
        "position": readout.position,
        "look": 1,
        "condition": "clean",
        "sample": 0,
    }
    return Question(
        view,
        user_turn(readout.prompt),
        readout.words(),
        asked | facts,
        readout.position,
        readout.prefix or "",
        readout.after,
        readout.aggregation,
    )


def verdict_questions(
    chains: Iterable[Chain],
    readouts: Sequence[Readout],
    protocol: Protocol,
    twins: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Question]:
    """The readouts' questions about every chain of a protocol's splits, those about one view side by side.

    Chains without a split are asked about too.

    Args:
        chains: The chains.
        readouts: What is asked of each view.
        protocol: Splits, conditions and interventions.
        twins: Path of the real image by id, which a region is repaired from.
    """
    conditions = parse_conditions(protocol.conditions, protocol.seed)
    for chain in chains:
        if chain.split is None or chain.split in protocol.splits:
            facts = chain_facts(chain)
            for view, more in chain_views(chain, protocol, conditions, twins):
                for readout in readouts:
                    yield verdict_question(view, readout, facts | more)


def chain_views(
    chain: Chain, protocol: Protocol, conditions: Sequence[Condition], twins: Mapping[str, str]
) -> Iterator[tuple[View, dict[str, Any]]]:
    """Every view of a chain's picture with the columns that name it: clean, conditions, interventions."""
    path = chain.image.path
    yield View(path), {}
    yield from condition_views(path, conditions)
    for change, facts in interventions(chain, protocol, twins):
        yield View(path, change), facts


def condition_views(path: str, conditions: Sequence[Condition]) -> Iterator[tuple[View, dict[str, Any]]]:
    """A picture under each condition, with the columns that name it."""
    for condition in conditions:
        for look, change in enumerate(condition.looks, start=1):
            yield View(path, change), {"condition": condition.name, "look": look}


def chain_facts(chain: Chain) -> dict[str, Any]:
    """The columns of an answer that a chain gives."""
    return {
        "item": chain.id,
        "chain": chain.id,
        "label": chain.label,
        "manipulation": chain.manipulation,
        "generator": chain.generator,
        "camera_set": chain.camera_set,
        "group": chain.group,
        "split": chain.split,
    }


def closed_questions(pairs: PairSet, protocol: Protocol) -> Iterator[Question]:
    """The pairs whose answer is one token: multiple choice by letter, and verdicts by a readout's word.

    All about one picture are asked, then all of them again under each condition.
    """
    conditions = parse_conditions(protocol.conditions, protocol.seed)
    for view, group in groupby(_clean_questions(pairs, protocol.splits), key=lambda question: question.view):
        questions = list(group)
        yield from questions
        for changed, facts in condition_views(view.path, conditions):
            for question in questions:
                yield replace(question, view=changed, facts=question.facts | facts)


def _clean_questions(pairs: PairSet, splits: Sequence[str]) -> Iterator[Question]:
    readouts = {readout.template: readout for readout in pairs.manifest.readouts}
    for pair in pairs.read(tasks=("choice", "verdict")):
        if (
            (pair.split is not None and pair.split not in splits)
            or len(pair.images) != 1
            or pair.images[0].crop
        ):
            continue
        readout = readouts.get(pair.template)
        if pair.choices and pair.target.choice and _answer(pair) in (pair.target.choice, ""):
            letters = tuple("ABCDEFGHIJ"[: len(pair.choices)])
            yield _closed(pair, {letter: (letter,) for letter in letters})
        elif pair.task == "verdict" and readout:
            yield _closed(pair, {"fake": readout.fake, "real": readout.real})


def _answer(pair: Pair) -> str:
    return pair.messages[-1].text() if pair.messages[-1].role == "assistant" else ""


def _closed(pair: Pair, words: dict[str, tuple[str, ...]]) -> Question:
    turns = messages_of(pair)
    messages = turns[:-1] if turns[-1]["role"] == "assistant" else turns
    facts = {
        "item": pair.id,
        "chain": pair.chain,
        "kind": "choice" if pair.choices else "verdict",
        "task": pair.task,
        "template": pair.template,
        "prompt": pair.messages[0].text(),
        "position": "first",
        "look": 1,
        "condition": "clean",
        "sample": 0,
        "label": pair.label,
        "group": pair.group,
        "split": pair.split,
        "target": pair.target.choice,
    }
    return Question(View(pair.images[0].path), messages, words, facts)
