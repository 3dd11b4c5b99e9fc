"""Options that say how a detector's table is read, and what stands in the place of an answer set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fakeinstruct.base.errors import Rejects, UsageError

if TYPE_CHECKING:
    from fakeinstruct.chains.store import ChainSet
    from fakeinstruct.forensics.answers import AnswerSet

TABLE = "How a table is read"

Scores = Annotated[
    Literal["probability", "margin", "score"] | None,
    typer.Option(
        "--scores",
        help="What a table's scores are: probability (0 to 1), margin (its logit) or score (only the order counts).",
        rich_help_panel=TABLE,
    ),
]
Positive = Annotated[
    Literal["fake", "real"],
    typer.Option("--positive", help="What a high score of a table means.", rich_help_panel=TABLE),
]
FakeIs = Annotated[
    Literal["1", "0"] | None,
    typer.Option(
        "--fake-is",
        help="Which bare number in a table's label column is a fake; never guessed.",
        rich_help_panel=TABLE,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="Which column holds what, as score=p: id, score, label, generator, group, split, condition, prompt. "
        "Repeatable.",
        metavar="WHAT=NAME",
        rich_help_panel=TABLE,
    ),
]


def open_detector(
    path: Path,
    scores: Literal["probability", "margin", "score"] | None,
    positive: Literal["fake", "real"],
    fake_is: Literal["1", "0"] | None,
    columns: Sequence[str] | None,
    chains: ChainSet | None,
    image_root: Path | None,
    rejects: Rejects,
) -> AnswerSet:
    """An answer set, which is a folder, or a detector's table, which is a file.

    Raises:
        UsageError: If it is not there or neither, or a column is not given as WHAT=NAME.
    """
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.table.detector_table import open_table

    if not path.exists():
        raise UsageError("no such file or folder", file=path)
    if not path.is_file():
        return open_answers(path)
    pairs = [each.partition("=") for each in columns or ()]
    if wrong := [role for role, equals, name in pairs if not (role and equals and name)]:
        raise UsageError(
            f"'{wrong[0]}' names no column", hint="Say it as WHAT=NAME, for example score=p_fake."
        )
    return open_table(
        path,
        scores,
        positive=positive,
        fake_is=fake_is,
        columns={role: name for role, _, name in pairs},
        chains=chains,
        image_root=image_root,
        rejects=rejects,
    )


def print_table(said: dict[str, Any]) -> None:
    """Say what a table was read as, and what to know of it."""
    from rich.console import Console

    from fakeinstruct.base.errors import printable
    from fakeinstruct.cli.figures import WIDTH
    from fakeinstruct.measure.table.said import rows_line

    terminal = Console(markup=False, highlight=False)
    console = terminal if terminal.is_terminal else Console(width=WIDTH, markup=False, highlight=False)
    read = ", ".join(f"{what} = {name}" for what, name in said["columns"].items())
    console.print(printable(f"{said['file']}: {read}; scores: {said['scores']}, high for {said['positive']}"))
    for remark in (rows_line(said), *said["remarks"]):
        console.print(printable(f"{said['file']}: {remark}"))
