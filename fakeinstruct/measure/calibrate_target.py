"""Where `calibrate` takes readouts from and puts them back: an expert's card, or a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import CARD, UNFITTED, ExpertCard, Readout, load_card, save_card
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.forensics.protocol import Protocol, load_protocol, save_protocol
from fakeinstruct.measure.fitting import asked_of


@dataclass(frozen=True)
class Target:
    """Where the readouts stand that are fitted, and to where they go back.

    Attributes:
        file: `expert.json`, or the protocol to be written.
        content: What it holds.
        hint: What to do if it lacks a readout.
    """

    file: Path
    content: ExpertCard | Protocol
    hint: str

    def save(self, fitted: Sequence[Readout]) -> None:
        """Write the file with these readouts in the place of those that ask the same."""
        new = {asked_of(each): each for each in fitted}
        readouts = tuple(new.get(asked_of(each), each) for each in self.content.readouts)
        content = self.content.model_copy(update={"readouts": readouts})
        if isinstance(content, ExpertCard):
            save_card(self.file.parent, content)
        else:
            save_protocol(content, self.file)


def card_target(expert: str | Path, answers: AnswerSet) -> Target:
    """The expert's card.

    Raises:
        UsageError: If it has none, or one without a readout.
        FakeInstructError: If it cannot be read.
    """
    file = Path(expert) / CARD
    to_protocol = "Write them to a protocol instead, which 'score' and 'detect' take: --out fitted.yaml."
    brought = bool(answers.meta.protocol.readouts)
    if brought and not file.is_file():
        raise UsageError(f"has no {CARD} to hold scale and bias", file=expert, hint=to_protocol)
    card = load_card(expert)
    if not card.readouts:
        hint = to_protocol if brought else None
        raise UsageError("has no readout to calibrate", file=file, field="readouts", hint=hint)
    alone = "Score the expert by its own readouts, without a --protocol that brings others."
    return Target(file, card, to_protocol if brought else alone)


def protocol_target(out: Path, answers: AnswerSet) -> Target:
    """The protocol that the answers were asked by, to be written to `out`; aggregated as it was asked.

    Raises:
        UsageError: If it brought no readouts, or `out` is no file for a protocol.
    """
    protocol = answers.meta.protocol
    if not protocol.readouts:
        raise UsageError(
            f"was asked by the readouts of {CARD}, not by those of a protocol",
            file=answers.folder,
            hint=f"Leave out --out: scale and bias go to {CARD}.",
        )
    if out.suffix not in (".yaml", ".yml"):
        raise UsageError("is not named like a protocol", file=out, hint="Name it .yaml.")
    # what is no protocol is somebody's own, and an error here
    earlier = {asked_of(each): each for each in load_protocol(out).readouts} if out.exists() else {}
    as_asked = {asked_of(each): each for each in answers.meta.readouts}
    known = [as_asked.get(asked_of(each), each) for each in protocol.readouts]
    readouts = tuple(_with_fit_of(each, earlier.get(asked_of(each))) for each in known)
    hint = "Calibrate answers of one protocol at a time."
    return Target(out, protocol.model_copy(update={"readouts": readouts}), hint)


def _with_fit_of(readout: Readout, earlier: Readout | None) -> Readout:
    """The readout with the scale and bias that the file holds so far, if it has the same one."""
    if earlier is None or earlier.aggregation != readout.aggregation:
        return readout
    return readout.model_copy(update={name: getattr(earlier, name) for name in UNFITTED})
