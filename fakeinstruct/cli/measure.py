"""`fakeinstruct measure`: answers to figures and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakeinstruct.base.errors import printable
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
    encoder: Annotated[
        Path | None,
        typer.Option(
            "--encoder",
            help="Folder of a sentence encoder: how near texts come in meaning to annotators' own words. Needs "
            "--chains.",
            metavar="FOLDER",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            help="Address of a language model's server (OpenAI API, key in OPENAI_API_KEY) that marks texts beside "
            "annotators' own words. Needs --chains.",
            metavar="URL",
        ),
    ] = None,
    judge_model: Annotated[
        str | None,
        typer.Option(
            "--judge-model", help="Name that the judge's server serves it by, if it serves several."
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

    A judge's replies are kept in the folder `judge` beside the figures: the same command goes on where it stopped, and
    asks nothing twice.

    **Examples**

        fakeinstruct measure runs/answers --out runs/figures

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --baseline cnn --baseline statistics

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --baseline probe --beside base=untuned

        fakeinstruct measure runs/answers --out runs/figures --subtract-prior --aggregation sum

        fakeinstruct measure target/answers --out target/figures --calibration runs/train/expert

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --judge http://localhost:8000/v1

        fakeinstruct measure runs/answers --out runs/figures --chains runs/chains --encoder models/all-MiniLM-L6-v2

        fakeinstruct measure scores.csv --out figures --scores probability --fake-is 1 --column score=p_fake
    """
    from fakeinstruct.base.errors import Rejects, UsageError
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.cli.detectors import HowRead, open_detector, print_table, said_columns
    from fakeinstruct.cli.figures import print_figures
    from fakeinstruct.measure.beside import named_paths
    from fakeinstruct.measure.judge.run import open_judge
    from fakeinstruct.measure.out_folder import REPORT, check_out
    from fakeinstruct.measure.reading import named_aggregation
    from fakeinstruct.measure.report.head import read_tables
    from fakeinstruct.measure.run import measure as run
    from fakeinstruct.measure.words.similarity import Encoder

    check_out(out, REPORT)
    if judge_model and not judge:
        raise UsageError(
            "a judge's model and no judge", field="judge_model", hint="Give --judge its address."
        )
    rejects = Rejects()
    known = None if chains is None else open_chains(chains, image_root=image_root)
    others = named_paths(beside or ())
    how, columns = HowRead(scores, positive, fake_is), said_columns([*answers, *others.values()], column)

    def opened(path: Path) -> AnswerSet:
        return open_detector(path, how, columns, known, image_root, rejects)

    figures = run(
        [opened(path) for path in answers],
        out,
        chains=known,
        baselines=baseline or (),
        beside={name: opened(path) for name, path in others.items()},
        expert=expert,
        aggregation=None if aggregation is None else named_aggregation(aggregation),
        subtract_prior=subtract_prior,
        calibration=calibration,
        encoder=None if encoder is None else Encoder(encoder),
        judge=None if judge is None else open_judge(judge, judge_model),
        seed=seed,
        rejects=rejects,
    )
    for table in read_tables(figures):
        print_table(table)
    say_judges(figures)
    print_figures(figures, out)
    close(rejects, out)


def say_judges(figures: dict[str, Any]) -> None:
    """Say who marked how many texts, and what of the replies could not be read."""
    parts = {
        "texts": figures["words"],
        **{f"answers to {name}": row for name, row in figures["open"].items()},
    }
    for what, part in parts.items():
        if judge := part.get("judge"):
            silent = judge["unparsed"]["n"]
            lacking = f"; {silent:,} of {judge['replies']:,} replies hold no marks" if silent else ""
            print(printable(f"judge {judge['model']} marked {judge['texts']:,} {what}{lacking}"))
