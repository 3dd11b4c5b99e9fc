"""An evaluation in the terminal: what it would do, and what stands beside its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import Rejects, printable

if TYPE_CHECKING:
    from fakeinstruct.forensics.answers import AnswerSet
    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.forensics.protocol import Evaluation
    from fakeinstruct.forensics.server import Server
    from fakeinstruct.measure.evaluations.needs import Given


def plan_lines(
    expert: Expert | Server,
    evaluation: Evaluation,
    given: Sequence[Given],
    out: Path,
    rejects: Rejects,
    *,
    beside: Mapping[str, AnswerSet],
    batch: int | None,
) -> Iterator[str]:
    """What a run would ask and measure, in lines; nothing is asked and nothing written.

    Raises:
        UsageError: If the items are not what the protocol is about, the prompts not those that it pins, `out` holds
            another run's answers, or what is to stand beside cannot.
    """
    from fakeinstruct.forensics.dry_run import dry_run
    from fakeinstruct.measure.evaluate import check_answers, check_beside
    from fakeinstruct.measure.evaluations.fits import warnings
    from fakeinstruct.measure.evaluations.outlook import outlook
    from fakeinstruct.measure.evaluations.plan import make_plan

    plan = make_plan(expert, evaluation, given)
    stands = check_answers(expert, plan, given, out)
    check_beside(beside, plan, given)
    how = evaluation.measure
    yield f"protocol    {evaluation.name}{f': {how.about}' if how.about else ''}"
    yield f"prompts     sha256 {plan.sha256}{', as pinned' if evaluation.prompts_sha256 else ''}"
    yield from (f"beware      {remark}" for remark in (*plan.remarks, *warnings(evaluation, given)))
    for each in given:
        yield from dry_run(expert, each.set, plan.asking, rejects, batch=batch)
    yield from outlook(expert, plan, given)
    yield f"written to  {out}{f', where {stands:,} questions are answered already' if stands else ''}"


def print_evaluation(figures: dict[str, Any], out: Path) -> None:
    """Print the figures, what the protocol adds to them, and the paths.

    Args:
        figures: The contents of `figures.json`.
        out: Where it was written to.
    """
    from fakeinstruct.cli.detectors import print_table
    from fakeinstruct.cli.figures import print_figures, print_tables
    from fakeinstruct.measure.evaluations.tables import protocol_tables
    from fakeinstruct.measure.report.head import read_tables

    for table in read_tables(figures):
        print_table(table)
    console = print_tables([*protocol_tables(figures).values()])
    for line in lines(figures["protocol"], out):
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    print_figures(figures, out)


def lines(evaluation: dict[str, Any], out: Path) -> Iterator[str]:
    """What a protocol adds to the figures, in lines.

    Args:
        evaluation: `protocol` of the figures.
        out: Where they were written to.
    """
    yield f"protocol {evaluation['protocol']['name']}, prompts sha256 {evaluation['prompts_sha256']}"
    for remark in evaluation["remarks"]:
        yield f"beware: {remark}"
    if "by_content" in evaluation and not evaluation["expert"]["trained_on_these_chains"]:
        yield "beware: the expert was not trained on these chains, so what it saw of their content is not known"
    for folder, rows in evaluation["leaks"].items():
        reasons = dict.fromkeys(row["unavailable"]["auc"] for row in rows.values() if row["auc"] is None)
        yield from (f"what files alone tell of {folder} lacks figures: {reason}" for reason in reasons)
    for name, file in evaluation.get("submission", {}).items():
        lacking = f", {file['lacking']:,} answers lacking" if file["lacking"] else ""
        yield f"to submit: {out / 'submission' / name}, {file['images']:,} images{lacking}"
