"""`fakeinstruct calibrate`: answers to scale and bias in `expert.json` or in a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.chains.schema import Split


def calibrate(
    expert: Annotated[Path, typer.Argument(help="The expert's folder.", file_okay=False)],
    answers: Annotated[list[Path], typer.Argument(help="Its answers.", metavar="ANSWERS...")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="YAML file for the protocol that the answers were asked by, with scale and bias: for a model that "
            "has no expert.json.",
            dir_okay=False,
        ),
    ] = None,
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

    A model that was asked by a protocol's readouts is left as it is: --out takes the protocol, which `score`, `detect`
    and `measure --calibration` read.

    **Examples**

        fakeinstruct calibrate runs/train/expert runs/answers

        fakeinstruct calibrate runs/train/expert target/answers --bias-only --split test --images 24

        fakeinstruct calibrate models/smolvlm runs/answers --out smolvlm.yaml
    """
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.calibrate import calibrate as run

    sets = [open_answers(folder) for folder in answers]
    fitted = run(expert, sets, out=out, bias_only=bias_only, split=split, images=images, dry_run=dry_run)
    for each in fitted:
        readout = each.readout
        print(f"{readout.name}: {readout.prompt}")
        print(f"  scale {readout.scale:.4f}, bias {readout.bias:.4f}, fitted on {readout.fitted_on}")
        if each.before and each.before != readout:
            before = each.before
            print(
                f"  replaces scale {before.scale:.4f}, bias {before.bias:.4f}, fitted on {before.fitted_on}"
            )
        if each.warning:
            print(f"  beware: {each.warning}")
    file = out or expert / "expert.json"
    kept = "stays as it was" if file.exists() else "is not written"
    print(f"dry run: {file} {kept}" if dry_run else f"written to {file}")
