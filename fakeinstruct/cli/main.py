"""The command line: every verb, and the one place where an error becomes a message and an exit status."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from fakeinstruct import __version__
from fakeinstruct.base.errors import FakeInstructError, from_os_error
from fakeinstruct.cli import (
    ask,
    audit,
    calibrate,
    card,
    compare,
    demo,
    detect,
    doctor,
    evaluate,
    expand,
    export,
    import_chains,
    lint,
    measure,
    merge,
    pairs,
    preview,
    reencode,
    sample,
    schema,
    score,
    train,
    validate,
)

app = typer.Typer(
    name="fakeinstruct",
    help="Explainable detection of AI-generated images: chains -> pairs -> expert -> answers -> figures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fakeinstruct {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and stop.")
    ] = False,
) -> None:
    """See `fakeinstruct VERB --help` for a verb's options and examples.

    Exit status: 0 clean, 1 no result, 2 wrong usage, 3 complete with rejected records.
    """


app.command("demo")(demo.demo)
app.command("sample")(sample.sample)
app.command("import")(import_chains.import_chains)
app.command("merge")(merge.merge)
app.command("validate")(validate.validate)
app.command("audit")(audit.audit)
app.command("reencode")(reencode.reencode)
app.command("lint")(lint.lint)
app.command("preview")(preview.preview)
app.command("expand")(expand.expand)
app.command("pairs")(pairs.pairs)
app.command("export")(export.export)
app.command("card")(card.card)
app.command("train")(train.train)
app.command("score")(score.score)
app.command("detect")(detect.detect)
app.command("ask")(ask.ask)
app.command("calibrate")(calibrate.calibrate)
app.command("measure")(measure.measure)
app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


def run() -> None:
    """Entry point: run the verb; a problem of the user's is one message, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal's encoding lacks
    try:
        app()
    except FakeInstructError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.status)
    except OSError as error:  # a file that no library function guards: the disk is full, no permission
        print(f"error: {from_os_error(error, error.filename or 'a file')}", file=sys.stderr)
        sys.exit(FakeInstructError.status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
