"""Boxes in what was written: in our grammar, or as the model's family writes them, of the picture as it was seen."""

from __future__ import annotations

import pytest
from foreign import draw_pictures, write_foreign

from fakeinstruct.forensics.boxes import written_boxes
from fakeinstruct.forensics.expert import load_expert
from fakeinstruct.forensics.views import View, Viewer

OURS = "Here: <box>[[100, 250, 500, 1000]]</box>."


@pytest.fixture(scope="module")
def boxes_in(tmp_path_factory):
    """From a family, a picture (0: 60 wide and 40 high) and a text to the boxes."""
    folder = tmp_path_factory.mktemp("boxes")
    viewer = Viewer(draw_pictures(folder / "pictures"))
    experts = {}

    def read(family, picture, text):
        if family not in experts:
            experts[family] = load_expert(write_foreign(family, folder / family))
        expert = experts[family]
        collator, _ = expert.collators(viewer)
        size = collator.placer.blocks.get(View(picture)).get("image_grid_thw")
        return written_boxes(expert, collator, View(picture), text), size

    return read


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "qwen3_vl", "internvl"])
def test_our_grammar_in_every_family(boxes_in, family):
    assert boxes_in(family, "0.png", OURS)[0] == ((0.1, 0.25, 0.5, 1.0),)
    assert boxes_in(family, "0.png", "No box, [not one].")[0] == ()
    assert boxes_in(family, "0.png", "<box>[[900, 250, 500, 1000]]</box>")[0] == ()


def test_pixels_are_those_of_the_picture_after_resizing(boxes_in):
    text = '[{"bbox_2d": [4, 8, 16, 12], "label": "hand"}]'
    boxes, grid = boxes_in("qwen2_5_vl", "0.png", text)
    _, rows, columns = grid[0].tolist()
    width, height = 4 * columns, 4 * rows  # patches of four pixels
    assert (width, height) != (60, 40)
    assert boxes == ((4 / width, 8 / height, 16 / width, 12 / height),)


def test_thousandths_and_fractions_of_a_square(boxes_in):
    text = '{"bbox_2d": [100, 250, 500, 1000]}'
    assert boxes_in("qwen3_vl", "0.png", text)[0] == ((0.1, 0.25, 0.5, 1.0),)
    # 60 x 40 filled up to 60 x 60: ten rows above and below
    (box,) = boxes_in("llava", "0.png", "It is at [0.50, 0.50, 1.00, 0.75].")[0]
    assert box == pytest.approx((0.5, 0.5, 1.0, 0.875))
