"""`fakeinstruct ask`: a free question about pictures -> the expert's own words."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.base.errors import ExitStatus, UsageError, printable

if TYPE_CHECKING:
    from fakeinstruct.forensics.ask import Reply


def ask(
    expert: Annotated[str, typer.Argument(help="An expert's folder, or any vision-language model.")],
    images_and_question: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... [QUESTION]",
            help="Pictures or folders of them, then the question; without one, the expert explains its verdict.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture, for programs.")] = False,
    max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", help="Where an answer is cut off; 160 by default.", min=1),
    ] = None,
) -> None:
    """Ask an expert anything about pictures; it answers in its own words.

    The last argument is the question unless it names a picture: an existing file or folder, or a name that ends as
    pictures' names do. The likeliest words are written, so that the same picture gets the same answer.

    **Examples**

        fakeinstruct ask runs/train/expert holiday.jpg "How are the edges?"

        fakeinstruct ask runs/train/expert pictures/ "Where are traces of generation?" --json
    """
    from fakeinstruct.forensics.ask import replies
    from fakeinstruct.forensics.expert import load_expert
    from fakeinstruct.forensics.pictures import picture_files
    from fakeinstruct.forensics.write import MAX_NEW_TOKENS

    paths, question = split_question(images_and_question)
    files = picture_files(paths)
    alone = len(files) == 1 and not as_json
    failed = 0
    for reply in replies(
        load_expert(expert),
        files,
        question,
        max_new_tokens=max_new_tokens or MAX_NEW_TOKENS,
        show_piece=(lambda piece: print(printable(piece, keep="\n"), end="", flush=True)) if alone else None,
    ):
        failed += reply.error is not None
        tell(reply, as_json=as_json, alone=alone)
    if failed:
        raise typer.Exit(ExitStatus.NO_RESULT if failed == len(files) else ExitStatus.REJECTS)


def split_question(words: list[str]) -> tuple[list[Path], str | None]:
    """Pictures, and the question if the last word is one.

    Raises:
        UsageError: If there is no picture.
    """
    from fakeinstruct.forensics.pictures import is_picture_name

    *most, last = words
    if last and (Path(last).exists() or is_picture_name(Path(last))):
        return [Path(word) for word in words], None
    if not most:
        raise UsageError(
            f"'{last}' is no picture",
            hint='Name a picture, then the question: fakeinstruct ask EXPERT holiday.jpg "How are the edges?"',
        )
    return [Path(word) for word in most], last


def tell(reply: Reply, *, as_json: bool, alone: bool) -> None:
    """Print a reply; of a single picture's the text was printed while it was written."""
    if as_json:
        print(json.dumps(asdict(reply), ensure_ascii=False), flush=True)
    elif reply.error is not None:
        print(f"{printable(reply.image)}\n  no answer: {reply.error}", file=sys.stderr)
    elif alone:
        print(flush=True)
    else:
        text = printable(reply.text or "", keep="\n").replace("\n", "\n  ")
        print(f"{printable(reply.image)}\n  {text}", flush=True)
