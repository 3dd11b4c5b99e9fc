"""`fakeinstruct import`: published annotations -> chain set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import MaxRejects, Out, close


def import_chains(
    format: Annotated[str, typer.Argument(help="Format of the source: imagefolder.", show_default=False)],
    src: Annotated[Path, typer.Argument(help="A folder or a .zip file.", show_default=False)],
    out: Out,
    fake: Annotated[
        list[str] | None, typer.Option("--fake", help="A class folder that holds fakes; repeatable.")
    ] = None,
    real: Annotated[
        list[str] | None, typer.Option("--real", help="A class folder that holds real images; repeatable.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Name of the set.  [default: the source's name]")
    ] = None,
    generator: Annotated[
        str | None, typer.Option("--generator", help="Generator of all fakes, if no folder names it.")
    ] = None,
    camera_set: Annotated[
        str | None, typer.Option("--camera-set", help="Source of all real images, if it is known.")
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            "--validation", help="Share for validation if no folder is it.  [default: 0.1]", max=0.5
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Same seed, same splits.  [default: 0]", min=0)
    ] = None,
    max_rejects: MaxRejects = 0.2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count everything, write nothing.")
    ] = False,
) -> None:
    """Import published annotations as a chain set.

    **imagefolder** takes class folders `REAL`/`FAKE`, `0_real`/`1_fake`, `nature`/`ai` at any depth, below
    `train`, `val`, `test` and generator folders if there are any. Others are named with `--fake` and
    `--real`; what a folder holds is never guessed. Images of a folder stay where they are, those of a zip
    file are unpacked into the chain set.

    **Examples**

    `fakeinstruct import imagefolder cifake.zip --out chains/cifake --generator sd14`

    `fakeinstruct import imagefolder photos --out chains/mine --real camera --fake midjourney --fake flux`
    """
    from fakeinstruct.chains.importers import import_chains as run
    from fakeinstruct.cli.tables import print_counts

    given = {
        "fake": fake,
        "real": real,
        "validation": validation,
        "generator": generator,
        "camera_set": camera_set,
        "seed": seed,
    }
    rejects = Rejects(max_rejects)
    summary = run(
        format,
        src,
        out,
        rejects=rejects,
        dataset=dataset,
        dry_run=dry_run,
        **{name: value for name, value in given.items() if value is not None},
    )
    print_counts(summary.counts)
    if summary.ignored:
        console.print(f"ignored {summary.ignored:,} files that are not images", markup=False, highlight=False)
    for remark in summary.remarks:
        console.print(f"note: {remark}", markup=False, highlight=False)
    print("dry run: nothing was written" if dry_run else f"{summary.chains:,} chains in {out}")
    close(rejects, None if dry_run else out)
