"""Protocols: how an expert is asked, as one piece of data that answers carry with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Literal

from pydantic import Field, ValidationError

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.schema import Split
from fakeinstruct.expert.card import Aggregation, Readout


class Protocol(StrictModel):
    """How an expert is asked about items.

    Attributes:
        name: What figures call it.
        readouts: How verdicts are read; absent, as the expert's own `expert.json` says.
        readout: Name of the readout to lead with, the first by default.
        prompts: How many wordings of the question are asked, in one pass where the model can be packed.
        held_out: How many of them the model was never trained on.
        splits: Splits of the items that are asked about; items without one always are.
        aggregation: How a label's words are joined; absent, as each readout says.
        conditions: Perturbations, each asked beside the clean image, see `fakeinstruct.forensics.perturb`.
        interventions: What is done to the regions that a chain cites, see `fakeinstruct.forensics.intervene`.
        controls: Random regions of equal area beside each cited one.
        samples: Rationales sampled before a verdict that is scanned for; 1 writes the likeliest.
        prior: Ask about pictures that show nothing as well.
        explain: Let the expert explain each verdict in words.
        seed: Seed of perturbations, random regions and sampled rationales.
    """

    name: str = "zero-shot"
    readouts: tuple[Readout, ...] = ()
    readout: str | None = None
    prompts: int = Field(default=1, ge=1)
    held_out: int = Field(default=0, ge=0)
    splits: tuple[Split, ...] = (Split.VALIDATION, Split.TEST)
    aggregation: Aggregation | None = None
    conditions: tuple[str, ...] = ()
    interventions: tuple[Literal["repair", "mask"], ...] = ()
    controls: int = Field(default=3, ge=1)
    samples: int = Field(default=1, ge=1)
    prior: bool = True
    explain: bool = False
    seed: int = 0


def make_protocol(**settings: Any) -> Protocol:
    """A protocol of what was said on the command line; what is None stays as it is by default.

    Raises:
        UsageError: If a setting is not one of the schema's.
    """
    try:
        return Protocol.model_validate({name: value for name, value in settings.items() if value is not None})
    except ValidationError as error:
        field, problem, hint = explain(error, Protocol)
        raise UsageError(problem, field=field, hint=hint) from None


def chosen_readouts(own: Sequence[Readout], protocol: Protocol) -> tuple[Readout, ...]:
    """The readouts that a protocol asks with, the leading one first.

    Of several names (templates) each gives a wording in turn, so that both polarities and both orders of the
    labels come in early; wordings that were never trained on come last.

    Args:
        own: Readouts of the expert's card, used where the protocol brings none.
        protocol: How many are wanted, and which leads.

    Raises:
        UsageError: If there is none, none of that name, or fewer than were asked for.
    """
    known = protocol.readouts or tuple(own)
    if not known:
        raise UsageError(
            "has no readout: it was not trained on verdict pairs",
            hint="Name a protocol with readouts, for example --protocol zero-shot.",
        )
    leading = next((each for each in known if protocol.readout in (None, each.name)), None)
    if leading is None:
        names = ", ".join(sorted({each.name for each in known}))
        raise UsageError(f"has no readout '{protocol.readout}'", hint=f"Known: {names}.")
    rest = [each for each in known if each is not leading]
    trained = in_turn([leading, *(each for each in rest if each.trained)])
    unseen = in_turn([each for each in rest if not each.trained])
    if protocol.held_out >= protocol.prompts:
        raise UsageError(
            f"{protocol.held_out} held-out prompts of {protocol.prompts}",
            hint="The leading prompt is not one.",
        )
    wanted = protocol.prompts - protocol.held_out
    if wanted > len(trained) or protocol.held_out > len(unseen):
        raise UsageError(
            f"asks for {wanted} prompts and {protocol.held_out} held-out ones; there are {len(trained)} and "
            f"{len(unseen)}",
            hint="Ask for fewer.",
        )
    return tuple(
        each
        if protocol.aggregation is None
        else each.model_copy(update={"aggregation": protocol.aggregation})
        for each in (*trained[:wanted], *unseen[: protocol.held_out])
    )


def in_turn(readouts: Sequence[Readout]) -> list[Readout]:
    """Readouts with one of each name in turn, names in the order of their first."""
    by_name: dict[str, list[Readout]] = {}
    for readout in readouts:
        by_name.setdefault(readout.name, []).append(readout)
    return [each for turn in zip_longest(*by_name.values()) for each in turn if each is not None]
