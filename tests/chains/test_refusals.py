"""Words with which language models decline, and descriptions that sound a little like them."""

import pytest

from fakeinstruct.chains.refusals import OF_ITSELF, has_refusal, is_refusal

REFUSALS = [
    "I'm sorry, but I can't assist with that request.",
    "I’m sorry, I cannot help.",
    "I'm really sorry, I can't.",
    "Sorry, I can't.",
    "I apologize, but the image is not shown.",
    "I cannot determine whether this is real.",
    "I can't see the image.",
    "I couldn't analyze the photograph.",
    "I am unable to view images.",
    "I'm not able to say.",
    "Unfortunately, I can't see it.",
    "No image was provided.",
    "\n  I'm sorry.",
]
WORDS = [
    "I can see a cat.",
    "The man looks sorry.",
    "This is a fake image.",
    "It cannot be real.",
    "The sorry state of the edges.",
    "I see an AI image.",
    "As an image it fails.",
    "I cannot see a flaw in the eyes.",
    "I cannot identify any sign of manipulation.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_known(text):
    assert is_refusal(text)
    assert has_refusal(text)


@pytest.mark.parametrize("text", WORDS)
def test_a_description_is_no_refusal(text):
    assert not is_refusal(text)
    assert not has_refusal(text)
    assert not OF_ITSELF.search(text)


def test_a_text_that_declines_later_has_a_refusal_and_is_none():
    text = "The shadow is wrong. I can't assist with the rest."
    assert has_refusal(text)
    assert not is_refusal(text)
    assert not has_refusal("The shadow is soft. I cannot determine its source.")


def test_who_speaks_of_itself_declines_where_a_text_begins_so():
    assert is_refusal("As an AI language model, I do not see.")
    assert not is_refusal("The sky, as an AI, I find odd.")
    assert OF_ITSELF.search("The sky, as an AI, I find odd.")
