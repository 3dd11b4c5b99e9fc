"""Published shapes: every parameter counted, every one of them in a part, tokens an image as published."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from fakeinstruct.expert.families import FAMILIES, family_of, why_not_packed
from fakeinstruct.expert.published import PUBLISHED, published_config
from fakeinstruct.expert.tune import count_parts

TOTALS = {
    "llava-hf/llava-1.5-7b-hf": 7_063_427_072,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
    "Qwen/Qwen3-VL-8B-Instruct": 8_767_123_696,
    "OpenGVLab/InternVL3-8B-hf": 7_944_373_760,
}
"""Parameters that the hub states for the published weights."""

SIDE = 448


def on_paper(name: str):
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(published_config(name))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_shape_has_the_published_number_of_parameters(name):
    model = on_paper(name)
    parts = count_parts(model, family_of(model.config))
    assert sum(count for count, _ in parts.values()) == TOTALS[name]
    assert all(count for count, _ in parts.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_shape_can_be_packed(name):
    assert why_not_packed(published_config(name)) is None
    assert PUBLISHED[name].model_type in FAMILIES


def test_the_tokens_of_an_image():
    config = {name: published_config(name) for name in PUBLISHED}
    vision = {name: shape.vision_config for name, shape in config.items()}
    llava, qwen2_5, qwen3, internvl = PUBLISHED
    merged = {name: (SIDE // (vision[name].patch_size * 2)) ** 2 for name in (qwen2_5, qwen3)}
    expected = {
        llava: (vision[llava].image_size // vision[llava].patch_size) ** 2,
        **merged,
        internvl: config[internvl].image_seq_length,
    }
    assert {name: shape.image_tokens for name, shape in PUBLISHED.items()} == expected
