"""`fakeinstruct compare`: two detectors on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fakeinstruct.cli.common import ImageRoot, Out, Seed, close
from fakeinstruct.cli.detectors import TABLE, Columns, FakeIs, Positive, Scores

EITHER = "An answer set, or a table of any detector's scores (.csv, .tsv, .jsonl, .parquet)."


def compare(
    a: Annotated[Path, typer.Argument(help=EITHER, metavar="A")],
    b: Annotated[Path, typer.Argument(help="The other.", metavar="B")],
    out: Out,
    chains: Annotated[
        Path | None,
        typer.Option(
            "--chains", help="Chain set of the images: to find the images of a table, and pictures."
        ),
    ] = None,
    seed: Seed = 0,
    image_root: ImageRoot = None,
    scores: Scores = None,
    positive: Positive = "fake",
    fake_is: FakeIs = None,
    column: Columns = None,
    scores_b: Annotated[
        Literal["probability", "margin", "score"] | None,
        typer.Option("--scores-b", help="What B's scores are, if not what A's are.", rich_help_panel=TABLE),
    ] = None,
    positive_b: Annotated[
        Literal["fake", "real"] | None,
        typer.Option(
            "--positive-b",
            help="What a high score of B means, if not what it means of A.",
            rich_help_panel=TABLE,
        ),
    ] = None,
    fake_is_b: Annotated[
        Literal["1", "0"] | None,
        typer.Option(
            "--fake-is-b",
            help="Which bare number in B's label column is a fake, if not the one in A's.",
            rich_help_panel=TABLE,
        ),
    ] = None,
) -> None:
    """Compare two detectors on the images that both scored: `compare.html`, `compare.md`, `compare.json`.

    A paired DeLong test of the AUC, clustered by source; paired bootstrap intervals of accuracy, Brier score, log loss
    and calibration error; by generator and condition; and the images on which they differ most. What is said of tables
    holds for both, unless an option that ends in -b says otherwise of B.

    **Examples**

        fakeinstruct compare runs/seed0/answers runs/seed1/answers --out runs/compare

        fakeinstruct compare runs/answers theirs.csv --out runs/compare --chains runs/chains --scores probability

        fakeinstruct compare ours.csv theirs.csv --out runs/compare --scores probability --scores-b margin --fake-is-b 1
    """
    from fakeinstruct.base.errors import Rejects
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.cli.detectors import HowRead, open_detector, print_table, said_columns
    from fakeinstruct.measure.comparison.run import compare as run
    from fakeinstruct.measure.out_folder import COMPARISON, check_out

    check_out(out, COMPARISON)
    rejects = Rejects()
    known = None if chains is None else open_chains(chains, image_root=image_root)
    columns = said_columns((a, b), column)
    of_a = HowRead(scores, positive, fake_is)
    of_b = HowRead(scores_b or scores, positive_b or positive, fake_is_b or fake_is)
    one, other = (
        open_detector(path, how, columns, known, image_root, rejects) for path, how in ((a, of_a), (b, of_b))
    )
    figures = run(one, other, out, chains=known, image_root=image_root, seed=seed)
    for side in ("a", "b"):
        if table := figures["provenance"][side]["table"]:
            print_table(table)
    _print(figures, out)
    close(rejects, out)


def _print(figures: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from fakeinstruct.base.errors import printable
    from fakeinstruct.base.page import number
    from fakeinstruct.cli.figures import WIDTH
    from fakeinstruct.measure.comparison.files import missing, p_value, signed, table_rows
    from fakeinstruct.measure.report.head import by_generator

    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    overall, sides = figures["overall"], figures["provenance"]
    counts = f"{overall['n']:,} test images ({overall['n_fake']:,} fake, {overall['n_real']:,} real)"
    table = Table("figure", title=counts, title_justify="left", box=None, pad_edge=False)
    for name in ("A", "B", "A less B", "95 % interval", "p"):
        table.add_column(name, justify="right")
    plain = table_rows(overall)
    rows = [(row["name"], row) for row in plain if (row["a"], row["b"]) != (None, None)]
    rows += [
        (f"AUC, {name}", {**row["auc"], "p": row["auc"]["p_holm"]})
        for part in (by_generator(figures), figures["per_condition"])
        for name, row in part.items()
    ]
    for name, row in rows:
        ends = "–" if row["low"] is None else f"{signed(row['low'])} to {signed(row['high'])}"
        cells = (number(row["a"]), number(row["b"]), signed(row["difference"]), ends, p_value(row["p"]))
        table.add_row(escape(printable(name)), *cells)
    for name in "AB":
        console.print(printable(f"{name}: {sides[name.lower()]['expert']}"), markup=False, highlight=False)
    console.print(table)
    left = [sides[side]["left_out"] for side in "ab"]
    if any(left):
        console.print(f"left out, scored by one alone: {left[0]:,} of A, {left[1]:,} of B", highlight=False)
    if by_generator(figures) or figures["per_condition"]:
        print("p of generators and of conditions: adjusted for their number (Holm)")
    absent = [f"missing: {'; '.join(names)} ({reason})" for reason, names in missing(plain).items()]
    for remark in (*absent, *figures["remarks"]):
        console.print(printable(remark), markup=False, highlight=False)
    console.print(f"page: {out / 'compare.html'}", markup=False, highlight=False, soft_wrap=True)
