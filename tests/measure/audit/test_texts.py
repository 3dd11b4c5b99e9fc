"""Boilerplate, copies, words of machines, and texts without any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.chains.schema import Span, Text, Trace
from fakeinstruct.measure.audit.phrases import phrases, words_of
from fakeinstruct.measure.audit.texts import texts_of, texts_section

from .looked import chain, finding, table

WORDS = (
    "light",
    "shadow",
    "edge",
    "hand",
    "sky",
    "tree",
    "wall",
    "grass",
    "window",
    "letter",
    "skin",
    "hair",
)


def sentence(seed, length=14):
    rng = np.random.default_rng(seed)
    return " ".join(str(word) for word in rng.choice(WORDS, length))


def explained(texts, **more):
    return [
        chain(number, texts=(Text(role="explanation", text=text),), **more)
        for number, text in enumerate(texts)
    ]


def test_texts_of_their_own_give_no_finding():
    section = texts_section(explained(map(sentence, range(100))), 0)
    assert section.findings == section.tables == ()
    assert section.summary == "100 texts of 100 chains: explanation 100."


def test_a_long_phrase_inside_is_found_whole_and_counted_in_all():
    phrase = "upon close inspection one can see that the image was made by a machine"
    texts = [f"{sentence(n)} {phrase if n % 4 == 0 else ''} {sentence(n + 1000)}" for n in range(200)]
    section = texts_section(explained(texts), 0)
    found = finding(section, "contain the same")
    assert found.level == "warning"
    assert found.title == "25% of the texts of role 'explanation' contain the same 14 words"
    assert f"'{phrase}': 50 of fakes, 0 of reals" in found.detail
    assert table(section, "Phrases") == {"explanation": ("contain", phrase, 0.25, 50, 0)}


def test_a_common_opening_is_found():
    texts = [("The image shows a " if n % 2 else "") + sentence(n) for n in range(100)]
    found = finding(texts_section(explained(texts), 0), "begin with the same 4 words")
    assert "'the image shows a': 0 of fakes, 50 of reals, of 100 texts" in found.detail


def test_marks_and_case_do_not_hide_copies():
    texts = [sentence(0), sentence(0).upper() + "!"] * 20 + [sentence(n) for n in range(1, 61)]
    found = finding(texts_section(explained(texts), 0), "are copies")
    assert found.title.startswith("40% of the texts")
    assert found.examples[0].text.startswith("40 images: ")


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("I'm sorry, I can't help with that.", "a refusal"),
        ("I’m sorry, but I cannot assist.", "a refusal"),
        ("As an AI, the sky looks odd to me.", "an assistant of itself"),
        ("The text translates to: the shadow is wrong.", "a translator"),
        ("Certainly! The shadow is wrong.", "an assistant to its user"),
    ],
)
def test_words_of_machines_are_found(text, who):
    chains = explained([text, *map(sentence, range(60))])
    found = finding(texts_section(chains, 0), who)
    assert found.level == "warning"
    assert found.title.startswith("1 of 61 texts")
    assert found.examples[0].text == text
    assert finding(texts_section(explained([text] * 5), 0), who).level == "problem"


def test_texts_without_a_word_are_counted():
    found = finding(texts_section(explained(["-", " ... ", sentence(1)]), 0), "hold no word")
    assert found.title.startswith("2 of 3 texts")


def test_label_only_chains_have_no_texts():
    assert "no texts" in texts_section([chain(n) for n in range(5)], 0).skipped


def test_what_a_trace_quotes_is_counted_once():
    text = Text(role="explanation", text="The shadow is wrong.")
    span = Span(text=0, start=0, end=20)
    quoted = Trace(id="t1", points_to="fake", observation=text.text, inference="So it is fake.", span=span)
    own = Trace(id="t2", points_to="fake", observation="Another one.", advice="Mend it.")
    written = list(texts_of(chain(0, texts=(text,), traces=(quoted, own))))
    assert [(each.role, each.text) for each in written] == [
        ("explanation", "The shadow is wrong."),
        ("inference", "So it is fake."),
        ("observation", "Another one."),
        ("advice", "Mend it."),
    ]


def test_a_phrase_at_every_shift_is_one_phrase():
    texts = [f"{sentence(n, 3)} {' '.join(WORDS)} {sentence(n + 500, 3)}" for n in range(60)]
    found = [each for each in phrases(texts, [True] * 60, 0) if each.place == "contain"]
    assert len(found) == 1
    assert " ".join(WORDS) in found[0].words
    assert found[0].fake == 60


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ab c.", max_size=60), min_size=1, max_size=40), st.integers(0, 3))
def test_counts_of_phrases_are_those_of_texts_that_have_them(texts, seed):
    for phrase in phrases(texts, [True] * len(texts), seed):
        padded = [f" {' '.join(words_of(text))} " for text in texts]
        wanted = f" {phrase.words} "
        has = [text.startswith(wanted) if phrase.place == "begin with" else wanted in text for text in padded]
        assert (phrase.fake, phrase.real) == (sum(has), 0)
        assert phrase.fake > 0
