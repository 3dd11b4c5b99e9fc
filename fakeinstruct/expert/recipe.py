"""A recipe: every number of a training run, in one YAML file with one schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fakeinstruct.base.config import StrictModel, load_config
from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import read_json
from fakeinstruct.base.surfaces import surface
from fakeinstruct.expand.pair import Task
from fakeinstruct.expert.small import SmallShape

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Data(StrictModel):
    """Which pairs are learned.

    `templates` names the templates whose pairs are learned, all by default. `pairs_per_image` limits how
    many pairs of each task an image gives an epoch; a task that is not named gives none. Without it every pair is
    learned. `max_tokens` is the longest conversation, image included: none is ever cut, a longer one is
    left out and counted. `mirror` turns every other image left to right at random, for verdicts alone:
    other answers name places.
    """

    split: Literal["train", "validation", "test"] = "train"
    templates: tuple[str, ...] | None = Field(None, min_length=1)
    pairs_per_image: dict[Task, Positive] | None = None
    max_tokens: Positive = 2048
    mirror: bool = False

    @model_validator(mode="after")
    def _mirrored_images_have_no_places(self) -> Data:
        if self.mirror and set(self.pairs_per_image or ()) != {"verdict"}:
            raise ValueError(
                "mirror goes with pairs_per_image: {verdict: ...} alone, since other answers name places"
            )
        return self


class Lora(StrictModel):
    """Low-rank adapters (PEFT) on the linear layers of the parts that are tuned."""

    rank: Positive = 128
    alpha: Positive = 256
    dropout: Share = 0.0


Part = Literal["vision_tower", "projector", "language_model"]


class Tune(StrictModel):
    """What is trained: all weights of the named parts, or adapters on them."""

    method: Literal["full", "lora"] = "full"
    parts: tuple[Part, ...] = Field(("vision_tower", "projector", "language_model"), min_length=1)
    lora: Lora | None = None

    @model_validator(mode="after")
    def _lora_has_its_section(self) -> Tune:
        if (self.method == "lora") != (self.lora is not None):
            raise ValueError("the section 'lora' goes with method: lora, and only with it")
        return self


class Optimizer(StrictModel):
    """AdamW and its schedule. `batch` is in pairs a process, `accumulate` in batches a step."""

    lr: float = Field(gt=0)
    epochs: float = Field(1.0, gt=0)
    batch: Positive = 16
    accumulate: Positive = 1
    warmup: Share = 0.03
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    beta2: float = Field(0.999, gt=0, lt=1)
    clip: float = Field(1.0, gt=0)


class Checkpoints(StrictModel):
    """How often the state is saved, in steps, and how many states are kept."""

    every: Positive = 500
    keep: Positive = 2


class Hardware(StrictModel):
    """Where and how it runs. `processes` is the number of processes on this machine, one a GPU.

    `deepspeed` names a file of `training/deepspeed/`, or a path.
    """

    processes: Positive = 1
    deepspeed: str = "zero2"
    precision: Literal["fp32", "bf16"] = "bf16"
    gradient_checkpointing: bool = False
    loader_workers: int = Field(0, ge=0)


class Recipe(StrictModel):
    """A training run.

    `base` is `small` (built from scratch, shaped by `small`), a local folder, or the name of a model that
    Transformers knows. `pairs` and `out` are usually given on the command line.
    """

    base: str
    pairs: Path | None = None
    out: Path | None = None
    image_root: Path | None = None
    seed: int = Field(0, ge=0)
    small: SmallShape | None = None
    data: Data = Data()
    tune: Tune = Tune()
    optimizer: Optimizer
    checkpoints: Checkpoints = Checkpoints()
    hardware: Hardware = Hardware()

    @field_validator("base")
    @classmethod
    def _base_is_named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("names no model")
        return value

    @model_validator(mode="after")
    def _small_has_its_shape(self) -> Recipe:
        if (self.base == "small") != (self.small is not None):
            raise ValueError("the section 'small' goes with base: small, and only with it")
        return self


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe: a path, or the name of one in `training/recipes/`.

    Args:
        path: The recipe's file, or its name there ("sample").
        overrides: `key.sub=value`, as on the command line.

    Raises:
        UsageError: If it is missing or not a recipe; a misspelt key is named with the nearest known one.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        named = surface("training") / "recipes" / f"{path}.yaml"
        if not named.is_file():
            known = ", ".join(sorted(file.stem for file in named.parent.glob("*.yaml")))
            raise UsageError(f"no recipe named '{path}'", hint=f"Known: {known}; or give a file's path.")
        path = named
    return load_config(Recipe, path, overrides)


def deepspeed_config(recipe: Recipe) -> dict[str, object]:
    """The DeepSpeed configuration that a recipe names.

    Raises:
        UsageError: If there is no such file.
    """
    name = recipe.hardware.deepspeed
    path = Path(name) if name.endswith(".json") else surface("training") / "deepspeed" / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (surface("training") / "deepspeed").glob("*.json")))
        raise UsageError(
            f"no DeepSpeed configuration '{name}'", field="hardware.deepspeed", hint=f"Known: {known}."
        )
    config = read_json(path)
    if not isinstance(config, dict):
        raise UsageError("is not a DeepSpeed configuration", file=path)
    return config
