"""`fakeinstruct calibrate`: answers to scale and bias in `expert.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    expert: Annotated[Path, typer.Argument(help="The expert's folder.", file_okay=False)],
    answers: Annotated[
        list[Path], typer.Argument(help="Its answers, validation among them.", metavar="ANSWERS...")
    ],
) -> None:
    """Fit scale and bias of the probability on the validation split and write them to `expert.json`.

    From then on `detect` gives sigmoid(scale * margin + bias). The test split is never fitted on.

    Example: `fakeinstruct calibrate expert answers`
    """
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.run import calibrate as run

    card = run(expert, [open_answers(folder) for folder in answers])
    first = card.readouts[0]
    print(f"scale {first.scale:.4f}, bias {first.bias:.4f}, fitted on {first.fitted_on}")
    print(f"written to {expert / 'expert.json'}")
