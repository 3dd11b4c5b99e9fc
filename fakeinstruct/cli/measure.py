"""`fakeinstruct measure`: answers to figures and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fakeinstruct.cli.common import ImageRoot, Out, Seed, close
from fakeinstruct.cli.detectors import Columns, FakeIs, Positive, Scores

if TYPE_CHECKING:
    from fakeinstruct.forensics.answers import AnswerSet


def measure(
    answers: Annotated[
        list[Path],
        typer.Argument(
            help="Answer sets of one expert, or a table of any detector's scores (.csv, .tsv, .jsonl, .parquet).",
            metavar="ANSWERS...",
        ),
    ],
    out: Out,
    chains: Annotated[
        Path | None,
        typer.Option(
            "--chains", help="Chain set that was asked about: to train baselines, to find pictures."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            help="Baseline to measure beside: cnn, statistics, metadata, probe or question. Repeatable.",
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside",
            help="Another expert's answers, the untuned base's for one, or a table, on the same images. Repeatable.",
            metavar="NAME=ANSWERS",
        ),
    ] = None,
    expert: Annotated[
        Path | None,
        typer.Option(
            "--expert",
            help="Expert whose vision tower is probed, if not where the answers say.",
            metavar="EXPERT",
        ),
    ] = None,
    aggregation: Annotated[
        str | None,
        typer.Option(
            "--aggregation",
            help="Compute margins anew from the stored logits: logsumexp, sum, mean or pair.",
        ),
    ] = None,
    subtract_prior: Annotated[
        bool,
        typer.Option(
            "--subtract-prior", help="Also give the figures less the margin on pictures that show nothing."
        ),
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Expert, or protocol of 'calibrate --out', whose stored scale and bias are applied, instead of a fit "
            "on validation answers.",
            metavar="EXPERT|PROTOCOL",
        ),
    ] = None,
    seed: Seed = 0,
    image_root: ImageRoot = None,
    scores: Scores = None,
    positive: Positive = "fake",
    fake_is: FakeIs = None,
    column: Columns = None,
) -> None:
    """Compute figures from answers: `figures.json`, and `report.html`, one page that stands on its own.

    Unfitted figures lead; the calibrated ones stand beside them, fitted on the answers of the validation split, or,
    where there are none, as the readouts had it when they were asked. A figure that cannot be given is absent with
    its reason.

    **Examples**

        fakeinstruct measure runs/answers --out runs/figures

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --baseline cnn --baseline statistics

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --baseline probe --beside base=untuned

        fakeinstruct measure runs/answers --out runs/figures --subtract-prior --aggregation sum

        fakeinstruct measure target/answers --out target/figures --calibration runs/train/expert

        fakeinstruct measure scores.csv --out figures --scores probability --fake-is 1 --column score=p_fake
    """
    from fakeinstruct.base.errors import Rejects
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.cli.detectors import open_detector, print_table
    from fakeinstruct.cli.figures import print_figures
    from fakeinstruct.measure.beside import named_paths
    from fakeinstruct.measure.out_folder import REPORT, check_out
    from fakeinstruct.measure.reading import named_aggregation
    from fakeinstruct.measure.run import measure as run

    check_out(out, REPORT)
    rejects = Rejects()
    known = None if chains is None else open_chains(chains, image_root=image_root)

    def opened(path: Path) -> AnswerSet:
        return open_detector(path, scores, positive, fake_is, column, known, image_root, rejects)

    figures = run(
        [opened(path) for path in answers],
        out,
        chains=known,
        baselines=baseline or (),
        beside={name: opened(path) for name, path in named_paths(beside or ()).items()},
        expert=expert,
        aggregation=None if aggregation is None else named_aggregation(aggregation),
        subtract_prior=subtract_prior,
        calibration=calibration,
        seed=seed,
        rejects=rejects,
    )
    for table in figures["provenance"]["tables"]:
        print_table(table)
    print_figures(figures, out)
    close(rejects, out)
