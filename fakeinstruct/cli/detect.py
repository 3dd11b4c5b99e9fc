"""`fakeinstruct detect`: pictures -> probability, verdict and explanation."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import ExitStatus, printable

if TYPE_CHECKING:
    from fakeinstruct.forensics.detect import Detection
    from fakeinstruct.forensics.expert import Expert


def detect(
    expert: Annotated[str, typer.Argument(help="An expert's folder, or any vision-language model.")],
    images: Annotated[list[Path], typer.Argument(help="Pictures to look at, or folders of them.")],
    readout: Annotated[
        str | None, typer.Option("--readout", help="Readout to ask with, if not the first.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="How to ask: a protocol's name or file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture, for programs.")] = False,
    explain: Annotated[bool, typer.Option("--explain/--no-explain", help="Let the expert say why.")] = True,
) -> None:
    """Ask an expert whether pictures are fake, and why.

    The zero-shot probability comes first; the calibrated one, if `calibrate` fitted the expert, is named as such.
    Explanations are what the expert writes after its verdict; they are not the cause of it.

    **Examples**

        fakeinstruct detect runs/train/expert holiday.jpg

        fakeinstruct detect runs/train/expert pictures/ --json

        fakeinstruct detect path/to/any-model holiday.jpg --protocol zero-shot
    """
    from fakeinstruct.forensics.detect import detections
    from fakeinstruct.forensics.expert import load_expert
    from fakeinstruct.forensics.pictures import picture_files
    from fakeinstruct.forensics.protocol import load_protocol

    how = load_protocol(protocol, readout=readout)
    files = picture_files(images)
    loaded = load_expert(expert)
    one = len(files) == 1 and not as_json
    failed = 0
    for detection in detections(loaded, files, explain=explain and not one, protocol=how):
        failed += detection.error is not None
        text = json.dumps(asdict(detection), ensure_ascii=False) if as_json else in_words(detection)
        print(text, file=sys.stderr if detection.error and not as_json else sys.stdout, flush=True)
        if one and explain and detection.verdict and detection.rationale is None:
            explain_aloud(loaded, files[0])
    if failed:
        raise typer.Exit(ExitStatus.NO_RESULT if failed == len(files) else ExitStatus.REJECTS)


def explain_aloud(expert: Expert, picture: Path) -> None:
    """Show an explanation while it is written, if the expert learned to explain."""
    from fakeinstruct.forensics.ask import ask

    if expert.card.explanation_prompts:
        print("  ", end="")
        ask(expert, picture, show_piece=lambda piece: print(indented(piece), end="", flush=True))
        print()


def in_words(detection: Detection) -> str:
    """A detection as a few lines for a person."""
    from fakeinstruct.forensics.probability import MASS_FLOOR

    name = printable(detection.image)
    if detection.verdict is None:
        return f"{name}\n  no answer: {detection.error}"
    lines = [
        name,
        f"  {detection.verdict}: probability of fake {detection.probability:.1%} ({how_read(detection)})",
    ]
    if detection.calibrated is not None:
        lines.append(f"  calibrated on {detection.fitted_on}: {detection.calibrated:.1%}")
    if detection.label_mass is not None and detection.label_mass < MASS_FLOOR:
        lines.append(
            f"  beware: the expert wanted to say something else ({detection.label_mass:.0%} label mass)"
        )
    if detection.note:
        lines.append(f"  note: {detection.note}")
    lines += [f"  {indented(text)}" for text in (detection.rationale, detection.explanation) if text]
    return "\n".join(lines)


def how_read(detection: Detection) -> str:
    """That nothing was fitted, and where the verdict was read if it was not the answer's first token."""
    if detection.position != "scan":
        return "zero-shot"
    mean = f", mean of {detection.samples} rationales" if detection.samples > 1 else ""
    return f"zero-shot, read after its reasoning{mean}"


def indented(text: str) -> str:
    """What an expert wrote, safe for a terminal, its lines below one another."""
    return printable(text, keep="\n").replace("\n", "\n  ")
