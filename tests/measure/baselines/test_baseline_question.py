"""The question alone: what the words tell, fitted on the train split, on the very questions that were answered."""

import numpy as np
import pytest
from simulated_answers import verdict
from talked import honest, planted, turns, write_pairs

from fakeinstruct.base.errors import UsageError
from fakeinstruct.measure.audit.sample import Talk
from fakeinstruct.measure.baselines.question import CONSTANT, guessed, score_questions
from fakeinstruct.measure.detection import auc
from fakeinstruct.measure.run import measure

SPLITS = ("train", "train", "validation", "test")


def split_of(talk):
    return SPLITS[int(talk.group.split("-")[1]) % 4]


def answers_of(talks, answer_set, items, name="answers", **other):
    """Answers to the closed questions of the held-out splits, as `score` writes them."""
    rows = []
    for talk in talks:
        kind = {"verdict/ask": "verdict", "choice/which": "choice"}.get(talk.template)
        if kind and split_of(talk) != "train":
            row = {
                "item": talk.id,
                "chain": talk.chain,
                "kind": kind,
                "template": talk.template,
                "prompt": talk.questions[0],
                "group": talk.group,
                "split": split_of(talk),
            }
            letters = {
                "choice": "A",
                "target": "A",
                "words": list("ABCD"),
                "classes": list("ABCD"),
                "margin": None,
            }
            rows.append(verdict(0, talk.fake, 0.5) | row | (letters if kind == "choice" else {}) | other)
    return answer_set(rows, name, items=str(items))


def leaky(images=160):
    """Fakes are asked politely in nine cases of ten, reals in one of ten."""
    rng = np.random.default_rng(1)
    return planted(
        honest(images),
        lambda t: {"turns": turns("Please judge." if (rng.random() < 0.9) == t.fake else "Judge it.", "x")},
        "verdict/ask",
    )


def test_words_that_tell_are_found_and_honest_ones_are_not(answer_set, tmp_path):
    for name, talks, low, high in (("honest", honest(320), 0.3, 0.7), ("leaky", leaky(320), 0.82, 1)):
        folder = write_pairs(tmp_path / name, talks, split=split_of)
        answers = answers_of(talks, answer_set, folder, f"{name}-answers")
        scores, note, _ = score_questions([answers], set(), seed=0)
        test = scores.where(scores.split == "test")
        assert len(test) == 80
        assert low < auc(test.fake, test.margin) < high, name
        assert note == "logistic regression on the words of 320 questions of the train split"


def test_only_the_train_split_is_learned_from(answer_set, tmp_path):
    """The plant lies in the held-out splits alone, so nothing can have been learned of it."""
    talks = [t if split_of(t) == "train" else planted_one(t) for t in honest(320)]
    folder = write_pairs(tmp_path / "set", talks, split=split_of)
    scores, _, _ = score_questions([answers_of(talks, answer_set, folder)], set(), seed=0)
    assert 0.3 < auc(scores.fake, scores.margin) < 0.7


def planted_one(talk):
    """Its verdict is asked for in words of its label that training never saw."""
    if talk.template != "verdict/ask":
        return talk
    return planted([talk], lambda t: {"turns": turns("Zig zig zig?" if t.fake else "Zag zag zag?", "x")})[0]


def test_the_same_question_for_all_is_a_constant_and_says_so(answer_set, tmp_path):
    rows = [verdict(n, n % 2 == 0, 1.0, split=("validation", "test")[n % 4 > 1]) for n in range(80)]
    scores, note, choices = score_questions([answer_set(rows)], set(), seed=0)
    assert (note, choices) == (CONSTANT, None)
    assert set(scores.margin.tolist()) == {0.0}
    assert auc(scores.fake, scores.margin) == 0.5
    figures = measure([answer_set(rows, "again")], tmp_path / "out", baselines=("question",))
    beside = figures["baselines"]["question"]
    assert beside["overall"]["test"]["auc"] == 0.5
    assert beside["overall"]["test"]["auc_low"] is None
    assert beside["overall"]["test"]["unavailable"]["auc_low"].startswith("all scores are equal")
    assert beside["overall"]["test"]["n"] == 40
    assert beside["note"] == CONSTANT


def test_several_questions_of_an_image_are_joined_and_only_the_experts_images_count(answer_set, tmp_path):
    talks = leaky()
    answers = answers_of(talks, answer_set, write_pairs(tmp_path / "set", talks, split=split_of))
    rows = answers.table().to_pylist()
    assert len(rows) == 2 * 80  # a verdict and a choice of each image
    two = {row["chain"] for row in rows if row["split"] == "test"} - {"image-6"}
    scores, _, _ = score_questions([answers], two, seed=0)
    assert len(scores) == 79
    assert set(scores.image[scores.split == "test"]) == two


def test_a_right_option_by_its_words(answer_set, tmp_path):
    """The right option is always the same word; by the letters alone it would be one in four."""

    def plant(talk):
        options = ["hands", *(each for each in talk.choices if each != "hands")][:4]
        shift = int(talk.group.split("-")[1]) % 4
        options = options[-shift:] + options[:-shift] if shift else options
        return {"choices": tuple(options), "right": options.index("hands")}

    talks = planted(honest(), plant, "choice/which")
    answers = answers_of(talks, answer_set, write_pairs(tmp_path / "set", talks, split=split_of))
    figures = measure([answers], tmp_path / "out", baselines=("question",))
    assert figures["baselines"]["question"]["per_generator"].keys() == {"diffusion"}
    assert figures["baselines"]["question"]["choices"] == {"n": 40, "accuracy": 1.0, "unavailable": {}}


def test_equally_likely_options_share_the_guess():
    talk = Talk("a", "a", "a", "choice/which", True, (), (), ("one", "two"), 0)
    assert guessed([talk], [talk])["accuracy"] == 1.0
    never = Talk("b", "b", "b", "choice/which", True, (), (), ("three", "four"), 1)
    assert guessed([talk], [never])["accuracy"] == 0.5
    assert guessed([talk], []) is None
    assert guessed([], [never])["accuracy"] is None


def test_a_set_that_is_gone_or_has_no_training_questions_is_said(answer_set, tmp_path):
    talks = leaky()
    with pytest.raises(UsageError, match=r"trained on the pair set that was asked: no such pair set folder"):
        score_questions([answers_of(talks, answer_set, tmp_path / "gone", "one")], set(), seed=0)
    folder = write_pairs(tmp_path / "held", [t for t in talks if split_of(t) != "train"], split=split_of)
    with pytest.raises(UsageError, match="0 questions about fakes and 0 about reals"):
        score_questions([answers_of(talks, answer_set, folder, "two")], set(), seed=0)
