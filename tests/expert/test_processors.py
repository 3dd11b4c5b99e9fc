"""Processors of every family, in the folder layout that its models are published in, without torchvision."""

import json
import shutil

import pytest
from PIL import Image
from published_layout import LAYOUTS, ROLES, TILES, tokenizer, write, write_published
from test_token_boxes import PICTURES
from tiny import IMAGE

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.processors import check_image_tokens, image_features, load_processor
from fakeinstruct.expert.rows import image_block
from fakeinstruct.expert.sft import encode_conversation, render_chat


@pytest.fixture(scope="module", params=LAYOUTS)
def published(request, tmp_path_factory):
    """A family's folder, model and processor."""
    folder = tmp_path_factory.mktemp(request.param)
    model = write_published(request.param, folder)
    return folder, model, load_processor(folder)


def test_the_processor_puts_as_many_tokens_as_the_model_makes_features(published):
    _, model, processor = published
    counts = set()
    for size in PICTURES:
        block = image_block(processor, Image.new("RGB", size, "grey"))
        counts.add(block["input_ids"].count(IMAGE))
        assert block["input_ids"].count(IMAGE) == image_features(model, block)
    assert len(counts) > 1 or model.config.model_type == "llava"
    check_image_tokens(model, processor)


def test_what_is_saved_loads_again_and_bears_the_published_name(published, tmp_path):
    folder, model, processor = published
    processor.save_pretrained(tmp_path)
    shutil.copy(folder / "config.json", tmp_path)
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    assert saved["processor_class"] == LAYOUTS[model.config.model_type][0]
    again = load_processor(tmp_path)
    picture = Image.effect_noise((70, 40), 60).convert("RGB")
    ours, theirs = image_block(processor, picture), image_block(again, picture)
    assert ours.pop("input_ids") == theirs.pop("input_ids")
    assert all((ours[name] == theirs[name]).all() for name in ours)
    has_videos = model.config.model_type not in ("llava", "llava_next")
    assert ("video_processor" in saved) == has_videos


def test_what_was_published_for_videos_is_saved_as_it_was(tmp_path):
    write_published("internvl", tmp_path / "base")
    videos = {"video_processor_type": "InternVLVideoProcessor", "size": {"height": 28, "width": 28}}
    write(tmp_path / "base" / "video_preprocessor_config.json", videos)
    load_processor(tmp_path / "base").save_pretrained(tmp_path / "expert")
    shutil.copy(tmp_path / "base" / "config.json", tmp_path / "expert")
    load_processor(tmp_path / "expert").save_pretrained(tmp_path / "second")
    for folder in ("expert", "second"):
        assert (
            json.loads((tmp_path / folder / "processor_config.json").read_text())["video_processor"] == videos
        )


def test_a_conversation_is_rendered_with_the_image_token(published):
    _, _, processor = published
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "word20 word21"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "word22"}]},
    ]
    text = render_chat(processor, messages)
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids.count(processor.image_token_id) == 1
    assert text.split()[-2:] == ["assistant", "word22"]


def test_the_small_expert_loads_likewise(base_folder):
    from transformers import AutoModelForImageTextToText

    processor = load_processor(base_folder)
    check_image_tokens(AutoModelForImageTextToText.from_pretrained(base_folder), processor)
    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "fake"}]},
    ]
    assert encode_conversation(processor, turns).input_ids.count(processor.image_token_id) == 1


@pytest.mark.parametrize(
    ("name", "file", "change"),
    [
        ("llava", "processor_config.json", {"num_additional_image_tokens": 0}),
        ("llava_next", "processor_config.json", {"patch_size": 14}),
        ("qwen2_5_vl", "preprocessor_config.json", {"merge_size": 4}),
        ("internvl", "processor_config.json", {"image_seq_length": 9}),
        ("smolvlm", "processor_config.json", {"image_seq_len": 9}),
    ],
)
def test_a_count_that_differs_is_named_with_both_numbers(name, file, change, tmp_path):
    model = write_published(name, tmp_path)
    write(tmp_path / file, json.loads((tmp_path / file).read_text()) | change)
    processor = load_processor(tmp_path)
    block = image_block(processor, Image.new("RGB", (96, 64), "grey"))
    tokens, features = block["input_ids"].count(IMAGE), image_features(model, block)
    assert tokens != features
    with pytest.raises(UsageError, match=rf"puts {tokens} tokens .* makes {features} features"):
        check_image_tokens(model, processor)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_tokenizer_without_the_image_token_is_refused(name, tmp_path):
    write_published(name, tmp_path)
    names = {
        number: text for number, text in LAYOUTS[name][3].items() if number != IMAGE and number not in TILES
    }
    tokenizer(names, ROLES.get(name, {})).save_pretrained(tmp_path)
    if name == "internvl":  # a tokenizer adds the tokens that it names
        tokenizer(names, {}).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"image token|no processor could be loaded"):
        load_processor(tmp_path)


def test_another_models_tokenizer_is_refused(tmp_path):
    model = write_published("qwen2_5_vl", tmp_path)
    names = {IMAGE + 10: "<|image_pad|>"}
    tokenizer(names, {}).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="the model's image token is 5, the processor's 15"):
        check_image_tokens(model, load_processor(tmp_path))


def test_a_folder_without_a_processor_is_refused(tmp_path):
    write_published("qwen2_5_vl", tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(
        UsageError, match=r"no processor could be loaded\. The folder needs the files"
    ) as caught:
        load_processor(tmp_path)
    assert len(str(caught.value)) < len(str(tmp_path)) + 270
    with pytest.raises(UsageError, match="no processor could be loaded"):
        load_processor(tmp_path / "nothing")
