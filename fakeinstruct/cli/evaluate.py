"""`fakeinstruct evaluate`: an expert asked and measured by a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects, UsageError, printable
from fakeinstruct.cli.common import ImageRoot, MaxRejects, Out, Seed, close
from fakeinstruct.cli.detectors import Columns, FakeIs, Positive, Scores


def evaluate(
    expert: Annotated[str, typer.Argument(help="The expert's folder, or a server's address.")],
    protocol: Annotated[str, typer.Argument(help="A protocol's name, see above, or a YAML file.")],
    items: Annotated[
        list[Path],
        typer.Argument(help="Chain sets, measured together.", metavar="ITEMS...", show_default=False),
    ],
    out: Out,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Name that a server serves the model by, if it serves several."),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside",
            help="Another expert's answers by the same protocol, or a detector's table, to measure on the same "
            "images. Repeatable.",
            metavar="NAME=ANSWERS",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Images asked at once, if not as many as pay.", min=1)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and measured; ask nothing.")
    ] = False,
    seed: Seed = 0,
    image_root: ImageRoot = None,
    max_rejects: MaxRejects = 0.2,
    scores: Scores = None,
    positive: Positive = "fake",
    fake_is: FakeIs = None,
    column: Columns = None,
) -> None:
    """Ask an expert and measure it by a protocol: answers, figures and report in one folder.

    A run that was stopped goes on where it was; figures are computed anew each time. The expert is not changed: what a
    protocol fits on validation answers stays in the folder.

    **Protocols**

    - `detection`, `calibration`, `robustness`: any chain set with both labels
    - `generators`, `universalfakedetect`: a folder a generator, each against its own real images
    - `cifake`: with baselines, JPEG 50, and, of chains imported with `--hold-out`, a row for what was seen in
      training and one for what was held out
    - `fakebench`, `loki`, `mmfr`, `synthscars`: the benchmarks of these names
    - `zero-shot`, `yes-no`, `sentence`, `scan`: ways to ask a model that learned no prompt

    **Examples**

        fakeinstruct evaluate runs/train/expert detection runs/chains --out runs/detection

        fakeinstruct evaluate runs/train/expert robustness runs/chains --out runs/robustness --dry-run

        fakeinstruct evaluate runs/train/expert generators chains/genimage --out runs/genimage

        fakeinstruct evaluate runs/train/expert cifake chains/cifake --out runs/cifake --beside other=runs/other/answers

        fakeinstruct evaluate runs/train/expert detection runs/chains --out runs/detection --beside other=scores.csv

        fakeinstruct evaluate http://localhost:8000/v1 fakebench chains/fakebench --out runs/fakebench
    """
    # what loads PyTorch is imported last: a misspelt name is said at once
    from fakeinstruct.forensics.protocol import load_evaluation

    evaluation = load_evaluation(protocol)
    if image_root is not None and len(items) > 1:
        raise UsageError("one image root for several sets", field="image_root", hint="Name one set, or none.")
    from fakeinstruct.cli.detectors import HowRead, open_detector, said_columns
    from fakeinstruct.cli.evaluation import plan_lines, print_evaluation
    from fakeinstruct.measure.beside import named_paths
    from fakeinstruct.measure.evaluations.needs import check_needs, open_items
    from fakeinstruct.measure.out_folder import EVALUATION, check_out

    check_out(out, EVALUATION)
    rejects = Rejects(max_rejects)
    given = open_items(items, image_root, max_rejects)
    check_needs(evaluation, given)  # before a model is loaded
    paths = named_paths(beside or ())
    how, columns = HowRead(scores, positive, fake_is), said_columns([*paths.values()], column)
    known = given[0].set if len(given) == 1 else None
    others = {
        name: open_detector(path, how, columns, known, image_root, rejects) for name, path in paths.items()
    }
    from fakeinstruct.forensics.server import open_expert

    asked = open_expert(expert, model)
    from fakeinstruct.measure.evaluate import evaluate as run

    if dry_run:
        for line in plan_lines(asked, evaluation, given, out, rejects, beside=others, batch=batch):
            print(printable(line))
        close(rejects)
        return
    figures = run(asked, evaluation, given, out, beside=others, batch=batch, seed=seed, rejects=rejects)
    print_evaluation(figures, out)
    close(rejects, out)
