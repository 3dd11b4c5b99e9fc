"""`fakeinstruct demo`: the whole way once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.cli.common import Seed


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", file_okay=False)] = Path(
        "runs/demo"
    ),
    images: Annotated[int, typer.Option("--images", help="Images of the sample set.", min=40)] = 2000,
    seed: Seed = 0,
) -> None:
    """Take the whole way once on a sample set made here: chains, pairs, expert, answers, figures, report.

    Needs no GPU, no network and no data; ten to fifteen minutes on two cores. Started again, it goes on where
    it stopped.

    **Examples**

        fakeinstruct demo

        fakeinstruct demo --out elsewhere --images 400 --seed 1
    """
    import time

    from fakeinstruct.cli.figures import print_figures
    from fakeinstruct.demo import run_demo

    began = time.monotonic()
    figures = run_demo(out, images=images, seed=seed)
    print_figures(figures, out / "report")
    print(f"the whole way took {(time.monotonic() - began) / 60:.1f} minutes")
