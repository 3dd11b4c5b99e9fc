"""Scanning: the logits where the model wrote its verdict are those of a plain forward pass up to there."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import make_chains

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout, load_card, save_card
from fakeinstruct.expert.sft import render_chat
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import Question, verdict_question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.scan import Begun, find_place, sampled
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.views import View, Viewer
from fakeinstruct.forensics.write import prompt_tokens

PROMPT = "What speaks for your verdict?"
READOUT = Readout(name="reasoned", prompt=PROMPT, position="scan", fake=("fake",), real=("real",))
SAID = {"fake": "The texture tells that it is fake. So what is it?", "real": "The light tells: it is real."}


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    return make_chains(tmp_path_factory.mktemp("chains"), 20)


@pytest.fixture(scope="module")
def expert(expert_folder, chains, tmp_path_factory):
    """The small expert after it learned by heart what to say of a checkerboard and of none."""
    folder = tmp_path_factory.mktemp("reasoning") / "expert"
    shutil.copytree(expert_folder, folder)
    save_card(folder, load_card(folder).model_copy(update={"readouts": (READOUT,)}))
    expert = load_expert(folder)
    teach(expert, chains)
    expert.model.save_pretrained(folder)
    return load_expert(folder)


def teach(expert, chains):
    collator, _ = expert.collators(chains)
    prompt = prompt_tokens(expert, PROMPT)
    tokenizer = expert.processor.tokenizer
    rows = [
        {
            "input_ids": [
                *prompt,
                *tokenizer(f" {SAID[label]}", add_special_tokens=False)["input_ids"],
                tokenizer.eos_token_id,
            ],
            "image": f"images/{number}.png",
        }
        for number, label in enumerate(["real", "fake"] * 6)
    ]
    batch = expert.inputs(collator(rows))
    targets = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    model = expert.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        logits = model(**batch, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def questions(count=4, readout=READOUT):
    return [
        verdict_question(View(f"images/{number}.png"), readout, {"item": str(number)})
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def rows(expert, chains):
    return expert.asker(Viewer(chains)).ask(questions())


def test_it_writes_and_the_verdict_is_found(rows):
    assert [row["text"] for row in rows] == [SAID["real"], SAID["fake"]] * 2
    assert [row["verdict"] for row in rows] == ["real", "fake"] * 2
    assert all(row["position"] == "scan" and row["sample"] == 0 and not row["error"] for row in rows)
    assert all((row["margin"] > 0) == (row["verdict"] == "fake") for row in rows)
    assert all(row["label_mass"] > 0.5 for row in rows)


def test_logits_are_those_of_a_plain_pass_up_to_the_verdict(expert, chains, rows):
    collator, _ = expert.collators(chains)
    tokenizer = expert.processor.tokenizer
    for number, row in enumerate(rows):
        before = f" {row['text'][: row['text'].index(row['verdict'])]}".rstrip()
        ids = [*prompt_tokens(expert, PROMPT), *tokenizer(before, add_special_tokens=False)["input_ids"]]
        words = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in ("fake", "real")]
        assert [len(word) for word in words] == [1, 1]
        with torch.no_grad():
            batch = collator([{"input_ids": ids, "image": f"images/{number}.png"}])
            end = expert.model(**expert.inputs(batch)).logits[0, -1].float()
        assert row["words"] == ["fake", "real"]
        assert row["logits"] == pytest.approx([end[word[0]].item() for word in words], abs=1e-4)
        assert row["log_normaliser"] == pytest.approx(end.logsumexp(-1).item(), abs=1e-4)


def test_where_no_verdict_is_written_the_row_says_what_was(expert, chains):
    silent = READOUT.model_copy(update={"after": "Verdict:"})
    asked = [*questions(1, silent), *questions(1)]
    first, second = expert.asker(Viewer(chains)).ask(asked)
    assert first["error"] == f"wrote no verdict ('{SAID['real']}')"
    assert first["text"] == SAID["real"]
    assert first.get("margin") is None
    assert second["margin"] is not None


def test_batches_of_any_size_agree(expert, chains):
    for batch in (1, 3):
        rows = expert.asker(Viewer(chains), batch=batch).ask(questions())
        again = expert.asker(Viewer(chains), batch=4).ask(questions()[::-1])[::-1]
        np.testing.assert_allclose(
            [row["margin"] for row in rows], [row["margin"] for row in again], atol=1e-4, rtol=0
        )


def test_sampled_rationales_are_each_their_own_and_the_same_again(expert, chains):
    (question,) = questions(1)
    assert list(sampled(question, 1, seed=0)) == [question]
    three = list(sampled(question, 3, seed=0))
    assert [one.facts["sample"] for one in three] == [0, 1, 2]
    assert len({one.key() for one in three}) == len({one.draw for one in three}) == 3
    assert {one.draw for one in sampled(question, 3, seed=1)}.isdisjoint(one.draw for one in three)
    unlearned = replace(question, messages=user_turn("real or fake?"))
    many = list(sampled(unlearned, 12, seed=0))
    asker = expert.asker(Viewer(chains))
    rows = asker.ask(many)
    assert len({row["text"] for row in rows}) > 1
    assert asker.ask(many[7:8])[0]["text"] == rows[7]["text"]


def test_only_what_is_scanned_for_is_sampled():
    (question,) = questions(1, READOUT.model_copy(update={"position": "first"}))
    assert list(sampled(question, 5, seed=0)) == [question]


def test_scored_by_protocol_every_sample_is_a_row(expert, chains, tmp_path):
    rejects = Rejects(1.0)
    protocol = Protocol(samples=3, splits=("test",), prior=False)
    answers = score(expert, open_chains(chains), tmp_path / "answers", protocol, rejects=rejects)
    rows = answers.table().to_pylist()
    items = {row["item"] for row in rows}
    assert len(rows) == 3 * len(items) == 24
    assert sorted((row["item"], row["sample"]) for row in rows) == sorted(
        (item, sample) for item in items for sample in range(3)
    )
    answered = {row["item"] for row in rows if not row["error"]}
    failed = [row for row in rows if row["error"]]
    assert len(rejects) == sum(row["item"] not in answered for row in failed)
    assert answers.silent() == (len(failed), 24)
    assert all(row["text"] is not None for row in rows)
    assert all((row["margin"] is None) == bool(row["error"]) for row in rows)


@pytest.fixture(scope="module")
def begin(expert):
    """From pieces of text, tokenised one by one, to what was written behind a prompt."""

    def begun(*pieces):
        tokenizer = expert.processor.tokenizer
        quote = tokenizer('"', add_special_tokens=False)["input_ids"]
        quoted = [tokenizer(f'"{piece}', add_special_tokens=False)["input_ids"] for piece in pieces]
        assert all(ids[: len(quote)] == quote for ids in quoted)
        ids = [token for ids in quoted for token in ids[len(quote) :]]  # behind a quote no space is put in
        text = render_chat(expert.processor, user_turn(PROMPT), prompt=True)
        return Begun(expert.processor, text, prompt_tokens(expert, PROMPT), ids)

    return begun


def place(expert, begun, **options):
    question = replace(
        Question(View(""), user_turn(PROMPT), {"fake": ("fake",), "real": ("real",)}), **options
    )
    return find_place(expert.processor, begun, question)


def read(begun, rationale):
    """What stands at the place with each word behind it."""
    before = rationale.prompt.input_ids[len(begun.prompt) :]
    return [begun.text_with((*before, *word.pieces)) for word in rationale.prompt.words]


def test_words_are_spelled_as_they_would_go_on(expert, begin):
    for pieces, expected in (
        ((" it is fake.",), [" it is fake", " it is real"]),
        (("fake",), ["fake", "real"]),
        ((" fake",), [" fake", " real"]),
        ((" it is ", "fake"), [" it is fake", " it is real"]),  # a space of its own, as no tokenizer puts it
        (("**", "Fake", "**"), ["**Fake", "**Real"]),
        ((" It is FAKE",), [" It is FAKE", " It is REAL"]),
        ((" f", "a", "k", "e"), [" fake", " real"]),
        ((" été: ", "fake"), [" été: fake", " été: real"]),
    ):
        begun = begin(*pieces)
        rationale = place(expert, begun)
        assert rationale.error is None, pieces
        assert rationale.verdict == "fake"
        assert read(begun, rationale) == expected, pieces


def test_a_word_of_several_tokens_is_read_whole(expert, begin):
    begun = begin(" it is fake.")
    words = {"fake": ("fake",), "real": ("photographed by a camera",)}
    rationale = place(expert, begun, words=words)
    assert len(rationale.prompt.words[1].pieces) > 2
    assert read(begun, rationale) == [" it is fake", " it is photographed by a camera"]


def test_the_place_is_the_token_that_holds_the_words_first_letter(expert, begin):
    begun = begin(" The texture tells: it is", " fake", ".")
    rationale = place(expert, begun)
    written = rationale.prompt.input_ids[len(begun.prompt) :]
    assert begun.text_with(written) == " The texture tells: it is"
    assert (*written, *rationale.prompt.words[0].pieces) == begun.written[: len(written) + 1]


def test_words_that_become_one_in_this_case_count_once(expert, begin):
    rationale = place(expert, begin(" FAKE"), words={"fake": ("fake", "Fake"), "real": ("real",)})
    assert [word.text for word in rationale.prompt.words] == ["FAKE", "REAL"]
