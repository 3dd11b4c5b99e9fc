"""Overlap of boxes against brute force, and figures whose every choice (empty, surplus, unmarked) is stated."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_answers import verdict

from fakeinstruct.chains.masks import encode_mask
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin, Region, Trace
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.boxes import box_figures
from fakeinstruct.measure.boxes_overlap import Matched, grid, ious, match, raster, region_iou, union_iou

A, B, C = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0), (0.0, 0.0, 0.5, 0.25)


@st.composite
def some_boxes(draw, most=4):
    """Boxes with corners on tenths."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        (x0, x1), (y0, y1) = (
            sorted(draw(st.lists(st.integers(0, 10), min_size=2, max_size=2, unique=True))) for _ in "xy"
        )
        found.append((x0 / 10, y0 / 10, x1 / 10, y1 / 10))
    return found


def pixels(boxes):
    """The tenths of the image that boxes cover."""
    covered = np.zeros((10, 10), dtype=bool)
    for box in boxes:
        x0, y0, x1, y1 = (round(10 * edge) for edge in box)
        covered[y0:y1, x0:x1] = True
    return covered


def share(one, other):
    either = (one | other).sum()
    return (one & other).sum() / either if either else 1.0


@given(some_boxes(), some_boxes())
def test_iou_of_pairs_and_unions_is_that_of_pixels(some, others):
    table = ious(some, others)
    assert table.shape == (len(some), len(others))
    for (i, one), (j, other) in itertools.product(enumerate(some), enumerate(others)):
        assert table[i, j] == pytest.approx(share(pixels([one]), pixels([other])))
    assert union_iou(some, others) == pytest.approx(share(pixels(some), pixels(others)))


@given(some_boxes(), some_boxes(), st.randoms())
@settings(deadline=None)
def test_matching_is_the_best_of_all_and_blind_to_order(written, true, random):
    found = match(written, true)
    shuffled = random.sample(written, len(written))
    assert match(shuffled, true) == pytest.approx(found)
    if not written or not true:
        return
    table = ious(written, true)
    table = table if len(written) <= len(true) else table.T
    ways = [
        [table[row, column] for row, column in enumerate(columns)]
        for columns in itertools.permutations(range(table.shape[1]), table.shape[0])
    ]
    assert found.iou == pytest.approx(max(map(sum, ways)) / max(len(written), len(true)))
    assert found.pair_iou == pytest.approx(max(map(sum, ways)) / min(len(written), len(true)))
    hits = max(sum(iou >= 0.5 for iou in way) for way in ways)
    assert (found.precision, found.recall) == (hits / len(written), hits / len(true))


def test_boxes_apart_on_both_axes_share_nothing():
    assert match([A], [B]) == Matched(0, 0, 0, 0)
    assert union_iou([A], [B]) == 0


def test_one_box_finds_one_and_surplus_costs():
    assert match([A], [A]) == Matched(1, 1, 1, 1)
    assert match([A, A], [A]) == Matched(0.5, 1, 0.5, 1)
    assert match([A, B], [A]) == Matched(0.5, 1, 0.5, 1)
    assert match([A], [A, A]) == Matched(0.5, 1, 1, 0.5)
    assert match([C], [A]) == Matched(0.5, 0.5, 1, 1)
    assert union_iou([A, A], [A]) == 1  # covers the same
    fragments = [(x / 10, y / 10, (x + 1) / 10, (y + 1) / 10) for x in range(5) for y in range(5)]
    assert union_iou(fragments, [A]) == pytest.approx(1)
    assert match(fragments, [A]).iou == pytest.approx(0.04 / 25)  # fragments that cover a box do not find it


def test_empty_against_empty_and_against_some():
    assert match([], []) == Matched(1, None, None, None)
    assert match([A], []) == Matched(0, None, 0, None)
    assert match([], [A]) == Matched(0, None, None, 0)
    assert (union_iou([], []), union_iou([A], []), union_iou([], [A])) == (1, 0, 0)


def test_a_polygon_and_a_mask_are_compared_as_they_are():
    triangle = Region(box=(0, 0, 1, 1), polygon=((0, 0), (1, 0), (0, 1)))
    assert region_iou([(0, 0, 1, 1)], [triangle], (400, 300)) == pytest.approx(0.5, abs=0.005)
    assert region_iou([(0, 0, 0.5, 0.5)], [triangle], (400, 300)) == pytest.approx(0.5, abs=0.005)
    drawn = np.zeros((30, 40), dtype=bool)
    drawn[:15, 10:20] = True
    mask = Region(box=(0, 0, 1, 1), mask=encode_mask(drawn))
    assert region_iou([(0.25, 0, 0.5, 0.5)], [mask], (40, 30)) == 1
    assert region_iou([(0.25, 0, 0.5, 1)], [mask], (40, 30)) == 0.5
    assert region_iou([], [mask], (40, 30)) == 0
    both = [mask, Region(box=(0.25, 0.5, 0.5, 1))]
    assert region_iou([(0.25, 0, 0.5, 1)], both, (40, 30)) == 1
    assert region_iou([(0.25, 0, 0.5, 0.5)], [mask], (4000, 3000)) == pytest.approx(
        1, abs=0.01
    )  # on the coarse grid


@given(some_boxes(), some_boxes(most=3))
@settings(deadline=None, max_examples=50)
def test_the_grid_agrees_with_the_exact_areas(some, others):
    regions = [
        Region(box=(x0, y0, x1, y1), polygon=((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
        for x0, y0, x1, y1 in others
    ]
    assert region_iou(some, regions, (100, 100)) == pytest.approx(union_iou(some, others), abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=7))
@settings(deadline=None, max_examples=50)
def test_points_inside_a_polygon_are_those_of_the_even_odd_rule(points):
    across, down = grid((13, 11))
    inside = raster(Region(box=(0, 0, 1, 1), polygon=tuple(points)), across, down)
    for (i, y), (j, x) in itertools.product(enumerate(down), enumerate(across)):
        crossed = 0
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            if (y0 <= y) != (y1 <= y):
                crossed += x0 + (y - y0) / (y1 - y0) * (x1 - x0) < x
        assert inside[i, j] == crossed % 2


# figures


def chain(index, *regions, fake=True, points_to=None, **other):
    points_to = points_to or ("fake" if fake else "real")
    traces = (Trace(id="t1", points_to=points_to, observation="Odd.", regions=regions),) if regions else ()
    known = {
        "id": f"image-{index}",
        "image": ImageRef(path=f"{index}.png"),
        "label": "fake" if fake else "real",
        "dataset": "marked",
        "group": f"group-{index}",
        "traces": traces,
        "origin": Origin(by="human"),
    }
    return Chain(**(known | other))


@pytest.fixture
def chain_set(tmp_path):
    def write(*chains):
        write_chains(tmp_path / "chains", chains, Meta(name="marked"))
        return open_chains(tmp_path / "chains")

    return write


def answer(index, *boxes, fake=True, **other):
    return verdict(index, fake, 1.0, text="It is here.", boxes=[list(box) for box in boxes], **other)


def region(box):
    return Region(box=box)


def plain(figures):
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    return figures


def test_figures_are_means_over_images(chain_set):
    chains = chain_set(
        *(chain(i, region(A)) for i in range(4)), chain(4), chain(5, fake=False), chain(6, fake=False)
    )
    rows = [
        answer(0, A),
        answer(1, A, B),
        answer(2),
        answer(3, C),
        answer(4, A),  # a fake of which nobody said where
        answer(5, A, fake=False),
        answer(6, fake=False),
    ]
    found = plain(box_figures(rows, chains))
    assert (found["n"], found["n_real"], found["left_out"]) == (4, 2, 1)
    assert found["matched_iou"] == (1 + 0.5 + 0 + 0.5) / 4
    assert found["pair_iou"] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-6)
    assert found["union_iou"] == (1 + 0.5 + 0 + 0.5) / 4
    assert found["precision"] == pytest.approx((1 + 0.5 + 1) / 3, abs=1e-6)
    assert found["recall"] == (1 + 1 + 0 + 1) / 4
    assert (found["boxes"], found["boxes_annotated"], found["n_with_box"]) == (1, 1, 3)
    assert found["images_by_iou"] == [1, 0, 0, 0, 0, 2, 0, 0, 0, 1]  # 0, twice .5, and 1 in the last tenth
    assert found["claimed_on_real"] == 0.5
    assert found["unavailable"]["matched_iou_low"] == "only 4 sources to draw from"


def test_several_texts_of_an_image_count_as_one(chain_set):
    rows = [answer(0, A, sample=1), answer(0, sample=2), answer(1, A)]
    found = box_figures(rows, chain_set(chain(0, region(A)), chain(1, region(A))))
    assert (found["n"], found["matched_iou"]) == (2, 0.75)


def test_a_real_image_with_marked_regions_is_measured_by_them(chain_set):
    chains = chain_set(chain(0, region(A), fake=False), chain(1, region(A), points_to="real"))
    found = box_figures([answer(0, A, fake=False), answer(1, A)], chains)
    # the second is a fake whose marked region speaks against its label: nobody said where the flaw is
    assert (found["n"], found["n_real"], found["left_out"], found["matched_iou"]) == (1, 0, 1, 1)
    assert found["claimed_on_real"] is None


def test_rows_that_were_not_asked_for_boxes_do_not_count(chain_set):
    rows = [
        answer(0, A),
        answer(1) | {"boxes": None},
        answer(2, A, split="train"),
        answer(3, A, condition="blur"),
    ]
    found = box_figures(rows, chain_set(*(chain(i, region(A)) for i in range(4))))
    assert found["n"] == 1
    nothing = plain(box_figures(rows[1:], None))
    assert (nothing["n"], nothing["matched_iou"]) == (0, None)


@pytest.mark.parametrize(
    "box",
    [
        (0.5, 0.5, 0.1, 0.6),
        (0, 0, 2, 1),
        (-0.1, 0, 1, 1),
        (math.nan, 0, 1, 1),
        (0, 0, 1),
        (0.2, 0.2, 0.2, 0.2),
    ],
)
def test_malformed_boxes_are_counted_and_passed_over(chain_set, box):
    found = plain(box_figures([answer(0, A, box)], chain_set(chain(0, region(A)))))
    assert (found["malformed"], found["matched_iou"]) == (1, 1)


def test_intervals_draw_groups(chain_set):
    rng = np.random.default_rng(0)
    right = rng.random(40) < 0.5
    chains = chain_set(*(chain(f"{g}-{i}", region(A)) for g in range(40) for i in range(4)))
    rows = [
        answer(f"{g}-{i}", *([A] if right[g] else []), group=f"g{g}") for g in range(40) for i in range(4)
    ]
    alone = [{**row, "group": row["chain"]} for row in rows]
    one, other = (box_figures(each, chains) for each in (rows, alone))
    width, narrow = (each["recall_high"] - each["recall_low"] for each in (one, other))
    assert 1.6 < width / narrow < 2.4
    assert box_figures(rows, chains) == one
