"""What of a fake can be seen in the delivered pixels: nothing is said of a trace that processing wiped out.

A fake is compared with its real twin, which went through the same processing. Each figure is relative to the
least at which its trace is put into words, so 1 is barely there. The limits were set by looking at pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fakeinstruct.chains.sample.photographs import Pixels, luminance
from fakeinstruct.chains.sample.resample import TO_YCC
from fakeinstruct.chains.sample.words import Severity

Luma = NDArray[np.float64]
"""Luminance, 0 to 255, shape (height, width)."""

PERIOD = 4
"""Period of the longest lattice that a decoder of two layers leaves, in pixels."""

MIN_LATTICE = 1.2
"""Standard deviation over the positions of a lattice, in levels, of the difference from the twin."""

MIN_PAIRING = 0.2
"""How much smaller the mean step within pairs of pixels is, in mean steps between pairs. It is about 1 in any
photograph, where no pixel knows of pairs."""

MIN_LOSS = 0.15
"""Share of the fine detail that is lost."""

MIN_OUTLINE = 5.0
"""Mean absolute difference along the twin's outlines, in levels, all channels."""

MIN_COLOUR = 2.0
"""Mean absolute difference of the two colour differences along the twin's outlines, in levels."""

MIN_EDIT = 7.0
"""Root mean square difference within the edited area, in levels, all channels."""


def generated(fake: Pixels, real: Pixels, *, two_layers: bool) -> dict[str, float]:
    """Strength of each effect of a decoder: `lattice`, `detail`, `outline`, `colour`.

    Args:
        fake: Shape (height, width, 3).
        real: Its twin.
        two_layers: Whether the decoder leaves a lattice of period four; otherwise pixels come in pairs.
    """
    luma, twin = luminance(fake), luminance(real)
    lattice = _lattice(luma - twin).std() / MIN_LATTICE if two_layers else _pairing_strength(luma, twin)
    loss = 1 - _fine_detail(luma) / _fine_detail(twin)
    steps = np.hypot(*np.gradient(twin))
    along = steps >= np.quantile(steps, 0.9)
    difference = (fake.astype(np.float64) - real)[along]
    return {
        "lattice": float(lattice),
        "detail": loss / MIN_LOSS,
        "outline": float(np.abs(difference).mean()) / MIN_OUTLINE,
        "colour": float(np.abs(difference @ TO_YCC[1:].T).mean()) / MIN_COLOUR,
    }


def edited(fake: Pixels, real: Pixels, box: tuple[int, int, int, int]) -> float:
    """Strength of an edit within its box (x0, y0, x1, y1 in pixels)."""
    x0, y0, x1, y1 = box
    difference = fake[y0:y1, x0:x1].astype(np.float64) - real[y0:y1, x0:x1]
    return float(np.sqrt(np.mean(difference**2))) / MIN_EDIT


def severity(strength: float) -> Severity:
    """Strength in words: up to twice the least is slight, from four times severe."""
    return "slight" if strength < 2 else "clear" if strength < 4 else "severe"


def _lattice(luma: Luma) -> Luma:
    """Mean of the fine structure at each position of the lattice, shape (4, 4)."""
    rest = luma - gaussian_filter(luma, 2.0, mode="nearest")
    height, width = luma.shape
    return np.asarray(rest.reshape(height // PERIOD, PERIOD, width // PERIOD, PERIOD).mean(axis=(0, 2)))


def _pairing_strength(luma: Luma, twin: Luma) -> float:
    return (_pairing(twin) - _pairing(luma)) / MIN_PAIRING


def _pairing(luma: Luma) -> float:
    """Mean step within pairs of columns and rows over the mean step between pairs."""
    across, down = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=0))
    within = across[:, ::2].mean() + down[::2].mean()
    return float(within / (across[:, 1::2].mean() + down[1::2].mean()))


def _fine_detail(luma: Luma) -> float:
    """Mean of what a narrow Gaussian takes away, the lattice aside."""
    height, width = luma.shape
    even = luma - np.tile(_lattice(luma), (height // PERIOD, width // PERIOD))
    return float(np.abs(even - gaussian_filter(even, 1.0, mode="nearest")).mean())
