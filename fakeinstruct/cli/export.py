"""`fakeinstruct export`: pairs in the formats of other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, close


def export(
    folder: Annotated[Path, typer.Argument(metavar="PAIRS", help="A pair set's folder.")],
    out: Out,
    format: Annotated[
        str,
        typer.Option("--format", help="llava, ms-swift, llama-factory, trl or jsonl.", show_default=False),
    ],
    split: Annotated[
        str | None, typer.Option("--split", help="Only this split.  [default: a file a split]")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Only these tasks, commas between them.  [default: all]")
    ] = None,
    image_root: ImageRoot = None,
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images into the export as well.")
    ] = False,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Write pairs in the format of another trainer, a file a split.

    Images stay where they are and are named relative to one root, which is printed. Pairs with crops need each
    crop as a file of its own, so their images are copied beside them. **jsonl** is the pair itself, one a line.

    **Examples**

    `fakeinstruct export pairs --format llama-factory --out export`

    `fakeinstruct export pairs --format ms-swift --out export --split train --copy-images`

    `fakeinstruct export pairs --format trl --out export --tasks verdict,reasoning`
    """
    from fakeinstruct.expand.export.write import export as run
    from fakeinstruct.expand.pair import open_pairs

    rejects = Rejects(max_rejects)
    manifest = run(
        open_pairs(folder, image_root=image_root).verified(),
        out,
        format=format,
        split=split,
        tasks=[task.strip() for task in filter(None, tasks.split(","))] if tasks is not None else None,
        copy_images=copy_images,
        rejects=rejects,
    )
    for name, file in manifest.files.items():
        print(f"{file.rows:>10,} rows  {out / name}")
    print(f"image paths are relative to {(out / manifest.image_root).resolve()}")
    if manifest.image_root == "." and not copy_images:
        console.print("the images were copied, since pairs with crops need each crop as a file beside them")
    if manifest.without_answer:
        console.print(f"left out {manifest.without_answer:,} evaluation items, which have no answer")
    close(rejects, out)
