"""What a text claims of attributes: flaws, what is in order, and what is only named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.chains.schema import Label
from fakeinstruct.chains.taxonomy import load_taxonomy
from fakeinstruct.measure.words.claims import ClaimReader

READER = ClaimReader(load_taxonomy())


@pytest.mark.parametrize(
    ("text", "flawed", "sound"),
    [
        ("The texture is waxy.", {"texture"}, set()),
        ("The texture and the edges are unnatural.", {"texture", "edge"}, set()),
        ("The lighting, texture and edges are unnatural.", {"light_shadow", "texture", "edge"}, set()),
        ("The texture is natural, the shadows are inconsistent.", {"light_shadow"}, {"texture"}),
        ("The shadows are inconsistent, but the texture is natural.", {"light_shadow"}, {"texture"}),
        ("No unnatural shadows.", set(), {"light_shadow"}),
        ("I see no odd edges, blurred fingers or warped lettering.", set(), {"edge", "anatomy", "text"}),
        ("I see no odd edges, the fingers are fused.", {"anatomy"}, {"edge"}),
        ("The shadows do not match the scene.", {"light_shadow"}, set()),
        ("The perspective is not correct.", {"perspective"}, set()),
        ("The symmetry isn't wrong.", set(), {"symmetry"}),
        ("The hand lacks natural texture.", {"texture"}, set()),
        ("Neither the texture nor the edges look unnatural.", set(), {"texture", "edge"}),
        ("Not only the texture but also the edges are wrong.", {"texture", "edge"}, set()),
        ("In terms of texture I see nothing wrong.", set(), {"texture"}),
        ("In terms of texture something is wrong.", {"texture"}, set()),
        ("Nothing about the texture gives this picture away.", set(), {"texture"}),
        ("I see no sign of generation or editing in the shadows.", set(), {"light_shadow"}),
        ("The picture shows no flaw in terms of perspective.", set(), {"perspective"}),
        ("There is no distortion.", set(), {"distortion"}),
        ("Distortion is absent.", set(), {"distortion"}),
        ("Unrealistic elements float in the sky.", {"unrealistic"}, set()),
        ("The reflections agree with the scene.", set(), {"reflection"}),
        ("The texture is natural. The texture is wrong.", {"texture"}, set()),
        ("", set(), set()),
        ("Fine.", set(), set()),
    ],
)
def test_what_is_judged_counts_whatever_the_verdict(text, flawed, sound):
    for verdict in (Label.FAKE, Label.REAL, None):
        found = READER.read(text, verdict)
        assert (set(found.flawed), set(found.sound)) == (flawed, sound)


@pytest.mark.parametrize("text", ["The hand has six fingers.", "Fingers: six.", "Look at the fingers."])
def test_what_is_only_named_counts_where_the_text_says_fake(text):
    assert READER.read(text, Label.FAKE).flawed == {"anatomy"}
    assert READER.read(text, Label.REAL) == (frozenset(), frozenset())
    assert READER.read(text, None).flawed == frozenset()


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text):
    found = READER.read(f"no {text}, unnatural edges {text}", None)
    assert not found.flawed & found.sound
