"""`fakeinstruct merge`: several chain sets -> one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects, printable
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import MaxRejects, Out, Seed, close


def merge(
    chains: Annotated[
        list[Path], typer.Argument(help="Chain sets' folders, two or more.", show_default=False)
    ],
    out: Out,
    without_images: Annotated[
        bool,
        typer.Option("--without-images", help="Open no image; find shared pictures by stated hashes alone."),
    ] = False,
    seed: Seed = 0,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count everything, write nothing.")
    ] = False,
) -> None:
    """Merge chain sets, so that a set of fakes alone gets real images beside it.

    Images stay where they are. Pictures that sets share, or nearly so, come into one group and one split: the
    test split keeps its own, then validation, and the other copies are rejected. Splits stay as they are. An id
    that several sets use gets its set's name before it. Sets for evaluation only are refused.

    **Examples**

    `fakeinstruct merge chains/synthscars chains/coco --out chains/mixed`

    `fakeinstruct merge chains/a chains/b chains/c --out chains/all --dry-run`
    """
    from fakeinstruct.chains.merge import merge_chains
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.cli.tables import print_counts

    rejects = Rejects(max_rejects)
    summary = merge_chains(
        [open_chains(folder) for folder in chains],
        out,
        rejects=rejects,
        without_images=without_images,
        seed=seed,
        dry_run=dry_run,
    )
    print_counts(summary.counts)
    for remark in summary.remarks:
        console.print(f"note: {printable(remark)}", markup=False, highlight=False)
    print("dry run: nothing was written" if dry_run else f"{summary.chains:,} chains in {out}")
    close(rejects, None if dry_run else out)
