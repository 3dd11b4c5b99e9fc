"""Front matter: what a template says of itself, above its blocks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from fakeinstruct.base.config import StrictModel
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.pair import Stage, Task

Over = Literal["chain", "trace", "attribute", "region", "comparison"]


Wording = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Needs(StrictModel):
    """What a chain must hold for a template to be filled.

    `traces`: so many traces that point to the chain's label; `absent`: so many attributes judged absent;
    `attribute` (it is filed under one), `region`, `inference`, `advice`: each trace that the template goes over
    (any one, for a template over the chain) has it. Advice may be the bank's.

    `flaws` and `strongest` are asked of fakes alone: so many traces that point to fake, and one of them graver
    than all others. With either, what is needed of traces is not needed of a real image.
    """

    traces: StrictInt = Field(0, ge=0)
    absent: StrictInt = Field(0, ge=0)
    flaws: StrictInt = Field(0, ge=0)
    strongest: StrictBool = False
    attribute: StrictBool = False
    region: StrictBool = False
    inference: StrictBool = False
    advice: StrictBool = False

    @property
    def of_traces(self) -> bool:
        """Whether something is needed of each trace."""
        return self.attribute or self.region or self.inference or self.advice

    @property
    def of_fakes(self) -> bool:
        """Whether a real image needs nothing."""
        return self.flaws > 0 or self.strongest


OPTION_TEXTS: dict[str, tuple[str, ...]] = {
    "verdict": ("fake", "real"),
    "attribute": ("one", "none"),
    "pair": ("both", "first", "second", "neither"),
}
"""The option texts that each kind of multiple choice is made of."""


class OptionSpec(StrictModel):
    """How the options of a multiple-choice question are made; their order is a variant.

    `verdict`: two options, `fake` and `real`. `attribute`: `count` - 1 attributes worded by `one` (it sees
    `name`), at most one of them present and the rest judged absent, and `none`. `pair`: of two attributes
    both, one or neither is present (texts see `first` and `second`). `none_means`: what makes `none` right:
    that nothing listed is present, or that the image is real.
    """

    kind: Literal["verdict", "attribute", "pair"]
    texts: dict[str, str]
    count: StrictInt = Field(4, ge=2, le=8)
    none_means: Literal["nothing listed", "real"] = "nothing listed"

    @model_validator(mode="after")
    def _has_its_texts(self) -> OptionSpec:
        wanted = OPTION_TEXTS[self.kind]
        if set(self.texts) != set(wanted):
            raise ValueError(f"options of kind {self.kind} take the texts {', '.join(wanted)}")
        return self


class LabelWords(StrictModel):
    """The first words of an answer that mean each label."""

    fake: tuple[str, ...] = Field(min_length=1)
    real: tuple[str, ...] = Field(min_length=1)


class FrontMatter(StrictModel):
    """The YAML above a template's blocks.

    `over` is what it is repeated for: once a chain, for each trace that points to the label, for each
    attribute that is known, for each region of a trace, or for couples of attributes. `variants` maps a name to
    a list of phrases, or to the name of a list in `phrases.yaml`, or to one list for each label, status or
    relation. `held_out` has wordings of such a list that no pair uses, kept for measuring. `polarity` is what
    "yes" means; `explains` marks questions that ask for a verdict with its reasons; with `looks` the second
    question shows crops of the regions that the first answer named.
    """

    task: Task
    stage: Stage = "instruction"
    over: Over = "chain"
    weight: float = Field(1.0, gt=0, le=1000)
    needs: Needs = Needs()
    options: OptionSpec | None = None
    variants: dict[str, Any] = Field(default_factory=dict)
    held_out: dict[str, tuple[Wording, ...]] = Field(default_factory=dict)
    label_words: LabelWords | None = None
    polarity: Label | None = None
    explains: StrictBool = False
    looks: StrictBool = False

    @model_validator(mode="after")
    def _goes_over_the_chain(self) -> FrontMatter:
        if self.options and self.over != "chain":
            raise ValueError("a template with options goes over the chain: its options say which attributes")
        if self.looks and (self.over != "chain" or self.options):
            raise ValueError("a template with looks goes over the chain, and has no options")
        return self
