"""Verdicts in words: found where they are stated, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.forensics.verdict import find_verdict

WORDS = {"fake": ("fake", "AI-generated"), "real": ("real", "authentic")}
YES_NO = {"fake": ("no",), "real": ("yes",)}  # in answer to "Is this a real image?"


@pytest.mark.parametrize(
    ("text", "label", "word"),
    [
        ("fake", "fake", "fake"),
        ("This image is real; it is a photograph.", "real", "real"),
        ("**Fake**", "fake", "Fake"),
        ("I take it to be FAKE.", "fake", "FAKE"),
        ("It is AI-generated, not real.", "fake", "AI-generated"),
        ("This is not a real photograph. It is fake.", "fake", "fake"),
        ("It is not real but fake.", "fake", "fake"),
        ("It cannot be a real one; fake.", "fake", "fake"),
        ("It isn't authentic: fake.", "fake", "fake"),
        ("Is it real or fake? It is real.", "real", "real"),
        ("'Real' or 'fake': fake", "fake", "fake"),
        ("Fake/real: real", "real", "real"),
        ("To see whether the picture is fake I look at the edges. They are authentic.", "real", "authentic"),
        ("No sign of a fake, so it is real.", "real", "real"),
        ("Real-world edges; it is fake", "fake", "fake"),
        ("A realistic fakery. Real.", "real", "Real"),
        ("<think>It looks real.</think><tag>style: photo</tag><verdict>fake</verdict>", "fake", "fake"),
    ],
)
def test_the_first_stated_label(text, label, word):
    verdict = find_verdict(text, WORDS)
    assert verdict is not None
    assert (verdict.label, verdict.word) == (label, word)
    assert text[verdict.start : verdict.end] == word


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The edges repeat.",
        "This is not real.",
        "It is neither fake nor real.",
        "Is it real or fake?",
        "It is hardly authentic",
        "I cannot say whether it is fake.",
        "realistic, faked, unreal",
    ],
)
def test_where_none_is_stated(text):
    assert find_verdict(text, WORDS) is None


def test_behind_a_mark():
    text = "It looks real. Verdict: fake, not real"
    assert find_verdict(text, WORDS).label == "real"
    assert find_verdict(text, WORDS, "verdict:").label == "fake"
    assert find_verdict(text, WORDS, "Answer:") is None
    assert find_verdict("so it is real. Verdict:", WORDS, "Verdict:") is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("No.", "fake"),
        ("yes", "real"),
        ("There is no sign of generation. Yes, a camera took it.", "real"),
        ("There is no sign of generation", None),
        ("**No**, the edges repeat.", "fake"),
    ],
)
def test_yes_and_no_are_verdicts_where_they_open_a_sentence(text, label):
    verdict = find_verdict(text, YES_NO)
    assert (verdict and verdict.label) == label


@given(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.sampled_from(["fake", "Real", "AUTHENTIC"]),
    st.text(st.characters(codec="utf-8"), max_size=40),
)
def test_any_text_is_read_without_a_fault(before, word, behind):
    text = f"{before} {word} {behind}"
    verdict = find_verdict(text, WORDS)
    if verdict:
        assert text[verdict.start : verdict.end] == verdict.word
        assert verdict.word.casefold() in {each.casefold() for each in WORDS[verdict.label]}


def test_a_long_text_is_read_in_no_time():
    assert find_verdict("real or fake or " * 20_000, WORDS) is None
    assert find_verdict("It is not real. " * 20_000, WORDS) is None
