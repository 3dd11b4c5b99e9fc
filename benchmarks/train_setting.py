"""What trainers are compared on: models of random weights, and pairs of one image with its hundreds of tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.sample import make_sample
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expand.pair import Pair, PairSet, open_pairs
from fakeinstruct.expand.write import expand
from fakeinstruct.expert.recipe import Data, Lora, Tune
from fakeinstruct.expert.rows import RowWriter
from fakeinstruct.expert.small import SmallShape, build_processor
from fakeinstruct.expert.tune import apply_tune

PATCHES = SmallShape(image_size=336, widths=(1, 1), strides=(2, 7), vocab_size=4000)
"""Images of LLaVA-1.5: 24 x 24 patches of 14 pixels. Only the processor is built from it."""

SHORT, LONG = 20, 50
"""Fewest and most words of a pair that is taken; with them the sample's pairs have about 50 tokens."""

CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}


@dataclass(frozen=True)
class Shape:
    """A LLaVA's size, and how it is trained.

    Attributes:
        vision: Of its CLIP tower.
        text: Of its language model; without `vocab_size` it has the tokenizer's.
        lora: Adapters on the language model, in bf16 and with gradient checkpointing; else all weights in float32.
    """

    vision: dict[str, Any]
    text: dict[str, Any] = field(default_factory=dict)
    lora: bool = True


SHAPES = {
    "small": Shape(
        {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 4},
        {
            "model_type": "llama",
            "hidden_size": 256,
            "intermediate_size": 688,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
        },
        lora=False,
    ),
    "tiny": Shape(  # the path of the two below, where there is no GPU
        {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
        {
            "model_type": "qwen2",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        },
    ),
    "2b": Shape(  # the language model has the shape of Qwen2.5-1.5B
        CLIP_LARGE,
        {
            "model_type": "qwen2",
            "hidden_size": 1536,
            "intermediate_size": 8960,
            "num_hidden_layers": 28,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
            "vocab_size": 151_936,
        },
    ),
    "7b": Shape(  # LLaVA-1.5-7B
        CLIP_LARGE,
        {
            "model_type": "llama",
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "vocab_size": 32_064,
        },
    ),
}


@dataclass(frozen=True)
class Setting:
    """A folder that all contenders read.

    Attributes:
        folder: Holds the processor, `rows.arrow` as our trainer reads pairs, and `pairs.jsonl` with the same.
        image_root: Where the images lie.
    """

    folder: Path
    image_root: Path

    @property
    def rows(self) -> Path:
        """The pairs in tokens."""
        return self.folder / "rows.arrow"

    @property
    def pairs(self) -> Path:
        """The pairs in text."""
        return self.folder / "pairs.jsonl"

    def processor(self) -> Any:
        """The processor."""
        return AutoProcessor.from_pretrained(self.folder)


def make_setting(folder: Path, images: int, per_image: int) -> Setting:
    """Make a sample set, expand it, and take the same number of pairs of each of some images.

    Args:
        folder: Folder to write to.
        images: How many images.
        per_image: How many pairs of each.
    """
    chains, expanded = folder / "chains", folder / "expanded"
    made = max(40, -(-images // 4) * 8)  # half are for training, or a little more
    make_sample(chains, images=made, seed=0)
    expand(open_chains(chains), expanded, seed=0, pairs=3 * per_image * made, rejects=Rejects())
    pairs = open_pairs(expanded)
    setting = Setting(folder / "setting", pairs.image_root)
    setting.folder.mkdir(exist_ok=True)
    processor = llava_processor(pairs)
    processor.save_pretrained(setting.folder)
    chosen = list(choose(pairs, images, per_image))
    if len(chosen) != images * per_image:
        raise SystemExit(f"the sample has only {len(chosen)} pairs of that length; ask for fewer")
    RowWriter(processor, pairs, Data(), Rejects()).write(setting.rows, chosen)
    with setting.pairs.open("w", encoding="utf-8") as file:
        for pair in chosen:
            turns = [{"role": message.role, "content": message.text()} for message in pair.messages]
            print(json.dumps({"messages": turns, "image": pair.images[0].path}), file=file)
    return setting


def choose(pairs: PairSet, images: int, per_image: int) -> Iterator[Pair]:
    """Pairs of one turn or several, about one whole image and not crops of it, neither very short nor very long."""
    taken = 0
    for _, own in groupby(pairs.read("train"), key=lambda pair: pair.chain):
        fitting = [pair for pair in own if len(pair.images) == 1 and SHORT <= _words(pair) <= LONG]
        if len(fitting) >= per_image and taken < images:
            taken += 1
            yield from islice(fitting, per_image)


def _words(pair: Pair) -> int:
    return sum(len(message.text().split()) for message in pair.messages)


def llava_processor(pairs: PairSet) -> LlavaProcessor:
    """LLaVA-1.5's, with a vocabulary learned from the pairs."""
    texts = (message.text() for pair in pairs.read("train") for message in pair.messages)
    processor = build_processor(texts, PATCHES)
    processor.vision_feature_select_strategy = "default"  # CLIP has a class token, which LLaVA leaves out
    processor.num_additional_image_tokens = 1
    return processor


def build_model(shape: Shape, processor: Any, device: str) -> Any:
    """A LLaVA of random weights, the same in every process, tuned as its shape says."""
    tokenizer = processor.tokenizer
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    clip = {"model_type": "clip_vision_model", "image_size": 336, "patch_size": 14, **shape.vision}
    config = LlavaConfig(
        vision_config=clip,
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 4096, **special, **shape.text},
        image_token_index=processor.image_token_id,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if shape.lora else torch.float32)
    with torch.device(device):
        model = LlavaForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    if not shape.lora:
        return apply_tune(model, Tune())
    lora = Lora(rank=16, alpha=32)
    tuned = apply_tune(model, Tune(method="lora", parts=("language_model",), lora=lora))
    tuned.enable_input_require_grads()
    return tuned
