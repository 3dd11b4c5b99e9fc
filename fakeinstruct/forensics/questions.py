"""Questions: what an expert is asked of each item, from a chain set or a pair set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fakeinstruct.chains.schema import Chain
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.card import Aggregation, Position, Readout
from fakeinstruct.expert.rows import messages_of
from fakeinstruct.expert.sft import Messages
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
    """

    view: View
    messages: Messages
    words: dict[str, tuple[str, ...]]
    facts: dict[str, Any] = field(default_factory=dict)
    position: Position = "first"
    prefix: str = ""
    after: str | None = None
    aggregation: Aggregation = "logsumexp"

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
    chains: Iterable[Chain], readouts: Sequence[Readout], splits: Sequence[str]
) -> Iterator[Question]:
    """The readouts' questions about every chain of some splits; chains without a split are asked about too."""
    for chain in chains:
        if chain.split is None or chain.split in splits:
            facts = chain_facts(chain)
            for readout in readouts:
                yield verdict_question(View(chain.image.path), readout, facts)


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


def closed_questions(pairs: PairSet, splits: Sequence[str]) -> Iterator[Question]:
    """The pairs whose answer is one token: multiple choice by letter, and verdicts by a readout's word."""
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
