"""Writing: the same words in any company, draws by a row's own seed, pieces that make the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from foreign import BOS, MODELS, draw_pictures, write_foreign

from fakeinstruct.base.errors import UsageError
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.views import View, Viewer
from fakeinstruct.forensics.write import Draws, Stream, pad_left, prompt_tokens, write, write_about

QUESTIONS = (
    "real or fake?",
    "Is this image real or fake? Answer with one word.",
    "What speaks for your verdict?",
)


@pytest.fixture(scope="module")
def expert(expert_folder):
    return load_expert(expert_folder)


@pytest.fixture(scope="module")
def rows(expert):
    """Three questions of unequal length about each of three images."""
    return [
        {"input_ids": prompt_tokens(expert, question), "image": View(f"images/{image}.png")}
        for image in range(3)
        for question in QUESTIONS
    ]


@pytest.fixture(scope="module")
def collator(expert, chains_folder):
    return expert.collators(Viewer(chains_folder))[0]


def test_what_is_written_does_not_depend_on_the_company(expert, collator, rows):
    assert len({len(row["input_ids"]) for row in rows}) == 3
    together = write(expert, collator, rows, max_new_tokens=12)
    alone = [write(expert, collator, [row], max_new_tokens=12)[0] for row in rows]
    assert together == alone
    assert len({tuple(tokens) for tokens in together}) > 1


@pytest.mark.parametrize("family", sorted(MODELS.keys() - {"small"}))
def test_unequal_prompts_in_every_family(family, tmp_path):
    """Left padding, positions of their own, and positions kept from an earlier call have each broken this."""
    expert = load_expert(write_foreign(family, tmp_path / "model"))
    collator, _ = expert.collators(Viewer(draw_pictures(tmp_path / "pictures")))
    rows = [
        {"input_ids": [BOS, 90, expert.processor.image_token_id, *words, 91], "image": View(f"{image}.png")}
        for image in range(3)
        for words in ((60, 61, 62), (62, 61, 60, 64, 65, 66))
    ]
    alone = [write(expert, collator, [row], max_new_tokens=6)[0] for row in rows]
    assert write(expert, collator, rows, max_new_tokens=6) == alone
    assert len({tuple(tokens) for tokens in alone}) > 1


def test_greedy_tokens_are_the_likeliest_of_a_plain_forward_pass(expert, collator, rows):
    """Whatever the published settings of generation say: a penalty on repetition would change the second token."""
    expert.model.generation_config.repetition_penalty = 50.0
    try:
        (tokens,) = write(expert, collator, rows[:1], max_new_tokens=6)
    finally:
        expert.model.generation_config.repetition_penalty = 1.0
    row = rows[0]
    for count, token in enumerate(tokens):
        batch = collator([{**row, "input_ids": [*row["input_ids"], *tokens[:count]]}])
        with torch.no_grad():
            logits = expert.model(**expert.inputs(batch)).logits[0, -1].float()
        logits[expert.processor.image_token_id] = -np.inf
        assert logits.argmax() == token


def test_draws_are_each_rows_own(expert, collator, rows):
    seeds = list(range(100, 100 + len(rows)))
    together = write(expert, collator, rows, draws=seeds, max_new_tokens=10)
    backwards = write(expert, collator, rows[::-1], draws=seeds[::-1], max_new_tokens=10)
    alone = [
        write(expert, collator, [row], draws=[seed], max_new_tokens=10)[0]
        for row, seed in zip(rows, seeds, strict=True)
    ]
    assert together == backwards[::-1] == alone
    assert together != write(expert, collator, rows, max_new_tokens=10)
    other = write(expert, collator, rows[:1], draws=[7], max_new_tokens=10)
    assert other[0] != together[0]


def test_draws_have_the_probabilities_of_the_softmax():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    draws = Draws(range(4000))
    drawn = draws(torch.zeros(4000, 1), logits.expand(4000, 4)).argmax(1)
    shares = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(shares, logits.softmax(0), atol=0.03, rtol=0)
    assert draws(torch.zeros(4000, 1), torch.tensor([[-np.inf, 0.0]]).expand(4000, 2)).argmax(1).all()


def test_a_row_is_moved_to_the_right_end():
    batch = {
        "input_ids": torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
        "mm_token_type_ids": torch.tensor([[0, 1, 0, 0], [1, 0, 0, 0]]),
        "pixel_values": torch.arange(3.0),
    }
    moved = pad_left(batch)
    assert moved["input_ids"].tolist() == [[1, 2, 3, 4], [0, 0, 5, 6]]
    assert moved["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 0, 1, 1]]
    assert moved["mm_token_type_ids"].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert moved["pixel_values"].tolist() == [0, 1, 2]


def test_the_end_token_and_all_behind_it_are_left_out(expert, collator, rows):
    tokens = write(expert, collator, rows[:1], max_new_tokens=8)[0]
    end = expert.model.generation_config.eos_token_id
    expert.model.generation_config.eos_token_id = [end, tokens[3]]
    try:
        cut = write(expert, collator, rows[:2], max_new_tokens=8)[0]
    finally:
        expert.model.generation_config.eos_token_id = end
    assert cut == tokens[: tokens.index(tokens[3])]


def test_no_placeholder_is_written(expert, collator, rows):
    """Read again, it would be taken for another image."""
    head = expert.model.get_output_embeddings()
    token = expert.processor.image_token_id
    before = head.weight[token].clone()
    with torch.no_grad():
        head.weight[token] = 50 * head.weight.abs().max()
        try:
            tokens = write(expert, collator, rows, draws=range(len(rows)), max_new_tokens=8)
        finally:
            head.weight[token] = before
    assert token not in {token for row in tokens for token in row}


def test_shown_pieces_are_the_text(expert, collator, rows):
    pieces: list[str] = []
    images, question = [rows[0]["image"]], QUESTIONS[2]
    (text,) = write_about(expert, collator, images, question, draws=[3], show=pieces.append)
    assert [text] == write_about(expert, collator, images, question, draws=[3])
    assert "".join(pieces) == text
    assert len(pieces) > 1


def test_half_a_character_is_not_shown():
    class Bytes:
        """Decodes a byte a token."""

        def decode(self, tokens, **_):
            return bytes(tokens).decode(errors="replace")

    pieces: list[str] = []
    stream = Stream(Bytes(), pieces.append)
    stream.put(torch.tensor([[1, 2, 3]]))  # the prompt
    for byte in " où est-ce ? là ".encode():
        stream.put(torch.tensor([byte]))
    stream.end()
    assert "".join(pieces) == "où est-ce ? là"
    assert not any("\ufffd" in piece for piece in pieces)


def test_several_texts_cannot_be_shown(expert, collator, rows):
    with pytest.raises(ValueError, match="piece by piece"):
        write(expert, collator, rows, show=print)


@pytest.mark.parametrize("question", ["", "  \n", "what is <image> here?"])
def test_a_question_that_cannot_be_asked(expert, question):
    with pytest.raises(UsageError, match="question"):
        prompt_tokens(expert, question)
