"""Words resolved to tokens: spaces, case, templates, several pieces; and whole words scored by the chain rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from foreign import draw_pictures, write_foreign
from hypothesis import given, settings
from hypothesis import strategies as st
from spelling import CHATML, VICUNA, Chat, byte_level, sentence_piece, whole_words

from fakeinstruct.base.errors import UsageError
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import answer_start, resolve_prompt, user_turn
from fakeinstruct.forensics.views import View, Viewer

ASKED = user_turn("Is this image real or fake?")
WORDS = {"fake": ("fake",), "real": ("real",)}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    return {"bytes": byte_level(), "pieces": sentence_piece(tmp_path_factory.mktemp("pieces"))}


@pytest.fixture(params=["bytes", "pieces"])
def words(request, tokenizers):
    return tokenizers[request.param]


def spelt(chat, resolved):
    return [chat.tokenizer.convert_ids_to_tokens(list(word.pieces)) for word in resolved.words]


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("template", [CHATML, VICUNA])
@pytest.mark.parametrize("prefix", ["", "The image is ", "The image is"])
def test_prompt_and_word_are_the_tokens_of_the_text_as_one(words, template, prefix):
    chat = Chat(words, template)
    resolved = resolve_prompt(chat, ASKED, {"fake": ("fake", "Fake"), "real": ("real",)}, prefix)
    start = answer_start(chat, ASKED) + prefix
    for word in resolved.words:
        assert [*resolved.input_ids, *word.pieces] == ids_of(words, start + word.text)


def test_a_word_behind_a_prefix_brings_its_space(words):
    chat = Chat(words, CHATML)
    behind = resolve_prompt(chat, ASKED, WORDS, "The image is ")
    first = resolve_prompt(chat, ASKED, WORDS)
    assert [pieces[0][0] for pieces in spelt(chat, behind)] == (
        ["Ġ"] * 2 if words.bos_token_id > 2 else ["▁"] * 2
    )
    assert [word.pieces for word in behind.words] != [word.pieces for word in first.words]
    assert words.decode(behind.input_ids).endswith("The image is")
    assert (
        behind.input_ids
        == resolve_prompt(chat, ASKED, WORDS, "The image is").input_ids[: len(behind.input_ids)]
    )


def test_the_template_says_whether_an_answer_begins_with_a_space(tokenizers):
    with_space = Chat(tokenizers["bytes"], VICUNA)
    without = Chat(tokenizers["bytes"], CHATML)
    assert spelt(with_space, resolve_prompt(with_space, ASKED, WORDS))[0][0][0] == "Ġ"
    assert spelt(without, resolve_prompt(without, ASKED, WORDS))[0][0][0] != "Ġ"


@pytest.mark.parametrize("word", ["a", "s", "ASSISTANT", "end", "im_end", "assistant", "<", "user"])
def test_a_word_that_stands_in_the_templates_tail_is_found_all_the_same(tokenizers, word):
    """It was looked for from the right of the rendered conversation."""
    own = "{% if message.role == 'assistant' %}a s ASSISTANT end user <{% endif %}"
    tail = CHATML.replace("<|im_end|>\n{% endfor %}", f"<|im_end|>\n{own}{{% endfor %}}")
    chat = Chat(tokenizers["bytes"], tail)
    resolved = resolve_prompt(chat, ASKED, {"fake": (word,), "real": ("Q",)})
    assert tokenizers["bytes"].decode(resolved.words[0].pieces) == word


TRIMMED = CHATML.replace("{{ block.text }}", "{{ block.text | trim }}")
NO_ANSWER = (
    "{% for message in messages %}{% if message.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}<image>Q: "
    "{{ message.content[1].text }}{% endfor %} A:"
)
IGNORED = NO_ANSWER.replace("{{ raise_exception('no') }}", "{% break %}").replace(
    "{% if message.role == 'assistant' %}{% break %}{% endif %}<image>Q: {{ message.content[1].text }}",
    "{% if message.role == 'user' %}<image>Q: {{ message.content[1].text }}{% endif %}",
)
THOUGHT = CHATML.replace(
    "<|im_start|>{{ message.role }}\n",
    "<|im_start|>{{ message.role }}\n{% if message.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}",
).replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")
PROMPTED = "<|im_start|>assistant\n{% endif %}"
CLOSED = CHATML.replace(PROMPTED, PROMPTED.replace("{%", "<think>\n\n</think>\n\n{%"))
SPACED = VICUNA.replace("ASSISTANT:{% else %} ", "ASSISTANT: {% else %}")
REWRITTEN = CHATML.replace(
    "{% for message", "{{ 'Answered.' if messages|length > 1 else 'Open.' }}{% for message", 1
)


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (TRIMMED, "<|im_start|>assistant\n"),
        (NO_ANSWER, " A:"),
        (IGNORED, " A:"),
        (THOUGHT, "<think>\n\n</think>\n\n"),
        (CLOSED, "<think>\n\n</think>\n\n"),
        (SPACED, "ASSISTANT:"),
    ],
    ids=[
        "trims",
        "refuses answers",
        "ignores answers",
        "closes a thought",
        "prompts behind a thought",
        "ends in space",
    ],
)
def test_templates_of_all_kinds(tokenizers, template, end):
    tokenizer = tokenizers["bytes"]
    resolved = resolve_prompt(Chat(tokenizer, template), ASKED, WORDS)
    assert tokenizer.decode(resolved.input_ids).endswith(end)
    assert [tokenizer.decode(word.pieces).strip() for word in resolved.words] == ["fake", "real"]


def test_a_template_that_rewrites_the_history_is_refused(tokenizers):
    with pytest.raises(UsageError, match="otherwise once it is answered"):
        resolve_prompt(Chat(tokenizers["bytes"], REWRITTEN), ASKED, WORDS)


def test_the_bos_of_a_template_is_there_once(tmp_path):
    pieces = sentence_piece(tmp_path)
    pieces.add_bos_token = True
    for template in (VICUNA, VICUNA.removeprefix("{{ bos_token }}")):  # where it lacks, the tokenizer adds it
        resolved = resolve_prompt(Chat(pieces, template), ASKED, WORDS)
        assert resolved.input_ids.count(pieces.bos_token_id) == 1
        assert resolved.input_ids[0] == pieces.bos_token_id


@pytest.mark.parametrize(
    ("fake", "real", "message"),
    [
        (("rea",), ("real",), r"'real' \(real, .*\) and 'rea' \(fake, .*\) begin with the same tokens"),
        (("fake",), ("fake news",), r"'fake news' \(real, .*\) and 'fake' \(fake, .*\[\d+\]\) begin"),
        (("not",), ("not fake",), "begin with the same tokens"),
    ],
)
def test_a_word_that_begins_with_another_labels_word_is_refused_with_its_tokens(
    tokenizers, fake, real, message
):
    with pytest.raises(UsageError, match=message):
        resolve_prompt(Chat(byte_level(["x"] * 4, 262), CHATML), ASKED, {"fake": fake, "real": real})


def test_two_words_that_share_their_first_token_only_are_scored_whole(tokenizers):
    chat = Chat(tokenizers["bytes"], CHATML)
    resolved = resolve_prompt(chat, ASKED, {"fake": ("not real",), "real": ("not fake",)})
    one, two = (word.pieces for word in resolved.words)
    assert one[0] == two[0]
    assert one != two
    assert resolved.rows()[1:] == [resolved.input_ids + one[:-1], resolved.input_ids + two[:-1]]


def test_of_two_words_of_one_label_the_shorter_stands_for_both(tokenizers):
    """The longer one's probability is part of the shorter one's: counting both would count it twice."""
    chat = Chat(tokenizers["bytes"], CHATML)
    for order in (("AI", "AI made"), ("AI made", "AI")):
        resolved = resolve_prompt(chat, ASKED, {"fake": order, "real": ("real",)})
        assert [word.text for word in resolved.words] == ["AI", "real"]


def test_a_word_that_the_vocabulary_cannot_spell_is_refused():
    template = (
        "{% for turn in messages %}<image> asked "
        "{% if turn.role == 'assistant' %}{{ turn.content[0].text }}{% endif %}{% endfor %}"
    )
    chat = Chat(whole_words("asked", "real"), template)
    with pytest.raises(UsageError, match=r"cannot spell 'fake': it becomes <unk>\[0\]"):
        resolve_prompt(chat, ASKED, WORDS)


def test_a_word_that_melts_into_the_prefix_is_refused(tokenizers):
    with pytest.raises(UsageError, match="joins 'ke' with the prompt"):
        resolve_prompt(
            Chat(tokenizers["bytes"], CHATML), ASKED, {"fake": ("ke",), "real": ("real",)}, "The image is fa"
        )


def test_a_word_that_changes_the_tokens_before_it_is_refused_however_long_it_is(tokenizers):
    """Behind "fa" the word has tokens of its own left over, which say nothing of where it begins."""
    chat = Chat(tokenizers["bytes"], CHATML)
    prefix, word = "The image is fa", "ke photo"
    apart, joined = (
        chat.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prefix, prefix + word)
    )
    assert len(joined) > len(apart)
    assert joined[: len(apart)] != apart
    with pytest.raises(UsageError, match="joins 'ke photo' with the prompt"):
        resolve_prompt(chat, ASKED, {"fake": (word,), "real": ("real",)}, prefix)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12))
def test_any_word_is_spelt_whole_or_refused(word):
    chat = Chat(BYTES, CHATML)
    try:
        resolved = resolve_prompt(chat, ASKED, {"fake": (word,), "real": ("real",)}, "It is ")
    except UsageError:
        return
    assert chat.tokenizer.decode(resolved.input_ids + resolved.words[0].pieces).endswith(f"It is {word}")


BYTES = byte_level()


def test_what_a_readout_resolved_to_can_be_printed(tokenizers):
    chat = Chat(tokenizers["bytes"], CHATML)
    text = resolve_prompt(chat, ASKED, {"fake": ("fake", "Fake"), "real": ("not so",)}, "It is ").describe(
        chat
    )
    prompt, *lines = text.splitlines()
    assert prompt.endswith(r"<image>Is this image real or fake?<|im_end|>\n<|im_start|>assistant\nIt is'")
    assert [line.split()[:2] for line in lines] == [["fake", "'fake'"], ["fake", "'Fake'"], ["real", "'not"]]
    ids = resolve_prompt(chat, ASKED, {"fake": ("fake",), "real": ("real",)}, "It is ").words[0].pieces
    assert f"Ġfake[{ids[0]}]  decoded [' fake']" in lines[0]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    expert = load_expert(write_foreign("llava", folder / "model"))
    return expert, Viewer(draw_pictures(folder / "pictures", 1))


def chain_rule(expert, viewer, prompt, pieces):
    """Log-probability of some tokens behind a prompt, by one plain forward pass a token."""
    plain, _ = expert.collators(viewer)
    total = 0.0
    for count, piece in enumerate(pieces):
        batch = plain([{"input_ids": [*prompt, *pieces[:count]], "image": View("0.png")}])
        with torch.no_grad():
            total += float(expert.model(**batch).logits[0, -1].log_softmax(0)[piece])
    return total


@pytest.mark.parametrize("prefix", ["", "word40 word41 "])
def test_a_words_logit_is_its_probability_by_the_chain_rule(asked, prefix):
    expert, viewer = asked
    words = {"fake": ("word70 word71 word72", "word73"), "real": ("word70 word74", "word75 word76")}
    question = Question(View("0.png"), user_turn("word60 word61"), words, {"kind": "verdict"}, prefix=prefix)
    asker = expert.asker(viewer)
    (row,) = asker.ask([question])
    resolved = asker.resolve(question)
    assert [len(word.pieces) for word in resolved.words] == [3, 1, 2, 2]
    expected = [chain_rule(expert, viewer, resolved.input_ids, word.pieces) for word in resolved.words]
    np.testing.assert_allclose(np.array(row["logits"]) - row["log_normaliser"], expected, atol=1e-4)
    assert row["label_mass"] == pytest.approx(np.exp(expected).sum(), abs=1e-5)
    fake, real = np.logaddexp.reduce(expected[:2]), np.logaddexp.reduce(expected[2:])
    assert row["margin"] == pytest.approx(fake - real, abs=1e-4)
