"""`fakeinstruct reencode`: chain set -> the same with all images stored alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, close


def reencode(
    chains: Annotated[Path, typer.Argument(help="A chain set's folder.", show_default=False)],
    out: Out,
    format: Annotated[str, typer.Option("--format", help="Encoding of all images: png or jpeg.")] = "png",
    quality: Annotated[int, typer.Option("--quality", help="Quality of JPEG.", min=1, max=95)] = 90,
    size: Annotated[
        int | None, typer.Option("--size", help="Width and height of all images in pixels.  [default: as is]")
    ] = None,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Write a chain set anew with one encoding, one size and names without meaning.

    EXIF, colour profiles and comments are dropped, orientation is applied, pixels are RGB, and names are hashes.
    With `--size` both sides are scaled and nothing is cut off; boxes stay true. Traces that compression or scaling
    left in the pixels before remain.

    **Examples**

    `fakeinstruct reencode chains/mine --out chains/mine-png --size 256`

    `fakeinstruct reencode chains/mine --out chains/mine-jpeg --format jpeg --quality 90`
    """
    from fakeinstruct.chains.reencode import reencode as run
    from fakeinstruct.chains.store import open_chains

    rejects = Rejects(max_rejects)
    done = run(
        open_chains(chains, image_root=image_root),
        out,
        format=format,  # type: ignore[arg-type]  # checked by the function, which names the known ones
        quality=quality,
        size=size,
        rejects=rejects,
    )
    if not done.one_size:
        sizes = len({size for _, size in done.sizes})
        console.print(
            f"note: images have {sizes:,} different sizes; --size N makes them one", highlight=False
        )
    print(f"{done.count:,} chains in {out}")
    close(rejects, out)
