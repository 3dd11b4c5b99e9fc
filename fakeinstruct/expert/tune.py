"""Which weights are trained: parts frozen by name, adapters put where the recipe says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.families import family_of

if TYPE_CHECKING:
    from fakeinstruct.expert.recipe import Part, Tune


def apply_tune(model: Any, tune: Tune) -> Any:
    """Freeze what is not trained and add adapters if the recipe asks for them.

    Adapters go to linear layers listed by their full names: leaf names, or PEFT's "all-linear", would also
    take the vision tower.

    Args:
        model: A vision-language model of a known family.
        tune: The recipe's section.

    Returns:
        The model, wrapped by PEFT for `method: lora`.

    Raises:
        UsageError: If a part that is to be trained has no parameter.
    """
    family = family_of(model.config)
    if tune.method == "full":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(family.part_of(name) in tune.parts)
        tuned = model
    else:
        from peft import LoraConfig, get_peft_model

        if tune.lora is None:
            raise UsageError("method lora needs a section 'lora'", field="tune.lora")
        layers = family.linear_layers(model, tune.parts)
        if not layers:
            raise UsageError(f"no linear layer lies in {', '.join(tune.parts)}", field="tune.parts")
        config = LoraConfig(
            r=tune.lora.rank,
            lora_alpha=tune.lora.alpha,
            lora_dropout=tune.lora.dropout,
            target_modules=layers,
            task_type="CAUSAL_LM",
        )
        tuned = get_peft_model(model, config)
    counts = count_parts(tuned, family_of(model.config))
    for part in tune.parts:
        if not counts[part][1]:
            raise UsageError(f"no parameter of the {part} is trained", field="tune.parts")
    return tuned


def count_parts(model: Any, family: Any) -> dict[str, tuple[int, int]]:
    """Parameters of each part: how many it has, adapters aside, and how many are trained, of them or of adapters."""
    total: Counter[str] = Counter()
    trained: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        part = family.part_of(name.removeprefix("base_model.model."))
        size = getattr(parameter, "ds_numel", parameter.numel())  # ZeRO-3 leaves an empty shell here
        total[part] += 0 if ".lora_" in name else size
        trained[part] += size if parameter.requires_grad else 0
    return {part: (total[part], trained[part]) for part in ("vision_tower", "projector", "language_model")}


def parameter_groups(
    model: Any, tune: Tune, decaying: Collection[str], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    """The trained parameters for an optimizer: a group for each part, and in it for those that decay and those not.

    Args:
        model: Tuned by `apply_tune`.
        tune: The recipe's section, whose `lr` may give parts a learning rate of their own.
        decaying: Names of the parameters that weight decay applies to.
        lr: Learning rate of the other parts.
        weight_decay: Of the parameters that decay.
    """
    family = family_of(model.config)
    groups: dict[tuple[Part, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part, decays = family.part_of(name.removeprefix("base_model.model.")), name in decaying
        settings = {"lr": tune.lr.get(part, lr), "weight_decay": weight_decay if decays else 0.0}
        groups.setdefault((part, decays), settings | {"params": []})["params"].append(parameter)
    return list(groups.values())
