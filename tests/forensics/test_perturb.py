"""Perturbations: by name, pure, seeded, the same for both classes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.forensics.conditions import COMMON, KINDS, parse_condition, parse_conditions
from fakeinstruct.forensics.perturb import Blur, Crop, Jpeg, Noise, Resize, Webp, decoders
from fakeinstruct.forensics.protocol import Protocol, load_protocol
from fakeinstruct.forensics.views import View, Viewer

AMOUNTS = {
    "jpeg": st.integers(1, 100),
    "webp": st.integers(1, 100),
    "resize": st.integers(1, 9_999).map(lambda n: n / 10_000),
    "blur": st.integers(1, 500_000).map(lambda n: n / 10_000),
    "noise": st.integers(1, 2_550_000).map(lambda n: n / 10_000),
    "crop": st.tuples(st.integers(1, 8), st.integers(1, 8)).filter(lambda grid: grid != (1, 1)),
}
NAMES = st.sampled_from(sorted(AMOUNTS)).flatmap(
    lambda kind: AMOUNTS[kind].map(
        lambda amount: (
            f"{kind}-" + ("x".join(map(str, amount)) if kind == "crop" else f"{amount:.4f}")
            if not isinstance(amount, int)
            else f"{kind}-{amount}"
        )
    )
)


def picture(width=37, height=29, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def shown(name, image, *, path="a.png", seed=0):
    """What every look of a condition shows of a picture."""
    viewer = Viewer(None, {path: image})
    return [np.asarray(viewer(View(path, change))) for change in parse_condition(name, seed).looks]


@given(NAMES)
def test_the_spelling_of_a_condition_reads_as_itself(name):
    condition = parse_condition(name, 3)
    assert parse_condition(condition.name, 3) == condition
    assert hash(condition) == hash(parse_condition(condition.name, 3))
    kind, amount = condition.name.split("-")
    if "." in amount:
        assert not amount.endswith("0")
    assert name.startswith(f"{kind}-")


@pytest.mark.parametrize(
    ("name", "spelt", "changes"),
    [
        ("jpeg-050", "jpeg-50", (Jpeg(50),)),
        ("webp-80", "webp-80", (Webp(80),)),
        ("resize-0.50", "resize-0.5", (Resize(0.5),)),
        ("blur-1.0", "blur-1", (Blur(1.0),)),
        ("noise-4", "noise-4", (Noise(4.0, 7),)),
        ("crop-2x1", "crop-2x1", (Crop(2, 1, 1), Crop(2, 1, 2))),
    ],
)
def test_each_kind_is_parsed(name, spelt, changes):
    condition = parse_condition(name, 7)
    assert (condition.name, condition.looks) == (spelt, changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jpg-50", "Did you mean 'jpeg'"),
        ("Blur-1", "Did you mean 'blur'"),
        ("clean", "Known: blur, crop, jpeg"),
        ("", "Known: blur"),
        ("jpeg", "quality is a whole number, 1 to 100"),
        ("jpeg-0", "1 to 100"),
        ("jpeg-101", "1 to 100"),
        ("jpeg-50.5", "whole number"),
        ("jpeg-٥٠", "whole number"),
        ("resize-1", "below 1"),
        ("resize-0", "above 0"),
        ("blur-nan", "at most 50"),
        ("blur-inf", "at most 50"),
        ("blur-1e1", "at most 50"),
        ("blur--1", "above 0"),
        ("noise-256", "at most 255"),
        ("crop-1x1", "two cells or more"),
        ("crop-2", "columns x rows"),
        ("crop-2x2x2", "columns x rows"),
        ("crop-99999999999x2", "1 to 8"),
    ],
)
def test_what_is_no_condition_is_refused_with_a_hint(text, says):
    with pytest.raises(UsageError, match=says):
        parse_condition(text)


def test_every_kind_has_a_common_example():
    assert {parse_condition(name).name.split("-")[0] for name in COMMON} == set(KINDS)


def test_a_protocol_keeps_each_condition_once_in_its_one_spelling():
    assert load_protocol(conditions=["blur-1.0", "jpeg-50", "blur-1"]).conditions == ("blur-1", "jpeg-50")
    assert [each.name for each in parse_conditions(["noise-4.0", "noise-4"])] == ["noise-4"]
    assert Protocol(interventions=("mask", "mask")).interventions == ("mask",)
    with pytest.raises(UsageError, match=r"conditions: there is no condition 'jpg-50'.*Did you mean 'jpeg'"):
        load_protocol(conditions=["jpg-50"])


@pytest.mark.parametrize("name", COMMON)
def test_a_change_leaves_the_picture_as_it_is_and_does_the_same_again(name):
    image = picture()
    before = image.tobytes()
    first, second = shown(name, image), shown(name, image)
    assert image.tobytes() == before
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert not np.array_equal(first[0], np.asarray(image))
    if not name.startswith("crop"):
        assert first[0].shape == (29, 37, 3)


def test_jpeg_is_that_of_the_quality_with_halved_colour():
    image = picture()
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=50, subsampling=2)  # 4:2:0
    expected = np.asarray(Image.open(buffer))
    assert np.array_equal(shown("jpeg-50", image)[0], expected)
    assert not np.array_equal(shown("jpeg-90", image)[0], expected)


def test_a_lower_quality_is_further_from_the_picture():
    smooth = picture().resize((64, 64), Image.Resampling.BICUBIC)
    for kind in ("jpeg", "webp"):
        errors = [
            np.abs(shown(f"{kind}-{quality}", smooth)[0] - np.asarray(smooth, float)).mean()
            for quality in (10, 50, 90)
        ]
        assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize("sigma", [0.8, 1.0, 2.5])
def test_blur_spreads_a_point_by_sigma(sigma):
    levels = np.zeros((41, 41, 3), np.uint8)
    levels[:, 20] = 255  # a line, whose blur has many levels
    row = shown(f"blur-{sigma}", Image.fromarray(levels))[0][20, :, 0].astype(float)
    variance = (row * (np.arange(41) - 20) ** 2).sum() / row.sum()
    assert row.sum() == pytest.approx(255, abs=3)
    assert variance == pytest.approx(sigma**2, rel=0.06)


def test_blur_keeps_a_flat_picture_flat_up_to_its_border():
    flat = Image.new("RGB", (20, 10), (10, 200, 77))
    assert np.array_equal(shown("blur-3", flat)[0], np.asarray(flat))


def test_resizing_takes_away_what_is_finer_than_the_smaller_picture():
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    ramp = np.tile(np.linspace(40, 200, 32), (32, 1)).astype(np.uint8)
    fine, coarse = (Image.fromarray(np.dstack([each] * 3)) for each in (board, ramp))
    assert shown("resize-0.5", fine)[0][4:-4, 4:-4].std() < 10
    assert np.abs(shown("resize-0.5", coarse)[0] - np.asarray(coarse, float)).mean() < 1.5


def test_even_one_pixel_can_be_resized():
    one = Image.new("RGB", (1, 1), (1, 2, 3))
    assert np.array_equal(shown("resize-0.001", one)[0], np.asarray(one))


def test_noise_has_its_sigma_and_no_bias():
    grey = Image.new("RGB", (200, 200), (128, 128, 128))
    difference = shown("noise-4", grey)[0].astype(float) - 128
    assert difference.std() == pytest.approx(np.hypot(4, 12**-0.5), rel=0.02)  # rounding adds a twelfth
    assert abs(difference.mean()) < 0.05


def test_noise_depends_on_seed_path_and_amount_alone():
    grey = Image.new("RGB", (16, 16), (128, 128, 128))
    one = shown("noise-4", grey)[0]
    assert np.array_equal(one, shown("noise-4.00", grey)[0])
    assert not np.array_equal(one, shown("noise-4", grey, seed=1)[0])
    assert not np.array_equal(one, shown("noise-4", grey, path="b.png")[0])
    halved = 128 + (shown("noise-8", grey)[0].astype(float) - 128) / 2
    assert not np.allclose(one, halved, atol=1.0)  # another draw, not the same one louder


def test_noise_is_clipped_and_does_not_wrap():
    white = Image.new("RGB", (64, 64), "white")
    assert shown("noise-20", white)[0].min() > 100


@settings(max_examples=50, deadline=None)
@given(st.integers(8, 40), st.integers(8, 40), AMOUNTS["crop"])
def test_the_cells_of_a_grid_tile_the_picture(width, height, grid):
    columns, rows = grid
    image = picture(width, height)
    cells = shown(f"crop-{columns}x{rows}", image)
    rebuilt = np.vstack([np.hstack(cells[row * columns : (row + 1) * columns]) for row in range(rows)])
    assert np.array_equal(rebuilt, np.asarray(image))
    sizes = {cell.shape[:2] for cell in cells}
    assert max(h for h, _ in sizes) - min(h for h, _ in sizes) <= 1
    assert max(w for _, w in sizes) - min(w for _, w in sizes) <= 1


def test_looks_go_row_by_row_from_the_upper_left():
    levels = np.zeros((4, 6, 3), np.uint8)
    for look, (row, column) in enumerate(np.ndindex(2, 3), start=1):
        levels[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = look
    assert [cell[0, 0, 0] for cell in shown("crop-3x2", Image.fromarray(levels))] == [1, 2, 3, 4, 5, 6]


def test_too_small_a_picture_for_a_grid_is_one_bad_record():
    with pytest.raises(RecordError, match="1 x 9 pixels, too few for a grid of 2 x 2"):
        shown("crop-2x2", picture(1, 9))


def test_too_large_a_picture_for_webp_is_one_bad_record():
    with pytest.raises(RecordError, match="cannot be saved as WEBP"):
        shown("webp-80", Image.new("RGB", (16_384, 1)))


def test_the_decoders_are_named_with_their_versions():
    assert {name.split("-")[0].rstrip("0123456789") for name in decoders()} == {"libjpeg", "libwebp"}
    assert all(version[0].isdigit() for version in decoders().values())
