"""Margins, label mass and probabilities against plain arithmetic."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from foreign import draw_pictures, five_questions, write_foreign
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fakeinstruct.base.errors import UsageError
from fakeinstruct.forensics.answers import write_part
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.probability import label_margin, label_mass, probability, row_margin, word_logits
from fakeinstruct.forensics.views import Viewer

CLASSES = ("fake", "fake", "real")


def softmax(logits):
    exp = np.exp(logits.astype(np.float64) - logits.max())
    return exp / exp.sum()


def test_logsumexp_compares_the_words_probabilities():
    vocabulary = np.array([1.0, 2.0, 0.5, -1.0, 3.0], dtype=np.float32)
    p = softmax(vocabulary)
    margin = label_margin(vocabulary[None, :3], CLASSES)
    assert margin[0] == pytest.approx(np.log(p[0] + p[1]) - np.log(p[2]), abs=1e-6)
    mass = label_mass(vocabulary[None, :3], np.log(np.exp(vocabulary).sum(keepdims=True)))
    assert mass[0] == pytest.approx(p[:3].sum(), abs=1e-6)


def test_sum_is_fakescopes_token_soft_scoring():
    """p_fake = exp(sum of fake logits) / (exp(sum of fake) + exp(sum of real))."""
    logits = np.array([[1.0, 2.0, 0.5, -1.0]], dtype=np.float32)
    margin = label_margin(logits, ("fake", "fake", "real", "real"), "sum")
    fake, real = np.exp(3.0), np.exp(-0.5)
    assert probability(margin)[0] == pytest.approx(fake / (fake + real), abs=1e-6)


def test_sum_of_unequal_sets_is_refused():
    with pytest.raises(UsageError, match="2 for fake and 1 for real"):
        label_margin(np.zeros((1, 3), dtype=np.float32), CLASSES, "sum")


def test_a_verdict_without_a_word_for_a_label_is_refused():
    with pytest.raises(UsageError, match="at least one word"):
        label_margin(np.zeros((1, 2), dtype=np.float32), ("fake", "fake"))


logit_rows = arrays(np.float32, (4, 3), elements=st.floats(-40, 40, width=32))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(logit_rows, st.floats(-20, 20, width=32))
def test_a_shift_common_to_all_logits_moves_no_margin(logits, shift):
    assert label_margin(logits + np.float32(shift), CLASSES) == pytest.approx(
        label_margin(logits, CLASSES), abs=1e-4
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(logit_rows)
def test_swapping_the_labels_turns_the_margin_round(logits):
    swapped = ["real" if name == "fake" else "fake" for name in CLASSES]
    assert np.array_equal(label_margin(logits, swapped), -label_margin(logits, CLASSES))


def test_margins_are_float32_and_large_ones_stay_apart():
    """A softmax in float32 would make both probabilities 1."""
    margins = label_margin(np.array([[30.0, 0.0], [31.0, 0.0]], dtype=np.float32), ("fake", "real"))
    assert margins.dtype == np.float32
    assert margins[0] < margins[1]


def test_probabilities_neither_overflow_nor_leave_the_unit_interval():
    p = probability(np.array([-1000.0, 0.0, 1000.0], dtype=np.float32))
    assert p.tolist() == [0.0, 0.5, 1.0]
    assert probability(2.0, scale=0.5, bias=-1.0) == 0.5


def joined(numbers, aggregation):
    """The definitions, in float64 and one number at a time."""
    numbers = [float(number) for number in numbers]
    if aggregation == "logsumexp":
        return max(numbers) + np.log(sum(np.exp(number - max(numbers)) for number in numbers))
    if aggregation == "pair":
        return numbers[0]
    return sum(numbers) / (len(numbers) if aggregation == "mean" else 1)


finite = st.floats(-60, 60, width=32)
piece = st.tuples(finite, st.floats(0, 70, width=32))  # its logit and the log-normaliser of its place
words = st.lists(st.lists(piece, min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(words, words, st.sampled_from(["logsumexp", "mean", "pair"]))
def test_every_aggregation_is_its_definition_over_whole_words(fake, real, aggregation):
    pieces = [[logit for logit, _ in word] for word in (*fake, *real)]
    normalisers = [[normaliser for _, normaliser in word] for word in (*fake, *real)]
    row = {
        "logits": word_logits(pieces, normalisers),
        "classes": ["fake"] * len(fake) + ["real"] * len(real),
        "piece_logits": pieces,
    }
    whole = [
        [word[0][0] + sum(logit - normaliser for logit, normaliser in word[1:]) for word in label]
        for label in (fake, real)
    ]
    expected = joined(whole[0], aggregation) - joined(whole[1], aggregation)
    assert row_margin(row, aggregation) == pytest.approx(expected, rel=1e-5, abs=1e-3)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(words, words)
def test_the_sum_is_over_all_pieces_of_a_labels_words(fake, real):
    pieces = [[logit for logit, _ in word] for word in (*fake, *real)]
    row = {"logits": [], "classes": ["fake"] * len(fake) + ["real"] * len(real), "piece_logits": pieces}
    flat = [[logit for word in label for logit, _ in word] for label in (fake, real)]
    if len(flat[0]) != len(flat[1]):
        with pytest.raises(UsageError, match=f"{len(flat[0])} for fake and {len(flat[1])} for real"):
            row_margin(row, "sum")
    else:
        assert row_margin(row, "sum") == pytest.approx(sum(flat[0]) - sum(flat[1]), rel=1e-5, abs=1e-3)


def test_a_word_of_one_piece_keeps_its_logit_to_the_bit():
    assert word_logits([[np.float32(17.3)]], [[21.0]]) == [float(np.float32(17.3))]


@pytest.mark.parametrize("aggregation", ["logsumexp", "sum", "mean", "pair"])
def test_the_margin_that_is_stored_is_recomputed_from_what_is_stored(aggregation, tmp_path):
    """Without the model: from the logits and normalisers of a row that was written and read again."""
    expert = load_expert(write_foreign("llava", tmp_path / "model"))
    draw_pictures(tmp_path / "pictures")
    questions = [replace(question, aggregation=aggregation) for question in five_questions()]
    questions[0] = replace(questions[0], words={"fake": ("word70 word71",), "real": ("word72 word73",)})
    rows = expert.asker(Viewer(tmp_path / "pictures")).ask(questions)
    folder = tmp_path / "answers"
    folder.mkdir()
    write_part(folder, "00000", rows)
    for row in pq.read_table(folder / "answers-00000.parquet").to_pylist():
        assert row["logits"] == word_logits(row["piece_logits"], row["piece_normalisers"])
        assert row["margin"] == row_margin(row, aggregation)
        assert row["log_normaliser"] == row["piece_normalisers"][0][0]
    assert len({len(pieces) for row in rows for pieces in row["piece_logits"]}) == 2
