"""Generated fakes: a crop passes whole through a small convolutional encoder-decoder.

The encoder is strided: each layer halves the sides and turns every colour channel into four maps, one smooth
and three of detail (the filters of the Haar transform, by which nothing would be lost). A soft threshold, the
activation, then drops weak detail, as a generator does not know a photograph's grain. Three decoders bring the
maps back to full size by the three ways that generators use, each with fixed weights that are a little off, as
trained weights are, and so each leaves its own lattice all over the picture (Odena et al., "Deconvolution and
Checkerboard Artifacts", Distill 2016; Durall et al., "Watch Your Up-Convolution", CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from fakeinstruct.chains.sample.photographs import Pixels
from fakeinstruct.chains.sample.process import to_pixels

Maps = NDArray[np.float64]
"""Feature maps: shape (height, width, bands, channels); bands are smooth, across, down, diagonal."""

OFFSET = 96.0
"""Added to every level before the encoder and taken off at the end: black excites the network too."""

THRESHOLD = np.array([3.0, 6.0, 6.0])
"""Detail below this many levels is dropped: luminance, then the two colour differences."""

_HAAR = np.array([[1, 1], [1, -1]]) / 2
_FILTERS = np.stack([np.outer(_HAAR[down], _HAAR[across]) for down in (0, 1) for across in (0, 1)], axis=-1)

TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
"""RGB to luminance and two colour differences, ITU-R BT.601."""

_TO_RGB = np.linalg.inv(TO_YCC)

# Weights. Each is the exact synthesis of the encoder's filters but for the error that makes the lattice. They
# are tuned so that the lattice shows on a close look and survives `process`; smooth bands keep the mean level.

_GAINS = 1 + 0.02 * np.array([[1.0, -0.05], [-1.5, 0.55]])
"""Gain of the smooth band at each of the four new pixels: they ought to be equal."""

_SHUFFLE = 4 * _FILTERS * np.stack([_GAINS, *np.ones((3, 2, 2))], axis=-1)

_OVERLAP = 1.03
"""Sum of the two weights that meet at odd pixels, where even pixels have one weight of 1."""

_SMOOTH = np.array([0.3 * _OVERLAP, 1.0, 0.7 * _OVERLAP]) / ((1 + _OVERLAP) / 2)
_DETAIL = np.array([0.3, 1.0, -0.7])
_TRANSPOSED = [np.outer(down, across) for down in (_SMOOTH, _DETAIL) for across in (_SMOOTH, _DETAIL)]

_NEAREST = np.outer([0.15, 0.7, 0.15], [0.15, 0.7, 0.15])


def resample(pixels: Pixels, decoder: str) -> Pixels:
    """Pass an image through the encoder and one of `DECODERS`.

    Args:
        pixels: Sides divisible by four.
        decoder: A key of `DECODERS`.
    """
    depth, upsample = DECODERS[decoder]
    activations = (pixels + OFFSET) @ TO_YCC.T
    stack = []
    for _ in range(depth):
        maps = _shrink(_encode(activations))
        stack.append(maps)
        activations = maps[:, :, 0]
    for maps in reversed(stack):
        maps[:, :, 0] = activations
        activations = upsample(maps)
    return to_pixels(activations @ _TO_RGB.T - OFFSET)


def _encode(image: Maps) -> Maps:
    """Convolution with stride 2: shape (h, w, channels) to (h / 2, w / 2, bands, channels)."""
    height, width, channels = image.shape
    blocks = image.reshape(height // 2, 2, width // 2, 2, channels)
    return np.asarray(np.einsum("hpwqc,pqb->hwbc", blocks, _FILTERS))


def _shrink(maps: Maps) -> Maps:
    """Soft threshold of the bands of detail."""
    rest = maps[:, :, 1:]
    shrunk = np.sign(rest) * np.maximum(np.abs(rest) - THRESHOLD, 0)
    return np.concatenate([maps[:, :, :1], shrunk], axis=2)


def _pixel_shuffle(maps: Maps) -> Maps:
    """Sub-pixel convolution (Shi et al., CVPR 2016): each of the four new pixels has a filter of its own."""
    height, width, _, channels = maps.shape
    shuffled = np.einsum("hwbc,pqb->hpwqc", maps, _SHUFFLE)
    return np.asarray(shuffled.reshape(2 * height, 2 * width, channels))


def _transposed(maps: Maps) -> Maps:
    """Transposed convolution, 3 x 3 with stride 2: its windows overlap at every other row and column."""
    height, width, bands, channels = maps.shape
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0), (0, 0)), mode="edge")
    out = np.zeros((2 * height + 4, 2 * width + 4, channels))
    for band in range(bands):
        spread = np.zeros_like(out)
        spread[::2, ::2] = padded[:, :, band]
        out += convolve(spread, _TRANSPOSED[band][:, :, None], mode="constant")
    return out[2:-2, 2:-2]


def _nearest(maps: Maps) -> Maps:
    """Each value is repeated 2 x 2, then a 3 x 3 convolution softens the blocks; bands of detail are dropped."""
    blocks = maps[:, :, 0].repeat(2, axis=0).repeat(2, axis=1)
    return np.asarray(convolve(blocks, _NEAREST[:, :, None], mode="nearest"))


DECODERS: dict[str, tuple[int, Callable[[Maps], Maps]]] = {
    "transposed-conv": (2, _transposed),
    "nearest-conv": (1, _nearest),
    "pixel-shuffle": (2, _pixel_shuffle),
}
"""Layers and up-sampling of each generator. Two layers make a lattice of 4 x 4 pixels, one of 2 x 2."""
