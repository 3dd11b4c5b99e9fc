"""The convolutional baseline: six 3 x 3 convolutions, about 300,000 parameters, trained from scratch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fakeinstruct.base.images import image_size
from fakeinstruct.base.progress import track

LARGEST_SIDE = 128
"""Images are read at their common size up to this; larger or mixed ones at `RESIZED`."""

RESIZED = (64, 64)
"""Width and height of images that have no common size, or too large a one."""

PIXELS_SEEN = 120_000 * 32 * 32
"""Length of the training in pixels, so that it takes about the same time whatever the images' size."""

BATCH = 64
PEAK_RATE = 4e-3


def input_size(paths: list[Path]) -> tuple[int, int]:
    """Width and height that the images are read at: their common size, or `RESIZED`."""
    sizes = {image_size(path) for path in paths}
    common = next(iter(sizes))
    return common if len(sizes) == 1 and max(common) <= LARGEST_SIDE else RESIZED


def network() -> nn.Sequential:
    """The untrained network: images, shape (batch, 3, height, width), to margins, shape (batch, 1)."""
    layers: list[nn.Module] = []
    # (channels in, channels out, stride): resolution falls early, which is where the time goes
    for inner, outer, stride in (
        (3, 24, 1),
        (24, 48, 2),
        (48, 48, 1),
        (48, 96, 2),
        (96, 96, 1),
        (96, 160, 2),
    ):
        layers += [nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(160, 1))


def train(images: NDArray[np.uint8], fake: NDArray[np.bool_], *, seed: int) -> nn.Sequential:
    """Train on images, shape (n, height, width, 3), with random horizontal flips.

    Args:
        images: The pixels.
        fake: Truth, shape (n,).
        seed: Same seed and number of threads, same weights. The caller's random state is left alone.
    """
    steps = max(1, PIXELS_SEEN // (BATCH * images.shape[1] * images.shape[2]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network().train()
        optimizer = torch.optim.AdamW(model.parameters(), PEAK_RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.2)
        truth = torch.from_numpy(fake.astype(np.float32))
        for batch in track(_batches(len(images), steps), "cnn baseline: training (steps)", steps):
            pixels = _tensor(images[batch.numpy()])
            flip = torch.rand(len(batch)) < 0.5
            pixels[flip] = pixels[flip].flip(-1)
            loss = nn.functional.binary_cross_entropy_with_logits(model(pixels).squeeze(1), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def _batches(images: int, steps: int) -> Iterator[Tensor]:
    """Indices of every step: each image once an epoch, in a new order; whole batches only."""
    size = min(BATCH, images)
    for _ in range(math.ceil(steps / (images // size))):
        order = torch.randperm(images)
        whole = order[: images // size * size].split(size)
        yield from whole[:steps]
        steps -= len(whole)


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    """Pixels as floats about -1 to 1, shape (n, 3, height, width), channels last in memory."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


@torch.inference_mode()
def margins(model: nn.Sequential, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log-odds of fake, shape (n,), the mean of an image's and its mirror image's.

    Args:
        model: A trained network.
        images: Pixels, shape (n, height, width, 3).
    """
    found = []
    for part in _tensor(images).split(256):
        found.append((model(part) + model(part.flip(-1))).squeeze(1) / 2)
    return torch.cat(found).numpy()
