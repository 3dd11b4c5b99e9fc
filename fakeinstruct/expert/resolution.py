"""How many tokens an image costs: a limit on its pixels, and counting without reading it.

What scales an image is the processor. Those of Qwen-VL keep an image's own size up to a number of pixels, which
`data.max_pixels` lowers; the others take every image at one size, or cut it into tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.base_model import adapted_base
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.published import PUBLISHED
from fakeinstruct.expert.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

USUAL = (448, 448)
"""Width and height that an image is taken to have where there is none to look at."""

OfSize = Callable[[int, int], int]
"""From an image's width and height to its tokens."""

WHY_NOT = {
    "one size": "it takes every image at one size",
    "tiles": "it cuts an image into tiles, whose number is a setting of its preprocessor_config.json",
}


@dataclass(frozen=True)
class ImageTokens:
    """What images cost.

    Attributes:
        of_size: Tokens by width and height.
        assumes: What is assumed for want of the processor's settings, in words; absent if nothing is.
    """

    of_size: OfSize
    assumes: str | None = None

    def usual(self) -> int:
        """Tokens of an image that is not at hand."""
        return self.of_size(*USUAL)


def check_pixels(recipe: Recipe, config: PreTrainedConfig) -> None:
    """See that a recipe of one stage limits pixels only where the family's processor heeds it.

    Raises:
        UsageError: If it does not.
    """
    family = family_of(config)
    if recipe.data.max_pixels is not None and family.images != "pixels":
        raise UsageError(
            f"means nothing to a model of type '{family.model_type}': {WHY_NOT[family.images]}",
            field="data.max_pixels",
            hint="Leave it out.",
        )


def limit_pixels(processor: Any, max_pixels: int | None) -> Any:
    """The processor, scaling images down to `max_pixels`; `save_pretrained` writes the limit.

    Args:
        processor: Of a family with `images` "pixels", unless there is no limit.
        max_pixels: The limit; None leaves the processor's own.
    """
    if max_pixels is not None:
        size = dict(processor.image_processor.size)
        least = min(int(size["shortest_edge"]), max_pixels)
        limited = {"shortest_edge": least, "longest_edge": max_pixels}
        processor.image_processor.size = type(processor.image_processor.size)(**limited)
    return processor


def image_tokens(base: str, max_pixels: int | None, config: PreTrainedConfig) -> ImageTokens:
    """What an image costs.

    Args:
        base: The model that a recipe names.
        max_pixels: The recipe's limit.
        config: The model's configuration.
    """
    if base == "small":
        return constant(config.image_seq_length)
    under = adapted_base(base) or base
    if under in PUBLISHED and not Path(under).exists():
        return _published(under, max_pixels)
    from fakeinstruct.expert.processors import load_processor

    whole = (Path(base) / "tokenizer_config.json").is_file()  # an adapter may have none of its own
    try:
        processor = load_processor(base if whole else under)
    except FakeInstructError as error:
        tokens = int(getattr(config, "image_seq_length", 0)) or 256
        return constant(tokens, f"every image costs {tokens:,} tokens ({error.problem})")
    return ImageTokens(by_processor(limit_pixels(processor, max_pixels)))


def by_processor(processor: Any) -> OfSize:
    """Counting by a processor's settings, where it can without an image, else by an empty image of that size."""
    from PIL import Image

    from fakeinstruct.expert.rows import image_block

    told = getattr(processor, "_get_num_multimodal_tokens", None)  # which vLLM relies on

    @lru_cache(maxsize=4096)
    def of_size(width: int, height: int) -> int:
        if told is not None and hasattr(processor.image_processor, "get_number_of_image_patches"):
            return int(told(image_sizes=[(height, width)])["num_image_tokens"][0])
        return len(image_block(processor, Image.new("RGB", (width, height)))["input_ids"])

    return of_size


def constant(tokens: int, assumes: str | None = None) -> ImageTokens:
    """Every image costs the same."""
    return ImageTokens(lambda width, height: tokens, assumes)  # noqa: ARG005


def _published(name: str, max_pixels: int | None) -> ImageTokens:
    """By the settings that a model was published with."""
    shape = PUBLISHED[name]
    if shape.pixels is None:
        return constant(shape.image_tokens, shape.assumes)
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    side, least, most = shape.pixels
    most = max_pixels or most

    def of_size(width: int, height: int) -> int:
        scaled = smart_resize(height, width, side, min_pixels=min(least, most), max_pixels=most)
        return int((scaled[0] // side) * (scaled[1] // side))

    return ImageTokens(of_size)
