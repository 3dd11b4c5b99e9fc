"""The same picture twice: prints of pictures, and which of them are the same in another encoding or size.

Two pictures are near if their difference hashes and their thumbnails agree so well that a picture is known again that
was saved at JPEG quality 50, doubled, halved (to 24 pixels or more) or edited in a small part, and that no two
different pictures are near among the 128 million pairs of 16,000 images of CIFAKE (the nearest differ by 5.7 levels).
Crops and mirror images are not found, nor pictures without contrast, whose thumbnails are all alike. docs/merging.md
has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fakeinstruct.base.files import sha256_bytes

SIDE = 16
"""Width and height of a thumbnail."""

MAX_BITS = 10
"""Bits of 64 in which the difference hashes of near pictures may differ."""

MAX_LEVELS = 4.0
"""Grey levels of 256 by which the thumbnails of near pictures may differ on average over their pixels."""

MAX_OF_SPREAD = 0.1
"""The same as a share of the thumbnail's standard deviation: pictures of little contrast must agree better."""

FLAT = 2.0
"""Standard deviation in grey levels below which a picture is too flat to be known again by its thumbnail."""

_CELLS = 1 << 22
"""Pairs that are compared at once, which bounds the memory to about 100 MB."""


@dataclass(frozen=True)
class Print:
    """What is remembered of a picture to know it again.

    Attributes:
        pixels_sha256: Hash of its size and RGB pixels; the same whatever lossless file they came from.
        dhash: 64 bits: whether each of 8 x 8 cells of the grey picture is darker than its right neighbour.
        thumbnail: 16 x 16 grey levels, row by row.
    """

    pixels_sha256: str
    dhash: int
    thumbnail: bytes


def print_of(image: Image.Image) -> Print:
    """The print of a decoded picture."""
    rgb = image.convert("RGB")
    grey = rgb.convert("L")
    # The triangle filter reaches over two cells, so that a resized copy gives nearly the same cells.
    cells = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    bits = np.packbits(cells[:, :-1] < cells[:, 1:])
    return Print(
        pixels_sha256=sha256_bytes(f"{rgb.width} {rgb.height} ".encode() + rgb.tobytes()),
        dhash=int.from_bytes(bits.tobytes(), "big"),
        thumbnail=grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes(),
    )


def near_pairs(prints: Sequence[Print]) -> Iterator[tuple[int, int]]:
    """Pairs of the same picture, in another encoding or size or with identical pixels.

    Of pictures with identical pixels the first stands for all: each copy is paired with the first, and only the
    first with near ones. Pictures that pairs connect, through others too, belong together.

    Args:
        prints: The prints of pictures.

    Yields:
        Two positions in `prints`, the smaller first.
    """
    first: dict[str, int] = {}
    for index, item in enumerate(prints):
        if (original := first.setdefault(item.pixels_sha256, index)) != index:
            yield original, index
    distinct = np.array(sorted(first.values()), dtype=np.int64)
    if len(distinct) < 2:
        return
    thumbs = np.frombuffer(b"".join(prints[index].thumbnail for index in distinct), np.uint8).reshape(
        -1, SIDE**2
    )
    spread = thumbs.std(axis=1, dtype=np.float32)
    sums = thumbs.sum(axis=1, dtype=np.int64)
    order = np.argsort(sums, kind="stable")
    order = order[spread[order] >= FLAT]
    hashes = np.array([prints[index].dhash for index in distinct], dtype=np.uint64)
    for left, right in _candidates(hashes[order], sums[order]):
        one, other = order[left], order[right]
        levels = _levels(thumbs, one, other)
        limit = np.minimum(MAX_LEVELS, MAX_OF_SPREAD * np.minimum(spread[one], spread[other]))
        near = levels <= limit
        pairs = np.sort(distinct[np.stack([one[near], other[near]], axis=1)], axis=1)
        yield from ((int(a), int(b)) for a, b in pairs)


def _candidates(
    hashes: NDArray[np.uint64], sums: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of near hashes, in order of brightness: thumbnails differ at least by as much as their means do."""
    ends = np.searchsorted(sums, sums + int(MAX_LEVELS * SIDE**2), side="right")
    start = 0
    while start < len(hashes):
        # As many rows as fill a block with all that their last row is compared with.
        rows = 1
        while start + rows < len(hashes) and (rows + 1) * (ends[start + rows] - start) <= _CELLS:
            rows += 1
        window = hashes[start : ends[start + rows - 1]]
        bits = np.bitwise_count(hashes[start : start + rows, None] ^ window[None, :])
        left, right = np.nonzero(bits <= MAX_BITS)
        later = left < right
        yield left[later] + start, right[later] + start
        start += rows


def _levels(
    thumbs: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean absolute difference of thumbnails, pair by pair."""
    levels = np.empty(len(one))
    step = max(1, _CELLS // SIDE**2)
    for at in range(0, len(one), step):
        part = slice(at, at + step)
        difference = np.abs(thumbs[one[part]].astype(np.int16) - thumbs[other[part]])
        levels[part] = difference.mean(axis=1)
    return levels
