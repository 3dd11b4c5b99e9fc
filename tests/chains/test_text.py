from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.chains.importers.sentences import as_sentence, parts
from fakeinstruct.chains.importers.text import is_refusal, split_text
from fakeinstruct.chains.importers.translations import without_translator
from fakeinstruct.chains.importers.verdict import stated_verdict
from fakeinstruct.chains.schema import Label
from fakeinstruct.chains.taxonomy import load_taxonomy

FAKE, REAL = Label.FAKE, Label.REAL


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("This is a fake image.", FAKE),
        ("This is a real image. The light is even.", REAL),
        ("The image is clearly computer generated since the animal should pull the cart.", FAKE),
        ("It could be an artificially designed image, rather than an authentic photograph.", FAKE),
        ("This is an authentic image, not an AI-generated one.", REAL),
        ("The shadows suggest it's not artificially generated.", REAL),
        ("This is not a real photograph.", FAKE),
        ("The picture does not look real.", FAKE),
        ("There is no sign that the image is AI-generated.", REAL),
        ("This photo looks like a genuine, unaltered image because people differ.", REAL),
        ("Fake.", FAKE),
        ("Real", REAL),
        ("It lacks crisp details that would be expected in a real photo.", None),
        ("Their poses vary, which AI-generated images often fail to show.", None),
        ("It looks like a real cat.", None),
        ("Real people stand in a street.", None),
        ("The image is fake. No, the image is real.", None),
        ("", None),
    ],
)
def test_a_verdict_is_stated_not_mentioned(text, verdict):
    assert stated_verdict(text) is verdict


def split(text, label=FAKE):
    return [
        (trace.observation, trace.inference, trace.attribute)
        for trace in split_text(text, load_taxonomy(), label=label)
    ]


CASES = {
    # a conclusion in the tail is an inference, and what only describes the scene is no evidence
    "The image shows two signs. The text on them is jumbled, suggesting that the image is AI-generated.": [
        ("The text on them is jumbled.", "This suggests that the image is AI-generated.", "text")
    ],
    # "because" turns round what is seen and what follows
    "The sky is blue. This image is obviously artificially generated because a fish cannot have arms.": [
        ("A fish cannot have arms.", "This image is obviously artificially generated.", None)
    ],
    # two reasons are not torn apart
    "The image is digitally created because it has no head and because its body is a circle.": [
        (
            "The image is digitally created because it has no head and because its body is a circle.",
            None,
            None,
        )
    ],
    "The image seems artificially generated because of the light.": [
        ("The image seems artificially generated because of the light.", None, "light_shadow")
    ],
    "The fact that the cat has pink eyes tells us that the image was digitally created.": [
        ("The cat has pink eyes.", "This tells us that the image was digitally created.", None)
    ],
    # a conclusion that refers back makes the sentence before it the evidence
    "A pair of jeans on a table. The jeans have three legs. This impossible design indicates that the image is fake.": [
        ("The jeans have three legs.", "This impossible design indicates that the image is fake.", None)
    ],
    # a pronoun brings the sentence along that it stands for
    "The image shows a woman in a jacket. Her eyes have an unusual look.": [
        ("The image shows a woman in a jacket. Her eyes have an unusual look.", None, None)
    ],
    # a connective is of no use to a sentence alone
    "A dog on grass. However, the features of the dog appear warped and unreal.": [
        ("The features of the dog appear warped and unreal.", None, None)
    ],
    # one attribute is taken, of two neither
    "The texture of the wall looks odd. The texture and the perspective look odd.": [
        ("The texture of the wall looks odd.", None, "texture"),
        ("The texture and the perspective look odd.", None, None),
    ],
    # a verdict alone is no observation
    "This is a fake image.": [],
    "This is a fake image. Therefore, the image is fake.": [],
    "This is a fake image. The hands are strange.": [("The hands are strange.", None, "anatomy")],
    # points of a list are evidence; a heading that names an attribute is one
    "This is a fake image.\n1. **Light and shadow:** Two suns shine. It is odd.\n2. The dog has five legs.": [
        ("Two suns shine. It is odd.", None, "light_shadow"),
        ("The dog has five legs.", None, None),
    ],
    # where nothing tells evidence from description, the whole is one trace
    "This is a fake image. The cup has two handles. It holds tea.": [
        ("The cup has two handles. It holds tea.", None, None)
    ],
    # everyday words are no attribute
    "The strange man in a light blue car is the subject in focus.": [
        ("The strange man in a light blue car is the subject in focus.", None, None)
    ],
}


@pytest.mark.parametrize("text", CASES)
def test_a_text_is_split_into_what_speaks_for_the_verdict(text):
    assert split(text) == CASES[text]


def test_of_a_real_image_what_is_natural_speaks():
    text = "A white dog on grass. The texture of its coat is consistent. This photo seems real."
    assert split(text, REAL) == [("The texture of its coat is consistent.", None, "texture")]
    assert split(text, FAKE)[0][0].startswith("A white dog on grass.")


def test_a_span_holds_the_words_that_a_trace_was_taken_from():
    text = "This is a fake image. However, the hand looks odd. These errors suggest that it is fake."
    (trace,) = split_text(text, load_taxonomy(), label=FAKE, text_index=2)
    assert (trace.span.text, trace.points_to, trace.mapped_by, trace.id) == (2, FAKE, None, "t1")
    assert text[trace.span.start : trace.span.end] == text.removeprefix("This is a fake image. ")


@given(st.text(alphabet="ab.!? \n*-1:,TheItfakimgs", max_size=120), st.sampled_from(Label))
def test_any_text_gives_sound_traces(text, label):
    for trace in split_text(text, load_taxonomy(), label=label):
        assert trace.observation[0] == trace.observation[0].upper()
        assert 0 <= trace.span.start < trace.span.end <= len(text)


@given(st.text(max_size=200))
def test_parts_are_in_order_and_lose_no_letter(text):
    found = list(parts(text))
    assert all(one.end <= other.start for one, other in pairwise(found))
    kept = "".join(text[part.start : part.end] for part in found)
    assert all(part.start < part.end for part in found)
    if not any(part.listed or part.heading for part in found) and "\n" not in text:
        assert sum(map(str.isalpha, kept)) == sum(map(str.isalpha, text))


def test_abbreviations_end_no_sentence():
    text = "Signs, e.g. the left one, are odd. Dr. Hall saw 3.5 of them."
    assert [text[part.start : part.end] for part in parts(text)] == [
        "Signs, e.g. the left one, are odd.",
        "Dr. Hall saw 3.5 of them.",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("the  sky\nis odd", "The sky is odd."),
        ("However, it floats!", "It floats!"),
        ("Another hint is the fact that the sign makes no sense.", "The sign makes no sense."),
        ('It says "stop."', 'It says "stop."'),
    ],
)
def test_a_sentence_can_stand_alone(words, sentence):
    assert as_sentence(words) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that request.",
        "I’m sorry, I cannot help.",
        "Sorry, I can't.",
        "I apologize, but the image is not shown.",
        "I cannot determine whether this is real.",
        "I am unable to view images.",
        "As an AI language model, I do not see.",
        "Unfortunately, I can't see it.",
    ],
)
def test_a_refusal_is_known(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["I can see a cat.", "The man looks sorry.", "This is a fake image."])
def test_a_description_is_no_refusal(text):
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('The text translates to: "A large gap appears."', "A large gap appears."),
        (
            'The text "道路线条扭曲" translates to "The road lines are twisted" in English.',
            "The road lines are twisted",
        ),
        ('The translation of "嘴部" into English is "poor mouth symmetry."', "poor mouth symmetry."),
        (
            'Certainly! The translation of the text is:\n\n"Ash is grey. It is not."',
            "Ash is grey. It is not.",
        ),
        ("Sure, here are the translations:\n\n1. One.\n2. Two.", "1. One.\n2. Two."),
        ('The text describes an issue. The translation is: "A gap."', "A gap."),
        ("The text descriptions you provided are in Chinese; please send the text to be translated.", None),
        ("The text on the sign is blurred.", "The text on the sign is blurred."),
        ('The sign says "Stop" twice.', 'The sign says "Stop" twice.'),
    ],
)
def test_a_translator_s_phrases_are_left_out(text, words):
    assert without_translator(text) == words
