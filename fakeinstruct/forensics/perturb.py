"""Perturbations: what may befall a picture on its way to an expert, the same for both classes.

What one does depends on the picture, its path, its own amount and seed, and on nothing else: not on the label, and
not on what was asked before.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features
from scipy.ndimage import gaussian_filter

from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.forensics.views import Read

SUBSAMPLING = "4:2:0"
"""Chroma subsampling of JPEG, as phones and most sites save it; lossy WebP knows no other."""


@dataclass(frozen=True)
class Jpeg:
    """Saved as baseline JPEG and read again, `quality` 1 to 100 in Pillow's scale."""

    quality: int

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The picture after JPEG."""
        return _saved(image, "JPEG", quality=self.quality, subsampling=SUBSAMPLING)


@dataclass(frozen=True)
class Webp:
    """Saved as lossy WebP and read again, `quality` 1 to 100."""

    quality: int

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The picture after WebP."""
        return _saved(image, "WEBP", quality=self.quality, method=4)


@dataclass(frozen=True)
class Resize:
    """Scaled down by `factor`, above 0 and below 1, and back to its size, both ways bicubic with antialiasing."""

    factor: float

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The picture, less sharp."""
        small = (max(1, round(image.width * self.factor)), max(1, round(image.height * self.factor)))
        cubic = Image.Resampling.BICUBIC
        return image.resize(small, cubic).resize(image.size, cubic)


@dataclass(frozen=True)
class Blur:
    """Gaussian blur, `sigma` in pixels of the file; beyond the border its pixels repeat.

    By SciPy: Pillow's own blur only comes near a Gaussian, by about one level in 255 on noise.
    """

    sigma: float

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The blurred picture."""
        levels = np.asarray(image, dtype=np.float32)
        return _picture(gaussian_filter(levels, (self.sigma, self.sigma, 0), mode="nearest"))


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of `sigma` levels, of 255, drawn for each pixel and channel by (seed, path, sigma)."""

    sigma: float
    seed: int

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The noisy picture."""
        rng = np.random.default_rng(stable_seed("noise", self.seed, path, f"{self.sigma}"))
        levels = np.asarray(image, dtype=np.float32)
        return _picture(levels + self.sigma * rng.standard_normal(levels.shape, dtype=np.float32))


@dataclass(frozen=True)
class Crop:
    """One cell of a grid that tiles the picture, `look` 1 for the upper left one, then row by row."""

    columns: int
    rows: int
    look: int

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The cell."""
        if image.width < self.columns or image.height < self.rows:
            raise RecordError(
                f"image has {image.width} x {image.height} pixels, too few for a grid of "
                f"{self.columns} x {self.rows}"
            )
        row, column = divmod(self.look - 1, self.columns)
        x0, x1 = (image.width * edge // self.columns for edge in (column, column + 1))
        y0, y1 = (image.height * edge // self.rows for edge in (row, row + 1))
        return image.crop((x0, y0, x1, y1))


def decoders() -> dict[str, str]:
    """Versions of the libraries that encode and decode pictures, which another version may do otherwise."""
    turbo = features.version_feature("libjpeg_turbo")
    found = {
        "libjpeg-turbo" if turbo else "libjpeg": turbo or features.version_codec("jpg"),
        "libwebp": features.version_module("webp"),
    }
    return {name: version for name, version in found.items() if version}


def _saved(image: Image.Image, format: str, **options: Any) -> Image.Image:
    """The image saved in a format and read again."""
    buffer = BytesIO()
    try:
        image.save(buffer, format, **options)
    except (OSError, ValueError) as error:  # WebP ends at 16,383 pixels a side, JPEG at 65,500
        raise RecordError(
            f"image of {image.width} x {image.height} cannot be saved as {format} ({error})"
        ) from error
    with Image.open(buffer, formats=(format,)) as saved:
        return saved.convert("RGB")


def _picture(levels: Any) -> Image.Image:
    """An image of levels, 0 to 255 and beyond, rounded and clipped, shape (height, width, 3)."""
    return Image.fromarray(np.rint(levels).clip(0, 255).astype(np.uint8))
