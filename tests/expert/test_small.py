"""The small expert is a stock LLaVA: the Auto classes load it, and an answer depends on its image alone."""

import copy

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration

import fakeinstruct.expert.vision  # noqa: F401 - registers the tower
from fakeinstruct.expert.vision import ConvVisionConfig, ConvVisionModel, RunningNorm


def test_the_auto_classes_load_it(base_folder):
    model = AutoModelForImageTextToText.from_pretrained(base_folder)
    processor = AutoProcessor.from_pretrained(base_folder)
    assert type(model) is LlavaForConditionalGeneration
    assert type(model.model.vision_tower) is ConvVisionModel
    assert model.config.text_config.vocab_size == len(processor.tokenizer)


def test_saving_and_loading_keeps_every_weight(base_folder, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(base_folder)
    model.save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in model.state_dict().items())


def test_tokens_follow_from_strides():
    config = ConvVisionConfig(image_size=32, widths=[8, 16, 24], strides=[1, 2, 2])
    assert (config.patch_size, config.hidden_size) == (4, 24)
    tower = ConvVisionModel(config).eval()
    output = tower(torch.zeros(2, 3, 32, 32))
    assert output.last_hidden_state.shape == (2, 64, 24)
    assert output.hidden_states[-1] is output.last_hidden_state


@pytest.mark.parametrize("training", [False, True])
def test_an_image_is_encoded_alike_in_any_company(training):
    torch.manual_seed(0)
    tower = ConvVisionModel(ConvVisionConfig(image_size=16, widths=[8, 16], strides=[1, 2]))
    images = torch.randn(5, 3, 16, 16)
    tower.train()(torch.randn(8, 3, 16, 16))  # statistics of images seen before
    tower.train(training)
    state = copy.deepcopy(tower.state_dict())
    together = tower(images).last_hidden_state
    for image, expected in zip(images, together, strict=True):
        tower.load_state_dict(state)
        assert torch.allclose(tower(image[None]).last_hidden_state[0], expected, atol=1e-5)


def test_statistics_follow_only_while_the_tower_is_trained():
    torch.manual_seed(0)
    norm = RunningNorm(3, momentum=0.5)
    norm(torch.full((2, 3, 4, 4), 4.0) + torch.randn(2, 3, 4, 4))
    first = norm.mean.clone()
    norm(torch.full((2, 3, 4, 4), 8.0) + torch.randn(2, 3, 4, 4))
    assert torch.allclose(norm.mean, torch.full((3,), 6.0), atol=0.5)
    assert torch.allclose(first, torch.full((3,), 4.0), atol=0.5)
    frozen = norm.mean.clone()
    norm.requires_grad_(False)(torch.zeros(2, 3, 4, 4))
    norm.requires_grad_(True).eval()(torch.zeros(2, 3, 4, 4))
    assert torch.equal(norm.mean, frozen)


def test_a_placeholder_becomes_as_many_tokens_as_the_tower_gives(processor):
    output = processor(text=["<image>"], images=[Image.new("RGB", (9, 70))], return_tensors="pt")
    assert (output["input_ids"] == processor.image_token_id).sum() == 16
