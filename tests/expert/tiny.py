"""Tiny random models of every family, and images for them without a processor.

Each function returns a `Tiny`: the model in float32, a maker of images, and the image token. An image is what
`rows.image_block` would make of one: its block of tokens under `input_ids`, and tensors. The sizes, tiles and
grids differ from image to image wherever the family lets them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from fakeinstruct.expert.small import SmallShape, llava_config

VOCABULARY = 100
PAD, BOS, EOS, IMAGE, VIDEO, START, END, NEWLINE = 0, 1, 2, 5, 6, 7, 8, 9
WORDS = range(20, 99)
"""Ids that stand for words; those between are for rows and columns of tiles."""

TEXT: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "pad_token_id": PAD,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "initializer_range": 0.2,  # at 0.02 attention would hardly differ from a plain mean
}
CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "image_size": 28,
    "patch_size": 7,
    "intermediate_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "projection_dim": 16,
    "initializer_range": 0.2,
}

Block = dict[str, Any]


class Tiny(NamedTuple):
    """A tiny model, its maker of images by seed, and the id of its image token."""

    model: Any
    image: Callable[[int], Block]
    image_token: int


def tiny_llava(**text: Any) -> Tiny:
    """LLaVA-1.5: CLIP, 4 x 4 tokens an image."""
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIP,
        text_config={"model_type": "llama", **TEXT, **text},
        image_token_index=IMAGE,
        image_seq_length=16,
    )
    return Tiny(
        LlavaForConditionalGeneration(config),
        lambda seed: {"input_ids": [IMAGE] * 16, "pixel_values": noise(seed, 1, 3, 28, 28)},
        IMAGE,
    )


def tiny_small() -> Tiny:
    """The built-in one: a convolutional tower, 2 x 2 tokens an image; the image token is the last."""
    torch.manual_seed(0)
    shape = SmallShape(
        image_size=16,
        widths=(8, 12),
        strides=(2, 4),
        hidden_size=32,
        layers=2,
        heads=4,
        intermediate_size=48,
        vocab_size=301,
    )
    special = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    config = llava_config(shape, vocab_size=VOCABULARY, **special)
    token = VOCABULARY - 1
    return Tiny(
        LlavaForConditionalGeneration(config),
        lambda seed: {"input_ids": [token] * 4, "pixel_values": noise(seed, 1, 3, 16, 16)},
        token,
    )


def tiny_llava_next() -> Tiny:
    """LLaVA-Next: the whole picture, then tiles of the best of three grids with the ends of lines between."""
    torch.manual_seed(0)
    config = LlavaNextConfig(
        vision_config=CLIP,
        text_config={"model_type": "llama", **TEXT},
        image_token_index=IMAGE,
        image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
    )
    model = LlavaNextForConditionalGeneration(config)

    def image(seed: int) -> Block:
        height, width, tiles = ((20, 50, 3), (60, 25, 3), (50, 40, 5))[seed % 3]
        tensors = {
            "pixel_values": noise(seed, 1, tiles, 3, 28, 28),
            "image_sizes": torch.tensor([[height, width]]),
        }
        return {"input_ids": [IMAGE] * count(model, tensors), **tensors}

    return Tiny(model, image, IMAGE)


def tiny_qwen2_5_vl() -> Tiny:
    """Qwen2.5-VL: grids of any shape, four patches a token, three axes of positions."""
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 48,
            "patch_size": 4,
            "window_size": 16,
            "fullatt_block_indexes": [1],
            "initializer_range": 0.2,
        },
        text_config={
            **TEXT,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 1e4},
        },
        **QWEN_TOKENS,
    )
    return Tiny(Qwen2_5_VLForConditionalGeneration(config), qwen_image, IMAGE)


def tiny_qwen3_vl() -> Tiny:
    """Qwen3-VL: as before, with features of the tower added inside the language model."""
    torch.manual_seed(0)
    config = Qwen3VLConfig(
        vision_config={
            **QWEN3_VISION,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        text_config={**TEXT, "head_dim": 12, "rope_parameters": INTERLEAVED},
        **QWEN_TOKENS,
    )
    return Tiny(Qwen3VLForConditionalGeneration(config), qwen_image, IMAGE)


def tiny_qwen3_5() -> Tiny:
    """Qwen3.5: two of three layers attend linearly, so that it cannot be packed."""
    torch.manual_seed(0)
    config = Qwen3_5Config(
        vision_config={**QWEN3_VISION, "num_position_embeddings": 64},
        text_config={
            **TEXT,
            "head_dim": 12,
            "layer_types": ["linear_attention", "linear_attention", "full_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "rope_parameters": {**INTERLEAVED, "partial_rotary_factor": 1.0},
        },
        **QWEN_TOKENS,
    )
    return Tiny(Qwen3_5ForConditionalGeneration(config), qwen_image, IMAGE)


def tiny_internvl() -> Tiny:
    """InternVL3: one to three tiles, 2 x 2 tokens a tile, between a start and an end."""
    torch.manual_seed(0)
    config = InternVLConfig(
        vision_config={
            "hidden_size": 32,
            "image_size": 28,
            "patch_size": 7,
            "intermediate_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "initializer_range": 0.2,
        },
        text_config={
            "model_type": "qwen2",
            **TEXT,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
        },
        image_token_id=IMAGE,
        image_seq_length=4,
        tie_word_embeddings=False,
    )

    def image(seed: int) -> Block:
        tiles = (3, 1, 2)[seed % 3]
        return {
            "input_ids": [START, *[IMAGE] * 4 * tiles, END],
            "pixel_values": noise(seed, tiles, 3, 28, 28),
        }

    return Tiny(InternVLForConditionalGeneration(config), image, IMAGE)


def tiny_smolvlm() -> Tiny:
    """SmolVLM: tiles named by row and column, then the whole picture; 2 x 2 tokens each."""
    torch.manual_seed(0)
    config = SmolVLMConfig(
        vision_config={
            "hidden_size": 32,
            "image_size": 28,
            "patch_size": 7,
            "intermediate_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "initializer_range": 0.2,
        },
        text_config={"model_type": "llama", **TEXT},
        image_token_id=IMAGE,
        scale_factor=2,
        pad_token_id=PAD,
    )

    def image(seed: int) -> Block:
        rows, columns = ((1, 2), (0, 0), (2, 2))[seed % 3]
        ids = []
        for tile in range(rows * columns):
            ids += [START, 10 + tile, *[IMAGE] * 4]
            ids += [NEWLINE] if (tile + 1) % columns == 0 else []
        ids += [NEWLINE] * bool(ids) + [START, END, *[IMAGE] * 4, START]
        tiles = rows * columns + 1
        seen = torch.ones(1, tiles, 28, 28, dtype=torch.long)
        seen[:, -1, 20:] = 0  # the last is padded below
        return {
            "input_ids": ids,
            "pixel_values": noise(seed, 1, tiles, 3, 28, 28),
            "pixel_attention_mask": seen,
        }

    return Tiny(SmolVLMForConditionalGeneration(config), image, IMAGE)


QWEN_TOKENS = {
    "image_token_id": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": START,
    "vision_end_token_id": END,
}
QWEN3_VISION: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 4,
    "out_hidden_size": 48,
    "patch_size": 4,
    "initializer_range": 0.2,
}
INTERLEAVED = {
    "rope_type": "default",
    "mrope_section": [2, 2, 2],
    "mrope_interleaved": True,
    "rope_theta": 1e4,
}

EXACT: dict[str, Callable[[], Tiny]] = {
    "llava": tiny_llava,
    "small": tiny_small,
    "llava_next": tiny_llava_next,
    "qwen2_5_vl": tiny_qwen2_5_vl,
    "qwen3_vl": tiny_qwen3_vl,
    "internvl": tiny_internvl,
    "smolvlm": tiny_smolvlm,
}
"""The families that are packed."""


def noise(seed: int, *shape: int) -> Tensor:
    """Normal noise by a seed of its own."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1000 + seed))


def qwen_image(seed: int) -> Block:
    """An image of the Qwen families: patches of 4 x 4 pixels and two frames."""
    rows, columns = ((6, 8), (4, 4), (8, 4))[seed % 3]
    return {
        "input_ids": [IMAGE] * (rows * columns // 4),
        "pixel_values": noise(seed, rows * columns, 3 * 2 * 4 * 4),
        "image_grid_thw": torch.tensor([[1, rows, columns]]),
    }


def count(model: Any, tensors: dict[str, Tensor]) -> int:
    """How many features a model makes of an image."""
    with torch.no_grad():
        features = model.get_image_features(**tensors).pooler_output
    return sum(piece.shape[:-1].numel() for piece in features)
