"""A benchmark's own questions (items.jsonl of a chain set), asked as published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.chains.items import ITEMS, Item, read_items
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.conditions import parse_conditions
from fakeinstruct.forensics.protocol import QUESTION, OpenPrompt, Protocol
from fakeinstruct.forensics.questions import Question, chain_facts, chain_views, verdict_question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View


def benchmark_questions(
    chains: ChainSet, readouts: Sequence[Readout], protocol: Protocol, rejects: Rejects
) -> Iterator[Question]:
    """The items of a chain set as questions, those about one picture side by side.

    A verdict is read as the readout of the same prompt says; of that the benchmark's key must say the same, or an
    opposite polarity would pass for an expert that is always wrong. Under a protocol's conditions verdicts alone are
    asked again.

    Args:
        chains: The chain set.
        readouts: How the benchmark's closed questions are read.
        protocol: Its open prompts, splits and conditions.
        rejects: Collects items that the protocol has no prompt for, and those of no chain.

    Raises:
        UsageError: If the set has no items.
    """
    if not (chains.folder / ITEMS).is_file():
        raise UsageError(
            "has no questions of its own (items.jsonl)",
            file=chains.folder,
            hint="Import a benchmark, 'fakeinstruct import fakebench' for one, or name a protocol that brings its own.",
        )
    known = {chain.id: chain for chain in chains.read(rejects)}
    conditions = parse_conditions(protocol.conditions, protocol.seed)
    for chain, items in _by_chain(chains, known, rejects).items():
        asked = known[chain]
        if asked.split is not None and asked.split not in protocol.splits:
            continue
        facts = chain_facts(asked)
        for view, more in chain_views(asked, protocol, conditions, {}):
            for item in items:
                try:
                    question = question_of(item, view, readouts, protocol.open)
                except RecordError as error:
                    if not more:
                        rejects.add(error.located(file=chains.folder / ITEMS, record=item.id))
                    continue
                if question.words or not more:
                    yield replace(question, facts=facts | question.facts | more)


def _by_chain(chains: ChainSet, known: dict[str, Chain], rejects: Rejects) -> dict[str, list[Item]]:
    """The items of each chain, in the order of the first of each."""
    found: dict[str, list[Item]] = {}
    for item in read_items(chains.folder, rejects):
        if item.chain not in known:
            problem = f"is about a chain '{item.chain}' that is not there"
            rejects.add(RecordError(problem, file=chains.folder / ITEMS, record=item.id, field="chain"))
            continue
        found.setdefault(item.chain, []).append(item)
    return found


def question_of(
    item: Item, view: View, readouts: Sequence[Readout], open_prompts: Sequence[OpenPrompt]
) -> Question:
    """The question that an item asks about a picture; without words of labels if it is answered in words.

    Raises:
        RecordError: If no prompt of the protocol is its own, or the readout means the contrary of its key.
    """
    if item.kind == "verdict":
        readout = next((each for each in readouts if each.prompt == item.question), None)
        if readout is None:
            raise _unknown(item)
        if item.yes is not None and "yes" not in {word.casefold() for word in readout.words()[item.yes]}:
            raise RecordError(
                f"'yes' means {item.yes} here, and something else in the protocol's readout '{readout.name}'",
                field="yes",
            )
        return verdict_question(view, readout, {"item": item.id})
    prompt = next((each for each in open_prompts if _fits(each, item)), None)
    if prompt is None:
        raise _unknown(item)
    text = prompt.prompt.replace(QUESTION, item.question)
    facts = {
        "item": item.id,
        "kind": "open",
        "task": item.kind,
        "template": prompt.name,
        "prompt": text,
        "trained": False,
        "position": "scan",
        "look": 1,
        "condition": "clean",
        "sample": 0,
    }
    return Question(view, user_turn(text), {}, facts, position="scan")


def _fits(prompt: OpenPrompt, item: Item) -> bool:
    return prompt.kind == item.kind and (QUESTION in prompt.prompt or prompt.prompt == item.question)


def _unknown(item: Item) -> RecordError:
    return RecordError(
        f"the protocol has no prompt for this question: {item.question[:80]!r}",
        field="question",
        hint="A protocol pins the exact questions; name the one of this benchmark.",
    )
