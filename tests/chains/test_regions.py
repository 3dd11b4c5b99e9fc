from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from fakeinstruct.base.boxes import to_pixels
from fakeinstruct.base.errors import RecordError
from fakeinstruct.chains.importers import regions
from fakeinstruct.chains.importers.regions import (
    region_from_box,
    region_from_mask,
    region_from_polygon,
)
from fakeinstruct.chains.masks import decode_mask, encode_mask
from fakeinstruct.chains.schema import Mask

SIZE = (200, 100)


def box_of(box, convention, size=SIZE):
    notes = Counter()
    region = region_from_box(box, size, notes, convention=convention)
    assert not notes
    return region.box


def test_one_box_in_every_convention():
    expected = (0.25, 0.1, 0.75, 0.9)
    assert box_of([50, 10, 150, 90], "xyxy") == expected
    assert box_of([50, 10, 100, 80], "xywh") == expected
    assert box_of([0.25, 0.1, 0.75, 0.9], "norm1") == expected


def test_a_frame_of_224_pixels_is_a_size_like_any_other():
    assert box_of([48, 0, 219, 223], "xyxy", (224, 224)) == (48 / 224, 0, 219 / 224, 223 / 224)


def test_fractions_need_no_size_and_pixels_do():
    assert box_of([0, 0, 0.5, 1], "norm1", None) == (0, 0, 0.5, 1)
    with pytest.raises(RecordError, match="need the image's size"):
        box_of([0, 0, 5, 5], "xyxy", None)


@pytest.mark.parametrize(
    ("box", "convention"),
    [
        ([50, 10, 100, 95], "xywh"),  # read as xyxy it would be a sound box of another place
        ([120, 10, 100, 80], "xyxy"),  # x, y, width, height taken for corners
        ([50, 10, 150, 90], "norm1"),  # pixels taken for fractions
        ([250, 100, 750, 900], "xyxy"),  # thousandths taken for pixels
        ([0, 0, 0, 10], "xyxy"),
        ([0, 0, 10, -5], "xywh"),
    ],
)
def test_a_box_in_another_convention_does_not_pass_where_it_can_be_told(box, convention):
    with pytest.raises(RecordError):
        box_of(box, convention)


@pytest.mark.parametrize(
    "box", [None, "50,10,150,90", [1, 2, 3], [1, 2, 3, "4"], [True, 0, 5, 5], [[1, 2, 3, 4]]]
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_four_numbers_is_refused(box, bad):
    with pytest.raises(RecordError):
        box_of(box, "xyxy")
    with pytest.raises(RecordError):
        box_of([0, 0, bad, 5], "xyxy")


def test_a_hair_past_the_edge_is_clipped_and_counted():
    notes = Counter()
    region = region_from_box([-1.9, -2, 201.9, 50], SIZE, notes, convention="xyxy")
    assert region.box == (0, 0, 1, 0.5)
    assert notes == {"boxes clipped at the edge, which they passed by a hair": 1}


@pytest.mark.parametrize("box", [[0, 0, 203, 50], [-2.1, 0, 20, 50], [0, 0, 20, 102.1]])
def test_more_than_a_hair_past_the_edge_is_refused(box):
    with pytest.raises(RecordError, match=r"leaves the image .*200 x 100"):
        region_from_box(box, SIZE, Counter(), convention="xyxy")


def test_a_hair_is_one_per_cent_of_a_large_image_and_two_pixels_of_a_small_one():
    region_from_box([0, 0, 4036, 4036], (4000, 4000), Counter(), convention="xyxy")
    with pytest.raises(RecordError, match="leaves"):
        region_from_box([0, 0, 4044, 4000], (4000, 4000), Counter(), convention="xyxy")
    region_from_box([0, 0, 34, 34], (32, 32), Counter(), convention="xyxy")
    with pytest.raises(RecordError, match="leaves"):
        region_from_box([0, 0, 35, 35], (32, 32), Counter(), convention="xyxy")


def test_a_box_wholly_in_the_hair_has_no_area():
    with pytest.raises(RecordError, match="no area"):
        region_from_box([200, 0, 201, 50], SIZE, Counter(), convention="xyxy")


sides = st.integers(1, 3000)


@given(sides, sides, st.data())
def test_pixels_come_back_exactly(width, height, data):
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    for box, convention in (((x0, y0, x1, y1), "xyxy"), ((x0, y0, x1 - x0, y1 - y0), "xywh")):
        assert to_pixels(box_of(box, convention, (width, height)), width, height) == (x0, y0, x1, y1)


def test_a_polygon_is_flat_or_in_pairs():
    flat = region_from_polygon([20, 10, 100, 10, 60, 50.5], SIZE, Counter())
    pairs = region_from_polygon([[20, 10], (100, 10), [60, 50.5]], SIZE, Counter())
    assert flat == pairs
    assert flat.box == (0.1, 0.1, 0.5, 0.505)
    assert flat.polygon == ((0.1, 0.1), (0.5, 0.1), (0.3, 0.505))


def test_a_polygon_past_the_edge_by_rounding_is_clipped_and_counted():
    notes = Counter()
    region = region_from_polygon([-0.4, 0, 200.4, 0, 100, 101], SIZE, notes)
    assert region.polygon == ((0, 0), (1, 0), (0.5, 1))
    assert notes == {"polygons clipped at the edge, which they passed by a hair": 1}


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([0, 0, 250, 0, 10, 10], "leaves the image .*x from 0.0 to 250.0"),
        ([0, 0, 10, 10], "4 numbers, not x, y of 3 or more"),
        ([0, 0, 10, 10, 5], "5 numbers"),
        ([], "0 numbers"),
        ([0, 0, 10, 0, 20, 0], "no area"),
        ([[0, 0], [10, 0, 1], [5, 5]], "mixes points"),
        ([[0, 0], 10, 0, 5, 5], "mixes points"),
        ([[0, 0], [10, "0"], [5, 5]], "not a list of numbers"),
        (["ab", "cd", "ef"], "not a list of numbers"),
        ([0, 0, float("nan"), 0, 5, 5], "not a list of numbers"),
        ("0 0 5 5 5 0", "not a list of numbers|mixes"),
        ([0, 1] * 100_001, "200,?002 numbers"),
    ],
)
def test_bad_polygons_are_refused(points, problem):
    with pytest.raises(RecordError, match=problem):
        region_from_polygon(points, SIZE, Counter())


bools = npst.arrays(np.bool_, npst.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(bools)
def test_run_lengths_give_the_mask_back(pixels):
    assert (decode_mask(encode_mask(pixels)) == pixels).all()


def test_run_lengths_are_coco_s():
    # pycocotools' own example of the order: column by column, zeros first.
    pixels = np.array([[0, 1, 1], [0, 1, 0]], dtype=bool)
    assert encode_mask(pixels) == Mask(size=(2, 3), counts=(2, 3, 1))
    assert encode_mask(~pixels) == Mask(size=(2, 3), counts=(0, 2, 3, 1))


@given(bools.filter(np.any))
def test_the_box_of_a_mask_is_the_smallest_around_it(pixels):
    height, width = pixels.shape
    region = region_from_mask(pixels, (width, height), Counter())
    x0, y0, x1, y1 = to_pixels(region.box, width, height)
    assert pixels[y0:y1, x0:x1].sum() == pixels.sum()
    for side in (pixels[y0, :], pixels[y1 - 1, :], pixels[:, x0], pixels[:, x1 - 1]):
        assert side.any()


def test_a_mask_file_may_be_black_and_white_or_zero_and_one_or_blurred_by_jpeg(tmp_path):
    truth = np.zeros((40, 60), dtype=bool)
    truth[6:23, 13:45] = True
    Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "a.png")
    Image.fromarray(truth.astype(np.uint8)).save(tmp_path / "b.png")
    Image.fromarray(truth).save(tmp_path / "c.png")
    Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "d.jpg", quality=60)
    notes = Counter()
    for name in ("a.png", "b.png", "c.png", "d.jpg"):
        region = region_from_mask(tmp_path / name, (60, 40), notes)
        assert (decode_mask(region.mask) == truth).all(), name
        assert region.box == (13 / 60, 6 / 40, 45 / 60, 23 / 40)
    assert notes == {"masks with grey levels, cut at half": 1}


def test_an_empty_mask_marks_nothing():
    for pixels in (np.zeros((4, 4), bool), np.zeros((4, 4), np.uint8), np.full((4, 4), 90, np.uint8)):
        with pytest.raises(RecordError, match="marks nothing"):
            region_from_mask(pixels, (4, 4), Counter())


@pytest.mark.parametrize("shape", [(40, 61), (60, 40), (20, 30)])
def test_a_mask_of_another_size_is_refused(shape):
    with pytest.raises(
        RecordError, match=rf"another size than its image \({shape[1]} x {shape[0]}, not 60 x 40\)"
    ):
        region_from_mask(np.ones(shape, bool), (60, 40), Counter())


def test_a_mask_that_is_noise_or_no_image_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(regions, "MAX_RUNS", 10)
    with pytest.raises(RecordError, match="is noise"):
        region_from_mask(np.indices((8, 8)).sum(0) % 2, (8, 8), Counter())
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(RecordError, match="not an image"):
        region_from_mask(tmp_path / "a.png", (8, 8), Counter())


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**4000])
def test_a_whole_number_beyond_all_floats_is_no_coordinate(number):
    with pytest.raises(RecordError, match="not a list of numbers"):
        region_from_polygon([1, 1, number, 1, 9, 9], (60, 40), Counter())
    with pytest.raises(RecordError, match="not a list of numbers"):
        region_from_box([1, 1, number, 9], (60, 40), Counter(), convention="xyxy")
