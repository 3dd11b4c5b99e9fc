"""The everyday colour photographs inside scikit-image and scikit-learn: where they lie, whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.images import load_image
from fakeinstruct.chains.schema import Split

Pixels = NDArray[np.uint8]
"""An image: 8-bit RGB, shape (height, width, 3)."""

SIDE = 64
"""Width and height of every image of the set, in pixels."""

CROP_SIDES = (96, 224)
"""Smallest and largest side of a crop, in pixels of the photograph. At 96, three pixels become two, so that
the grid of a photograph's own JPEG compression does not survive the scaling."""

MIN_DETAIL = 4.0
"""Least mean step of luminance between neighbouring pixels of a crop, in levels of 0 to 255. Sky and blurred
background lie below 3, foliage and fabric above 8."""

DRAWS = 200
"""Crops drawn before a photograph is taken to be flat."""


@dataclass(frozen=True)
class Photograph:
    """One photograph and its terms.

    Attributes:
        name: Its name in chains: the group, and the camera set of real images.
        package: The installed package that it comes with.
        path: Its file, relative to the package's folder.
        split: The split that all of its crops belong to.
        share: Share of the set's images, 0 to 1.
        content: What the photograph shows, in a few words.
        licence: Its terms and their source, as the package states them.
    """

    name: str
    package: str
    path: str
    split: Split
    share: float
    content: tuple[str, ...]
    licence: str


PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        "skimage",
        "data/astronaut.png",
        Split.TRAIN,
        0.16,
        ("astronaut", "portrait"),
        "No known copyright restrictions, released into the public domain (NASA, https://flic.kr/p/r9qvLn); "
        "see skimage.data.astronaut",
    ),
    Photograph(
        "flower",
        "sklearn",
        "datasets/images/flower.jpg",
        Split.TRAIN,
        0.16,
        ("flower", "garden"),
        "CC BY 2.0 (https://creativecommons.org/licenses/by/2.0/), some rights reserved, "
        "https://www.flickr.com/photos/vultilion/6056698931/; for the attribution see README.txt in "
        "sklearn/datasets/images",
    ),
    Photograph(
        "motorcycle",
        "skimage",
        "data/motorcycle_left.png",
        Split.TRAIN,
        0.16,
        ("motorcycle", "garage"),
        "Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014); scikit-image states no licence of its "
        "own for it: see skimage.data.stereo_motorcycle and http://vision.middlebury.edu/stereo/data/scenes2014/",
    ),
    Photograph(
        "rocket",
        "skimage",
        "data/rocket.jpg",
        Split.TRAIN,
        0.16,
        ("rocket", "launch site"),
        "Released in the public domain by SpaceX "
        "(https://www.flickr.com/photos/spacexphotos/16511594820/); see skimage.data.rocket",
    ),
    Photograph(
        "coffee",
        "skimage",
        "data/coffee.png",
        Split.VALIDATION,
        0.12,
        ("coffee cup", "table"),
        "CC0 by the photographer, Rachel Michetti, courtesy of Pikolo Espresso Bar; see skimage.data.coffee",
    ),
    Photograph(
        "chelsea",
        "skimage",
        "data/chelsea.png",
        Split.TEST,
        0.12,
        ("cat", "animal"),
        "CC0 by the photographer, Stefan van der Walt; see skimage.data.chelsea",
    ),
    Photograph(
        "china",
        "sklearn",
        "datasets/images/china.jpg",
        Split.TEST,
        0.12,
        ("pagoda", "lake"),
        "CC BY 2.0 (https://creativecommons.org/licenses/by/2.0/), some rights reserved by danielbuechele, "
        "https://www.flickr.com/photos/danielbuechele/6061409035/; see README.txt in sklearn/datasets/images",
    ),
)
"""The photographs. Shares give training 64 % of the images, validation 12 % and test 24 %."""


@lru_cache(maxsize=1)  # crops are made photograph by photograph
def load(photograph: Photograph) -> Image.Image:
    """Read a photograph out of the installed package; nothing is downloaded.

    Raises:
        FakeInstructError: If the package or the file is not there.
    """
    spec = find_spec(photograph.package)
    if spec is None or not spec.submodule_search_locations:
        raise FakeInstructError(
            f"the package '{photograph.package}' is not installed",
            hint="Install fakeinstruct with its dependencies: the sample set is cut from their photographs.",
        )
    return load_image(Path(spec.submodule_search_locations[0]) / photograph.path)


@dataclass(frozen=True)
class Crop:
    """A square of a photograph, scaled down.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the photograph.
        pixels: Shape (64, 64, 3).
    """

    box: tuple[int, int, int, int]
    pixels: Pixels


def cut(image: Image.Image, rng: np.random.Generator) -> Crop:
    """Cut a crop with something to see: random place and side, at least `MIN_DETAIL`.

    Scaling uses Hamming's filter over the whole footprint of each new pixel: no aliases, and no ringing that
    could be mistaken for a halo.

    Raises:
        FakeInstructError: If none of `DRAWS` crops has enough detail.
    """
    for _ in range(DRAWS):
        side = int(rng.integers(CROP_SIDES[0], min(CROP_SIDES[1], *image.size) + 1))
        x = int(rng.integers(0, image.width - side + 1))
        y = int(rng.integers(0, image.height - side + 1))
        box = (x, y, x + side, y + side)
        pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.HAMMING, box=box))
        if detail(luminance(pixels)) >= MIN_DETAIL:
            return Crop(box, pixels)
    raise FakeInstructError(f"{DRAWS} crops of a photograph were all nearly flat")


def luminance(pixels: Pixels) -> NDArray[np.float64]:
    """Luminance of ITU-R BT.601, 0 to 255, shape (height, width)."""
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114]), np.float64)


def detail(luma: NDArray[np.float64]) -> float:
    """Mean absolute step between neighbouring pixels, across and down, in levels."""
    across = np.abs(np.diff(luma, axis=1)).mean()
    down = np.abs(np.diff(luma, axis=0)).mean()
    return float(across + down) / 2
