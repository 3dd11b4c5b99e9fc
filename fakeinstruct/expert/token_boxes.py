"""Where each token of an image lies in the picture.

Each function takes a processor, the block that it made of an image (`rows.image_block`: its tokens under `input_ids`
and its tensors), and the image's width and height in pixels. It returns a tensor of shape (tokens, 4): x0, y0,
x1, y1 in fractions of the picture for each token of the block, not-a-number for those that
show no part of it: ends of lines, starts and ends, a class token, padding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from fakeinstruct.base.boxes import Fractions

WHOLE: Fractions = (0.0, 0.0, 1.0, 1.0)
NOWHERE = torch.full((1, 4), torch.nan)

_TILE = re.compile(r"<row_(\d+)_col_(\d+)>")


def grid(rows: int, columns: int, window: Fractions = WHOLE) -> Tensor:
    """The cells of a grid over a window, row by row, shape (rows * columns, 4); what leaves the picture is cut."""
    x0, y0, x1, y1 = window
    x, y = torch.linspace(x0, x1, columns + 1), torch.linspace(y0, y1, rows + 1)
    left, right = x[:-1].expand(rows, -1), x[1:].expand(rows, -1)
    upper, lower = y[:-1, None].expand(-1, columns), y[1:, None].expand(-1, columns)
    cells = torch.stack([left, upper, right, lower], dim=-1).reshape(-1, 4).clamp(0, 1)
    empty = (cells[:, 0] >= cells[:, 2]) | (cells[:, 1] >= cells[:, 3])
    cells[empty] = torch.nan
    return cells


def place(processor: Any, block: Mapping[str, Any], features: Tensor) -> Tensor:
    """Put the places of an image's features, shape (features, 4), at the image tokens of its block."""
    ids = torch.tensor(block["input_ids"])
    boxes = NOWHERE.repeat(len(ids), 1)
    boxes[ids == processor.image_token_id] = features
    return boxes


def features_of(processor: Any, block: Mapping[str, Any]) -> int:
    """How many image tokens a block has."""
    return sum(token == processor.image_token_id for token in block["input_ids"])


def llava(processor: Any, block: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
    """LLaVA-1.5: one square grid over what the processor leaves of the picture, a class token before it if kept."""
    features = features_of(processor, block)
    side = isqrt(features)
    cells = grid(side, side, _visible(processor.image_processor, size))
    return place(processor, block, torch.cat([NOWHERE.repeat(features - side * side, 1), cells]))


def _visible(settings: Any, size: tuple[int, int]) -> Fractions:
    """What LLaVA's image processor shows of a picture, as a window that may reach beyond it.

    It fills up to a square, if asked; resizes to a shorter edge or to a size; cuts the middle out.
    """
    shown_width, shown_height = map(float, size)
    if getattr(settings, "do_pad", False):
        shown_width = shown_height = float(max(size))
    elif settings.do_center_crop and settings.size.shortest_edge:
        scale = settings.size.shortest_edge / min(size)
        shown_width, shown_height = settings.crop_size.width / scale, settings.crop_size.height / scale
    return _centred(shown_width, shown_height, size)


def _centred(width: float, height: float, size: tuple[int, int]) -> Fractions:
    """A window around the middle of a picture, in the picture's pixels, as fractions of the picture."""
    left, above = (1 - width / size[0]) / 2, (1 - height / size[1]) / 2
    return left, above, 1 - left, 1 - above


def llava_next(processor: Any, block: Mapping[str, Any], _: tuple[int, int]) -> Tensor:
    """LLaVA-Next: a grid over the whole picture, then one over its tiles, with a token at the end of each line.

    The picture keeps its ratio on the canvas of the tiles; rows or columns of padding are dropped.
    """
    from transformers.image_processing_utils import select_best_resolution

    height, width = block["image_sizes"][0].tolist()
    tile = int(block["pixel_values"].shape[-1])
    side = tile // processor.patch_size
    canvas = select_best_resolution([height, width], processor.image_processor.image_grid_pinpoints)
    rows, columns = (side * edge // tile for edge in canvas)
    scale = min(canvas[0] / height, canvas[1] / width)
    window = _centred(canvas[1] / scale, canvas[0] / scale, (width, height))
    cells = grid(rows, columns, window).view(rows, columns, 4)
    above, left = _dropped(rows, columns, height, width)
    cells = cells[above : rows - above, left : columns - left]
    ends = NOWHERE.expand(len(cells), 1, 4)
    return place(
        processor, block, torch.cat([grid(side, side), torch.cat([cells, ends], dim=1).reshape(-1, 4)])
    )


def _dropped(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Rows above and columns on the left that LLaVA-Next drops as padding, as its model rounds them."""
    if width / height > columns / rows:
        return (rows - int(round(height * (columns / width), 7))) // 2, 0
    return 0, (columns - int(round(width * (rows / height), 7))) // 2


def qwen(processor: Any, block: Mapping[str, Any], _: tuple[int, int]) -> Tensor:
    """The Qwen families: one grid over the whole picture, `merge_size` patches a side of a token."""
    _, rows, columns = block["image_grid_thw"][0].tolist()
    merge = processor.image_processor.merge_size
    return place(processor, block, grid(rows // merge, columns // merge))


def internvl(processor: Any, block: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
    """InternVL: tiles row by row, then the whole picture if there are several."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    settings = processor.image_processor
    tiles = len(block["pixel_values"])
    side = isqrt(features_of(processor, block) // tiles)
    if tiles == 1:
        return place(processor, block, grid(side, side))
    edges = (settings.size.height, settings.size.width)
    columns, rows = get_optimal_tiled_canvas(
        (size[1], size[0]), edges, settings.min_patches, settings.max_patches
    )
    return place(processor, block, torch.cat([*_tiles(rows, columns, side), grid(side, side)]))


def smolvlm(processor: Any, block: Mapping[str, Any], _: tuple[int, int]) -> Tensor:
    """SmolVLM: tiles named by row and column in the block, then the whole picture."""
    words = processor.tokenizer.convert_ids_to_tokens(block["input_ids"])
    named = [match for match in map(_TILE.fullmatch, words) if match]
    rows = max((int(match[1]) for match in named), default=0)
    columns = max((int(match[2]) for match in named), default=0)
    side = isqrt(features_of(processor, block) // (rows * columns + 1))
    return place(processor, block, torch.cat([*_tiles(rows, columns, side), grid(side, side)]))


def _tiles(rows: int, columns: int, side: int) -> list[Tensor]:
    """The cells of each tile of a picture, the tiles row by row."""
    return [
        grid(side, side, (column / columns, row / rows, (column + 1) / columns, (row + 1) / rows))
        for row in range(rows)
        for column in range(columns)
    ]
