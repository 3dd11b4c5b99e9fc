"""What a text claims of attributes: flaws, what is in order, and what is only named."""

import re
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fakeinstruct.chains.sample import evidence
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


REASONS = """This image is real; it is a photograph. My reasons:
- The picture is distorted on the left side. {}"""

LISTED_FAKE = """This image is fake; it is a generated image. What speaks for this:
- The texture is {}. {}"""


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        # lists of reasons, as our grammar writes them, whole and as a small model garbles them
        (REASONS.format("A warp would have left side as a photograph."), Label.REAL),
        (REASONS.format("What perspective there is, the lens made."), Label.REAL),
        (LISTED_FAKE.format("irregular", "That speaks for a photograph."), Label.FAKE),
        (LISTED_FAKE.format("blurred all over", "Even handling says nothing against it."), Label.FAKE),
        # who or what made it
        ("The geometry is distorted on its own: what perspective there is, the lens made.", None),
        ("The blurred edges are caused by motion of the camera.", Label.REAL),
        ("The perspective is warped, as any wide-angle lens does.", None),
        ("The uneven shadows come from the flash of the camera.", Label.FAKE),
        ("The edges are blurred because of the lens.", Label.REAL),
        ("It is real because of the uneven lighting.", Label.REAL),
        ("The hands are distorted and the lens made it.", None),
        ("The uneven edges and the soft texture are typical of a lens.", None),
        # what it speaks for, in the words of published explanations
        (
            "This is a real image. The uneven lighting and texture suggest an authentic photograph.",
            Label.REAL,
        ),
        ("The irregular texture and uneven lighting are consistent with a real photograph.", Label.REAL),
        (
            "<REASONING> The lighting and shadows are consistent. The edges are blurred by depth of field. </REASONING>"
            "<CONCLUSION> This image is real. </CONCLUSION>",
            Label.REAL,
        ),
        ("It is real because the edges are slightly blurred and the shadows uneven.", Label.REAL),
        ("The perspective is warped; that speaks for a photograph.", None),
        ("The natural lighting and realistic shadows suggest it's not artificially generated.", Label.REAL),
        # denied, looked for in vain, supposed, said of others
        ("The blurred edges do not mean that it is fake.", Label.REAL),
        ("I looked for fused fingers and garbled lettering and found none.", Label.REAL),
        ("If the image were generated, the texture would be waxy.", Label.REAL),
        ("A generator would have left a regular texture; there is none.", Label.REAL),
        ("AI models often produce distorted hands. Here the hands are natural.", Label.REAL),
        ("Judged free of flaws: texture and edges.", Label.FAKE),
    ],
)
def test_a_reason_for_real_is_no_flaw(text, verdict):
    assert READER.read(text, verdict).flawed == frozenset()


@pytest.mark.parametrize(
    ("text", "verdict", "flawed"),
    [
        ("This image is real. The texture is waxy.", Label.REAL, {"texture"}),  # no reason for it is claimed
        ("It is real, but there are problems:\n- The texture is waxy.", Label.REAL, {"texture"}),
        (REASONS.format("So this area was edited."), Label.REAL, {"distortion"}),
        (LISTED_FAKE.format("waxy", "No lens draws this; a generator does."), Label.FAKE, {"texture"}),
        ("No camera gives such odd shadows.", Label.FAKE, {"light_shadow"}),
        ("The texture is inconsistent with a real photograph.", Label.FAKE, {"texture"}),
        ("The texture lacks the irregularity typical of real photographs.", Label.FAKE, {"texture"}),
        ("The lighting is inconsistent, unlike a real photograph.", Label.FAKE, {"light_shadow"}),
        ("The fingers are fused. This points to a generator.", Label.FAKE, {"anatomy"}),
        ("The distortion is typical of a wide-angle lens, and the fingers are fused.", None, {"anatomy"}),
        ("The uneven shadows come from the flash, but the lettering is garbled.", None, {"text"}),
        (
            "The fingers are fused. The perspective is warped; that speaks for a photograph.",
            None,
            {"anatomy"},
        ),
        ("The perspective is warped. The texture speaks for a photograph.", None, {"perspective"}),
        # of an item of a list, up to a contrast, and in a text that says fake for nothing that is found wrong
        (
            "- Lighting: typical of a camera flash, but the shadows are inconsistent.",
            Label.FAKE,
            {"light_shadow"},
        ),
        (
            "- Background blur: typical of a lens, but the hands have six fingers and the text is garbled.",
            Label.FAKE,
            {"anatomy", "text"},
        ),
        ("- The depth is what any lens draws, but the fingers are fused.", None, {"anatomy"}),
        ("- Any lens draws such depth. However, the fingers are fused.", None, {"anatomy"}),
        ("- The fingers are fused. The lighting is typical of a flash.", Label.FAKE, {"anatomy"}),
        ("- The fingers are fused. Any photograph has grain.", Label.FAKE, {"anatomy"}),
        ("- The hand has six fingers. The lighting is typical of a flash.", Label.FAKE, {"anatomy"}),
        # up to an "and" before another subject and verb
        (
            "The lighting is consistent with a real photograph and the hands are deformed.",
            Label.FAKE,
            {"anatomy"},
        ),
        (
            "The lighting is consistent with a real photograph and the hand has six fingers.",
            Label.FAKE,
            {"anatomy"},
        ),
        (
            "The hands are deformed and the lighting is consistent with a real photograph.",
            Label.FAKE,
            {"anatomy"},
        ),
        ("Lighting typical of a flash and the hands look deformed.", Label.FAKE, {"anatomy"}),
        # whose camera, whose photograph
        (
            "The photographer saw a person with distorted hands.",
            Label.FAKE,
            {"anatomy", "distortion"},
        ),
        ("As a photograph shows, the hand has six fingers.", Label.FAKE, {"anatomy"}),
        ("- The shadows are odd, so this image is fake. A lens draws depth.", None, {"light_shadow"}),
        ("The image is fake because of the odd motion of the hands.", Label.FAKE, {"anatomy"}),
    ],
)
def test_a_flaw_beside_a_reason_for_real_stays_one(text, verdict, flawed):
    assert READER.read(text, verdict).flawed == flawed


BOOK = yaml.safe_load((Path(evidence.__file__).parent / "phrases.yaml").read_text())
FILL = {"at": "in the lower middle", "source": "part of a photograph of a cat"}


def sentences(entries):
    """What the sample set's grammar says, each observation with each inference."""
    for entry in entries:
        for observation, inference in product(entry["observations"], entry.get("inferences", [""])):
            yield entry["attribute"], written(observation), written(inference)


def written(pattern):
    """The first of each choice of a pattern, its slots filled."""
    chosen = re.sub(r"\[([^\]|]*)[^\]]*\]", r"\1", pattern)
    return re.sub(r"\{(\w+)\}", lambda slot: FILL.get(slot[1], slot[1]), chosen)


def test_what_the_sample_set_says_for_a_photograph_claims_no_flaw():
    said = [*sentences(BOOK["real"]), *sentences(BOOK["processed"].values())]
    assert len(said) > 60
    for _, observation, inference in said:
        for form in ("This image is real. My reasons:\n- {} {}", "{} {} It is real.", "{} {}"):
            assert READER.read(form.format(observation, inference), Label.REAL).flawed == frozenset()


def test_what_is_said_of_forgeries_in_general_counts_where_the_text_says_fake():
    text = "Generated pictures often lack sharpness."
    assert READER.read(text, Label.FAKE).flawed == {"clarity"}
    assert READER.read(text, Label.REAL).flawed == frozenset()


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text):
    found = READER.read(f"no {text}, unnatural edges {text}", None)
    assert not found.flawed & found.sound


@pytest.mark.parametrize("text", [REASONS.format("It is odd."), "No odd edges, but the texture is waxy."])
def test_runs_of_spaces_change_nothing(text):
    wide = re.sub(r"(?<=\S) (?=\S)", " \t" + 400 * " ", text)
    for verdict in (Label.FAKE, Label.REAL, None):
        assert READER.read(wide, verdict) == READER.read(text, verdict)


def test_a_part_is_read_with_single_spaces():
    (part, *_), *_ = READER._parts(f"  The{20_000 * ' '}texture \t is   waxy")
    assert part.text == "The texture is waxy"


def test_what_is_said_in_general_stands_close_to_who_is_said_to_do_it():
    said = "Editing {}often leaves waxy texture."
    assert READER.read(said.format(""), Label.REAL).flawed == frozenset()
    assert READER.read(said.format(100 * "on and "), Label.REAL).flawed == {"texture"}


@pytest.mark.parametrize(
    "unit", ["editing of the ", "not a sign of ai ", "a, ", "real: ", "it is and is ", " "]
)
def test_a_long_text_is_read_to_its_end(unit):
    found = READER.read(f"{unit * (45_000 // len(unit))}\nThe texture is waxy.", Label.FAKE)
    assert "texture" in found.flawed
