"""How families write boxes: what each says of one box, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeinstruct.expert.dialect import JSON_PIXELS, JSON_THOUSANDTHS, SQUARE_FRACTIONS, THOUSANDTHS
from fakeinstruct.expert.families import FAMILIES

BOX = (0.1, 0.25, 0.5, 1.0)
SIZE = (640, 480)
ALL = {
    "thousandths": (THOUSANDTHS, "<box>[[100, 250, 500, 1000]]</box>"),
    "pixels": (JSON_PIXELS, '[{"bbox_2d": [64, 120, 320, 480]}]'),
    "json": (JSON_THOUSANDTHS, '[{"bbox_2d": [100, 250, 500, 1000]}]'),
    "square": (SQUARE_FRACTIONS, "[0.10, 0.31, 0.50, 0.88]"),  # 80 of 640 pixels above and below
}
sides = st.integers(56, 2000)
corners = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45), st.floats(0.55, 1), st.floats(0.55, 1))


@pytest.mark.parametrize(("dialect", "text"), ALL.values(), ids=ALL)
def test_one_box_as_each_family_writes_it(dialect, text):
    assert dialect.write([BOX], SIZE) == text
    assert dialect.read(f"It is here: {text}.", SIZE) == (pytest.approx(BOX, abs=0.01),)


@pytest.mark.parametrize("written", ["(64,120),(320,480)", " ( 64, 120 ) , (320, 480) "])
def test_the_qwen_family_writes_two_corners_as_well(written):
    text = f"A hand <|object_ref_start|>hand<|object_ref_end|><|box_start|>{written}<|box_end|> is fused."
    assert JSON_PIXELS.read(text, SIZE) == (BOX,)
    assert JSON_THOUSANDTHS.read(text.replace("64", "100"), SIZE) == ((0.1, 0.12, 0.32, 0.48),)
    assert JSON_PIXELS.read(text.replace("480", "4800"), SIZE) == ()
    assert JSON_PIXELS.read(text.replace("(", "["), SIZE) == ()


@settings(deadline=None)
@given(st.lists(corners, min_size=1, max_size=3), sides, sides)
def test_what_is_written_is_read_back_to_the_dialects_precision(boxes, width, height):
    for name, (dialect, _) in ALL.items():
        steps = {"pixels": 1 / min(width, height), "square": 0.01 * max(width, height) / min(width, height)}
        found = dialect.read(dialect.write(boxes, (width, height)), (width, height))
        if name == "square" and max(width, height) > 9 * min(width, height):
            continue  # two decimals of so long a picture's side may hold no box
        assert len(found) == len(boxes)
        for ours, theirs in zip(found, boxes, strict=True):
            assert ours == pytest.approx(theirs, abs=steps.get(name, 0.001))


@pytest.mark.parametrize("dialect", [JSON_PIXELS, JSON_THOUSANDTHS, SQUARE_FRACTIONS])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "no box",
        '{"bbox_2d": [1, 2, 3]} [0.1, 0.2]',
        '{"bbox_2d": [500, 500, 100, 100]} [0.9, 0.9, 0.1, 0.1]',
        '{"bbox_2d": [0, 0, 99999, 99999]} [0, 0, 7, 7]',
        '{"bbox_2d": [-1, 0, 10, 10]} [-0.5, 0, 0.5, 0.5]',
        "[" * 5000 + '"bbox_2d": ' * 1000,
    ],
)
def test_what_is_malformed_empty_or_outside_is_passed_over(dialect, text):
    assert dialect.read(text, SIZE) == ()


def test_each_family_has_the_dialect_of_its_published_models():
    assert {name: family.boxes for name, family in FAMILIES.items()} == {
        "llava": SQUARE_FRACTIONS,
        "llava_next": SQUARE_FRACTIONS,
        "qwen2_5_vl": JSON_PIXELS,
        "qwen3_vl": JSON_THOUSANDTHS,
        "qwen3_5": JSON_THOUSANDTHS,
        "internvl": THOUSANDTHS,
        "smolvlm": THOUSANDTHS,
    }
