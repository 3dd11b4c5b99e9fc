"""Several questions about an image in one pass say what each says alone."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import TINY, conversations, make_chains

from fakeinstruct.expert.attention import NAME
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.small import build_small
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.views import View, Viewer

PROMPTS = (
    "Is this image real or fake? Answer with one word.",
    "What do the edges tell?",
    "What speaks for your verdict?",
    "real or fake?",
    "So what is it?",
)
WORDS = {"fake": ("fake",), "real": ("real",)}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """An untrained expert and five questions about each of three images."""
    folder = tmp_path_factory.mktemp("packed")
    build_small(conversations(), TINY, seed=3, out=folder / "expert")
    readout = Readout(name="v", prompt=PROMPTS[0], fake=("fake",), real=("real",))
    save_card(folder / "expert", ExpertCard(base="small", readouts=(readout,)))
    chains = make_chains(folder / "chains", 4)
    questions = [
        Question(
            View(f"images/{image}.png"),
            user_turn(prompt),
            WORDS,
            {"item": f"{image}{prompt}", "kind": "verdict"},
        )
        for image in range(3)
        for prompt in PROMPTS
    ]
    return load_expert(folder / "expert"), chains, questions


def test_packed_margins_are_those_of_each_question_alone(asked):
    expert, chains, questions = asked
    asker = expert.asker(Viewer(chains))
    together = asker.ask(questions)
    asker.packer = asker.collator
    alone = [asker.ask([question])[0] for question in questions]
    for name in ("margin", "log_normaliser", "label_mass"):
        np.testing.assert_allclose(
            [row[name] for row in together], [row[name] for row in alone], atol=1e-5, rtol=0
        )
    assert len({round(row["margin"], 4) for row in together}) == len(questions)


def test_an_image_is_laid_down_once(asked):
    expert, chains, _ = asked
    _, packer = expert.collators(chains)
    ids = expert.processor.tokenizer("USER: <image> What?", add_special_tokens=False)["input_ids"]
    rows = [{"input_ids": ids, "image": "images/0.png", "tree": 0}] * 5
    batch = packer(rows)
    assert (batch["input_ids"] == expert.processor.image_token_id).sum() == 16
    (tree,) = batch["tree"].trees
    assert batch["tree"].ends() == [tree.prefix + number for number in range(5)]


def test_generation_attends_as_before(asked):
    expert, chains, questions = asked
    expert.asker(Viewer(chains)).ask(questions[:2])
    assert expert.model.config.get_text_config()._attn_implementation != NAME


def test_a_damaged_image_costs_its_own_questions_only(asked, tmp_path):
    expert, _, questions = asked
    chains = make_chains(tmp_path / "chains", 4)
    (chains / "images/1.png").write_bytes(b"no picture")
    rows = expert.asker(Viewer(chains)).ask(questions)
    assert [bool(row.get("error")) for row in rows] == [False] * 5 + [True] * 5 + [False] * 5
