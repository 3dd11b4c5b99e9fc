"""Harmless processing: what happens to any photograph on its way through the world, fake or real alike."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from fakeinstruct.chains.sample.photographs import Pixels

Values = NDArray[np.float64]
"""An image before rounding: levels of 0 to 255 and beyond, shape (height, width, 3)."""

AMOUNTS = {
    "none": (0.0, 0.0),
    "resize": (0.6, 0.85),  # scale on the way down
    "blur": (0.4, 0.8),  # standard deviation of the Gaussian, pixels
    "sharpen": (0.4, 0.9),  # share of the detail that is added once more
    "compress": (60.0, 90.0),  # JPEG quality
}
"""Smallest and largest amount of each kind of processing."""


@dataclass(frozen=True)
class Processing:
    """One kind of processing of `AMOUNTS` and how much of it."""

    kind: str
    amount: float

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind} {self.amount:g}"


def draw(kind: str, rng: np.random.Generator) -> Processing:
    """Draw the amount of a kind of processing: JPEG quality whole, all others to two decimals."""
    low, high = AMOUNTS[kind]
    return Processing(kind, round(float(rng.uniform(low, high)), 0 if kind == "compress" else 2))


def apply(processing: Processing, pixels: Pixels) -> Pixels:
    """Process a whole image evenly; the size stays."""
    match processing.kind:
        case "resize":
            return _resize(pixels, processing.amount)
        case "blur":
            return to_pixels(blurred(pixels, processing.amount))
        case "sharpen":
            return to_pixels(pixels + processing.amount * (pixels - blurred(pixels, 1.0)))
        case "compress":
            return _compress(pixels, int(processing.amount))
        case _:
            return pixels


def to_pixels(values: Values) -> Pixels:
    """Round to 8 bits, what lies outside clipped."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def blurred(pixels: Pixels, sigma: float) -> Values:
    """The image under a Gaussian of `sigma` pixels, not yet rounded."""
    values = pixels.astype(np.float64)
    return np.asarray(gaussian_filter(values, (sigma, sigma, 0), mode="nearest"), np.float64)


def _resize(pixels: Pixels, scale: float) -> Pixels:
    height, width = pixels.shape[:2]
    small = (round(width * scale), round(height * scale))
    down = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(down.resize((width, height), Image.Resampling.BICUBIC))


def _compress(pixels: Pixels, quality: int) -> Pixels:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer, formats=["JPEG"]))
