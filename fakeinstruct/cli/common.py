"""Options and closing words that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.files import write_jsonl
from fakeinstruct.base.progress import console

Out = Annotated[Path, typer.Option("--out", help="Folder to write to.", file_okay=False)]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same bytes.", min=0)]
ImageRoot = Annotated[
    Path | None, typer.Option("--image-root", help="Where the images lie, if not where meta.json says.")
]
MaxRejects = Annotated[
    float,
    typer.Option(
        "--max-rejects",
        help=f"Share of bad records above which the run ends; up to {Rejects.FREE} never end it.",
        min=0,
        max=1,
    ),
]


def close(rejects: Rejects, folder: Path | None = None) -> None:
    """Say how many records were rejected and why, list them in `rejects.jsonl`, exit with 3 if any was."""
    if folder is not None:
        listing = folder / "rejects.jsonl"
        if rejects:
            write_jsonl(listing, rejects.rows())
        else:
            listing.unlink(missing_ok=True)
    if not rejects:
        return
    for reason, count in rejects.reasons()[:5]:
        console.print(f"rejected {count:,}: {reason}", markup=False, highlight=False)
    for error in rejects.errors[:3]:
        console.print(f"  {error}", markup=False, highlight=False)
    if folder is not None:
        console.print(f"every rejected record: {folder / 'rejects.jsonl'}", markup=False, highlight=False)
    raise typer.Exit(rejects.status)
