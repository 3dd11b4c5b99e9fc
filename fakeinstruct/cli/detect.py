"""`fakeinstruct detect`: pictures -> probability, verdict and explanation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import ExitStatus

if TYPE_CHECKING:
    from fakeinstruct.forensics.detect import Detection


def detect(
    expert: Annotated[Path, typer.Argument(help="The expert's folder.")],
    images: Annotated[list[Path], typer.Argument(help="Pictures to look at.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture, for programs.")] = False,
    explain: Annotated[bool, typer.Option("--explain/--no-explain", help="Let the expert say why.")] = True,
) -> None:
    """Ask an expert whether pictures are fake, and why.

    The probability is calibrated if `calibrate` fitted the expert, and says so. Explanations are what the
    expert writes after its verdict; they are not the cause of it.

    **Examples**

        fakeinstruct detect runs/train/expert holiday.jpg

        fakeinstruct detect runs/train/expert *.png --json
    """
    from fakeinstruct.forensics.detect import detect_all
    from fakeinstruct.forensics.expert import load_expert

    detections = detect_all(load_expert(expert), images, explain=explain)
    for detection in detections:
        print(json.dumps(asdict(detection), ensure_ascii=False) if as_json else in_words(detection))
    if any(detection.error for detection in detections):
        raise typer.Exit(ExitStatus.REJECTS)


def in_words(detection: Detection) -> str:
    """A detection as a few lines for a person."""
    if detection.error or detection.verdict is None:
        return f"{detection.image}\n  no answer: {detection.error}"
    calibrated = detection.calibrated is not None
    shown = detection.calibrated if calibrated else detection.probability
    lines = [
        detection.image,
        f"  {detection.verdict}: probability of fake {shown:.1%} ({'calibrated' if calibrated else 'not calibrated'})",
    ]
    if detection.label_mass is not None and detection.label_mass < 0.5:
        lines.append(
            f"  beware: the expert wanted to say something else ({detection.label_mass:.0%} label mass)"
        )
    if detection.explanation:
        lines.append(f"  {detection.explanation}")
    return "\n".join(lines)
