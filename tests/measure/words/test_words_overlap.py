"""Overlap of words, against the examples of its authors and what their packages give."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.measure.words.overlap import bleu, common_length, plain_words, rouge_l, tokens

PARTY = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
]
ONE = "It is a guide to action which ensures that the military always obeys the commands of the party"
TWO = "It is to insure the troops forever hearing the activity guidebook that party direct"


def split(texts):
    return [tokens(text) for text in texts]


def test_blue_as_its_authors_count_it():
    references = split(PARTY)
    assert bleu(tokens(ONE), references)[0] == pytest.approx(17 / 18)
    assert bleu(tokens(ONE), references)[1] == pytest.approx((17 / 18 * 10 / 17) ** 0.5)
    # the second is shorter than its nearest reference: 14 words against 16
    assert bleu(tokens(TWO), references)[0] == pytest.approx(8 / 14 * math.exp(1 - 16 / 14))


def test_a_word_counts_no_oftener_than_in_the_reference_that_has_most_of_it():
    references = split(["The cat is on the mat", "There is a cat on the mat"])
    assert bleu(["the"] * 7, references)[0] == pytest.approx(2 / 7)
    assert bleu(["the"] * 7, references)[1] == 0


def test_the_nearest_length_counts_for_brevity_and_of_two_the_shorter():
    assert bleu(["a", "b"], [["a", "b", "c"], ["a"]])[0] == 1  # the shorter one costs nothing
    assert bleu(["a"], [["a", "b", "c"]])[0] == pytest.approx(math.exp(-2))


def test_rouge_as_its_author_counts_it():
    police = tokens("police killed the gunman")
    assert rouge_l(tokens("police kill the gunman"), [police]) == 0.75
    assert rouge_l(tokens("the gunman kill police"), [police]) == 0.5
    fox = tokens("The quick brown fox jumps over the lazy dog")
    assert rouge_l(tokens("The quick brown dog jumps on the log."), [fox]) == pytest.approx(
        0.5882352941176471
    )
    assert rouge_l(fox, [police, fox]) == 1


def test_both_as_nltk_and_rouge_score_give_them():
    text = tokens("The sixth finger of the left hand is fused with the fifth.")
    references = split(
        [
            "The left hand has six fingers, two of which are fused.",
            "Two fingers of the left hand are fused together.",
        ]
    )
    assert bleu(text, references)[0] == pytest.approx(0.4166666666666667)
    assert bleu(text, references)[1] == pytest.approx(0.337099931231621)
    assert rouge_l(text, references) == pytest.approx(0.4761904761904762)


@pytest.mark.parametrize("nothing", ["", "...", "<box>[[1, 2, 3, 4]]</box>"])
def test_an_empty_text_scores_nothing(nothing):
    words = tokens(plain_words(nothing))
    assert (bleu(words, [["a"]]), rouge_l(words, [["a"]])) == ((0, 0), 0)
    assert rouge_l(["a"], [words]) == 0


def slow_common_length(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.lists(st.sampled_from("abcd"), max_size=90), st.lists(st.sampled_from("abcde"), max_size=90))
@settings(deadline=None)
def test_the_longest_common_subsequence_is_that_of_the_table(one, other):
    assert common_length(one, other) == slow_common_length(one, other)


def test_marks_of_our_grammar_are_no_words():
    text = "<think>The hand <box>[[1, 2, 3, 4]]</box> is fused.</think><tag>style: photo</tag><verdict>fake</verdict>"
    assert tokens(plain_words(text)) == ["the", "hand", "is", "fused", "style", "photo", "fake"]


def test_scripts_without_spaces_are_compared_by_character():
    assert rouge_l(tokens("影子不对"), split(["影子不自然"])) == pytest.approx(2 * 3 / 9)
