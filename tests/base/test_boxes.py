import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fakeinstruct.base.boxes import Box, from_pixels, place, to_pixels

adapter = TypeAdapter(Box)


@st.composite
def pixel_boxes(draw):
    width, height = draw(st.integers(1, 5000)), draw(st.integers(1, 5000))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))), width, height


@given(pixel_boxes())
def test_pixels_survive_the_way_to_fractions_and_back(case):
    box, width, height = case
    assert to_pixels(from_pixels(box, width, height), width, height) == box


@given(pixel_boxes())
def test_every_box_of_pixels_is_a_box(case):
    assert adapter.validate_python(from_pixels(*case)) == from_pixels(*case)


@pytest.mark.parametrize(
    "box",
    [
        (0.5, 0, 0.5, 1),
        (0.6, 0, 0.5, 1),
        (0, 0.2, 1, 0.1),
        (-0.01, 0, 1, 1),
        (0, 0, 1.01, 1),
        (math.nan, 0, 1, 1),
        (0, 0, math.inf, 1),
        (10, 20, 200, 300),
    ],
)
def test_what_is_not_a_box_is_refused(box):
    with pytest.raises(ValidationError, match=r"not x0, y0, x1, y1 in fractions"):
        adapter.validate_python(box)


def test_pixels_outside_the_image_are_refused():
    with pytest.raises(ValueError, match="fractions of the image"):
        from_pixels((0, 0, 101, 50), 100, 100)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 0.3, 0.3), "upper left"),
        ((0.4, 0, 0.6, 0.2), "upper middle"),
        ((0.8, 0, 1, 0.1), "upper right"),
        ((0, 0.4, 0.2, 0.6), "left side"),
        ((0.4, 0.4, 0.6, 0.6), "centre"),
        ((0.9, 0.4, 1, 0.6), "right side"),
        ((0, 0.9, 0.1, 1), "lower left"),
        ((0.3, 0.8, 0.7, 1), "lower middle"),
        ((0.7, 0.7, 1, 1), "lower right"),
        ((0.05, 0.05, 0.95, 0.95), "whole picture"),
    ],
)
def test_places_have_names(box, words):
    assert place(box) == words


@given(pixel_boxes())
def test_a_mirrored_box_has_the_mirrored_place(case):
    box, width, height = case
    x0, y0, x1, y1 = from_pixels(box, width, height)
    centre = (x0 + x1) / 2
    if min(abs(centre - 1 / 3), abs(centre - 2 / 3)) < 1e-9:
        return  # on the line between two cells either name is right
    swapped = {"left": "right", "right": "left"}
    words = " ".join(swapped.get(word, word) for word in place((x0, y0, x1, y1)).split())
    assert place((1 - x1, y0, 1 - x0, y1)) == words
