"""The parts of the sample set: photographs, edits, decoders, processing, evidence, words."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.chains.sample import evidence, process
from fakeinstruct.chains.sample.edits import EDITS, _fill
from fakeinstruct.chains.sample.photographs import MIN_DETAIL, PHOTOGRAPHS, cut, detail, load, luminance
from fakeinstruct.chains.sample.process import AMOUNTS, Processing
from fakeinstruct.chains.sample.resample import DECODERS, resample
from fakeinstruct.chains.sample.story import ABSENT, KNOWN, TOUCHED
from fakeinstruct.chains.sample.words import load_phrases, with_article, word
from fakeinstruct.chains.taxonomy import load_taxonomy


@pytest.fixture(scope="module")
def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [cut(load(photograph), rng).pixels for photograph in PHOTOGRAPHS for _ in range(3)]


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda p: p.name)
def test_photographs_are_there_and_crops_have_detail(photograph):
    image = load(photograph)
    crop = cut(image, np.random.default_rng(1))
    x0, y0, x1, y1 = crop.box
    assert x1 - x0 == y1 - y0 >= 96
    assert 0 <= x0 < x1 <= image.width
    assert 0 <= y0 < y1 <= image.height
    assert detail(luminance(crop.pixels)) >= MIN_DETAIL
    assert "see " in photograph.licence


def test_a_flat_photograph_is_refused():
    with pytest.raises(FakeInstructError, match="nearly flat"):
        cut(Image.new("RGB", (300, 300), "grey"), np.random.default_rng(0))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_pixels_of_its_first_box_alone(crops, name):
    rng = np.random.default_rng(2)
    for crop in crops:
        before = crop.copy()
        edited = EDITS[name](rng, crop)
        np.testing.assert_array_equal(crop, before)
        changed = (edited.pixels != crop).any(axis=2)
        x0, y0, x1, y1 = edited.boxes[0]
        assert changed.any()
        changed[y0:y1, x0:x1] = False
        assert not changed.any()
        for box in edited.boxes:
            assert 0 <= box[0] < box[2] <= 64
            assert 0 <= box[1] < box[3] <= 64


def test_a_clone_repeats_the_patch_of_its_second_box(crops):
    edited = EDITS["clone"](np.random.default_rng(3), crops[0])
    (x0, y0, x1, y1), (u0, v0, u1, v1) = edited.boxes
    assert (x1 - x0, y1 - y0) == (u1 - u0, v1 - v0)
    middle = slice((y1 - y0) // 2 - 2, (y1 - y0) // 2 + 3), slice((x1 - x0) // 2 - 2, (x1 - x0) // 2 + 3)
    np.testing.assert_array_equal(
        edited.pixels[y0:y1, x0:x1][middle], crops[0][v0:v1, u0:u1][middle]
    )  # the outer part of the patch fades into its surroundings


def test_broken_symmetry_is_a_mirror_image_set_off_the_way_the_words_say(crops):
    for seed, crop in enumerate(crops):
        edited = EDITS["symmetry"](np.random.default_rng(seed), crop)
        (x0, y0, x1, y1), (u0, v0, u1, v1) = edited.boxes
        assert (y0, y1, x1 - x0) == (v0, v1, u1 - u0)
        assert (edited.facts["side"] == "right") == (x0 > u0)
        mirrored = edited.pixels[y0:y1, x0:x1][:, ::-1].astype(int)
        lower = edited.facts["change"] == "lower"
        fits = []
        for shift in range(4, 8):
            source = crop[v0 : v1 - shift, u0:u1] if lower else crop[v0 + shift : v1, u0:u1]
            target = mirrored[shift:] if lower else mirrored[: v1 - v0 - shift]
            fits.append(np.abs(target - source).max())
        assert min(fits) == 0


def test_light_goes_the_way_the_words_say(crops):
    for seed, crop in enumerate(crops):
        edited = EDITS["light"](np.random.default_rng(seed), crop)
        change = luminance(edited.pixels) - luminance(crop)
        assert change.min() > -1 if edited.facts["change"] == "brighter" else change.max() < 1


def test_smoothing_removes_detail_and_halos_add_it(crops):
    for seed, crop in enumerate(crops):
        smooth, halo = (EDITS[name](np.random.default_rng(seed), crop) for name in ("smooth", "halo"))
        assert _fine(smooth.pixels, smooth.boxes[0]) < 0.7 * _fine(crop, smooth.boxes[0])
        assert _fine(halo.pixels, halo.boxes[0]) > 1.2 * _fine(crop, halo.boxes[0])


def _fine(pixels: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Mean of what a narrow Gaussian takes away, in the middle of a box: a blurred edge is as high as before."""
    luma = luminance(pixels)
    x0, y0, x1, y1 = box
    fine = np.abs(luma - gaussian_filter(luma, 1.0))
    return fine[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4].mean()


def test_fill_continues_a_plane_exactly():
    # a plane is harmonic, so the fill of a hole in it is the plane
    rows, columns = np.mgrid[0:64, 0:64]
    plane = np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)
    hole = np.zeros((64, 64), bool)
    hole[20:35, 30:50] = True
    broken = plane.copy()
    broken[hole] = 0
    np.testing.assert_allclose(_fill(broken, hole), plane, atol=1e-9)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoder_leaves_its_traces_and_little_else(crops, decoder):
    two_layers = DECODERS[decoder][0] == 2
    for crop in crops:
        fake = resample(crop, decoder)
        effects = evidence.generated(fake, crop, two_layers=two_layers)
        assert effects["lattice"] >= 1
        assert np.abs(fake.astype(int) - crop).mean() < 20
        assert set(load_phrases().generated[decoder]) <= set(effects)


def test_a_decoder_treats_even_grey_as_its_lattice_says():
    grey = np.full((64, 64, 3), 100, np.uint8)
    tile = resample(grey, "pixel-shuffle")[:4, :4, 0].astype(int)
    whole = resample(grey, "pixel-shuffle")[:, :, 0]
    np.testing.assert_array_equal(whole, np.tile(tile, (16, 16)))
    assert tile.max() - tile.min() >= 6
    assert (resample(grey, "nearest-conv") == 100).all()


def test_evidence_of_nothing_is_nothing(crops):
    for crop in crops:
        for two_layers in (True, False):
            assert set(evidence.generated(crop, crop, two_layers=two_layers).values()) == {0.0}
        assert evidence.edited(crop, crop, (10, 10, 30, 30)) == 0


@pytest.mark.parametrize("kind", AMOUNTS)
def test_processing_keeps_the_size_and_treats_the_whole(crops, kind):
    processing = process.draw(kind, np.random.default_rng(0))
    low, high = AMOUNTS[kind]
    assert low <= processing.amount <= high
    after = process.apply(processing, crops[0])
    assert after.shape == (64, 64, 3)
    assert after.dtype == np.uint8
    assert (after == crops[0]).all() == (kind == "none")
    assert process.apply(processing, crops[0]).tobytes() == after.tobytes()


def test_processing_leaves_even_grey_alone():
    grey = np.full((64, 64, 3), 77, np.uint8)
    for kind, (_, amount) in AMOUNTS.items():
        np.testing.assert_array_equal(process.apply(Processing(kind, amount), grey), grey)


def banks():
    phrases = load_phrases()
    for name, bank in [(n, b) for n, effects in phrases.generated.items() for b in effects.values()]:
        yield name, bank
    for name, listed in phrases.edited.items():
        yield from ((name, bank) for bank in listed)
    yield from (("real", bank) for bank in phrases.real)
    yield from phrases.processed.items()


@pytest.mark.parametrize(("name", "bank"), banks(), ids=lambda value: getattr(value, "attribute", value))
def test_every_wording_of_every_bank_is_a_sentence(name, bank):
    assert bank.attribute in load_taxonomy().attributes
    slots = {"source": "crop from a photograph of a cat", "at": "in the centre", "there": "close by"}
    if name in EDITS:
        crop = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 64, 3))
        slots |= EDITS[name](np.random.default_rng(0), crop).facts
    rng = np.random.default_rng(0)
    for listed, _ in product((bank.observations, bank.inferences, bank.advice), range(5)):
        for phrase in load_phrases().resolve(listed):
            text = word(phrase, rng, slots)
            assert re.fullmatch(r"[A-Z][^\[\]{}|@]*[^ ]\.", text), text
            assert "  " not in text
            assert text.count(". ") == 0, "one sentence"


def test_banks_know_every_kind_and_judgements_do_not_contradict_them():
    phrases = load_phrases()
    assert set(phrases.edited) == set(EDITS)
    assert set(phrases.generated) == set(DECODERS)
    assert set(phrases.processed) == set(AMOUNTS) - {"none"}
    assert set(ABSENT) == {"generated", *EDITS}
    for name, listed in phrases.edited.items():
        assert not {bank.attribute for bank in listed} & ABSENT[name]
    for effects in phrases.generated.values():
        assert not {bank.attribute for bank in effects.values()} & ABSENT["generated"]
    for bank in phrases.real:
        assert bank.attribute in KNOWN
        assert {kind for kind, keys in TOUCHED.items() if bank.attribute in keys} <= set(bank.unless)
    for kind, bank in phrases.processed.items():
        assert bank.attribute in TOUCHED[kind]
        assert not bank.advice


def test_words_draw_alternatives_and_fill_slots():
    rng = np.random.default_rng(0)
    drawn = {word("[a|b] {at}.", rng, {"at": "here"}) for _ in range(50)}
    assert drawn == {"A here.", "B here."}
    assert with_article("cat") == "a cat"
    assert with_article("astronaut") == "an astronaut"


def test_severity_has_fixed_limits():
    assert [evidence.severity(s) for s in (1, 1.99, 2, 3.99, 4)] == [
        "slight",
        "slight",
        "clear",
        "clear",
        "severe",
    ]
