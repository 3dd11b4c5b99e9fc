"""What gradient boosting sees: statistics of pixel differences, a log spectrum, and nothing learned."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

EDGES = np.array([0.5, 1.5, 2.5, 4.5, 8.5, 16.5, 32.5])
"""Edges between classes of absolute difference, in grey levels: neighbours differ by little."""

RINGS = 24
"""Rings of spatial frequency, from 0 to the corner of the spectrum."""

Plane = NDArray[np.float32]


def features(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe one image.

    Args:
        image: RGB, shape (height, width, 3), at least 4 pixels a side; smaller ones are padded by reflection.

    Returns:
        Shape (features,), the same number for every size of image.
    """
    short = [(0, max(0, 8 - side)) for side in image.shape[:2]]
    rgb = np.pad(image, [*short, (0, 0)], mode="symmetric").astype(np.float32)
    luma = rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    planes = [luma, rgb[..., 2] - luma, rgb[..., 0] - luma]  # brightness and two colour differences
    parts: list[NDArray[np.floating]] = []
    for plane in planes:
        differences = directional(plane)
        parts += [moments(each) for each in differences]
        parts += [small_steps(each) for each in differences[:3]]
        parts += [ring_spectrum(plane), line_spectrum(plane)]
    parts.append(channel_correlations(rgb))
    parts.append(np.concatenate([[plane.mean(), plane.std()] for plane in planes]))
    return np.concatenate(parts).astype(np.float32)


def directional(plane: Plane) -> list[Plane]:
    """First differences along rows, columns and the diagonal, second differences, the 2 x 2 checker."""
    right, down = np.diff(plane, axis=1), np.diff(plane, axis=0)
    return [
        right,
        down,
        plane[1:, 1:] - plane[:-1, :-1],
        np.diff(right, axis=1),
        np.diff(down, axis=0),
        np.diff(right, axis=0),
    ]


def moments(values: Plane) -> NDArray[np.floating]:
    """Mean size, log spread, skewness, log kurtosis, and correlation with the next: shape (5,)."""
    centred = values - values.mean()
    square = centred * centred  # products: a power of a float array is ten times slower
    spread = math.sqrt(square.mean()) + 1e-3
    return np.array(
        [
            np.abs(values).mean(),
            math.log(spread),
            (square * centred).mean() / spread**3,
            math.log1p((square * square).mean() / spread**4),
            (centred[:, 1:] * centred[:, :-1]).mean() / spread**2,
        ]
    )


def small_steps(values: Plane) -> NDArray[np.floating]:
    """Share of absolute differences in each class of `EDGES`: shape (8,)."""
    counts = np.bincount(np.digitize(np.abs(values).ravel(), EDGES), minlength=len(EDGES) + 1)
    return counts / values.size


def ring_spectrum(plane: Plane) -> NDArray[np.floating]:
    """Log power of the windowed plane by spatial frequency, averaged over directions: shape (RINGS,)."""
    window = np.outer(np.hanning(plane.shape[0] + 2)[1:-1], np.hanning(plane.shape[1] + 2)[1:-1])
    power = np.abs(np.fft.rfft2((plane - plane.mean()) * window)) ** 2 / window.size
    vertical = np.fft.fftfreq(plane.shape[0])[:, None]
    radius = np.hypot(vertical, np.fft.rfftfreq(plane.shape[1])[None, :]) / np.hypot(0.5, 0.5)
    ring = np.minimum((radius * RINGS).astype(np.int64), RINGS - 1).ravel()
    total = np.bincount(ring, weights=power.ravel(), minlength=RINGS)
    count = np.bincount(ring, minlength=RINGS)
    return np.log(total / np.maximum(count, 1) + 1e-3)


def line_spectrum(plane: Plane) -> NDArray[np.floating]:
    """Log power along columns and rows at sixteen frequencies, where upsampling peaks: shape (32,)."""
    found = []
    for axis in (0, 1):
        power = (np.abs(np.fft.rfft(np.diff(plane, axis=axis), axis=axis)) ** 2).mean(
            axis=1 - axis
        ) / plane.shape[axis]
        found += [np.log(part.mean() + 1e-3) for part in np.array_split(_at_least(power[1:], 16), 16)]
    return np.array(found)


def _at_least(power: NDArray[np.floating], length: int) -> NDArray[np.floating]:
    """The values, repeated where there are fewer than `length`."""
    if len(power) >= length:
        return power
    return power[np.arange(length) * len(power) // length]


def channel_correlations(rgb: NDArray[np.float32]) -> NDArray[np.floating]:
    """Correlations of the channels' differences along rows and columns: shape (6,)."""
    found = []
    for axis in (0, 1):
        flat = np.diff(rgb, axis=axis).reshape(-1, 3)
        flat = flat - flat.mean(axis=0)
        scale = flat.std(axis=0) + 1e-3
        covariance = flat.T @ flat / len(flat) / np.outer(scale, scale)
        found += [covariance[0, 1], covariance[0, 2], covariance[1, 2]]
    return np.array(found)
