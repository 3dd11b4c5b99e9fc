"""Folders as the families' models are published, with tiny parts: configuration, tokenizer, image processor.

The ids of special tokens are those of the tiny models in `tiny.py`, so that processor and model fit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny import BOS, END, EOS, EXACT, IMAGE, NEWLINE, PAD, START, VIDEO, VOCABULARY, tiny_qwen3_5
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TEMPLATE = (
    "{% for message in messages %}{{ message.role }} {% for block in message.content %}"
    "{% if block.type == 'image' %}<image>{% else %}{{ block.text }}{% endif %} {% endfor %}{% endfor %}"
)
CROPPED = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
LLAVA = {"patch_size": 7, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
QWEN = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "patch_size": 4,
    "merge_size": 2,
    "temporal_patch_size": 2,
    "size": {"shortest_edge": 256, "longest_edge": 4096},
}
QWEN_NAMES = {
    IMAGE: "<|image_pad|>",
    VIDEO: "<|video_pad|>",
    START: "<|vision_start|>",
    END: "<|vision_end|>",
}
LLAVA_NAMES = {IMAGE: "<image>"}
TILES = {
    40 + 4 * row + column: f"<row_{row + 1}_col_{column + 1}>" for row in range(4) for column in range(4)
}

LAYOUTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[int, str]]] = {
    "llava": (
        "LlavaProcessor",
        {"image_processor_type": "CLIPImageProcessor", **CROPPED},
        LLAVA,
        LLAVA_NAMES,
    ),
    "llava_next": (
        "LlavaNextProcessor",
        {
            "image_processor_type": "LlavaNextImageProcessor",
            "image_grid_pinpoints": [[28, 56], [56, 28], [56, 56]],
            **CROPPED,
        },
        LLAVA,
        LLAVA_NAMES,
    ),
    "qwen2_5_vl": ("Qwen2_5_VLProcessor", QWEN, {}, QWEN_NAMES),
    "qwen3_vl": ("Qwen3VLProcessor", QWEN, {}, QWEN_NAMES),
    "qwen3_5": ("Qwen3VLProcessor", QWEN, {}, QWEN_NAMES),
    "internvl": (
        "InternVLProcessor",
        {
            "image_processor_type": "GotOcr2ImageProcessor",
            "size": {"height": 28, "width": 28},
            "crop_to_patches": True,
            "min_patches": 1,
            "max_patches": 6,
        },
        {"image_seq_length": 4},
        {IMAGE: "<IMG_CONTEXT>", VIDEO: "<video>", START: "<img>", END: "</img>"},
    ),
    "smolvlm": (
        "SmolVLMProcessor",
        {
            "image_processor_type": "SmolVLMImageProcessor",
            "size": {"longest_edge": 84},
            "max_image_size": {"longest_edge": 28},
        },
        {"image_seq_len": 4},
        {
            IMAGE: "<image>",
            VIDEO: "<video>",
            START: "<fake_token_around_image>",
            END: "<global-img>",
            NEWLINE: "\n",
            **TILES,
        },
    ),
}
"""For each family its processor, the settings of the image processor and of the processor, and its special tokens."""

ROLES = {
    "internvl": {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
}
"""Special tokens that a family's tokenizer names."""

MODELS = {**EXACT, "qwen3_5": tiny_qwen3_5}


def write_published(name: str, folder: Path) -> Any:
    """Write a family's folder, without weights, and return its tiny model."""
    processor, images, settings, names = LAYOUTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    model = MODELS[name]().model
    model.config.save_pretrained(folder)
    tokenizer(names, ROLES.get(name, {})).save_pretrained(folder)
    means = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    write(folder / "preprocessor_config.json", {"processor_class": processor, **images, **means})
    if settings:
        write(folder / "processor_config.json", {"processor_class": processor, **settings})
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("<image>", names[IMAGE]))
    return model


def tokenizer(names: dict[int, str], roles: dict[str, str]) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, with special tokens at given ids."""
    special = {PAD: "<pad>", BOS: "<s>", EOS: "</s>", 3: "<unk>", **names}
    words = {special.get(number, f"word{number}"): number for number in range(VOCABULARY)}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.add_special_tokens(list(special.values()))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=roles or None,
    )


def write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
