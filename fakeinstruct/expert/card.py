"""`expert.json`: what an expert was trained on, and how its probability is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat, NonNegativeInt, ValidationError, model_validator

from fakeinstruct.base.config import StrictModel, explain
from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import read_json, write_json

CARD = "expert.json"
"""File name of the card in an expert's folder."""


Position = Literal["first", "prefix", "scan"]
"""Where a verdict is read: at the answer's first token, behind a forced beginning, or where the model writes it."""

Aggregation = Literal["logsumexp", "sum", "mean", "pair"]
"""How the words of a label are joined, see `fakeinstruct.forensics.probability`."""


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_said)]
"""A text with something in it."""


class Readout(StrictModel):
    """How a verdict becomes a probability: what is asked, where the answer is read, which words mean what.

    Attributes:
        name: The template or the protocol it comes from; several wordings may share it.
        prompt: The question.
        position: "first" reads the answer's first token; "prefix" makes the answer begin with `prefix` and reads
            what follows; "scan" lets the model write and reads the verdict where it stands.
        prefix: With "prefix", the beginning of the answer, up to the label word and its leading space.
        after: With "scan", what the verdict is written after, for example "Verdict:"; absent, the first label word.
        fake: Words that mean fake in answer to this prompt: "no" to "Is this a real image?".
        real: Words that mean real.
        aggregation: How a label's words are joined.
        trained: Whether the model was trained on this wording.
        scale: Fitted by `calibrate`: probability = sigmoid(scale * margin + bias).
        bias: Fitted likewise.
        fitted_on: What they were fitted on, in words.
        fitted_items: The images that a bias alone was fitted on, which are then no test of it.
        fitted_n: How many fake and how many real images they were fitted on.
        fitted_expert: In a protocol, which has no expert of its own: hash of the one whose answers they were fitted
            on.
    """

    name: Text
    prompt: Text
    position: Position = "first"
    prefix: Text | None = None
    after: Text | None = None
    fake: tuple[Text, ...] = Field(min_length=1)
    real: tuple[Text, ...] = Field(min_length=1)
    aggregation: Aggregation = "logsumexp"
    trained: bool = True
    scale: FiniteFloat | None = None
    bias: FiniteFloat | None = None
    fitted_on: str | None = None
    fitted_items: tuple[str, ...] = ()
    fitted_n: dict[Literal["fake", "real"], NonNegativeInt] = Field(default_factory=dict)
    fitted_expert: str | None = None

    @model_validator(mode="after")
    def _sound(self) -> Readout:
        if shared := set(self.fake) & set(self.real):
            raise ValueError(f"{sorted(shared)} stand for both labels")
        for words in (self.fake, self.real):
            if len(set(words)) < len(words):
                raise ValueError(f"{sorted(words)} holds a word twice")
        if (self.position == "prefix") != (self.prefix is not None):
            raise ValueError("'prefix' belongs to position 'prefix', which needs it")
        if self.after is not None and self.position != "scan":
            raise ValueError("'after' belongs to position 'scan'")
        return self

    def words(self) -> dict[str, tuple[str, ...]]:
        """The words of each label."""
        return {"fake": self.fake, "real": self.real}


UNFITTED: dict[str, Any] = {
    "scale": None,
    "bias": None,
    "fitted_on": None,
    "fitted_items": (),
    "fitted_n": {},
    "fitted_expert": None,
}
"""Fields of a readout that `calibrate` fills, as they are before."""


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
