"""A contact sheet: one item as an expert is shown it, under every condition, with the changed area outlined."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fakeinstruct.base.errors import RecordError, Rejects, UsageError, printable
from fakeinstruct.base.files import atomic_write
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.conditions import parse_conditions
from fakeinstruct.forensics.intervene import Mask, Repair, interventions, twin_paths
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import chain_views
from fakeinstruct.forensics.views import View, Viewer

CELL = 192
"""Side of the square that a picture is fitted into, in pixels."""

CAPTION = 44
"""Height of what is written under it."""

GAP = 12
COLUMNS = 6
MOST = 60
"""Most pictures drawn."""

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Endings of a sheet's file, and what is written."""

RED = (220, 30, 30)


def contact_sheet(chains: ChainSet, protocol: Protocol, file: str | Path) -> Chain:
    """Draw the first item that a protocol's interventions, if any, can be made of, under every condition.

    Args:
        chains: The chain set.
        protocol: Splits, conditions and interventions.
        file: Picture to write, in the format that its name ends with.

    Returns:
        The chain that was drawn.

    Raises:
        UsageError: If there is no such item, or the file's name is no picture's.
        RecordError: If its image cannot be read.
    """
    file = Path(file)
    if file.suffix.lower() not in FORMATS:
        raise UsageError(
            "is no name of a picture", file=file, hint=f"Let it end with one of {', '.join(FORMATS)}."
        )
    twins = twin_paths(chains) if "repair" in protocol.interventions else {}
    chain = _example(chains, protocol, twins)
    viewer = Viewer(chains.image_root)
    conditions = parse_conditions(protocol.conditions, protocol.seed)
    cells = [
        _cell(viewer, view, facts)
        for view, facts in list(chain_views(chain, protocol, conditions, twins))[:MOST]
    ]
    with atomic_write(file) as target:
        _joined(cells).save(target, FORMATS[file.suffix.lower()])
    return chain


def _example(chains: ChainSet, protocol: Protocol, twins: Mapping[str, str]) -> Chain:
    for chain in chains.read(Rejects(1.0)):
        if chain.split is None or chain.split in protocol.splits:
            found = {facts["condition"] for _, facts in interventions(chain, protocol, twins)}
            if found >= set(protocol.interventions):
                return chain
    raise UsageError(
        f"no item of the splits {', '.join(protocol.splits)} to draw",
        file=chains.folder,
        hint="Interventions need a fake whose traces have regions, repair its twin as well.",
    )


def _cell(viewer: Viewer, view: View, facts: Mapping[str, Any]) -> Image.Image:
    """One picture with its name, CELL x (CELL + CAPTION)."""
    cell = Image.new("RGB", (CELL, CELL + CAPTION), "white")
    draw = ImageDraw.Draw(cell)
    try:
        picture = viewer(view)
        shown = _fitted(picture)
        if isinstance(view.change, Repair | Mask):
            shown = _outlined(shown, view.change.area.pixels(*picture.size))
        cell.paste(shown, ((CELL - shown.width) // 2, (CELL - shown.height) // 2))
    except RecordError as error:
        draw.text((0, 0), textwrap.fill(printable(error.problem), 26), "black", ImageFont.load_default(13))
    for line, text in enumerate(_caption(facts)):
        draw.text((0, CELL + 4 + 18 * line), text, "black", ImageFont.load_default(14))
    return cell


def _caption(facts: Mapping[str, Any]) -> tuple[str, ...]:
    condition, look = facts.get("condition", "clean"), facts.get("look", 1)
    numbered = condition.startswith(("random-", "crop-"))
    first = f"{condition}, {look}" if numbered else condition
    if "trace" not in facts:
        return (first,)
    return first, printable(f"{facts['trace']} {facts['attribute'] or ''}")[:28]


def _fitted(picture: Image.Image) -> Image.Image:
    """The picture as large as fits, its pixels as they are if it is a small one."""
    scale = CELL / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _outlined(shown: Image.Image, area: NDArray[np.bool_]) -> Image.Image:
    """The picture with a red line within the rim of an area."""
    scaled = Image.fromarray(area.astype(np.uint8)).resize(shown.size, Image.Resampling.NEAREST)
    inside = np.pad(np.asarray(scaled, dtype=bool), 2)
    core = inside[2:-2, 2:-2].copy()
    for down, across in ((0, 2), (4, 2), (2, 0), (2, 4)):
        core &= inside[down : down + core.shape[0], across : across + core.shape[1]]
    levels = np.asarray(shown).copy()
    levels[inside[2:-2, 2:-2] & ~core] = RED
    return Image.fromarray(levels)


def _joined(cells: Sequence[Image.Image]) -> Image.Image:
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    width, height = CELL + GAP, CELL + CAPTION + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        sheet.paste(cell, (GAP + column * width, GAP + row * height))
    return sheet
