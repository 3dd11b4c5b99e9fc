"""Facts of names and headers, and their encoding as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fakeinstruct.base.errors import RecordError
from fakeinstruct.measure.audit.facts import (
    HEADER_FAMILIES,
    LONGEST_WORD,
    NAME_FAMILIES,
    Encoder,
    facts_of,
    header_facts,
    name_facts,
)


def test_facts_of_a_name():
    assert name_facts("train/FAKE/n01534433_0042.JPEG") == {
        "extension": "JPEG",
        "extension, letter case aside": "jpeg",
        "format by extension": "JPEG",
        "name pattern": "n#_#",
        "words before the number": "n",
        "letter case": "lower",
        "length of the name": 14.0,
        "first number": 1534433.0,
        "last number": 42.0,
        "digits": 12.0,
        "leading zero": "yes",
    }
    bare = name_facts("README")
    assert (bare["extension"], bare["first number"], bare["letter case"]) == ("(none)", None, "upper")


def test_the_folder_is_no_fact():
    assert name_facts("FAKE/1.png") == name_facts("deep/REAL/1.png")


@given(st.text(min_size=1))
def test_any_name_has_facts_of_bounded_length(path):
    facts = name_facts(path)
    assert tuple(facts) == facts_of(NAME_FAMILIES)
    words = [value for value in facts.values() if isinstance(value, str)]
    assert all(len(word) <= LONGEST_WORD and word.isprintable() for word in words)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 90, 95, 100])
def test_the_quality_of_standard_tables_is_exact(tmp_path, quality):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", quality=quality)
    assert header_facts(tmp_path / "a.jpg")["JPEG quality"] == quality


def test_facts_of_a_header(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg", progressive=True, exif=exif)
    Image.new("RGBA", (30, 20)).save(tmp_path / "a.png")
    grey, png = header_facts(tmp_path / "a.jpg"), header_facts(tmp_path / "a.png")
    assert tuple(grey) == tuple(png) == facts_of(HEADER_FAMILIES)
    shown = ("format", "mode", "progressive", "EXIF", "width x height", "width / height")
    assert [grey[name] for name in shown] == ["JPEG", "L", "yes", "yes", "30 x 20", 1.5]
    assert [png[name] for name in shown] == ["PNG", "RGBA", None, "no", "30 x 20", 1.5]
    assert grey["bytes"] == (tmp_path / "a.jpg").stat().st_size
    assert grey["JPEG tables"]
    assert png["JPEG tables"] is None


def test_a_header_of_hostile_words_is_shortened(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for letter in "abcdefgh":
        info.add_text(letter * 60, "x")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert len(header_facts(tmp_path / "a.png")["header fields"]) == LONGEST_WORD


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_image_is_a_record_error(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RecordError):
        header_facts(tmp_path / "a.png")


def test_words_are_codes_and_numbers_stay():
    names = ["extension", "first number"]
    rows = [name_facts(name) for name in ("a1.png", "a2.png", "b.jpg")]
    encoder = Encoder(rows, names)
    assert encoder.words == [True, False]
    assert np.array_equal(encoder.encode(rows), [[0, 1], [0, 2], [1, np.nan]], equal_nan=True)
    unknown = encoder.encode([name_facts("c7.webp")])
    assert unknown.tolist() == [[Encoder.WORDS, 7]]


def test_rare_words_share_a_code():
    rows = [name_facts(f"{'x' * number}.png") for number in range(1, 78)] * 5
    encoder = Encoder(rows, ["name pattern"])
    encoder.WORDS = 10
    assert Encoder(rows, ["name pattern"]).encode(rows).max() < Encoder.WORDS
