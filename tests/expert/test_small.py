"""The small expert is a stock LLaVA: the Auto classes load it, and an answer depends on its image alone."""

import copy

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration

import fakeinstruct.expert.vision  # noqa: F401 - registers the tower
from fakeinstruct.expert.vision import ConvVisionConfig, ConvVisionModel, Residual


def test_the_auto_classes_load_it(base_folder):
    model = AutoModelForImageTextToText.from_pretrained(base_folder)
    processor = AutoProcessor.from_pretrained(base_folder)
    assert type(model) is LlavaForConditionalGeneration
    assert type(model.model.vision_tower) is ConvVisionModel
    assert model.config.text_config.vocab_size == len(processor.tokenizer)


def test_saving_and_loading_keeps_every_weight_and_statistic(base_folder, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(base_folder).train()
    model.model.vision_tower(torch.randn(4, 3, 16, 16))  # statistics that are not those of a new tower
    assert model.model.vision_tower.blocks[0].norm.running_mean.any()
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


def test_an_image_is_encoded_alike_in_any_company():
    torch.manual_seed(0)
    tower = ConvVisionModel(ConvVisionConfig(image_size=16, widths=[8, 16], strides=[1, 2]))
    images = torch.randn(5, 3, 16, 16)
    tower.train()(torch.randn(8, 3, 16, 16))  # statistics of images seen before
    tower.eval()
    alone = torch.cat([tower(image[None]).last_hidden_state for image in images])
    assert torch.allclose(tower(images).last_hidden_state, alone, atol=1e-5)


def test_a_frozen_tower_keeps_its_statistics_while_the_rest_is_trained():
    torch.manual_seed(0)
    tower = ConvVisionModel(ConvVisionConfig(image_size=16, widths=[8, 16], strides=[1, 2])).train()
    tower(torch.randn(8, 3, 16, 16))
    tower.requires_grad_(False)
    before = copy.deepcopy(tower.state_dict())
    images = torch.randn(4, 3, 16, 16)
    in_training = tower(images).last_hidden_state
    assert all(torch.equal(before[name], tensor) for name, tensor in tower.state_dict().items())
    assert torch.allclose(tower.eval()(images).last_hidden_state, in_training, atol=1e-6)


def test_a_tower_without_the_residual_sees_the_colours_alone():
    tower = ConvVisionModel(ConvVisionConfig(image_size=16, widths=[8, 16], strides=[1, 2], residual=False))
    assert tower.blocks[0].conv.in_channels == 3
    assert tower.eval()(torch.zeros(1, 3, 16, 16)).last_hidden_state.shape == (1, 64, 16)


def test_the_residual_of_a_ramp_is_nothing_and_of_a_checkerboard_everything():
    residual = Residual(3)
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) / 8
    assert residual(ramp)[:, 3:, 1:-1, 1:-1].abs().max() < 1e-5
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 0.02 - 0.01
    found = residual(board.expand(1, 3, 8, 8))
    assert found.shape == (1, 6, 8, 8)
    assert found[:, 3:].abs() == pytest.approx(torch.full((1, 3, 8, 8), 8 * 4 * 0.01).numpy(), abs=1e-5)


def test_a_placeholder_becomes_as_many_tokens_as_the_tower_gives(processor):
    output = processor(text=["<image>"], images=[Image.new("RGB", (9, 70))], return_tensors="pt")
    assert (output["input_ids"] == processor.image_token_id).sum() == 16
