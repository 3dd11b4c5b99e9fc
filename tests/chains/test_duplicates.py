import io
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fakeinstruct.chains.duplicates import Print, near_pairs, print_of


def drawn(seed, size=(96, 64)):
    """A picture of some shapes before a slope of brightness."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 200, (3, 4, 3), dtype=np.uint8)
    image = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(5, size[0] // 2), rng.integers(5, size[1] // 2)
        draw.ellipse((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return image


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def near(*images):
    return set(near_pairs([print_of(image) for image in images]))


@pytest.mark.parametrize(
    "copy",
    [
        lambda image: saved(image, "JPEG", quality=90),
        lambda image: saved(image, "JPEG", quality=50),
        lambda image: saved(image, "WEBP", quality=50),
        lambda image: saved(image, "PNG"),
        lambda image: image.resize((192, 128), Image.Resampling.LANCZOS),
        lambda image: image.resize((48, 32), Image.Resampling.LANCZOS),
        lambda image: image.resize((71, 47), Image.Resampling.BICUBIC),
        lambda image: saved(image.resize((480, 320)), "JPEG", quality=60),
    ],
)
def test_the_same_picture_saved_again_or_resized_is_near(copy):
    found = [seed for seed in range(40) if near(drawn(seed), copy(drawn(seed)).convert("RGB"))]
    assert len(found) >= 39


def test_an_edit_of_a_small_part_is_near():
    for seed in range(20):
        image = drawn(seed)
        edited = image.copy()
        edited.paste(drawn(seed + 500).crop((0, 0, 14, 10)), (40, 30))
        assert near(image, edited) == {(0, 1)}


def test_different_drawn_pictures_are_not_near():
    assert near(*(drawn(seed) for seed in range(300))) == set()


@pytest.mark.parametrize("size", [(32, 32), (8, 8), (5, 4), (1, 1)])
def test_small_noise_pictures_are_not_near(size):
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)) for _ in range(40)]
    assert near(*pictures) == set()


def test_flat_pictures_are_near_only_if_their_pixels_are_the_same():
    flat = [Image.new("RGB", (64, 64), (level,) * 3) for level in (128, 128, 129, 130)]
    assert near(*flat) == {(0, 1)}
    rng = np.random.default_rng(1)
    noisy = [
        Image.fromarray(
            (np.full((16, 16, 3), 120) + rng.normal(0, 4, (16, 16, 3))).clip(0, 255).astype(np.uint8)
        )
        for _ in range(60)
    ]
    assert near(*noisy) == set()


def test_a_crop_and_a_mirror_image_are_not_found():
    image = drawn(3)
    assert (
        near(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), image.crop((20, 10, 80, 60))) == set()
    )


def test_of_identical_pictures_the_first_stands_for_all():
    image = drawn(1)
    again = saved(image, "JPEG", quality=60).convert("RGB")
    assert near(drawn(2), image, image, image, again) == {(1, 2), (1, 3), (1, 4)}


def test_prints_depend_on_pixels_and_not_on_the_file_or_mode():
    image = drawn(1)
    assert print_of(image) == print_of(saved(image, "PNG")) == print_of(image.convert("RGBA"))
    assert print_of(image).pixels_sha256 != print_of(image.rotate(180)).pixels_sha256
    grey = Image.new("L", (6, 4), 7)
    # the same bytes in another shape are another picture
    assert print_of(grey).pixels_sha256 != print_of(Image.new("L", (4, 6), 7)).pixels_sha256


def test_a_print_is_fixed():
    ramp = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    assert print_of(ramp).dhash == 2**64 - 1
    assert print_of(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).dhash == 0
    # steps of 16; the triangle filter draws the ends inwards
    assert list(print_of(ramp).thumbnail[:16]) == [8, *range(22, 231, 16), 244]


def shifted(levels, by=0, bits=0, name=None):
    """The print of a thumbnail that is lighter by some levels, its hash changed in some bits."""
    return Print(name or f"{by} {bits}", 2**bits - 1, (np.asarray(levels) + by).astype(np.uint8).tobytes())


@pytest.mark.parametrize("cells", [1, 1 << 22])
def test_prints_are_near_up_to_both_limits_and_no_further(monkeypatch, cells):
    monkeypatch.setattr("fakeinstruct.chains.duplicates._CELLS", cells)  # one row a block, or all
    levels = np.random.default_rng(0).integers(20, 220, 256)
    here = shifted(levels, name="here")
    assert list(near_pairs([here, shifted(levels, by=4, bits=10)])) == [(0, 1)]
    assert list(near_pairs([here, shifted(levels, by=-4, bits=10)])) == [(0, 1)]
    assert list(near_pairs([here, shifted(levels, by=5)])) == []
    assert list(near_pairs([here, shifted(levels, bits=11)])) == []


def test_prints_of_little_contrast_must_agree_better():
    levels = 120 + np.tile([-10, 10], 128)
    here = shifted(levels, name="here")
    assert list(near_pairs([here, shifted(levels, by=1)])) == [(0, 1)]
    assert list(near_pairs([here, shifted(levels, by=2)])) == []
    assert list(near_pairs([shifted(np.full(256, 120), name="flat"), shifted(np.full(256, 120))])) == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_near_nothing(count):
    assert near(*(drawn(seed) for seed in range(count))) == set()


def exhaustive(prints):
    thumbs = np.array([list(item.thumbnail) for item in prints], dtype=float)
    found = set()
    for one in range(len(prints)):
        for other in range(one + 1, len(prints)):
            levels = np.abs(thumbs[one] - thumbs[other]).mean()
            spread = min(thumbs[one].std(), thumbs[other].std())
            bits = (prints[one].dhash ^ prints[other].dhash).bit_count()
            if bits <= 10 and levels <= min(4, 0.1 * spread) and spread >= 2:
                found.add((one, other))
    return found


def test_the_quick_way_finds_what_comparing_all_pairs_finds(monkeypatch):
    monkeypatch.setattr("fakeinstruct.chains.duplicates._CELLS", 30)  # so that there are many blocks
    pictures = [drawn(seed // 4) for seed in range(120)]
    rng = np.random.default_rng(2)
    prints = [
        print_of(
            Image.fromarray(
                (np.asarray(image) + rng.normal(0, 14, (64, 96, 3))).clip(0, 255).astype(np.uint8)
            )
        )
        for image in pictures
    ]
    found = exhaustive(prints)
    assert len(found) > 60
    assert set(near_pairs(prints)) == found


def test_sixteen_thousand_prints_take_seconds():
    rng = np.random.default_rng(0)
    levels = rng.normal(120, 45, (16_000, 1)) + rng.normal(0, 40, (16_000, 256))
    prints = [
        Print(str(number), int(rng.integers(0, 2**63)), row.clip(0, 255).astype(np.uint8).tobytes())
        for number, row in enumerate(levels)
    ]
    start = time.perf_counter()
    assert list(near_pairs(prints)) == []
    assert time.perf_counter() - start < 10
