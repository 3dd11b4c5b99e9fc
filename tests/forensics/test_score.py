"""Scoring: the same margins in any company, every item once, a bad image a row with its error."""

import re
import shutil

import numpy as np
import pytest
import torch
from drawn import make_chains, make_pairs
from typer.testing import CliRunner

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.chains.store import open_chains
from fakeinstruct.cli.main import app
from fakeinstruct.expand.pair import open_pairs
from fakeinstruct.expert.card import load_card, save_card
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta, write_part
from fakeinstruct.forensics.dry_run import dry_run
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import verdict_questions
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import open_expert
from fakeinstruct.forensics.views import Viewer

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def expert(expert_folder):
    return load_expert(expert_folder)


@pytest.fixture(scope="module")
def questions(expert, chains_folder):
    return list(
        verdict_questions(
            open_chains(chains_folder).read(), expert.card.readouts[:1], Protocol(splits=SPLITS)
        )
    )


def margins(expert, chains_folder, questions, batch):
    rows = expert.asker(Viewer(chains_folder), batch=batch).ask(questions)
    return {row["item"]: row["margin"] for row in rows}


def test_batches_of_1_and_8_and_a_permutation_agree(expert, chains_folder, questions):
    one = margins(expert, chains_folder, questions, 1)
    eight = margins(expert, chains_folder, questions, 8)
    order = np.random.default_rng(0).permutation(len(questions))
    shuffled = margins(expert, chains_folder, [questions[i] for i in order], 8)
    assert len(one) == 20
    assert np.ptp(list(one.values())) > 1e-3
    for item, margin in one.items():
        assert eight[item] == pytest.approx(margin, abs=1e-4)
        assert shuffled[item] == pytest.approx(margin, abs=1e-4)


def test_prompts_of_unequal_length_in_one_batch_do_not_move_a_margin(expert, chains_folder, questions):
    from dataclasses import replace

    longer = user_turn("What do the edges and the texture and the light tell? Is it real? " * 3)
    mixed = [replace(q, messages=longer) if i % 2 else q for i, q in enumerate(questions)]
    alone = margins(expert, chains_folder, mixed, 1)
    together = margins(expert, chains_folder, mixed, 20)
    assert all(together[item] == pytest.approx(margin, abs=1e-4) for item, margin in alone.items())


def test_logits_are_those_of_the_whole_model(expert, chains_folder, questions):
    """Read against a plain forward pass over one conversation."""
    asker = expert.asker(Viewer(chains_folder))
    row = asker.ask(questions[:1])[0]
    prompt = asker.resolve(questions[0])
    token_ids = [word.pieces[0] for word in prompt.words]
    batch = asker.collator([{"input_ids": prompt.input_ids, "image": questions[0].view}])
    with torch.inference_mode():
        end = expert.model(**batch).logits[0, -1]
    assert row["logits"] == pytest.approx(end[token_ids].tolist(), abs=1e-5)
    assert row["log_normaliser"] == pytest.approx(end.logsumexp(-1).item(), abs=1e-5)
    assert row["margin"] == pytest.approx(row["logits"][0] - row["logits"][1], abs=1e-5)
    assert row["label_mass"] == pytest.approx(end.softmax(-1)[token_ids].sum().item(), abs=1e-5)
    assert [expert.processor.tokenizer.decode([token]).strip() for token in token_ids] == [
        "fake",
        "real",
    ]


def test_every_item_of_the_splits_is_a_row_with_its_truth(expert, chains_folder, tmp_path):
    answers = score(expert, open_chains(chains_folder), tmp_path / "answers", Protocol(prior=False))
    rows = answers.table().to_pylist()
    chains = {chain.id: chain for chain in open_chains(chains_folder).read()}
    assert answers.meta.complete
    assert {row["item"] for row in rows} == {c.id for c in chains.values() if c.split != "train"}
    assert all(
        row["label"] == chains[row["item"]].label and row["generator"] == chains[row["item"]].generator
        for row in rows
    )


def test_pairs_are_asked_by_their_own_closed_questions(expert, tmp_path):
    pairs = open_pairs(make_pairs(tmp_path / "pairs"))
    rows = score(expert, pairs, tmp_path / "answers", Protocol(splits=("test",))).table().to_pylist()
    assert len(rows) == 16
    assert {row["template"] for row in rows} == {"verdict/one_word"}


def test_a_bad_image_is_a_row_with_its_error(expert, tmp_path):
    folder = make_chains(tmp_path / "chains", 10)
    (folder / "images/0.png").write_bytes(b"no image")
    (folder / "images/1.png").unlink()
    rejects = Rejects()
    rows = (
        score(
            expert,
            open_chains(folder),
            tmp_path / "answers",
            Protocol(splits=SPLITS, prior=False),
            rejects=rejects,
        )
        .table()
        .to_pylist()
    )
    assert len(rows) == 10
    assert [row["item"] for row in rows if row["error"]] == ["c0", "c1"]
    assert all(row["margin"] is None and row["logits"] is None for row in rows if row["error"])
    assert len(rejects) == 2


def test_explanations_are_the_same_in_any_batch(expert, chains_folder, questions):
    texts = [
        [row["text"] for row in expert.asker(Viewer(chains_folder), explain=True, batch=n).ask(questions[:4])]
        for n in (1, 4)
    ]
    assert texts[0] == texts[1]
    assert all(isinstance(text, str) for text in texts[0])


def test_answers_of_another_expert_are_not_mixed_in(expert, own_expert, chains_folder, tmp_path):
    score(expert, open_chains(chains_folder), tmp_path / "answers")
    model = load_expert(own_expert).model
    model.lm_head.weight.data += 0.1
    model.save_pretrained(own_expert)
    with pytest.raises(UsageError, match="holds answers with another expert"):
        score(load_expert(own_expert), open_chains(chains_folder), tmp_path / "answers")


def test_an_expert_without_weights_is_refused(own_expert):
    (own_expert / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="has no weights"):
        load_expert(own_expert)


def test_a_damaged_expert_is_one_message(own_expert):
    (own_expert / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_expert(own_expert)


def test_a_folder_that_is_no_expert_is_refused(own_expert):
    (own_expert / "config.json").unlink()
    with pytest.raises(UsageError, match=r"has no config\.json"):
        load_expert(own_expert)


def test_label_words_that_begin_alike_are_refused(own_expert, chains_folder, tmp_path):
    card = load_card(own_expert)
    readout = card.readouts[0].model_copy(update={"fake": ("§",), "real": ("§2",)})
    save_card(own_expert, card.model_copy(update={"readouts": (readout,)}))
    with pytest.raises(UsageError, match="begin with the same token"):
        score(load_expert(own_expert), open_chains(chains_folder), tmp_path / "answers")


def test_a_card_with_one_word_for_both_labels_is_refused(own_expert):
    text = (own_expert / "expert.json").read_text().replace('"real"\n', '"fake"\n')
    (own_expert / "expert.json").write_text(text)
    with pytest.raises(FakeInstructError, match="stand for both labels"):
        load_card(own_expert)


def test_another_folder_is_not_overwritten(expert, chains_folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        score(expert, open_chains(chains_folder), tmp_path)
    shutil.rmtree(tmp_path)


def run(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_a_dry_run_says_what_would_be_asked_and_writes_nothing(expert_folder, chains_folder, tmp_path):
    told = run(expert_folder, chains_folder, "--out", tmp_path / "a", "--condition", "jpeg-50", "--dry-run")
    assert told.exit_code == 0, told.output
    lines = [" ".join(line.split()) for line in told.output.splitlines()]
    assert "images 16 are asked about" in lines
    assert "questions 35 in all" in lines
    assert [line for line in lines if line[0].isdigit()] == [
        "8 validation: 4 fake, 4 real",
        "8 test: 4 fake, 4 real",
        "4 train: 2 fake, 2 real; not asked about",
        "16 clean",
        "16 jpeg-50",
        "3 prior, about 3 pictures that show nothing",
    ]
    assert "at once found while asking, 2 to 64 images" in lines
    assert "readout verdict/one_word, read at 'first', logsumexp" in lines
    assert any(
        "<image> Is this image real or fake? Answer with one word. ASSISTANT:" in line for line in lines
    )
    assert any(re.fullmatch(r"fake 'fake' .*\[\d+\] decoded \['fake'\]", line) for line in lines)
    assert not (tmp_path / "a").exists()


def test_a_dry_run_of_pairs_shows_each_template_once(expert_folder, tmp_path):
    pairs = make_pairs(tmp_path / "pairs")
    told = run(expert_folder, pairs, "--split", "test", "--out", tmp_path / "a", "--batch", 4, "--dry-run")
    assert told.exit_code == 0, told.output
    assert told.output.count("readout ") == 1
    assert "at once     4 images" in told.output


def test_a_small_label_mass_is_warned_of(expert_folder, chains_folder, tmp_path):
    """An untrained expert answers with any token."""
    told = run(expert_folder, chains_folder, "--out", tmp_path / "a", "--no-prior")
    assert told.exit_code == 0, told.output
    assert re.search(
        r"label mass: 0\.0\d\d on average, under 0\.5 in 16 of 16 answers\. There the expert", told.stderr
    )
    assert told.stdout == f"{tmp_path / 'a'}\n"


def test_without_a_folder_it_is_looked_at_but_not_scored(expert_folder, chains_folder, tmp_path):
    told = run(expert_folder, chains_folder, "--dry-run")
    assert told.exit_code == 0, told.output
    assert "readout     verdict/one_word" in told.stdout
    told = run(expert_folder, chains_folder, "--show-views", tmp_path / "views.png")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "views.png").is_file()
    told = run(expert_folder, chains_folder)
    assert str(told.exception) == "there is no folder to write to. Name one with --out."
    assert told.exception.status == 2


def test_images_of_the_train_split_that_are_left_out_are_said(expert_folder, chains_folder):
    splits = [chain.split for chain in open_chains(chains_folder).read()]
    told = run(expert_folder, chains_folder, "--dry-run")
    left = splits.count("train")
    assert left > 0
    note = f"note: {left} of 20 images are in the train split and are not asked about; --split train"
    assert note in told.stderr
    assert "note:" not in run(expert_folder, chains_folder, "--dry-run", "--split", "test").stderr


@pytest.mark.parametrize("position", ["first", "prefix"])
def test_a_sum_over_unequal_numbers_of_tokens_is_refused_before_anything_is_asked(
    expert, chains_folder, tmp_path, position
):
    readout = expert.card.readouts[0].model_copy(
        update={
            "position": position,
            "prefix": "It is" if position == "prefix" else None,
            "real": ("checkerboard",),
        }
    )
    protocol = Protocol(readouts=(readout,), aggregation="sum")
    wrong = r"readout 'verdict/one_word', prompt 'Is .*': aggregation 'sum' with unequal numbers of tokens, \d+ for"
    with pytest.raises(UsageError, match=wrong):
        list(dry_run(expert, open_chains(chains_folder), protocol, Rejects()))
    with pytest.raises(UsageError, match=wrong):
        score(expert, open_chains(chains_folder), tmp_path / "a", protocol)
    assert not (tmp_path / "a").exists()


def test_an_error_about_words_names_readout_and_prompt(expert, chains_folder, tmp_path):
    readout = expert.card.readouts[0].model_copy(update={"name": "odd", "real": ("fake checkerboard",)})
    with pytest.raises(
        UsageError, match=r"^readout 'odd', prompt 'Is this image .*': 'fake checkerboard' .* begin"
    ):
        score(expert, open_chains(chains_folder), tmp_path / "a", Protocol(readouts=(readout,)))


@pytest.mark.parametrize("name", ["localhost:8000/v1", "localhost:8000", "10.0.0.7:80/v1/", "gpu-box/v1"])
def test_an_address_without_its_scheme_is_asked_about(name):
    with pytest.raises(UsageError, match=r"is no expert's folder\. Did you forget http://\?"):
        open_expert(name)


@pytest.mark.parametrize(
    ("samples", "rejected"),
    [
        ([("fake", 1.0), (None, None), (None, None)], 0),
        ([(None, None), (None, None)], 2),
        ([("fake", None), ("real", -1.0)], 0),
    ],
)
def test_a_question_with_one_rationale_that_names_a_verdict_is_answered(tmp_path, samples, rejected):
    rows = [
        {
            "kind": "verdict",
            "item": "c0",
            "position": "scan",
            "sample": sample,
            "text": f"words {sample}",
            "verdict": verdict,
            "margin": margin,
            "error": None if margin else f"wrote no verdict ('words {sample}')",
        }
        for sample, (verdict, margin) in enumerate(samples)
    ]
    rows.append({"kind": "verdict", "item": "c1", "position": "scan", "sample": 0, "error": "is no image"})
    write_part(tmp_path, "000-00000", rows)
    answers = AnswerSet(tmp_path, AnswersMeta(expert="e", expert_sha256="", items="i", items_sha256=""))
    rejects = Rejects()
    for error in answers.errors():
        rejects.add(error)
    reasons = dict(rejects.reasons())
    assert reasons.pop("is no image") == 1
    assert reasons == ({"wrote no verdict": rejected} if rejected else {})
    assert answers.silent() == (sum(margin is None for _, margin in samples), len(samples))
