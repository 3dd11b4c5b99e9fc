"""Boxes in what an expert wrote: in our grammar or, if it has none of those, as its family writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.expert.dialect import THOUSANDTHS
from fakeinstruct.expert.families import FAMILIES

if TYPE_CHECKING:
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.expert import Expert


def written_boxes(expert: Expert, collator: Collator, view: Any, text: str) -> tuple[Fractions, ...]:
    """The boxes that a text names, in fractions of the picture; what is malformed or outside is passed over.

    Args:
        expert: Who wrote it.
        collator: Reads the picture.
        view: What the collator's reader knows the picture by.
        text: What was written about it.
    """
    if "[" not in text:
        return ()
    family = FAMILIES.get(expert.model.config.model_type)
    found = THOUSANDTHS.read(text, (1, 1))
    if found or family is None:
        return found
    return family.boxes.read(text, _size(expert.processor, collator, view))


def _size(processor: Any, collator: Collator, view: Any) -> tuple[int, int]:
    """Width and height that pixels of the text are of: those after resizing, where the processor tells them."""
    block = collator.placer.blocks.get(view)
    if "image_grid_thw" not in block:
        return collator.placer.blocks.read(view).size
    _, rows, columns = block["image_grid_thw"][0].tolist()
    patch = processor.image_processor.patch_size
    return columns * patch, rows * patch
