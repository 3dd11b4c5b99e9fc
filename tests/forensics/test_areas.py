"""Areas: the pixels of regions, and controls of the same shape and size beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label as components

from fakeinstruct.chains.masks import encode_mask
from fakeinstruct.chains.schema import Region
from fakeinstruct.forensics.areas import Area, elsewhere, region_pixels

WHOLE = (0.0, 0.0, 1.0, 1.0)


def boxes(most=0.6):
    """Boxes in sixteenths of the picture."""
    side = st.tuples(st.integers(0, 15), st.integers(1, int(16 * most))).map(
        lambda edge: (edge[0] / 16, min(16, edge[0] + edge[1]) / 16)
    )
    return st.tuples(side, side).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))


def shapes(pixels):
    """The connected shapes of an area, wherever they lie, sorted."""
    found, count = components(pixels)
    cut = []
    for number in range(1, count + 1):
        rows, columns = np.nonzero(found == number)
        part = (found == number)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        cut.append((part.shape, part.tobytes()))
    return sorted(cut)


def test_a_box_is_its_pixels():
    pixels = region_pixels(Region(box=(0.25, 0.5, 0.75, 1.0)), 8, 4)
    assert pixels.astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
    ]


def test_a_box_smaller_than_a_pixel_is_one():
    for box in ((0.501, 0.501, 0.502, 0.502), (0.999, 0.999, 1.0, 1.0), (0.0, 0.0, 0.001, 0.001)):
        assert region_pixels(Region(box=box), 7, 5).sum() == 1


def test_a_polygon_is_the_pixels_whose_centres_it_holds():
    square = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    by_box = region_pixels(Region(box=(0.25, 0.25, 0.75, 0.75)), 64, 64)
    assert np.array_equal(region_pixels(Region(box=WHOLE, polygon=square), 64, 64), by_box)
    triangle = ((0.1, 0.1), (0.9, 0.2), (0.4, 0.8))
    area = region_pixels(Region(box=(0.1, 0.1, 0.9, 0.8), polygon=triangle), 200, 100).sum()
    assert area == pytest.approx(0.265 * 200 * 100, rel=0.01)


def test_a_mask_goes_before_polygon_and_box_and_fits_another_size():
    pixels = np.zeros((4, 6), bool)
    pixels[1, 2:5] = True
    region = Region(box=WHOLE, polygon=((0, 0), (1, 0), (1, 1)), mask=encode_mask(pixels))
    assert np.array_equal(region_pixels(region, 6, 4), pixels)
    assert np.array_equal(region_pixels(region, 12, 8), np.kron(pixels, np.ones((2, 2), bool)))


def test_an_empty_mask_and_a_polygon_between_pixels_leave_the_box():
    box = (0.0, 0.0, 0.5, 0.5)
    hair = ((0.01, 0.01), (0.02, 0.01), (0.02, 0.02))
    for region in (
        Region(box=box, mask=encode_mask(np.zeros((4, 4), bool))),
        Region(box=box, polygon=hair),
    ):
        assert region_pixels(region, 4, 4).sum() == 4


@settings(max_examples=150, deadline=None)
@given(st.lists(boxes(), min_size=1, max_size=3), st.integers(0, 2**64 - 1))
def test_a_control_has_the_area_of_what_is_cited(found, seed):
    regions = tuple(Region(box=box) for box in found)
    cited, control = Area(regions).pixels(48, 32), Area(regions, seed).pixels(48, 32)
    assert control.sum() == cited.sum()
    if cited.mean() <= 0.5:
        assert 2 * (control & cited).sum() <= cited.sum()


@settings(max_examples=100, deadline=None)
@given(boxes(0.5), st.integers(0, 2**32))
def test_one_region_moves_whole_and_clear_of_itself_wherever_there_is_room(box, seed):
    regions = (Region(box=box),)
    cited, control = Area(regions).pixels(32, 32), Area(regions, seed).pixels(32, 32)
    assert shapes(control) == shapes(cited)
    height, width = round((box[3] - box[1]) * 32), round((box[2] - box[0]) * 32)
    # brute force: every place of the box
    overlaps = [
        cited[row : row + height, column : column + width].sum()
        for row in range(33 - height)
        for column in range(33 - width)
    ]
    met = (control & cited).sum()
    assert met == 0 if min(overlaps) == 0 else met <= min(overlaps) + height * width // 20


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes(0.25), min_size=2, max_size=3), st.integers(0, 2**32))
def test_several_regions_move_apart_from_one_another_and_keep_their_shapes(found, seed):
    regions = tuple(Region(box=box) for box in found)
    parts = [region_pixels(region, 64, 64) for region in regions]
    assume(np.sum(parts, axis=0).max() == 1)
    control = elsewhere(parts, np.random.default_rng(seed))
    cited = np.any(parts, axis=0)
    assert control.sum() == cited.sum()
    assert not (control & cited).any()


def test_places_are_drawn_from_all_over_the_picture():
    regions = (Region(box=(0.4, 0.4, 0.6, 0.6)),)
    mean = np.mean([Area(regions, seed).pixels(20, 20) for seed in range(600)], axis=0)
    assert not mean[8:12, 8:12].any()
    assert (mean > 0).sum() == 400 - 16
    corners = [mean[:8, :8].sum(), mean[:8, 12:].sum(), mean[12:, :8].sum(), mean[12:, 12:].sum()]
    assert max(corners) < 1.5 * min(corners)


def test_a_seed_is_a_place_and_another_is_another():
    regions = (Region(box=(0.1, 0.1, 0.3, 0.3)),)
    same, other = Area(regions, 5).pixels(64, 64), Area(regions, 6).pixels(64, 64)
    assert np.array_equal(Area(regions, 5).pixels(64, 64), same)
    assert not np.array_equal(same, other)


def test_a_large_box_has_several_controls_not_one_corner():
    regions = (Region(box=(0.3, 0.1, 0.85, 0.65)),)
    controls = {Area(regions, seed).pixels(64, 64).tobytes() for seed in range(20)}
    assert len(controls) > 5


def test_scattered_pixels_that_cannot_move_are_shifted_round_the_border():
    frame = np.ones((32, 32), bool)
    frame[3:-3, 3:-3] = False  # its box is the whole picture
    regions = (Region(box=WHOLE, mask=encode_mask(frame)),)
    control = Area(regions, 1).pixels(32, 32)
    assert control.sum() == frame.sum()
    assert 2 * (control & frame).sum() <= frame.sum()


def test_the_share_of_the_picture():
    assert Area((Region(box=WHOLE),)).share() == 1
    assert Area((Region(box=(0.0, 0.0, 0.5, 0.5)), Region(box=(0.0, 0.0, 0.5, 0.25)))).share() == 0.25
