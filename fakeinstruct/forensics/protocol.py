"""Protocols: how an expert is asked, as one piece of data that answers carry with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from fakeinstruct.base.config import StrictModel, explain, read_yaml, validate
from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.base.files import atomic_write, fingerprint
from fakeinstruct.base.surfaces import surface
from fakeinstruct.chains.schema import Sha256, Split
from fakeinstruct.expert.card import UNFITTED, Aggregation, Readout, Text
from fakeinstruct.forensics.conditions import parse_conditions
from fakeinstruct.forensics.measuring import Measuring

QUESTION = "{question}"
"""Stands in an open prompt for the benchmark's own question."""


class OpenPrompt(StrictModel):
    """A question of a benchmark that is answered in words.

    Attributes:
        name: What answers call it.
        kind: Kind of the items it is for.
        prompt: The question as the benchmark words it, or a text around `{question}`, which stands for that.
    """

    name: Text
    kind: Literal["open", "attribute"] = "open"
    prompt: Text


class Protocol(StrictModel):
    """How an expert is asked about items.

    Attributes:
        name: What figures call it.
        readouts: How verdicts are read; absent, as the expert's own `expert.json` says.
        questions: Ask the `readouts`, or the `benchmark`'s own questions (items.jsonl), each of which must be one of
            the readouts' or one of `open`.
        open: Questions of a benchmark that are answered in words.
        prompts_sha256: Hash of the exact prompts, which pins them: of other prompts nothing is asked.
        readout: Name of the readout to lead with, the first by default.
        prompts: How many wordings of the question are asked, in one pass where the model can be packed.
        held_out: How many of them the model was never trained on.
        splits: Splits of the items that are asked about; items without one always are.
        aggregation: How a label's words are joined; absent, as each readout says.
        conditions: Perturbations, each asked beside the clean image, see `fakeinstruct.forensics.conditions`.
        interventions: What is done to the regions that a chain cites, see `fakeinstruct.forensics.intervene`.
        controls: Random regions of equal area beside each cited one.
        samples: Rationales sampled before a verdict that is scanned for; 1 writes the likeliest.
        prior: Ask about pictures that show nothing as well.
        explain: Let the expert explain each verdict in words.
        seed: Seed of perturbations, random regions and sampled rationales.
    """

    name: str = "zero-shot"
    readouts: tuple[Readout, ...] = ()
    questions: Literal["readouts", "benchmark"] = "readouts"
    open: tuple[OpenPrompt, ...] = ()
    prompts_sha256: Sha256 | None = None
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

    @field_validator("readouts")
    @classmethod
    def _distinct(cls, readouts: tuple[Readout, ...]) -> tuple[Readout, ...]:
        for prompt, count in Counter(each.prompt for each in readouts).items():
            if count > 1:  # answers are told apart by their prompts
                raise ValueError(f"{count} readouts ask '{prompt}'")
        return readouts

    @field_validator("conditions")
    @classmethod
    def _in_one_spelling(cls, conditions: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(condition.name for condition in parse_conditions(conditions))
        except UsageError as error:
            raise ValueError(f"{error.problem}. {error.hint}") from None

    @field_validator("interventions")
    @classmethod
    def _once(cls, interventions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(interventions))

    @model_validator(mode="after")
    def _pinned(self) -> Protocol:
        if self.readouts and self.prompts_sha256 not in (
            None,
            found := prompts_sha256(self.readouts, self.open),
        ):
            raise ValueError(
                f"its prompts are not those that prompts_sha256 pins ({self.prompts_sha256}): theirs is {found}"
            )
        return self


class Evaluation(Protocol):
    """A protocol's file: how an expert is asked, and what is measured of its answers.

    Attributes:
        measure: What is measured; `score` does not read it.
    """

    measure: Measuring = Field(default_factory=Measuring)

    def asking(self) -> Protocol:
        """How is asked alone, which answers carry with them."""
        return Protocol.model_validate(self.model_dump(exclude={"measure"}))


def prompts_sha256(readouts: Sequence[Readout], open: Sequence[OpenPrompt] = ()) -> str:
    """A hash of what is asked and where which words are read, in this order, whatever a model has learned of it."""
    pinned = ("prompt", "position", "prefix", "after", "fake", "real")
    return fingerprint(
        [
            [[getattr(each, name) for name in pinned] for each in readouts],
            [[each.kind, each.prompt] for each in open],
        ]
    )


def load_protocol(name: str | Path | None = None, **settings: Any) -> Protocol:
    """How a protocol of `eval/protocols/` or of a file asks, with what was said on the command line on top.

    Args:
        name: A protocol's name there ("zero-shot"), or the path of a YAML file; None asks as the expert's own
            `expert.json` says.
        settings: Fields of `Protocol`; what is None stays as it is.

    Raises:
        UsageError: If there is no such protocol, or it or a setting is not of the schema; a misspelt key is named with
            the nearest known one.
    """
    return load_evaluation(name, **settings).asking()


def as_protocol(protocol: Protocol | str | Path | None) -> Protocol:
    """A protocol as it is, or that of a name or file; None asks as the expert's own `expert.json` says.

    Raises:
        UsageError: If there is no such protocol, or it is none of these.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol is None or isinstance(protocol, str | Path):
        return load_protocol(protocol)
    raise UsageError(
        f"a {type(protocol).__name__} is no protocol",
        hint='Give a name ("zero-shot"), a file, or what load_protocol returns.',
    )


def load_evaluation(name: str | Path | None, **settings: Any) -> Evaluation:
    """The same with what is measured.

    Raises:
        UsageError: As `load_protocol`.
    """
    said = {field: value for field, value in settings.items() if value is not None}
    if name is not None:
        file = protocol_file(name)
        content = read_yaml(file)
        if not isinstance(content, dict):
            raise UsageError("is not a mapping of keys to values", file=file)
        validate(
            Evaluation, content, file=file
        )  # what is wrong with the file is not said of the command line
        said = content | said
    try:
        return Evaluation.model_validate(said)
    except ValidationError as error:
        field, problem, hint = explain(error, Evaluation)
        raise UsageError(problem, field=field, hint=hint) from None


def save_protocol(protocol: Protocol, path: str | Path) -> None:
    """Write a protocol as YAML that `load_protocol` takes, without what is at its default.

    Raises:
        FakeInstructError: If it cannot be written.
    """
    content = protocol.model_dump(mode="json", exclude_defaults=True)
    with atomic_write(path) as file:
        file.write(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).encode())


def protocol_file(name: str | Path) -> Path:
    """The file of a protocol.

    Raises:
        UsageError: If no protocol has that name.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    named = surface("eval") / "protocols" / f"{name}.yaml"
    if not named.is_file():
        known = [file.stem for file in named.parent.glob("*.yaml")]
        raise UsageError(
            f"no protocol named '{name}'", hint=f"{nearest(str(name), known)} Or give a file's path."
        )
    return named


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
    # a model that learned none of them has none to hold out
    none_learned = not any(each.trained for each in known)
    trained = in_turn([leading, *(each for each in rest if each.trained or none_learned)])
    unseen = in_turn([each for each in rest if not each.trained and not none_learned])
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
        aggregated(each, protocol.aggregation) for each in (*trained[:wanted], *unseen[: protocol.held_out])
    )


def aggregated(readout: Readout, aggregation: Aggregation | None) -> Readout:
    """The readout with another aggregation, and then without the scale and bias that were fitted for its own."""
    if aggregation is None or aggregation == readout.aggregation:
        return readout
    return readout.model_copy(update={"aggregation": aggregation, **UNFITTED})


def in_turn(readouts: Sequence[Readout]) -> list[Readout]:
    """Readouts with one of each name in turn, names in the order of their first."""
    by_name: dict[str, list[Readout]] = {}
    for readout in readouts:
        by_name.setdefault(readout.name, []).append(readout)
    return [each for turn in zip_longest(*by_name.values()) for each in turn if each is not None]
