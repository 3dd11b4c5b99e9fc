"""A recipe: every number of a training run, in one YAML file with one schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from fakeinstruct.base.config import StrictModel, load_config, read_yaml
from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import read_json
from fakeinstruct.base.surfaces import surface
from fakeinstruct.expand.pair import Task
from fakeinstruct.expert.small import SmallShape
from fakeinstruct.expert.stage_settings import check_overrides, merged

ELSEWHERE = dict.fromkeys(
    ("max_pixels", "image_max_pixels", "image_resolution", "image_size", "max_image_size", "resolution"),
    "data.max_pixels",
)
"""Where the keys that people look for in other places stand."""

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Data(StrictModel):
    """Which pairs are learned.

    `templates` names the templates whose pairs are learned, all by default. `pairs_per_image` limits how
    many pairs of each task an image gives an epoch; a task that is not named gives none. Without it every pair is
    learned. `max_tokens` is the longest conversation, image included: none is ever cut, a longer one is
    left out and counted. `max_pixels` is the most pixels, width times height, that an image is scaled to, in
    families that keep an image's own size (Qwen-VL); the expert keeps to it. `mirror` turns every other image left
    to right at random, for verdicts alone: other answers name places.
    """

    split: Literal["train", "validation", "test"] = "train"
    templates: tuple[str, ...] | None = Field(None, min_length=1)
    pairs_per_image: dict[Task, Positive] | None = None
    max_tokens: Positive = 2048
    max_pixels: Positive | None = None
    mirror: bool = False

    def per_image(self) -> dict[str, int] | None:
        """`pairs_per_image` by the names of the tasks."""
        limits = self.pairs_per_image
        return None if limits is None else {str(task): limit for task, limit in limits.items()}

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
    """What is trained: all weights of the named parts, or adapters on them.

    `lr` gives a part a learning rate of its own; the others have the optimizer's.
    """

    method: Literal["full", "lora"] = "full"
    parts: tuple[Part, ...] = Field(("vision_tower", "projector", "language_model"), min_length=1)
    lora: Lora | None = None
    lr: dict[Part, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lora_has_its_section(self) -> Tune:
        if self.method == "lora" and self.lora is None:
            raise ValueError("method: lora needs the section 'lora', which is missing")
        if self.method != "lora" and self.lora is not None:
            raise ValueError(
                "the section 'lora' goes with method: lora only; leave it out, or give lora: null"
            )
        if frozen := sorted(set(self.lr) - set(self.parts)):
            raise ValueError(f"lr names the {frozen[0]}, which is not among the parts that are trained")
        return self


class Packing(StrictModel):
    """How many pairs share an image's tokens; `packing: null` trains each pair in a row of its own.

    A tree is one image with at most `pairs` of its pairs; a row holds trees until the optimizer's `batch` of
    pairs, or `tokens`, is reached.
    """

    pairs: Positive = 16
    tokens: Positive = 8192


class Loss(StrictModel):
    """How tokens weigh in the loss.

    `weights` multiplies the tokens of a task's answers; a task that is not named has 1. `smoothing` spreads that share
    of a verdict's target over the vocabulary, so that fifty repeats of one label are not learned as certainty.
    """

    weights: dict[Task, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Optimizer(StrictModel):
    """AdamW and its schedule. `batch` is the most pairs a process takes at once, `accumulate` is in batches a step."""

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
    """How often the state is saved, in steps, how many states are kept, and which becomes the expert.

    `choose: validation` takes the one under which the verdicts of the validation pairs are likeliest, if there are
    any; `last` the last. `validation_images` are the most images that are asked for it.
    """

    every: Positive = 500
    keep: Positive = 2
    choose: Literal["validation", "last"] = "validation"
    validation_images: Positive = 512


class Hardware(StrictModel):
    """Where and how it runs. `processes` is the number of processes on this machine, one a GPU.

    `deepspeed` names a file of `training/deepspeed/`, or a path. `feature_cache_gib` is the most memory of a process
    that the features of a frozen vision tower may take; 0 keeps none.
    """

    processes: Positive = 1
    deepspeed: str = "zero2"
    precision: Literal["fp32", "bf16"] = "bf16"
    gradient_checkpointing: bool = False
    loader_workers: int = Field(0, ge=0)
    feature_cache_gib: float = Field(2.0, ge=0)


class Stage(StrictModel):
    """The sections of one run. In a recipe of several stages each gives what it does not share with the others."""

    data: Data = Data()
    tune: Tune = Tune()
    packing: Packing | None = Packing()
    loss: Loss = Loss()
    optimizer: Optimizer | None = None
    checkpoints: Checkpoints = Checkpoints()
    hardware: Hardware = Hardware()


StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class Recipe(Stage):
    """A training run.

    `base` is `small` (built from scratch, shaped by `small`), a local folder, or the name of a model that
    Transformers knows. `pairs` and `out` are usually given on the command line. Of several `stages` each starts
    from the expert of the one before; its sections are merged key by key over the recipe's.
    """

    base: str
    pairs: Path | None = None
    out: Path | None = None
    image_root: Path | None = None
    seed: int = Field(0, ge=0)
    small: SmallShape | None = None
    stages: dict[StageName, Stage] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _stages_stand_on_the_recipe(cls, value: Any) -> Any:
        stages = value.get("stages") if isinstance(value, dict) else None
        if not stages or not isinstance(stages, dict):
            return value
        shared = {section: value[section] for section in Stage.model_fields if section in value}
        own = value | {"stages": {name: merged(shared, stage) for name, stage in stages.items()}}
        if isinstance(shared.get("optimizer"), dict) and "lr" not in shared["optimizer"]:
            del own["optimizer"]  # whole only in the stages, where it is checked
        return own

    @field_validator("base")
    @classmethod
    def _base_is_named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("names no model")
        return value

    @model_validator(mode="after")
    def _small_has_its_shape(self) -> Recipe:
        if self.base == "small" and self.small is None:
            raise ValueError("base: small needs the section 'small'; small: {} takes its default shape")
        if self.base != "small" and self.small is not None:
            raise ValueError(
                "the section 'small' goes with base: small, and only with it; give small: null with another"
            )
        return self

    @model_validator(mode="after")
    def _each_stage_is_whole(self) -> Recipe:
        for stage, run in zip(self.stages or ("",), self.single(), strict=True):
            where = f"stages.{stage}: " if stage else ""
            if run.optimizer is None:
                raise ValueError(f"{where}the section 'optimizer' is missing")
            if run.packing and run.data.max_tokens > run.packing.tokens:
                raise ValueError(
                    f"{where}data.max_tokens = {run.data.max_tokens:,} is more than packing.tokens = "
                    f"{run.packing.tokens:,}: such a conversation would fit no row"
                )
        return self

    def own_optimizer(self) -> Optimizer:
        """The optimizer of a recipe of one stage."""
        if self.optimizer is None:
            raise UsageError("is missing", field="optimizer")
        return self.optimizer

    def single(self) -> tuple[Recipe, ...]:
        """The recipe as runs of one stage each; every one but the last writes below `out`, by its name."""
        if not self.stages:
            return (self,)
        runs: list[Recipe] = []
        for number, (name, stage) in enumerate(self.stages.items(), start=1):
            own: dict[str, object] = {section: getattr(stage, section) for section in Stage.model_fields}
            if runs:
                own |= {"base": str((runs[-1].out or Path(runs[-1].base)) / "expert"), "small": None}
            out = self.out / name if self.out and number < len(self.stages) else self.out
            runs.append(self.model_copy(update={"stages": {}, "out": out, **own}))
        return tuple(runs)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe: a path, or the name of one in `training/recipes/`.

    Args:
        path: The recipe's file, or its name there ("sample").
        overrides: `key.sub=value`, as on the command line.

    Raises:
        UsageError: If it is missing or not a recipe, or an override names no stage of it or has no effect; a misspelt
            key is named with the nearest known one.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        named = surface("training") / "recipes" / f"{path}.yaml"
        if not named.is_file():
            known = ", ".join(sorted(file.stem for file in named.parent.glob("*.yaml")))
            raise UsageError(f"no recipe named '{path}'", hint=f"Known: {known}; or give a file's path.")
        path = named
    check_overrides(read_yaml(path), overrides, file=path)
    try:
        return load_config(Recipe, path, overrides)
    except UsageError as error:
        key = (error.field or "").rpartition(".")[2]
        if key in ELSEWHERE and error.problem == f"there is no '{key}' here":
            error = UsageError(
                error.problem, file=error.file, field=error.field, hint=f"Give {ELSEWHERE[key]}."
            )
        raise error from None


def deepspeed_config(recipe: Recipe) -> dict[str, object]:
    """The DeepSpeed configuration that a recipe names.

    Raises:
        UsageError: If there is no such file.
    """
    name = recipe.hardware.deepspeed
    path = Path(name) if name.endswith(".json") else surface("training") / "deepspeed" / f"{name}.json"
    if not path.is_file() and name.endswith(".json"):
        raise UsageError("no such file", file=path, field="hardware.deepspeed")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (surface("training") / "deepspeed").glob("*.json")))
        raise UsageError(
            f"no DeepSpeed configuration '{name}'", field="hardware.deepspeed", hint=f"Known: {known}."
        )
    config = read_json(path)
    if not isinstance(config, dict):
        raise UsageError("is not a DeepSpeed configuration", file=path)
    return config
