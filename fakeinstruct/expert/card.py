"""`expert.json`: what an expert was trained on, and how its probability is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import read_json, write_json

CARD = "expert.json"
"""File name of the card in an expert's folder."""


class Readout(StrictModel):
    """How a verdict becomes a probability: what is asked, where the answer is read, which words mean what.

    `position` "first" is the first token of the answer. `aggregation` joins a label's words: "logsumexp"
    of their logits, or their "sum" (FakeScope's token soft scoring). `scale` and `bias` are fitted on
    validation data by `calibrate`: probability = sigmoid(scale * margin + bias).
    """

    name: str
    prompt: str
    position: Literal["first"] = "first"
    fake: tuple[str, ...] = Field(min_length=1)
    real: tuple[str, ...] = Field(min_length=1)
    aggregation: Literal["logsumexp", "sum"] = "logsumexp"
    scale: float | None = None
    bias: float | None = None
    fitted_on: str | None = None

    @model_validator(mode="after")
    def _words_differ(self) -> Readout:
        if shared := set(self.fake) & set(self.real):
            raise ValueError(f"{sorted(shared)} stand for both labels")
        return self


class ExpertCard(StrictModel):
    """What stands in `expert.json`.

    `trained_on` holds hashes of the pairs and templates, the seed and the steps; `explanation_prompts` are
    questions it learned to answer with reasons.
    """

    schema_version: Literal[1] = 1
    base: str
    readouts: tuple[Readout, ...] = ()
    explanation_prompts: tuple[str, ...] = ()
    trained_on: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


def load_card(folder: str | Path) -> ExpertCard:
    """Read `expert.json` of an expert's folder.

    Raises:
        FakeInstructError: If it is missing, damaged, or not of this schema.
    """
    path = Path(folder) / CARD
    try:
        return ExpertCard.model_validate(read_json(path))
    except ValidationError as error:
        field, problem, hint = explain(error, ExpertCard)
        raise FakeInstructError(problem, file=path, field=field, hint=hint) from None


def save_card(folder: str | Path, card: ExpertCard) -> None:
    """Write `expert.json` atomically."""
    write_json(Path(folder) / CARD, card.model_dump(mode="json"))
