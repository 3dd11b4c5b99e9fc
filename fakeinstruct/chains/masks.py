"""Pixel masks as uncompressed COCO run lengths, and back."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.chains.schema import Mask


def encode_mask(pixels: NDArray[np.bool_]) -> Mask:
    """Column-major run lengths of a mask of height x width pixels; the first run is of unset pixels."""
    flat = pixels.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    height, width = pixels.shape
    return Mask(size=(height, width), counts=tuple([0, *counts] if flat[0] else counts))


def decode_mask(mask: Mask) -> NDArray[np.bool_]:
    """The pixels of a mask, height x width."""
    values = [value for value, _ in zip(cycle((False, True)), mask.counts, strict=False)]
    return np.repeat(np.array(values, dtype=np.bool_), mask.counts).reshape(mask.size, order="F")
