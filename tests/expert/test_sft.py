"""The loss falls on the assistant's tokens, and on nothing else."""

import pytest
from PIL import Image

from fakeinstruct.base.errors import RecordError
from fakeinstruct.expert.blocks import place_blocks
from fakeinstruct.expert.rows import image_block
from fakeinstruct.expert.sft import IGNORE, encode_conversation, render_chat, tokenize


def user(text, *, image=False):
    blocks = [{"type": "image"}] if image else []
    return {"role": "user", "content": [*blocks, {"type": "text", "text": text}]}


def assistant(text):
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


ONE_TURN = [user("Is this image real or fake?", image=True), assistant("fake")]
TWO_TURNS = [*ONE_TURN, user("What do the edges tell?"), assistant("The edges tell that it is fake.")]


def supervised(processor, encoded):
    """What the loss falls on, as text, one piece a run of labels."""
    runs, run = [], []
    for label in (*encoded.labels, IGNORE):
        if label != IGNORE:
            run.append(label)
        elif run:
            runs.append(processor.tokenizer.decode(run))
            run = []
    return runs


def test_one_turn_supervises_the_answer_and_its_end(processor):
    assert supervised(processor, encode_conversation(processor, ONE_TURN)) == ["fake</s>"]


def test_several_turns_supervise_every_answer_and_no_question(processor):
    encoded = encode_conversation(processor, TWO_TURNS)
    assert supervised(processor, encoded) == ["fake</s>", "The edges tell that it is fake.</s>"]


@pytest.mark.parametrize("messages", [ONE_TURN, TWO_TURNS])
def test_labels_are_the_ids_where_they_are_not_ignored(processor, messages):
    encoded = encode_conversation(processor, messages)
    assert len(encoded.labels) == len(encoded.input_ids)
    assert all(
        label in (IGNORE, token) for label, token in zip(encoded.labels, encoded.input_ids, strict=True)
    )
    assert list(encoded.input_ids) == tokenize(processor, render_chat(processor, messages))


def test_the_first_label_follows_the_prompt_that_scoring_uses(processor):
    encoded = encode_conversation(processor, ONE_TURN)
    prompt = tokenize(processor, render_chat(processor, ONE_TURN[:1], prompt=True))
    first = next(index for index, label in enumerate(encoded.labels) if label != IGNORE)
    assert list(encoded.input_ids[:first]) == prompt


def test_a_conversation_without_an_answer_is_refused(processor):
    with pytest.raises(RecordError, match="no assistant's turn"):
        encode_conversation(processor, ONE_TURN[:1])


def test_a_template_that_rewrites_earlier_turns_is_refused(processor):
    class Rewrites:
        tokenizer = processor.tokenizer

        @staticmethod
        def apply_chat_template(messages, **options):
            return f"{len(messages)} turns. " + processor.apply_chat_template(messages, **options)

    with pytest.raises(RecordError, match="does not begin where its prompt ends"):
        encode_conversation(Rewrites, TWO_TURNS)


@pytest.mark.parametrize("messages", [ONE_TURN, TWO_TURNS])
def test_a_placed_block_is_what_the_processor_makes_of_the_whole_text(processor, messages):
    image = Image.new("RGB", (40, 30), "teal")
    encoded = encode_conversation(processor, messages)
    block = image_block(processor, image)
    whole = processor(text=[encoded.text], images=[image], add_special_tokens=False, return_tensors="pt")
    placed = place_blocks(
        encoded.input_ids, encoded.input_ids, [block["input_ids"]], processor.image_token_id
    )
    assert placed == whole["input_ids"][0].tolist()
    assert (block["pixel_values"] == whole["pixel_values"]).all()
    assert len(block["input_ids"]) == 16
