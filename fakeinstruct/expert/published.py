"""Shapes of published models, so that a dry run needs no download.

The shapes of the models that recipes name stand here, as their published `config.json` gives them, and a model built
from a shape on PyTorch's meta device has every parameter and no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Published:
    """A published model: its configuration, and how many tokens an image costs.

    Attributes:
        model_type: Its family.
        config: Keyword arguments of the family's configuration class.
        image_tokens: Tokens of an image: LLaVA-1.5's 24 x 24 patches; for the others those of a 448 x 448
            picture: Qwen2.5-VL takes one for 28 x 28 pixels, Qwen3-VL one for 32 x 32, InternVL 256 a tile.
        pixels: Where images keep their size: the side of a token in pixels, and the least and the most pixels that an
            image is scaled to, as the published `preprocessor_config.json` says.
        assumes: What `image_tokens` takes for granted; absent if it holds for every image.
    """

    model_type: str
    config: dict[str, Any]
    image_tokens: int
    pixels: tuple[int, int, int] | None = None
    assumes: str | None = None


QWEN_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
}

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
                **QWEN_7B,
                "vocab_size": 152064,
                "max_position_embeddings": 128000,
                "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
            },
            "tie_word_embeddings": False,
        },
        image_tokens=256,
        pixels=(28, 56 * 56, 28 * 28 * 16384),
    ),
    "Qwen/Qwen3-VL-8B-Instruct": Published(
        "qwen3_vl",
        {
            "vision_config": {
                "depth": 27,
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_heads": 16,
                "out_hidden_size": 4096,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": [8, 16, 24],
            },
            "text_config": {
                "hidden_size": 4096,
                "intermediate_size": 12288,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "vocab_size": 151936,
                "max_position_embeddings": 262144,
                "rope_parameters": {
                    "rope_type": "default",
                    "mrope_section": [24, 20, 20],
                    "mrope_interleaved": True,
                    "rope_theta": 5e6,
                },
            },
            "tie_word_embeddings": False,
        },
        image_tokens=196,
        pixels=(32, 256 * 256, 32 * 32 * 16384),
    ),
    "OpenGVLab/InternVL3-8B-hf": Published(
        "internvl",
        {
            "image_token_id": 151667,
            "image_seq_length": 256,
            "vision_config": {
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "attention_bias": True,
                "image_size": [448, 448],
                "patch_size": [14, 14],
            },
            "text_config": {
                "model_type": "qwen2",
                **QWEN_7B,
                "vocab_size": 151674,
                "max_position_embeddings": 32768,
                "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6},
            },
            "tie_word_embeddings": False,
        },
        image_tokens=256,
        assumes="an image is one tile of 256 tokens; base=FOLDER counts its tiles",
    ),
}
"""Published shapes by hub name."""


def published_config(name: str) -> PreTrainedConfig:
    """The configuration of a published model, without a network.

    Raises:
        UsageError: If its shape is not in the table.
    """
    from transformers import CONFIG_MAPPING

    if name not in PUBLISHED:
        raise UsageError(
            f"the shape of '{name}' is not in the table of published shapes, and there is no such folder",
            hint=f"Known: {', '.join(sorted(PUBLISHED))}; or name a local folder with a config.json.",
        )
    shape = PUBLISHED[name]
    config: PreTrainedConfig = CONFIG_MAPPING[shape.model_type](**shape.config)
    return config
