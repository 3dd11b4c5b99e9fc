"""What differs between families of vision-language models, one entry each, and which models can be packed.

A family is named by the `model_type` of its configuration. Its exactness test stands in
`tests/expert/test_exactness.py`: the loss and every gradient of a packed row are those of its pairs alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert import image_tensors, token_boxes
from fakeinstruct.expert.dialect import JSON_PIXELS, JSON_THOUSANDTHS, SQUARE_FRACTIONS, THOUSANDTHS, Dialect

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedConfig

    from fakeinstruct.expert.recipe import Part

TokenBoxes = Callable[[Any, Mapping[str, Any], tuple[int, int]], "Tensor"]
"""From a processor, an image's block and the image's width and height to the place of each token of the block."""


@dataclass(frozen=True)
class Family:
    """A family's parts, images and boxes.

    The patterns are anchored, over parameter and module names, and tried in the order vision tower, projector,
    language model; the first that matches a name owns it, so that a projector inside the tower's module must be
    excluded from the tower.

    Attributes:
        model_type: `model_type` of its configuration.
        vision_tower: Pattern of the tower's names.
        projector: Pattern of the names of what maps the tower's features to the language model's width.
        language_model: Pattern of the language model's names, its output head included.
        boxes: How its published models write boxes; ours are `THOUSANDTHS` in all of them.
        token_boxes: Where each token of an image lies in the picture, see `fakeinstruct.expert.token_boxes`.
        join: Puts the tensors of several images together for one row, see `fakeinstruct.expert.image_tensors`.
        images: What the processor scales an image to: one size, a number of pixels, or tiles.
    """

    model_type: str
    vision_tower: str
    projector: str
    token_boxes: TokenBoxes
    boxes: Dialect = THOUSANDTHS
    join: image_tensors.Join = image_tensors.concatenate
    language_model: str = r"(model\.language_model\.|lm_head\.).*"
    images: Literal["one size", "pixels", "tiles"] = "tiles"

    def part_of(self, name: str) -> Part:
        """The part that a parameter or module belongs to.

        Raises:
            UsageError: If it belongs to none, which means that the patterns do not fit the model.
        """
        if re.fullmatch(self.vision_tower, name):
            return "vision_tower"
        if re.fullmatch(self.projector, name):
            return "projector"
        if re.fullmatch(self.language_model, name):
            return "language_model"
        raise UsageError(f"'{name}' of a {self.model_type} model belongs to no known part", field="base")

    def linear_layers(self, model: nn.Module, parts: tuple[Part, ...]) -> list[str]:
        """Full names of the linear layers inside the parts, without the output head: where adapters go."""
        import torch

        return [
            name
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear)
            and not name.startswith("lm_head")
            and self.part_of(name) in parts
        ]


QWEN = (
    r"model\.visual\.(?!merger\.|deepstack_merger_list\.).*",
    r"model\.visual\.(merger|deepstack_merger_list)\..*",
    token_boxes.qwen,
)
"""Vision tower, projector and places of image tokens of the Qwen families."""

FAMILIES = {
    family.model_type: family
    for family in (
        # LLaVA-1.5 and the built-in small expert, which is a LLaVA with another tower
        Family(
            "llava",
            r"model\.vision_tower\..*",
            r"model\.multi_modal_projector\..*",
            token_boxes.llava,
            SQUARE_FRACTIONS,
            images="one size",
        ),
        Family(
            "llava_next",
            r"model\.vision_tower\..*",
            r"model\.(multi_modal_projector\..*|image_newline)",
            token_boxes.llava_next,
            SQUARE_FRACTIONS,
            image_tensors.pad_tiles,
        ),
        Family("qwen2_5_vl", *QWEN, JSON_PIXELS, images="pixels"),
        Family("qwen3_vl", *QWEN, JSON_THOUSANDTHS, images="pixels"),
        Family("qwen3_5", *QWEN, JSON_THOUSANDTHS, images="pixels"),
        Family(
            "internvl",
            r"model\.vision_tower\..*",
            r"model\.multi_modal_projector\..*",
            token_boxes.internvl,
        ),
        Family(
            "smolvlm",
            r"model\.vision_model\..*",
            r"model\.connector\..*",
            token_boxes.smolvlm,
            join=image_tensors.concatenate_tiles,
            language_model=r"(model\.text_model\.|lm_head\.).*",
        ),
    )
}
"""Families that can be trained, by the `model_type` of their configuration."""

BOTH_WAYS = ("gemma3", "gemma3n", "gemma4", "paligemma")
"""Models whose image tokens see each other in both directions; their configurations do not all say so."""


def family_of(config: PreTrainedConfig) -> Family:
    """The family of a model.

    Raises:
        UsageError: If it is not one that can be trained.
    """
    if config.model_type in FAMILIES:
        return FAMILIES[config.model_type]
    reason = _why_not_packed(config)
    raise UsageError(
        f"models of type '{config.model_type}' cannot be trained"
        + (f", and could not be packed: {reason}" if reason else ""),
        field="base",
        hint=f"Known: {', '.join(sorted(FAMILIES))}. See docs/experts.md for what to take instead.",
    )


def join_of(config: PreTrainedConfig) -> image_tensors.Join:
    """How images' tensors are put together for a model, also for one of no known family: end to end."""
    family = FAMILIES.get(config.model_type)
    return family.join if family else image_tensors.concatenate


def why_not_packed(config: PreTrainedConfig) -> str | None:
    """Why pairs of one image cannot share it exactly in this model; absent where they can.

    A branch of a packed row must see its prefix and itself, and nothing else may reach it. That holds
    where every layer of the language model is plain causal attention, and for no other.

    Args:
        config: Configuration of a vision-language model.
    """
    if config.model_type not in FAMILIES:
        return f"models of type '{config.model_type}' have not been tested"
    return _why_not_packed(config)


def _other_layers(text: PreTrainedConfig) -> str | None:
    """Why layers are not plain causal attention over everything before, if some are not."""
    kinds = Counter(getattr(text, "layer_types", None) or ())
    other = {kind: count for kind, count in kinds.items() if kind != "full_attention"}
    if other:
        found = " and ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(other.items()))
        return f"of its {kinds.total()} layers {found}, where a branch would not see just its prefix"
    window = getattr(text, "sliding_window", None)
    if not kinds and window is not None and getattr(text, "use_sliding_window", True):
        return f"its attention has a sliding window of {window:,} tokens"
    return None


def _why_not_packed(config: PreTrainedConfig) -> str | None:
    text = config.get_text_config()
    if reason := _other_layers(text):
        return reason
    if getattr(text, "cross_attention_layers", None):
        return "it sees the image by cross attention, which has no place for several images' branches"
    if config.model_type in BOTH_WAYS or getattr(text, "use_bidirectional_attention", None):
        return "its image tokens see each other in both directions, not only backwards"
    if (getattr(text, "rope_parameters", None) or {}).get("rope_type") == "longrope":
        return "its positions are scaled by the longest conversation of a row"
    if getattr(text, "attn_logit_softcapping", None) is not None:
        return "it caps the scores of attention, which fused kernels do not"
    return None
