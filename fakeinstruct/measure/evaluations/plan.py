"""What an evaluation will do: which of a protocol's prompts there are to ask, and which baselines can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import (
    Evaluation,
    Protocol,
    chosen_readouts,
    load_protocol,
    prompts_sha256,
)
from fakeinstruct.forensics.server import Server
from fakeinstruct.measure.baselines.run import TRAINERS
from fakeinstruct.measure.evaluations.needs import Given, check_needs

FOREIGN = "zero-shot"
"""The protocol whose prompts are asked of a model that learned none."""


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        evaluation: The protocol.
        asking: How it asks, with no more prompts than there are.
        readouts: What is asked and read.
        sha256: Hash of the prompts.
        baselines: Baselines that can be trained on the items.
        remarks: What a person should know before: prompts and baselines that cannot be had.
    """

    evaluation: Evaluation
    asking: Protocol
    readouts: tuple[Readout, ...]
    sha256: str
    baselines: tuple[str, ...]
    remarks: tuple[str, ...]


def make_plan(expert: Expert | Server, evaluation: Evaluation, given: Sequence[Given]) -> Plan:
    """Decide what is asked and measured.

    Args:
        expert: Whom to ask.
        evaluation: The protocol.
        given: What it is evaluated on.

    Raises:
        UsageError: If the items are not what the protocol is about, or the prompts not those that it pins.
    """
    check_needs(evaluation, given)
    remarks: list[str] = []
    asking, readouts = evaluation.asking(), expert.card.readouts
    if not (asking.readouts or readouts):
        foreign = load_protocol(FOREIGN)
        how = {"readouts": foreign.readouts, "prompts": foreign.prompts, "held_out": foreign.held_out}
        asking = asking.model_copy(update=how)
        remarks.append(f"the expert learned no prompt of its own: it is asked those of '{FOREIGN}'")
    asking, fewer = as_many_as_there_are(asking, readouts)
    remarks += fewer
    chosen = chosen_readouts(readouts, asking)
    found = prompts_sha256(asking.readouts or chosen, asking.open)
    if evaluation.prompts_sha256 not in (None, found):
        raise UsageError(
            f"the prompts are not those that protocol '{evaluation.name}' pins ({evaluation.prompts_sha256}): "
            f"theirs is {found}",
            field="prompts_sha256",
            hint="Figures by other prompts are of another protocol: give it another name, and this hash.",
        )
    if asking.explain and not expert.card.explanation_prompts:
        asking = asking.model_copy(update={"explain": False})
        remarks.append("it explains nothing: it learned no question that asks for reasons")
    baselines, without = trainable(evaluation.measure.baselines, given, has_tower=isinstance(expert, Expert))
    return Plan(evaluation, asking, chosen, found, baselines, (*remarks, *without))


def as_many_as_there_are(asking: Protocol, own: Sequence[Readout]) -> tuple[Protocol, list[str]]:
    """The protocol with no more prompts, and no more held out, than there are; and what to say of it."""
    known = asking.readouts or tuple(own)
    learned = [each for each in known if each.trained]
    unseen = len(known) - len(learned) if learned else 0
    held_out = min(asking.held_out, unseen)
    prompts = min(asking.prompts - asking.held_out, len(known) - unseen) + held_out
    if (prompts, held_out) == (asking.prompts, asking.held_out):
        return asking, []
    fewer = asking.model_copy(update={"prompts": prompts, "held_out": held_out})
    return fewer, [
        f"{prompts} prompts are asked, {held_out} of them never trained on; the protocol would ask {asking.prompts}, "
        f"{asking.held_out} of them never trained on"
    ]


def trainable(
    baselines: Sequence[str], given: Sequence[Given], *, has_tower: bool
) -> tuple[tuple[str, ...], list[str]]:
    """The baselines that can be trained on the items, and why others cannot.

    Args:
        baselines: Those that the protocol names.
        given: The items.
        has_tower: Whether the expert's vision tower is at hand, for `probe`.
    """
    if "probe" in baselines and not has_tower:
        kept, said = trainable([name for name in baselines if name != "probe"], given, has_tower=True)
        return kept, ["no baseline probe: a server's vision tower is not at hand", *said]
    labels = {chain.label for chain in given[0].of(Split.TRAIN)} if len(given) == 1 else set()
    if len(labels) == len(Label):
        return tuple(baselines), []
    reason = (
        "the items have no train split with both labels"
        if len(given) == 1
        else "there are several sets of items"
    )
    without = [name for name in baselines if name in TRAINERS]
    kept = tuple(name for name in baselines if name not in TRAINERS)
    return kept, [f"no baseline {', '.join(without)}: {reason}"] if without else []
