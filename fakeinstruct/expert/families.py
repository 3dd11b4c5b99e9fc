"""What differs between families of vision-language models: where their parts lie, and published shapes.

A dry run needs no download: the shapes of the models that recipes name stand here, as their published
`config.json` gives them, and a model built from a shape on PyTorch's meta device has every
parameter and no memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig

    from fakeinstruct.expert.recipe import Part


@dataclass(frozen=True)
class Family:
    """Where a family keeps its parts: anchored patterns over parameter and module names.

    The patterns are tried in the order vision tower, projector, language model; the first that matches a
    name owns it, so that a projector inside the tower's module must be excluded from the tower.
    """

    model_type: str
    vision_tower: str
    projector: str
    language_model: str = r"(model\.language_model\.|lm_head\.).*"

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


FAMILIES = {
    family.model_type: family
    for family in (
        Family("llava", r"model\.vision_tower\..*", r"model\.multi_modal_projector\..*"),
        Family("qwen2_5_vl", r"model\.visual\.(?!merger\.).*", r"model\.visual\.merger\..*"),
    )
}
"""Families that can be trained, by the `model_type` of their configuration."""


@dataclass(frozen=True)
class Published:
    """A published model: its configuration, and how many tokens an image costs.

    Attributes:
        model_type: Its family.
        config: Keyword arguments of the family's configuration class.
        image_tokens: Tokens of an image: LLaVA-1.5's 24 x 24 patches; for Qwen2.5-VL those of a 448 x 448
            picture, one token for 28 x 28 pixels, since it takes images at their own size.
    """

    model_type: str
    config: dict[str, Any]
    image_tokens: int


PUBLISHED = {
    "llava-hf/llava-1.5-7b-hf": Published(
        "llava",
        {
            "image_token_index": 32000,
            "vision_config": {
                "model_type": "clip_vision_model",
                "hidden_size": 1024,
                "image_size": 336,
                "intermediate_size": 4096,
                "num_attention_heads": 16,
                "num_hidden_layers": 24,
                "patch_size": 14,
                "projection_dim": 768,
            },
            "text_config": {
                "model_type": "llama",
                "hidden_size": 4096,
                "intermediate_size": 11008,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 32,
                "vocab_size": 32064,
                "max_position_embeddings": 4096,
            },
        },
        image_tokens=576,
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": Published(
        "qwen2_5_vl",
        {
            "vision_config": {
                "depth": 32,
                "hidden_size": 1280,
                "intermediate_size": 3420,
                "num_heads": 16,
                "out_hidden_size": 3584,
                "patch_size": 14,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "window_size": 112,
                "fullatt_block_indexes": [7, 15, 23, 31],
            },
            "text_config": {
                "hidden_size": 3584,
                "intermediate_size": 18944,
                "num_hidden_layers": 28,
                "num_attention_heads": 28,
                "num_key_value_heads": 4,
                "vocab_size": 152064,
                "max_position_embeddings": 128000,
                "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
            },
            "tie_word_embeddings": False,
        },
        image_tokens=256,
    ),
}
"""Published shapes by hub name."""


def family_of(config: PreTrainedConfig) -> Family:
    """The family of a model.

    Raises:
        UsageError: If it is not one that can be trained.
    """
    if config.model_type not in FAMILIES:
        raise UsageError(
            f"models of type '{config.model_type}' cannot be trained",
            hint=f"Known: {', '.join(sorted(FAMILIES))}.",
        )
    return FAMILIES[config.model_type]


def published_config(name: str) -> PreTrainedConfig:
    """The configuration of a published model, without a network.

    Raises:
        UsageError: If its shape is not in the table.
    """
    from transformers import CONFIG_MAPPING

    if name not in PUBLISHED:
        raise UsageError(
            f"the shape of '{name}' is not in the table of published shapes",
            hint=f"Known: {', '.join(sorted(PUBLISHED))}; or name a local folder with a config.json.",
        )
    shape = PUBLISHED[name]
    config: PreTrainedConfig = CONFIG_MAPPING[shape.model_type](**shape.config)
    return config
