"""Margins, label mass and probabilities against plain arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fakeinstruct.base.errors import UsageError
from fakeinstruct.forensics.probability import label_margin, label_mass, probability

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
    with pytest.raises(UsageError, match="2 words for fake and 1 for real"):
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
