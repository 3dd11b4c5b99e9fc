"""What a row looks like in words: a snapshot of the text, and its marks held against the batch."""

import re

import pytest
import torch
from drawn import TINY, make_pairs
from tiny import tiny_qwen2_5_vl, tiny_qwen3_vl
from typer.testing import CliRunner

from fakeinstruct.base.errors import FakeInstructError, UsageError, printable
from fakeinstruct.cli.main import app
from fakeinstruct.expert.packing import model_positions
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.sft import IGNORE
from fakeinstruct.expert.show import SUPERVISED, show_labels, spell


def recipe(pairs, **sections):
    """A recipe of the small expert; each section as in a file."""
    shape = TINY.model_dump()
    stages = {"optimizer": {"lr": 0.01, "batch": 8}, **sections}
    return Recipe.model_validate({"base": "small", "small": shape, "pairs": str(pairs), **stages})


def test_a_packed_row_in_plain_text(pairs_folder, snapshot):
    text = "\n".join(shown.plain for shown in show_labels(recipe(pairs_folder)))
    snapshot("show-labels.txt", text)


def test_pairs_that_cannot_be_learned_are_counted(pairs_folder):
    text = next(show_labels(recipe(pairs_folder, data={"max_tokens": 40}))).plain
    assert "16 pairs of these images left out: " in text
    assert "more than data.max_tokens = 40" in text


def test_each_stage_is_shown_with_its_own_pairs(pairs_folder):
    stages = {
        "words": {"data": {"templates": ["verdict/one_word"]}},
        "reasons": {"data": {"templates": ["reasoning/turns"]}, "packing": None},
    }
    first, second = (shown.plain for shown in show_labels(recipe(pairs_folder, stages=stages)))
    assert first.startswith("stage words\n8 pairs")
    assert "reasoning/turns" not in first
    assert "one row: 4 trees" in first
    assert "not packed: 8 rows" in second
    assert "positions" not in second


def test_supervised_tokens_have_a_colour_and_a_mark(pairs_folder):
    shown = next(show_labels(recipe(pairs_folder)))
    coloured = [shown.plain[span.start : span.end] for span in shown.spans if span.style == SUPERVISED]
    legend, *marked = re.findall(r"\[\[.*?\]\]", shown.plain)
    assert coloured == [legend, *marked]
    assert marked
    assert all(mark.endswith("</s>]]") for mark in marked)


def test_tokens_are_spelt_as_they_are_labelled(processor):
    from fakeinstruct.expert.sft import encode_conversation

    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Real\nor \x1b[31mfake?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "fake"}]},
    ]
    encoded = encode_conversation(processor, turns)
    ids = torch.tensor(encoded.input_ids)
    words = spell(processor, ids, torch.tensor(encoded.labels) != IGNORE, (0, len(ids)))
    assert [marked for _, marked in words] == [False, True]
    assert words[0][0] == "<s>USER: <image> x 1 Real\\nor \\x1b[31mfake? ASSISTANT:"
    assert words[1][0] == " fake</s>"


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\n\x1b[0m\u202eb é") == "a\\n\\x1b[0m\\u202eb é"


def test_it_trains_nothing_and_writes_nothing(pairs_folder, tmp_path):
    out = tmp_path / "run"
    assert list(show_labels(recipe(pairs_folder, out=str(out))))
    assert not out.exists()


def test_without_pairs_or_with_none_left(tmp_path):
    with pytest.raises(UsageError, match="names no pairs"):
        list(show_labels(recipe("x").model_copy(update={"pairs": None})))
    pairs = make_pairs(tmp_path / "pairs", images=2)
    with pytest.raises(FakeInstructError, match="is left to learn"):
        list(show_labels(recipe(pairs, data={"templates": ["no/such"]})))


@pytest.mark.parametrize("make", [tiny_qwen2_5_vl, tiny_qwen3_vl])
def test_a_model_without_weights_knows_its_positions(make):
    tiny = make()
    block = tiny.image(0)
    ids = torch.tensor([[1, *block["input_ids"], 30, 31, 32]])
    expected = model_positions(tiny.model, tiny.image_token)(ids, [block])
    bare = model_positions(tiny.model.to("meta"), tiny.image_token)(ids, [block])
    assert torch.equal(bare, expected)
    assert bare[:, -1].max() < ids.shape[1] - 1  # an image takes fewer positions than tokens


def test_both_looks_from_the_command_line(pairs_folder, tmp_path):
    file = tmp_path / "recipe.json"
    file.write_text(recipe(pairs_folder).model_dump_json())
    file = file.rename(tmp_path / "recipe.yaml")
    for option, expected in (
        ("--show-labels", "[[ real</s>]]"),
        ("--dry-run", "pairs an epoch     48 (counted)"),
    ):
        ended = CliRunner().invoke(app, ["train", str(file), option])
        assert ended.exit_code == 0, ended.output
        assert expected in ended.stdout
        assert "\x1b" not in ended.stdout
