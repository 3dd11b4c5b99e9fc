"""What can be known of an image without a look at it: its file's name, and the header of its file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import open_header

Fact = str | float | None
"""A word or a number; None where the file does not have it, as a PNG has no quantisation tables."""

Facts = dict[str, Fact]

NAME_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "extension": ("extension", "extension, letter case aside", "format by extension"),
    "file name": ("name pattern", "words before the number", "letter case", "length of the name"),
    "file number": ("first number", "last number", "digits", "leading zero"),
}
"""Facts of a file's name by family: each family is one way in which names tell."""

HEADER_FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "encoding": (
        "format", "mode", "JPEG tables", "JPEG quality", "JPEG sampling", "progressive", "EXIF", "header fields",
    ),
    "size": ("width x height", "width", "height", "width / height"),
    "bytes": ("bytes", "bytes a pixel"),
}  # fmt: skip
"""Facts of a file's header by family."""

NUMBERS: Final = frozenset(
    {
        "length of the name", "first number", "last number", "digits", "JPEG quality", "width", "height",
        "width / height", "bytes", "bytes a pixel",
    }
)  # fmt: skip
"""Facts that are numbers; the others are words."""

LONGEST_WORD = 80
"""Characters of a fact that are kept: names and header fields are somebody else's, and of any length."""

LONGEST_NUMBER = 15
"""Digits of a number in a name that are read: more do not fit a float."""

NAMED_FORMATS: Final = {
    "jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "jfif": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF",
    "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF",
}  # fmt: skip


def facts_of(families: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names of all facts of some families, in order."""
    return tuple(name for names in families.values() for name in names)


def name_facts(path: str) -> Facts:
    """What a file's name says, its folders left out: a folder often is where an importer has the label from.

    Args:
        path: The file, with forward slashes.
    """
    file = PurePosixPath(path)
    extension = file.suffix.removeprefix(".")
    numbers = re.findall(r"[0-9]+", file.stem)
    letters = "".join(char for char in file.stem if char.isalpha())
    return {
        "extension": _word(extension or "(none)"),
        "extension, letter case aside": _word(extension.lower() or "(none)"),
        "format by extension": _word(NAMED_FORMATS.get(extension.lower(), extension.lower() or "(none)")),
        "name pattern": _word(re.sub(r"[0-9]+", "#", file.stem)),
        "words before the number": _word(re.split(r"[0-9]", file.stem, maxsplit=1)[0]),
        "letter case": _letter_case(letters),
        "length of the name": float(len(file.stem)),
        "first number": float(numbers[0][:LONGEST_NUMBER]) if numbers else None,
        "last number": float(numbers[-1][:LONGEST_NUMBER]) if numbers else None,
        "digits": float(sum(len(number) for number in numbers)),
        "leading zero": None if not numbers else "yes" if numbers[0].startswith("0") else "no",
    }


def header_facts(path: str | Path) -> Facts:
    """What a file's header says; no pixel is decoded.

    Raises:
        RecordError: If the file is missing, not an image, of another format, or too large.
    """
    with open_header(path) as image:
        try:
            return _header(image, Path(path).stat().st_size)
        except Exception as error:  # Pillow's parsers raise nearly anything on hostile bytes
            raise RecordError(
                f"image has a damaged header ({error})", file=path, field="image.path"
            ) from error


def _header(image: Image.Image, size: int) -> Facts:
    tables: dict[int, list[int]] = getattr(image, "quantization", None) or {}
    jpeg = image.format == "JPEG"
    # EXIF by Pillow's getexif() would decode a PNG, to look behind its pixels
    return {
        "format": image.format,
        "mode": image.mode,
        "JPEG tables": _fingerprint(tables) if tables else None,
        "JPEG quality": float(jpeg_quality(tables)) if tables else None,
        "JPEG sampling": SAMPLINGS.get(get_sampling(image), "other") if jpeg else None,
        "progressive": ("yes" if image.info.get("progressive") else "no") if jpeg else None,
        "EXIF": "yes" if "exif" in image.info else "no",
        "header fields": _word(", ".join(sorted(map(str, image.info))) or "(none)"),
        "width x height": f"{image.width} x {image.height}",
        "width": float(image.width),
        "height": float(image.height),
        "width / height": round(image.width / image.height, 3),
        "bytes": float(size),
        "bytes a pixel": round(size / (image.width * image.height), 4),
    }


SAMPLINGS: Final = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0", -1: "grey or other"}
"""Chroma subsampling by Pillow's number for it."""

LUMINANCE: Final = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
        51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121,
        120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
"""The luminance table that JPEG's standard gives as an example (ITU-T T.81, table K.1), scaled by most encoders."""


def _table_sums() -> NDArray[np.int64]:
    """Sum of the luminance table at each quality from 1 to 100, scaled as the IJG's library does: shape (100,)."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled = (LUMINANCE[None, :] * scale[:, None] + 50) // 100
    return np.asarray(np.clip(scaled, 1, 255).sum(axis=1))


TABLE_SUMS: Final = _table_sums()


def jpeg_quality(tables: dict[int, list[int]]) -> int:
    """The quality, 1 to 100, at which the standard's luminance table is nearest to an image's, by their sums.

    Exact for encoders that scale the standard's table; an estimate for others, as cameras and Photoshop.
    """
    return int(np.abs(TABLE_SUMS - sum(tables[min(tables)])).argmin()) + 1


def _fingerprint(tables: dict[int, list[int]]) -> str:
    text = repr([(number, list(values)) for number, values in sorted(tables.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _letter_case(letters: str) -> str:
    if not letters:
        return "no letters"
    return "lower" if letters == letters.lower() else "upper" if letters == letters.upper() else "mixed"


def _word(text: str) -> str:
    """A word of bounded length without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST_WORD])


class Encoder:
    """Facts as the numbers that a classifier reads: numbers as they are, words by how common they are.

    Args:
        rows: The facts to take the words from; words that it does not know, and rare ones, are one word.
        names: Which facts, in order.
    """

    WORDS = 200
    """Words of one fact that are kept apart: gradient boosting takes fewer than 255."""

    def __init__(self, rows: Iterable[Facts], names: Iterable[str]) -> None:
        self.names = tuple(names)
        counts: dict[str, dict[Fact, int]] = {name: {} for name in self.names if name not in NUMBERS}
        for row in rows:
            for name, seen in counts.items():
                seen[row[name]] = seen.get(row[name], 0) + 1
        self.codes = {
            name: {word: code for code, word in enumerate(_commonest(seen, self.WORDS))}
            for name, seen in counts.items()
        }

    @property
    def words(self) -> list[bool]:
        """Which columns are words, as codes."""
        return [name in self.codes for name in self.names]

    def encode(self, rows: Iterable[Facts]) -> NDArray[np.float32]:
        """Shape (rows, facts): codes of words, `WORDS` for a rare one, and numbers, NaN where there is none."""
        return np.array([[self._number(row, name) for name in self.names] for row in rows], dtype=np.float32)

    def _number(self, row: Facts, name: str) -> float:
        value = row[name]
        if name in self.codes:
            return self.codes[name].get(value, self.WORDS)
        return float("nan") if value is None else float(value)


def _commonest(counts: dict[Fact, int], limit: int) -> list[Fact]:
    return sorted(counts, key=lambda word: (-counts[word], str(word)))[:limit]
