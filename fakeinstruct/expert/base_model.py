"""The model that training starts from: a whole one, or an adapter on one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import fingerprint, read_json, sha256_file

if TYPE_CHECKING:
    import torch

    from fakeinstruct.expert.recipe import Tune

ADAPTER = "adapter_config.json"
"""What makes a folder an adapter of PEFT's."""


def is_folder(base: str) -> bool:
    """Whether a base is meant as a folder, not as a name on the hub, which has one slash at most."""
    return base.startswith(("/", "./", "../", "~")) or base.count("/") > 1 or Path(base).exists()


def is_adapter(base: str) -> bool:
    """Whether a base is an adapter's folder."""
    return (Path(base) / ADAPTER).is_file()


def check_base(base: str) -> None:
    """Look for the folder that a recipe names as its base; `small` and names on the hub pass.

    Raises:
        UsageError: If it is not there, or holds no model.
    """
    if base == "small" or not is_folder(base):
        return
    hint = "Give the folder of a model with its config.json, or a model's name on the hub."
    if not Path(base).is_dir():
        raise UsageError("no such folder", file=base, field="base", hint=hint)
    if not (is_adapter(base) or (Path(base) / "config.json").is_file()):
        raise UsageError("has no config.json", file=base, field="base", hint=hint)


@contextmanager
def loading(base: str) -> Iterator[None]:
    """Load a model's files; the hub's client does not print its retries.

    Raises:
        UsageError: If the hub would have to be asked and cannot be.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except OSError as error:
        unreached = (LocalEntryNotFoundError, OfflineModeIsEnabled)
        if is_folder(base) or not any(isinstance(cause, unreached) for cause in _causes(error)):
            raise
        raise UsageError(
            "no such folder, and as a model of the hub it is not on this machine and the hub cannot be reached",
            file=base,
            field="base",
            hint=f"Download it: hf download {base}, or give base=FOLDER.",
        ) from error
    finally:
        logger.setLevel(level)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def adapted_base(base: str) -> str | None:
    """The model that an adapter's folder stands on; None for a whole model.

    Raises:
        UsageError: If it names none, a folder that is not there, or one that has changed since.
    """
    if not is_adapter(base):
        return None
    file = Path(base) / ADAPTER
    config = read_json(file)
    under = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(under, str) or not under:
        raise UsageError("the adapter names no base model", file=file, field="base_model_name_or_path")
    if Path(under).is_absolute() and not (Path(under) / "config.json").is_file():
        raise UsageError(
            f"the adapter's base model '{under}' is missing",
            file=file,
            field="base_model_name_or_path",
            hint="Put it there, or write its new place into this file.",
        )
    _check_unchanged(Path(base), under)
    return under


def _check_unchanged(adapter: Path, under: str) -> None:
    """Compare the base with what an adapter of ours noted when it was trained."""
    card = adapter / "expert.json"
    noted = read_json(card).get("trained_on", {}).get("base_sha256") if card.is_file() else None
    if noted is not None and noted != base_sha256(under):
        raise UsageError(
            f"the adapter was trained on another base than '{under}' is now",
            file=adapter / ADAPTER,
            field="base_model_name_or_path",
            hint="Weights or configuration differ. Name the base that it was trained on.",
        )


def base_sha256(base: str) -> str | None:
    """A hash of a local model's weights and configuration; None for a name on the hub."""
    folder = Path(base)
    if not (folder / "config.json").is_file():
        return None
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
    return fingerprint({file.name: sha256_file(file) for file in files})


def load_tuned(base: str, tune: Tune, dtype: torch.dtype) -> Any:
    """The model with the weights frozen and the adapters added that a recipe asks for.

    An adapter's folder as base: `method: lora` trains that adapter on, `method: full` merges it first.

    Raises:
        UsageError: If an adapter does not fit its base, or is not the one that the recipe asks for.
    """
    from transformers import AutoModelForImageTextToText

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
    from fakeinstruct.expert.tune import apply_tune

    under = adapted_base(base)
    with loading(under or base):
        model = AutoModelForImageTextToText.from_pretrained(under or base, dtype=dtype)
    if any(hasattr(parameter, "ds_id") for parameter in model.parameters()):
        # under ZeRO-3 Transformers 5.23 notes every renaming that it knows as one it used, and would undo them all in
        # the names that it saves (language_model.model.model); without the note it takes the family's own
        model.__dict__.pop("_weight_conversions", None)
    if under is None:
        return apply_tune(model, tune)
    adapted = with_adapter(model, base, under, trainable=tune.method == "lora")
    if tune.method == "full":
        return apply_tune(adapted.merge_and_unload(), tune)
    _check_adapter(adapted, model, base, tune)
    return adapted


def with_adapter(model: Any, adapter: str, under: str, *, trainable: bool = False) -> Any:
    """A model with an adapter on it, wrapped by PEFT.

    Raises:
        UsageError: If the adapter does not fit.
    """
    import warnings

    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            return PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    except (ValueError, RuntimeError, KeyError, UserWarning) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"the adapter does not fit its base model '{under}': {first[:200]}", file=Path(adapter) / ADAPTER
        ) from error


def _check_adapter(adapted: Any, model: Any, base: str, tune: Tune) -> None:
    """Compare an adapter that is trained on with the recipe.

    Raises:
        UsageError: If rank, alpha or layers differ.
    """
    from fakeinstruct.expert.families import family_of

    config = adapted.peft_config["default"]
    ends = (".lora_A.default.weight", "base_model.model.")
    layers = {
        name.removesuffix(ends[0]).removeprefix(ends[1])
        for name, _ in adapted.named_parameters()
        if name.endswith(ends[0])
    }
    asked = {
        name.replace(".base_layer", "") for name in family_of(model.config).linear_layers(model, tune.parts)
    }
    asked = {name for name in asked if not name.rpartition(".")[0].endswith((".lora_A", ".lora_B"))}
    found = (config.r, config.lora_alpha, len(layers))
    wanted = (tune.lora.rank, tune.lora.alpha, len(asked)) if tune.lora else found
    if found != wanted or layers != asked:
        raise UsageError(
            f"the adapter has rank {found[0]}, alpha {found[1]} on {found[2]} layers, "
            f"the recipe asks for rank {wanted[0]}, alpha {wanted[1]} on {wanted[2]}",
            file=Path(base) / ADAPTER,
            hint="Train on with tune.lora as it is, or merge the adapter into its base first.",
        )


@contextmanager
def whole_images(model: Any) -> Iterator[None]:
    """Gather what turns pixels into features, which ZeRO-3 has in shards."""
    from fakeinstruct.expert.families import family_of

    family = family_of(model.config)
    sharded = [
        parameter
        for name, parameter in model.named_parameters()
        if hasattr(parameter, "ds_id")
        and family.part_of(name.removeprefix("base_model.model.")) != "language_model"
    ]
    if not sharded:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(sharded):
        yield
