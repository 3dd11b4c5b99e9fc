"""What has made published zero-shot figures wrong, each as a test that fails where the trap is stepped into."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import make_chains
from foreign import PROMPTS, draw_pictures, five_questions, write_foreign
from spelling import CHATML, VICUNA, Chat, byte_level

from fakeinstruct.base.errors import UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.probability import label_margin, label_mass
from fakeinstruct.forensics.protocol import Protocol, load_protocol
from fakeinstruct.forensics.questions import verdict_question
from fakeinstruct.forensics.readout import resolve_prompt, user_turn
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.verdict import find_verdict
from fakeinstruct.forensics.views import View, Viewer

LABELS = ("fake", "real")
ASKED = user_turn("Is this image real or fake?")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return Viewer(draw_pictures(tmp_path_factory.mktemp("pictures"), 24))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_foreign("llava", tmp_path_factory.mktemp("llava") / "model")


@pytest.fixture
def expert(folder):
    return load_expert(folder)


def ask(expert, pictures, questions):
    return expert.asker(pictures).ask(questions)


def test_probabilities_in_half_precision_tie_where_margins_do_not():
    """Trap: ranking on a stored probability. Confident items get the same one, in float32 as well."""
    margins = np.linspace(4, 30, 200, dtype=np.float32)
    logits = torch.from_numpy(np.stack([margins, np.zeros_like(margins)], axis=1))
    distinct = {
        kind: len(logits.to(kind).softmax(-1)[:, 0].unique())
        for kind in (torch.float32, torch.float16, torch.bfloat16)
    }
    assert distinct[torch.bfloat16] < distinct[torch.float16] < distinct[torch.float32] < 150
    ours = label_margin(logits.numpy(), LABELS)
    assert ours.dtype == np.float32
    assert len(np.unique(ours)) == 200


def test_a_head_in_bfloat16_does_not_round_margins_to_its_grid(expert, pictures):
    """Trap: logits of 16 to 32 in bfloat16 lie 0.125 apart, so that images tie."""
    model = expert.model.to(torch.bfloat16)
    model.lm_head.weight.data *= 4
    questions = [question for question in five_questions(24) if question.facts["prompt"] == "word63 word60"]
    rows = ask(expert, pictures, questions)
    logits = np.array([row["logits"] for row in rows])
    assert np.abs(logits).max() > 8  # where the grid is coarse: 0.0625 and more

    def on_grid(values):
        return np.mean(values == torch.tensor(values).bfloat16().float().numpy())

    assert on_grid(logits) < 0.1
    collator, _ = expert.collators(pictures)
    resolved = expert.asker(pictures).resolve(questions[0])
    with torch.no_grad():
        batch = collator(
            [{"input_ids": resolved.input_ids, "image": question.view} for question in questions]
        )
        naive = model(**expert.inputs(batch)).logits[:, -1, [74, 75]].float().numpy()
    assert on_grid(naive) == 1
    margins = np.array([row["margin"] for row in rows])
    assert on_grid(margins) < 0.1
    assert len(set(margins)) == len(rows)


def test_a_label_with_more_words_does_not_win_by_their_number():
    """Trap: a sum over sets of unequal size moves with any shift common to all logits."""
    logits = np.array([[1.0, 2.0, 1.5]], dtype=np.float32)
    classes = ("fake", "fake", "real")
    for aggregation in ("logsumexp", "mean", "pair"):
        shifted = label_margin(logits + 10, classes, aggregation)
        assert shifted == pytest.approx(label_margin(logits, classes, aggregation), abs=1e-5)
    with pytest.raises(UsageError, match="2 for fake and 1 for real"):
        label_margin(logits, classes, "sum")


def test_an_answer_that_is_no_label_shows_in_the_mass():
    """Trap: a two-way softmax is sure of itself when the model wanted to say something else."""
    logits = np.array([[3.0, -3.0], [3.0, -3.0]], dtype=np.float32)
    normalisers = np.array([3.01, 13.0], dtype=np.float32)
    margins = label_margin(logits, LABELS)
    assert margins[0] == margins[1]
    wanted, unwanted = label_mass(logits, normalisers)
    assert wanted > 0.9
    assert unwanted < 1e-4


def test_the_mass_is_of_the_whole_vocabulary(expert, pictures):
    """Trap: normalising over the labels alone. All words of the vocabulary together have mass 1."""
    words = {"fake": tuple(f"word{n}" for n in range(20, 99)), "real": ("word10",)}
    everything = replace(five_questions(1)[0], words=words)
    (row,) = ask(expert, pictures, [everything])
    prompt = expert.asker(pictures).resolve(everything)
    collator, _ = expert.collators(pictures)
    with torch.no_grad():
        logits = expert.model(**collator([{"input_ids": prompt.input_ids, "image": everything.view}])).logits[
            0, -1
        ]
    p = logits.softmax(0)
    assert row["label_mass"] == pytest.approx(float(p[20:99].sum() + p[10]), abs=1e-5)
    assert row["label_mass"] < 1


def test_a_word_with_a_space_is_another_token():
    """Trap: reading "fake" where the model would write " fake"."""
    tokenizer = byte_level()
    tokens = {}
    for name, template in (("vicuna", VICUNA), ("chatml", CHATML)):
        words = resolve_prompt(
            Chat(tokenizer, template), ASKED, {"fake": ("fake", "Fake"), "real": ("real",)}
        ).words
        tokens[name] = [word.pieces for word in words]
    assert tokenizer.decode(tokens["vicuna"][0]) == " fake"
    assert tokenizer.decode(tokens["chatml"][0]) == "fake"
    assert not set(tokens["vicuna"]) & set(tokens["chatml"])
    assert tokens["chatml"][0] != tokens["chatml"][1]


def test_labels_that_share_their_first_token_are_compared_whole(expert, pictures):
    """Trap: comparing first tokens that are the same, which gives 0 for every image."""
    words = {"fake": ("word70 word71",), "real": ("word70 word72",)}
    questions = [replace(question, words=words) for question in five_questions(6)[::5]]
    margins = [row["margin"] for row in ask(expert, pictures, questions)]
    assert len({round(margin, 4) for margin in margins}) == 6
    assert min(map(abs, margins)) > 1e-3


def test_a_word_that_the_tokenizer_joins_with_the_prompt_is_refused():
    """Trap: taking the tokens of a word alone, which are not those it has behind the prompt."""
    chat = Chat(byte_level(), CHATML)
    alone = chat.tokenizer("ke", add_special_tokens=False)["input_ids"]
    behind = chat.tokenizer("The image is fake", add_special_tokens=False)["input_ids"]
    assert behind[-len(alone) :] != alone
    with pytest.raises(UsageError, match="joins 'ke'"):
        resolve_prompt(chat, ASKED, {"fake": ("ke",), "real": ("real",)}, "The image is fa")


def test_left_padding_moves_no_margin(expert, pictures):
    """Trap: reading the last column of a batch, or counting positions through the padding."""
    questions = five_questions(3)
    alone = [ask(expert, pictures, [question])[0]["margin"] for question in questions]
    expert.processor.tokenizer.padding_side = "left"
    asker = expert.asker(pictures)
    for packer in (asker.packer, asker.collator):
        asker.packer = packer
        for order in (questions, questions[::-1]):
            rows = asker.ask(order)
            by_key = {(row["item"], row["prompt"]): row["margin"] for row in rows}
            found = [by_key[question.facts["item"], question.facts["prompt"]] for question in questions]
            assert found == pytest.approx(alone, abs=1e-4)


def test_positions_do_not_stay_behind_from_an_earlier_batch(tmp_path, pictures):
    """Trap: Qwen's models keep the offset of their positions from one call to the next."""
    expert = load_expert(write_foreign("qwen2_5_vl", tmp_path / "model"))
    small, large = five_questions(3)[0], five_questions(3)[10]
    first = ask(expert, pictures, [small])[0]["margin"]
    ask(expert, pictures, [large])
    inner = getattr(expert.model.model, "rope_deltas", None)
    assert ask(expert, pictures, [small])[0]["margin"] == pytest.approx(first, abs=1e-6)
    expert.model.model.rope_deltas = torch.full_like(inner, 7) if inner is not None else torch.tensor([[7]])
    assert ask(expert, pictures, [small])[0]["margin"] == pytest.approx(first, abs=1e-6)


def test_polarity_is_part_of_the_question(expert, pictures):
    """Trap: taking "yes" for fake. "Is this a real image?" with "yes" is real."""
    fake = Readout(name="a", prompt="word63", fake=("word74",), real=("word75",), trained=False)
    real = fake.model_copy(update={"fake": ("word75",), "real": ("word74",)})
    rows = ask(
        expert, pictures, [verdict_question(View("0.png"), each, {"item": "0"}) for each in (fake, real)]
    )
    assert rows[0]["margin"] == pytest.approx(-rows[1]["margin"], abs=1e-5)
    assert abs(rows[0]["margin"]) > 0.1
    by_word = [dict(zip(row["words"], row["classes"], strict=True)) for row in rows]
    assert by_word == [{"word74": "fake", "word75": "real"}, {"word75": "fake", "word74": "real"}]
    protocol = {readout.name: readout for readout in load_protocol("yes-no").readouts}
    yes_is_real = {name for name, readout in protocol.items() if "yes" in readout.real}
    assert yes_is_real == {"is-it-real", "was-it-photographed"}


def test_the_place_that_was_read_is_named():
    """Trap: mixing verdicts read at once with those read after a rationale, which saturate."""
    for name, position in (("zero-shot", "first"), ("sentence", "prefix"), ("scan", "scan")):
        question = verdict_question(View("0.png"), load_protocol(name).readouts[0], {})
        assert question.facts["position"] == question.position == position


def test_a_denied_verdict_is_not_the_verdict():
    """Trap: looking for "fake" in "This is not fake", or giving an answer without a verdict one at random."""
    words = {"fake": ("fake",), "real": ("real",)}
    denied = find_verdict("This image is not fake. Verdict: real", words)
    assert denied.label == "real"
    assert find_verdict("It is hard to say.", words) is None


def test_what_is_said_of_nothing_is_reported(expert, tmp_path):
    """Trap: a model that leans to one label whatever it is shown. White, grey and noise are asked like the images."""
    chains = make_chains(tmp_path / "chains", 4)
    protocol = Protocol(
        readouts=tuple(
            Readout(name=str(n), prompt=prompt, fake=fake, real=real, trained=False)
            for n, (prompt, fake, real) in enumerate(PROMPTS)
        ),
        prompts=5,
    )
    answers = score(expert, open_chains(chains), tmp_path / "answers", protocol)
    rows = answers.table(["kind", "item", "prompt", "label", "margin"]).to_pylist()
    prior = [row for row in rows if row["kind"] == "prior"]
    assert len(prior) == 3 * 5
    assert len({row["prompt"] for row in prior}) == 5
    assert all(row["label"] is None and row["margin"] is not None for row in prior)
