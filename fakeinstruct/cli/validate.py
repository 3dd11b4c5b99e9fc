"""`fakeinstruct validate`: is a chain set sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import printable
from fakeinstruct.base.files import write_jsonl
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import ImageRoot

SHOWN = 100
"""Findings printed; --out lists all."""


def validate(
    chains: Annotated[Path, typer.Argument(help="A chain set's folder.", show_default=False)],
    image_root: ImageRoot = None,
    without_images: Annotated[
        bool, typer.Option("--without-images", help="Check the records only, and open no image.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for rejects.jsonl, the list of all findings.")
    ] = None,
) -> None:
    """Check every record and image of a chain set, and count what it holds.

    Checked are schema, taxonomy, ids, twins, groups across splits, and of each image that it can be decoded, its
    size, its hash, and that the same bytes do not have two labels. Exit status 3 if anything was found.

    **Examples**

    `fakeinstruct validate chains/cifake`

    `fakeinstruct validate chains/cifake --without-images --out findings`
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.chains.validate import validate_chains
    from fakeinstruct.cli.tables import print_counts

    report = validate_chains(open_chains(chains, image_root=image_root), with_images=not without_images)
    print_counts(report.counts)
    for remark in report.remarks:
        console.print(f"note: {printable(remark)}", markup=False, highlight=False)
    if out is not None:
        write_jsonl(out / "rejects.jsonl", report.findings.rows())
    for error in report.findings.errors[:SHOWN]:
        print(error)
    if len(report.findings) > SHOWN:
        print(f"and {len(report.findings) - SHOWN:,} more; --out lists all")
    for reason, count in report.findings.reasons():
        console.print(f"{count:,} x {reason}", markup=False, highlight=False)
    print(f"{len(report.findings):,} findings in {report.counts.total():,} chains")
    raise typer.Exit(report.findings.status)
