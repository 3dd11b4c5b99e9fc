"""What calibrated figures will rest on, known from the splits before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import Evaluation, Protocol
from fakeinstruct.forensics.server import Server
from fakeinstruct.measure.evaluations.needs import Given
from fakeinstruct.measure.fit_warnings import few_images
from fakeinstruct.measure.fitting import Fit, asked_of, stored_fit


def fitted_on(
    expert: Expert | Server, asking: Protocol, readouts: Sequence[Readout], given: Sequence[Given]
) -> str:
    """What scale and bias will come from, as `measure` chooses it: validation answers, else what is stored.

    Args:
        expert: Who is asked.
        asking: How.
        readouts: What is asked.
        given: What it is asked about.
    """
    found = validation_asked(asking, given)
    if has_both(found):
        return f"the validation split: {labels_of(found)}"
    stored = _stored(expert, readouts)
    if stored.source is None:
        return f"nothing: {why_not(asking, given)}"
    return f"nothing here ({why_not(asking, given)}): scale and bias are those of {stored.source}, {stored.fitted_on}"


def warnings(evaluation: Evaluation, given: Sequence[Given]) -> Iterator[str]:
    """What a person should know of the fit before anything is asked: that there is none, or that it is on few images.

    Args:
        evaluation: The protocol.
        given: What it is evaluated on.
    """
    found = validation_asked(evaluation, given)
    if not has_both(found):
        if evaluation.measure.calibrate:
            yield f"the protocol says calibrate, and nothing can be fitted: {why_not(evaluation, given)}"
        return
    fakes = sum(chain.label is Label.FAKE for chain in found)
    if few := few_images(fakes, len(found) - fakes):
        yield f"calibrated figures will be {few}"


def validation_asked(asking: Protocol, given: Sequence[Given]) -> list[Chain]:
    """The validation images that will be asked about."""
    if Split.VALIDATION not in asking.splits:
        return []
    return [chain for each in given for chain in each.of(Split.VALIDATION)]


def why_not(asking: Protocol, given: Sequence[Given]) -> str:
    """Why nothing can be fitted on validation images."""
    if Split.VALIDATION not in asking.splits:
        return "the protocol does not ask about the validation split"
    found = validation_asked(asking, given)
    return f"the validation split holds {labels_of(found)}" if found else "there is no validation image"


def has_both(chains: Sequence[Chain]) -> bool:
    """Whether there are images of both labels."""
    return len({chain.label for chain in chains}) == len(Label)


def labels_of(chains: Sequence[Chain]) -> str:
    """How many images of each label there are, in words."""
    fakes = sum(chain.label is Label.FAKE for chain in chains)
    return f"{fakes:,} fake and {len(chains) - fakes:,} real images"


def _stored(expert: Expert | Server, readouts: Sequence[Readout]) -> Fit:
    """The scale and bias that an earlier `calibrate` stored for the prompts, less those of another model."""
    own = expert.sha256()[0] if any(each.fitted_expert for each in readouts) else None
    kept = [each for each in readouts if each.fitted_expert in (None, own)]
    return stored_fit(
        {asked_of(each): [] for each in readouts},
        kept,
        {asked_of(each): each.aggregation for each in readouts},
    )
