"""The limit of an image's pixels, and what images cost before one is read."""

import json

import pytest
from datasets import Dataset
from PIL import Image
from published_layout import LAYOUTS, write_published
from running import run_recipe, small_recipe

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.card import load_card
from fakeinstruct.expert.launch import train
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.published import PUBLISHED
from fakeinstruct.expert.recipe import load_recipe
from fakeinstruct.expert.resolution import by_processor, check_pixels, image_tokens, limit_pixels
from fakeinstruct.expert.rows import image_block

SIZES = [(40, 30), (30, 90), (200, 100), (64, 64)]
"""Width and height."""


def costs(processor, width, height):
    return len(image_block(processor, Image.new("RGB", (width, height)))["input_ids"])


@pytest.mark.parametrize("name", LAYOUTS)
def test_tokens_are_counted_as_the_processor_makes_them(name, tmp_path):
    write_published(name, tmp_path)
    processor = load_processor(tmp_path)
    of_size = by_processor(processor)
    assert [of_size(*size) for size in SIZES] == [costs(processor, *size) for size in SIZES]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "qwen3_5"])
def test_a_limit_is_kept_by_what_is_saved(name, tmp_path):
    """8 x 16 pixels are fewer than the least that the folder scales an image to."""
    model = write_published(name, tmp_path / "base")
    limited = limit_pixels(load_processor(tmp_path / "base"), 16 * 16)
    assert costs(limited, 64, 64) == 16 * 16 // 8**2
    limited.save_pretrained(tmp_path / "expert")
    model.config.save_pretrained(tmp_path / "expert")
    again = load_processor(tmp_path / "expert")
    assert [costs(again, *size) for size in SIZES] == [costs(limited, *size) for size in SIZES]
    lower = limit_pixels(again, 8 * 16)
    assert costs(lower, 64, 64) == 1
    assert all(costs(lower, *size) <= 2 for size in SIZES)


def test_a_folder_whose_limit_stands_under_its_old_name_is_limited_too(tmp_path):
    """Published folders say max_pixels, ours size; the recipe goes before both."""
    write_published("qwen2_5_vl", tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"max_pixels": 1024}))
    processor = load_processor(tmp_path)
    assert costs(processor, 64, 64) == 16
    assert costs(limit_pixels(processor, 256), 64, 64) == 4
    processor.save_pretrained(tmp_path)
    assert costs(load_processor(tmp_path), 64, 64) == 4


def test_without_a_limit_nothing_changes(tmp_path):
    write_published("qwen2_5_vl", tmp_path)
    processor = load_processor(tmp_path)
    before = dict(processor.image_processor.size)
    assert dict(limit_pixels(processor, None).image_processor.size) == before


@pytest.mark.parametrize(
    ("name", "reason"), [("llava", "at one size"), ("internvl", "into tiles"), ("smolvlm", "into tiles")]
)
def test_families_without_such_a_limit_refuse_it(name, reason, tmp_path):
    config = write_published(name, tmp_path).config
    recipe = small_recipe(tmp_path, "p", "o", data={"max_pixels": 1000})
    with pytest.raises(UsageError, match=rf"field data.max_pixels: .*{reason}"):
        check_pixels(recipe, config)
    check_pixels(small_recipe(tmp_path, "p", "o"), config)


def test_published_models_cost_what_the_table_says():
    for name, shape in PUBLISHED.items():
        counted = image_tokens(name, None, None)
        assert counted.usual() == shape.image_tokens
        assert (counted.assumes is None) == (name != "OpenGVLab/InternVL3-8B-hf")


def test_a_photograph_of_twelve_megapixels_on_qwen():
    """4000 x 3000: 143 x 107 tokens of 28 x 28 pixels; limited to 512 tokens it has at most as many."""
    name = "Qwen/Qwen2.5-VL-7B-Instruct"
    assert image_tokens(name, None, None).of_size(4000, 3000) == 143 * 107
    assert 480 <= image_tokens(name, 512 * 28 * 28, None).of_size(4000, 3000) <= 512


def test_a_folder_without_a_processor_says_what_is_assumed(tmp_path):
    config = write_published("qwen2_5_vl", tmp_path).config
    (tmp_path / "preprocessor_config.json").unlink()
    found = image_tokens(str(tmp_path), None, config)
    assert found.usual() == 256
    assert found.assumes == "every image costs 256 tokens (no processor could be loaded)"


@pytest.mark.parametrize("key", ["max_pixels=1", "data.image_resolution=1", "optimizer.image_max_pixels=1"])
def test_a_limit_in_another_place_is_pointed_to_its_own(key):
    with pytest.raises(UsageError, match=r"there is no .* here\. Give data\.max_pixels\."):
        load_recipe("qwen2.5-vl-7b-lora", [key])


@pytest.mark.slow
def test_an_expert_keeps_the_limit_that_it_was_trained_with(pairs_folder, tmp_path):
    """16 x 16 pixels are 4 tokens, limited to 128 pixels 1: in the rows, in training, in the expert's processor."""
    write_published("qwen2_5_vl", tmp_path / "base").save_pretrained(tmp_path / "base")
    lora = {"method": "lora", "parts": ["language_model"], "lora": {"rank": 2, "alpha": 4}}
    recipe = small_recipe(
        tmp_path / "base", pairs_folder, tmp_path / "run", data={"max_pixels": 128}, tune=lora
    )
    run = run_recipe(recipe)
    assert set(Dataset.from_file(str(run.rows))["tokens"]) <= {
        length - 3 for length in whole_tokens(tmp_path / "base", pairs_folder, tmp_path)
    }
    assert costs(load_processor(run.expert), 16, 16) == 1
    assert load_card(run.expert).trained_on["recipe"]["data"]["max_pixels"] == 128


def whole_tokens(base, pairs_folder, folder):
    """Lengths of the same pairs without a limit."""
    train(small_recipe(base, pairs_folder, folder / "whole"), start=False)
    return set(Dataset.from_file(str(folder / "whole" / "rows.arrow"))["tokens"])
