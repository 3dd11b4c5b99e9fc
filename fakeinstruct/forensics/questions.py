"""Questions: what an expert is asked of each item, from a chain set or a pair set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fakeinstruct.chains.schema import Chain
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.expert.rows import messages_of
from fakeinstruct.expert.sft import Messages
from fakeinstruct.forensics.readout import user_turn


@dataclass(frozen=True)
class Question:
    """One question about one image whose answer is read from a token.

    Attributes:
        image: Path under the image root.
        messages: The conversation up to the answer.
        words: Words of each class, class to words.
        facts: Columns of the answer that are known before it is asked.
    """

    image: str
    messages: Messages
    words: dict[str, tuple[str, ...]]
    facts: dict[str, Any]


def verdict_questions(chains: Iterator[Chain], readout: Readout, splits: Sequence[str]) -> Iterator[Question]:
    """The readout's question about every chain of some splits; chains without a split are asked about too."""
    words = {"fake": readout.fake, "real": readout.real}
    messages = user_turn(readout.prompt)
    for chain in chains:
        if chain.split is not None and chain.split not in splits:
            continue
        facts = {
            "item": chain.id,
            "chain": chain.id,
            "kind": "verdict",
            "task": "verdict",
            "template": readout.name,
            "prompt": readout.prompt,
            "label": chain.label,
            "manipulation": chain.manipulation,
            "generator": chain.generator,
            "camera_set": chain.camera_set,
            "group": chain.group,
            "split": chain.split,
        }
        yield Question(chain.image.path, messages, words, facts)


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
        "label": pair.label,
        "group": pair.group,
        "split": pair.split,
        "target": pair.target.choice,
    }
    return Question(pair.images[0].path, messages, words, facts)
