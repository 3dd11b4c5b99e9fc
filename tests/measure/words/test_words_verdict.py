"""Verdicts as people and models write them: denied, conceded, asked, mentioned, missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.measure.words.verdict import written_verdict

TABLE = [
    ("fake", "fake"),
    ("FAKE", "fake"),
    ("Fake!", "fake"),
    ("real", "real"),
    ("It is fake.", "fake"),
    ("My verdict: fake, a generated image.", "fake"),
    ("I take this image to be real; it is a photograph.", "real"),
    ("This image is real, no doubt.", "real"),
    ("without doubt fake", "fake"),
    ("It might be fake.", "fake"),
    # denied
    ("This image is not real.", "fake"),
    ("The picture isn't real.", "fake"),
    ("The picture isn’t fake.", "real"),
    ("It is not fake.", "real"),
    ("This is not a real photograph.", "fake"),
    ("Not real.", "fake"),
    ("Not fake", "real"),
    ("This cannot be real.", "fake"),
    ("It is anything but real.", "fake"),
    ("It is far from real.", "fake"),
    ("The image is surely not fake but real.", "real"),
    ("This is a real photograph, not a fake.", "real"),
    ("Nothing here is fake: a real photograph.", "real"),
    ("There are no fake elements in it. It is real.", "real"),
    ("It is not real. It is not fake.", None),
    ("I doubt that it is not real.", None),
    ("Is it not real?", None),
    ("This is not a real hand.", None),
    # other words
    ("The lighting looks unrealistic.", None),
    ("Realistic textures throughout.", None),
    ("The image is unreal.", None),
    ("A fakery of realism.", None),
    # no verdict
    ("", None),
    ("I cannot tell.", None),
    ("I cannot tell whether it is real or fake.", None),
    ("It is neither real nor fake.", None),
    ("Neither.", None),
    ("It could be real or fake.", None),
    ("The image is real or fake, hard to say.", None),
    ("I'm sorry, I can't help with that.", None),
    ("I doubt that it is real.", None),
    ("It is hard to believe that this is real.", None),
    ("I would not say it is fake.", None),
    ("Not enough evidence to call it fake.", None),
    ("No evidence that the image is fake.", None),
    # something else is meant
    ("Real hands have five fingers; this one has six, so the image is fake.", "fake"),
    ("A real photograph would show noise here. The image is fake.", "fake"),
    ("Unlike real images, the edges melt. It is fake.", "fake"),
    ("The fur looks like real fur, yet the image is fake.", "fake"),
    ("The real question is whether it was edited.", None),
    ("The photo shows a fake moustache on a real actor.", None),
    # conceded, supposed, asked
    ("It looks real at first, but it is fake.", "fake"),
    ("It may seem real. However, the verdict is fake.", "fake"),
    ("Although it appears to be real, the shadows show that it is fake.", "fake"),
    ("If it were real, the shadow would fall left. It is fake.", "fake"),
    ("Is it real? No, it is fake.", "fake"),
    ("The image is real, but slightly blurred.", "real"),
    ("Against my verdict stands that a picture may be fake without showing it: the image is real.", "real"),
    ("Nothing. This image is real already, and this is why:", "real"),
    # without the words fake and real
    ("The overall fuzziness suggests that the image could be artificially generated or altered.", "fake"),
    ("The extra ears suggest this is an AI-generated image.", "fake"),
    ("The image is not AI-generated.", "real"),
    ("It is an authentic photograph.", "real"),
    ("AI-generated images often have such hands.", None),
    ("I doubt that it is AI-generated.", None),
    ("I cannot tell whether the image is AI-generated.", None),
    ("It is hard to say if this is an authentic photograph.", None),
    ("Such noise is expected in a genuine photograph; this one is AI-generated.", "fake"),
    # our grammar
    ("<think>The dog looks real.</think><verdict>fake</verdict>", "fake"),
]


@pytest.mark.parametrize(("text", "label"), TABLE, ids=range(len(TABLE)))
def test_what_a_text_takes_the_picture_for(text, label):
    assert written_verdict(text) == label


@given(
    st.text(max_size=80),
    st.sampled_from(["not real", "is fake", "isn't real?", "neither"]),
    st.text(max_size=40),
)
def test_any_text_is_read_without_a_fault(before, said, behind):
    assert written_verdict(f"{before} {said} {behind}") in ("fake", "real", None)


def test_a_long_text_is_read_in_no_time():
    assert written_verdict("It is not real or not fake. " * 5_000) in ("fake", "real", None)
    assert written_verdict("this is not " * 20_000) is None
