"""`fakeinstruct calibrate`: answers to scale and bias in `expert.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.chains.schema import Split


def calibrate(
    expert: Annotated[Path, typer.Argument(help="The expert's folder.", file_okay=False)],
    answers: Annotated[list[Path], typer.Argument(help="Its answers.", metavar="ANSWERS...")],
    bias_only: Annotated[
        bool, typer.Option("--bias-only", help="Fit a bias alone, which a few labelled target images give.")
    ] = False,
    split: Annotated[
        Split, typer.Option("--split", help="Split that a bias alone is fitted on.")
    ] = Split.VALIDATION,
    images: Annotated[
        int | None, typer.Option("--images", help="How many of its images a bias alone is fitted on.", min=2)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be written.")] = False,
) -> None:
    """Fit scale and bias of every prompt that was asked, and write them to `expert.json`.

    From then on `detect` gives sigmoid(scale * margin + bias). Both are fitted on the validation split. A bias alone
    may be fitted on a few target images, also of the test split: `measure` then leaves these images out.

    **Examples**

        fakeinstruct calibrate runs/train/expert runs/answers

        fakeinstruct calibrate runs/train/expert target/answers --bias-only --split test --images 24
    """
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.calibrate import calibrate as run

    sets = [open_answers(folder) for folder in answers]
    fitted = run(expert, sets, bias_only=bias_only, split=split, images=images, dry_run=dry_run)
    for each in fitted:
        readout = each.readout
        print(f"{readout.name}: {readout.prompt}")
        print(f"  scale {readout.scale:.4f}, bias {readout.bias:.4f}, fitted on {readout.fitted_on}")
        if each.warning:
            print(f"  beware: {each.warning}")
    card = expert / "expert.json"
    print(f"dry run: {card} stays as it was" if dry_run else f"written to {card}")
