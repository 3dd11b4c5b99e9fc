"""Options that say how a detector's table is read, and what stands in the place of an answer set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        "Repeatable; it holds for every table that has the column.",
        metavar="WHAT=NAME",
        rich_help_panel=TABLE,
    ),
]


@dataclass(frozen=True)
class HowRead:
    """What was said of tables; see `open_table`."""

    scores: Literal["probability", "margin", "score"] | None
    positive: Literal["fake", "real"]
    fake_is: Literal["1", "0"] | None


def said_columns(paths: Sequence[Path], given: Sequence[str] | None) -> dict[Path, dict[str, str]]:
    """What `--column` says of each table among these; of answer sets, which are folders, nothing.

    Raises:
        UsageError: If one is not there, a column is not given as WHAT=NAME, or no table has it.
    """
    from fakeinstruct.measure.table.columns import said_of_each
    from fakeinstruct.measure.table.rows import column_names

    pairs = [each.partition("=") for each in given or ()]
    if wrong := [role for role, equals, name in pairs if not (role and equals and name)]:
        raise UsageError(
            f"'{wrong[0]}' names no column", hint="Say it as WHAT=NAME, for example score=p_fake."
        )
    for path in paths:
        if not path.exists():
            raise UsageError("no such file or folder", file=path)
    tables = {path: column_names(path) for path in paths if path.is_file()} if pairs else {}
    return said_of_each(tables, [(role, name) for role, _, name in pairs])


def open_detector(
    path: Path,
    how: HowRead,
    columns: Mapping[Path, Mapping[str, str]],
    chains: ChainSet | None,
    image_root: Path | None,
    rejects: Rejects,
) -> AnswerSet:
    """An answer set, which is a folder, or a detector's table, which is a file.

    Args:
        path: Either.
        how: What was said of tables.
        columns: What was said of columns, by table, see `said_columns`.
        chains: Chains of the images.
        image_root: Where the images lie.
        rejects: Collects rows that cannot be used.

    Raises:
        UsageError: If it is neither.
    """
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.table.detector_table import open_table

    if not path.is_file():
        return open_answers(path)
    return open_table(
        path,
        how.scores,
        positive=how.positive,
        fake_is=how.fake_is,
        columns=columns.get(path),
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
