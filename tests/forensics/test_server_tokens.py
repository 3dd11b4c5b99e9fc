"""Label words among the likeliest tokens: spellings joined, what is not returned bounded, never guessed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.base.errors import RecordError
from fakeinstruct.forensics.server_tokens import (
    Completion,
    GarbageError,
    Place,
    alike,
    place_of,
    read_completion,
    read_words,
    token_ends,
)

VOCABULARY = (
    "fake",
    " fake",
    "▁real",
    "real",
    "Fake",
    " f",
    "fa",
    "re",
    " ",
    "Ġno",
    "yes",
    "ye",
    "\n",
    "",
    "x",
    "fakery",
)


def place(**logprobs):
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    best = max(top, key=lambda each: each["logprob"])
    return Place.model_validate({**best, "top_logprobs": top})


def test_a_leading_space_is_not_part_of_a_word_and_case_is():
    found, note = read_words(
        place(**{" fake": -1.0, "fake": -2.0, "▁real": -3.0, "Real": -1.5, " reality": -1.2}),
        ["fake", "real"],
    )
    assert found == pytest.approx([np.log(np.exp(-1.0) + np.exp(-2.0)), -3.0])
    assert note is None


def test_a_word_that_is_not_returned_has_at_most_the_smallest_and_is_named():
    found, note = read_words(place(**{" fake": -0.5, " a": -4.0}), ["fake", "real", "genuine"])
    assert found == pytest.approx([-0.5, -4.0, -4.0])
    assert note == "an upper bound, not among the 2 likeliest tokens: 'real', 'genuine'"


def test_a_token_that_only_begins_a_word_counts_towards_its_bound():
    found, _ = read_words(place(**{" fake": -0.2, " re": -3.0, " a": -4.0}), ["fake", "real"])
    assert found[1] == pytest.approx(np.logaddexp(-3.0, -4.0))


@pytest.mark.parametrize("begins", [" com", "com", " "])
def test_a_verdict_that_a_word_of_several_tokens_leaves_open_is_an_error(begins):
    with pytest.raises(RecordError, match=r"'computer-made' may be likelier than 'real'.*words of one token"):
        read_words(place(**{begins: -0.3, " real": -2.0, " a": -4.0}), ["computer-made", "real"])


def test_no_word_at_all_is_an_error():
    with pytest.raises(RecordError, match="none of 'fake', 'real' is among the 2 likeliest tokens"):
        read_words(place(**{" a": -0.3, " re": -2.0}), ["fake", "real"])


def test_the_written_token_counts_where_the_server_leaves_it_out_and_once_where_not():
    sampled = Place.model_validate(
        {"token": " fake", "logprob": -3.0, "top_logprobs": [{"token": " real", "logprob": -0.1}]}
    )
    assert read_words(sampled, ["fake", "real"])[0] == pytest.approx([-3.0, -0.1])
    assert read_words(place(**{" fake": -0.5, " real": -1.0}), ["fake", "real"])[0] == pytest.approx(
        [-0.5, -1.0]
    )


@given(
    st.lists(st.floats(-12, 0), min_size=len(VOCABULARY), max_size=len(VOCABULARY)),
    st.integers(2, len(VOCABULARY)),
)
def test_what_is_stored_is_never_below_the_truth(logits, top):
    """Truth by brute force over the whole vocabulary: every token that spells the word, or begins it."""
    logprobs = np.array(logits) - np.logaddexp.reduce(logits)
    likeliest = np.argsort(-logprobs, kind="stable")[:top]
    shown = place(**{VOCABULARY[i]: min(0.0, float(logprobs[i])) for i in likeliest})
    try:
        found, note = read_words(shown, ["fake", "real"])
    except RecordError:
        return
    for word, value in zip(("fake", "real"), found, strict=True):
        spelled = [i for i, token in enumerate(VOCABULARY) if token.strip(" ▁Ġ") == word]
        returned = [i for i in spelled if i in likeliest]
        if returned:
            assert value == pytest.approx(np.logaddexp.reduce(logprobs[returned]), abs=1e-6)
        else:
            assert note is not None
            assert repr(word) in note
            assert value >= max(logprobs[spelled]) - 1e-9


def test_places_are_alike_up_to_what_a_server_rounds():
    one = place(**{" fake": -0.5, " real": -1.0, " a": -4.0})
    assert alike(one, place(**{" fake": -0.51, " real": -0.99, " an": -4.0}))
    assert not alike(one, place(**{" fake": -1.0, " real": -0.5, " a": -4.0}))
    assert not alike(one, place(**{" It": -0.5, " The": -1.0, " a": -4.0}))


def completion(text, *tokens):
    places = [{"token": token, "logprob": -0.1, "top_logprobs": []} for token in tokens]
    return Completion.model_validate(
        {"choices": [{"message": {"content": text}, "logprobs": {"content": places}}]}
    )


@pytest.mark.parametrize(
    "tokens",
    [
        ("The", " edges", " repeat", ".", " Verdict", ":", " fake", "."),
        ("The", "edges", "repeat", ".", "Verdict", ":", "fake", "."),  # a server that drops the spaces
        ("▁The", "▁edges", "▁repeat", ".", "▁Verdict", ":", "▁fake", "."),
    ],
)
def test_the_place_of_a_verdict_is_its_token(tokens):
    text = "The edges repeat. Verdict: fake."
    answer = completion(text, *tokens)
    assert token_ends(text, answer.places)[-1] == len(text)
    assert place_of(answer, text.index("fake")).token.strip(" ▁") == "fake"


def test_tokens_of_another_text_are_refused():
    with pytest.raises(GarbageError, match="not those of its text"):
        place_of(completion("Verdict: fake", "Something", " else"), 9)


@given(st.binary())
def test_bytes_of_any_kind_are_garbage(raw):
    with pytest.raises(GarbageError, match="cannot be read"):
        read_completion(raw)
