"""A LLaVA built from scratch: our convolutional tower, a small Llama, a vocabulary trained on the pairs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from pydantic import Field, model_validator
from transformers import (
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaImageProcessorPil,
    LlavaProcessor,
)

from fakeinstruct.base.config import StrictModel
from fakeinstruct.expert.tokenizer import IMAGE_TOKEN, load_tokenizer, train_sentencepiece
from fakeinstruct.expert.vision import ConvVisionConfig

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role == 'user' %}"
    "USER:{% for block in message.content %}"
    "{% if block.type == 'image' %} <image>{% else %} {{ block.text }}{% endif %}"
    "{% endfor %} ASSISTANT:"
    "{% else %}"
    "{% generation %} {% for block in message.content %}{{ block.text }}{% endfor %}"
    "{{ eos_token }}{% endgeneration %}"
    "{% endif %}"
    "{% endfor %}"
)
"""LLaVA-1.5's wording of the turns. A user's turn ends in the prompt to answer, so that a generation
prompt and a training prompt are the same tokens."""


class SmallShape(StrictModel):
    """Shape of the small expert; every number that its size depends on.

    Sides are in pixels. `strides` of the convolutions multiply to the side of a vision token. `residual` puts the
    image's noise residual beside its colours.
    """

    image_size: int = Field(64, gt=0)
    widths: tuple[int, ...] = (24, 48, 48, 96, 96, 128)
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 2)
    residual: bool = True
    hidden_size: int = Field(96, gt=0)
    layers: int = Field(2, gt=0)
    heads: int = Field(4, gt=0)
    intermediate_size: int = Field(256, gt=0)
    vocab_size: int = Field(2000, gt=300)
    max_positions: int = Field(1024, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> SmallShape:
        if len(self.widths) != len(self.strides):
            raise ValueError(f"{len(self.widths)} widths but {len(self.strides)} strides")
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of {self.heads} heads")
        return self


def build_processor(texts: Iterable[str], shape: SmallShape) -> LlavaProcessor:
    """Train the vocabulary and put it beside the image processor.

    Images are scaled to one square; pixels 0 to 255 become -1 to 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = train_sentencepiece(texts, Path(folder) / "tokenizer.model", vocab_size=shape.vocab_size)
        tokenizer = load_tokenizer(model)
    side = {"height": shape.image_size, "width": shape.image_size}
    images = LlavaImageProcessorPil(
        size=side,
        crop_size=side,
        do_center_crop=False,
        do_pad=False,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=vision_config(shape).patch_size,
        vision_feature_select_strategy="full",
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE_TOKEN,
    )


def vision_config(shape: SmallShape) -> ConvVisionConfig:
    """Configuration of the vision tower of a small expert."""
    return ConvVisionConfig(
        image_size=shape.image_size,
        widths=list(shape.widths),
        strides=list(shape.strides),
        residual=shape.residual,
    )


def llava_config(shape: SmallShape, *, vocab_size: int, **tokens: int) -> LlavaConfig:
    """LLaVA's configuration for a shape and a vocabulary, whose last token is the image's.

    Args:
        shape: Shape of the expert.
        vocab_size: Size of the vocabulary, the image token included.
        tokens: Ids of special tokens, as Llama's configuration names them.
    """
    vision = vision_config(shape)
    text = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.max_positions,
        # Llama's 0.02 is made for a width of thousands; tied to so narrow an output it would learn words slowly
        initializer_range=shape.hidden_size**-0.5,
        tie_word_embeddings=True,
        **tokens,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=vocab_size - 1,
        image_seq_length=(shape.image_size // vision.patch_size) ** 2,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def build_small(texts: Iterable[str], shape: SmallShape, *, seed: int, out: Path) -> None:
    """Build an untrained small expert and write it in Hugging Face's format.

    Args:
        texts: Rendered conversations to train the vocabulary on.
        shape: Its shape.
        seed: Seed of the weights.
        out: Folder to write.
    """
    processor = build_processor(texts, shape)
    torch.manual_seed(seed)
    tokenizer = processor.tokenizer
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model = LlavaForConditionalGeneration(llava_config(shape, vocab_size=len(tokenizer), **special))
    for name, token in special.items():
        setattr(model.generation_config, name, token)
    model.save_pretrained(out)
    processor.save_pretrained(out)
