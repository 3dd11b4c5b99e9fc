"""The tensors of several images, as processors make them one image at a time, put together for one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

Join = Callable[[Sequence[Mapping[str, Tensor]]], dict[str, Tensor]]
"""From the tensors of each image, in the order of their tokens in the row, to the row's."""

KINDS = ("token_type_ids", "mm_token_type_ids")
"""What some processors say of each token: 1 for an image's, 0 for text."""

TOKENS = ("input_ids", "attention_mask", *KINDS)
"""What a processor makes of the text; it has no place among the tensors of images."""


def concatenate(images: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors end to end on their first axis: images, tiles or patches."""
    return {name: torch.cat([image[name] for image in images]) for name in images[0] if name not in TOKENS}


def concatenate_tiles(images: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of shape (1, tiles, ...) end to end on the second axis, as SmolVLM takes those of one row.

    The tiles of one image are of one size; a smaller image's are filled up on the right and below, outside its
    pixel mask.
    """
    joined = {}
    for name in images[0]:
        if name not in TOKENS:
            height = max(image[name].shape[-2] for image in images)
            width = max(image[name].shape[-1] for image in images)
            joined[name] = torch.cat([_fill(image[name], height, width) for image in images], dim=1)
    return joined


def _fill(tiles: Tensor, height: int, width: int) -> Tensor:
    return pad(tiles, (0, width - tiles.shape[-1], 0, height - tiles.shape[-2]))


def pad_tiles(images: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """LLaVA-Next's pixels of shape (1, tiles, ...) end to end, images of fewer tiles filled up with empty ones.

    The tower does not see those: it counts an image's tiles by `image_sizes`.
    """
    tiles = max(image["pixel_values"].shape[1] for image in images)
    return concatenate(
        [{**image, "pixel_values": _with_empty_tiles(image["pixel_values"], tiles)} for image in images]
    )


def _with_empty_tiles(pixels: Tensor, tiles: int) -> Tensor:
    return pad(pixels, (0, 0) * 3 + (0, tiles - pixels.shape[1]))
