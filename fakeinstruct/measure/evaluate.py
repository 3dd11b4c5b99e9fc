"""Evaluating: asking, fitting on validation and measuring by a protocol, as one resumable run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import Rejects, UsageError, printable
from fakeinstruct.base.files import sha256_file, write_json
from fakeinstruct.base.progress import console
from fakeinstruct.chains.schema import Split
from fakeinstruct.forensics.answer_folder import check_same
from fakeinstruct.forensics.answers import AnswerSet, open_answers
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import Evaluation
from fakeinstruct.forensics.score import make_meta, score
from fakeinstruct.forensics.server import Server
from fakeinstruct.measure.beside import check_names, other, same_images
from fakeinstruct.measure.evaluations.contents import Contents, content_figures, learned_contents
from fakeinstruct.measure.evaluations.fits import warnings
from fakeinstruct.measure.evaluations.leaks import leaks
from fakeinstruct.measure.evaluations.needs import Given
from fakeinstruct.measure.evaluations.own_reals import mapped_reals
from fakeinstruct.measure.evaluations.plan import Plan, make_plan
from fakeinstruct.measure.evaluations.submission import write_fakebench
from fakeinstruct.measure.fitting import Fit, aggregations, apply, asked_readouts, choose, fit, stored_fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.report.head import EXPERT
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.scores import Scores

CALIBRATION = "calibration.json"
"""Scale, bias and threshold that the protocol fitted on validation answers; the expert's folder is not touched."""


def evaluate(
    expert: Expert | Server,
    evaluation: Evaluation,
    given: Sequence[Given],
    out: str | Path,
    *,
    beside: Mapping[str, AnswerSet] | None = None,
    batch: int | None = None,
    seed: int = 0,
    rejects: Rejects | None = None,
) -> dict[str, Any]:
    """Ask an expert by a protocol and measure what it says.

    A run that was killed goes on where it stopped; figures are computed anew each time. The expert's folder is not
    written to.

    Args:
        expert: Whom to ask.
        evaluation: The protocol.
        given: The chain sets, measured together.
        out: Folder for the answers (`answers`, or `answers-1` ... of several sets), figures, report, and where the
            protocol says so `calibration.json` and `submission`.
        beside: Answer sets of other experts, to measure on the same images, by the name they are to have.
        batch: Images asked at once.
        seed: Seed of baselines and intervals.
        rejects: Collects what cannot be read or asked.

    Returns:
        The contents of `figures.json`; `protocol` of it is what the protocol adds.

    Raises:
        UsageError: If the items are not what the protocol is about, the prompts not those that it pins, or `out` holds
            another run's answers.
    """
    out, rejects = Path(out), Rejects() if rejects is None else rejects
    plan = make_plan(expert, evaluation, given)
    check_answers(expert, plan, given, out)
    check_beside(beside or {}, plan, given)
    for remark in (
        *plan.remarks,
        *warnings(evaluation, given),
    ):  # before the long work, while it can be stopped
        console.print(f"beware: {printable(remark)}", markup=False, highlight=False, soft_wrap=True)
    answers = []
    unanswered, unread = Rejects(rejects.share), Rejects(rejects.share)  # of one limit each
    for folder, each in zip(folders(out, len(given)), given, strict=True):
        answers.append(score(expert, each.set, folder, plan.asking, batch=batch, rejects=unanswered))
    found = added_figures(plan, given, answers, beside or {}, seed) | {"expert": _expert(expert, given)}
    if evaluation.measure.submission:
        found["submission"] = _submit(answers, out)
    figures = measure(
        answers,
        out,
        chains=given[0].set if len(given) == 1 else None,
        baselines=plan.baselines,
        beside=beside,
        seed=seed,
        protocol=found,
        rejects=unread,
    )
    if evaluation.measure.calibrate:
        write_json(out / CALIBRATION, figures["provenance"]["fit"])
    for error in (*unanswered.errors, *unread.errors):
        rejects.add(error)
    return figures


def folders(out: Path, count: int) -> list[Path]:
    """Where the answers about each set of items go."""
    return [out / "answers"] if count == 1 else [out / f"answers-{number}" for number in range(1, count + 1)]


def check_answers(expert: Expert | Server, plan: Plan, given: Sequence[Given], out: Path) -> int:
    """See that what was answered in a folder was answered by this very run, and count it.

    Args:
        expert: Who is asked.
        plan: What.
        given: What it is asked about.
        out: The run's folder.

    Returns:
        How many answers stand there.

    Raises:
        UsageError: If answers of another run stand there: another expert's, protocol's, or to other items.
    """
    own = folders(out, len(given))
    others = [
        folder
        for folder in sorted(out.glob("answers*"))
        if folder not in own and re.fullmatch(r"answers(-\d+)?", folder.name) and folder.is_dir()
    ]
    if others:
        raise UsageError(
            f"holds answers about another number of sets than {len(given)}",
            file=others[0],
            hint="Give another --out, or remove the folder.",
        )
    count = 0
    for folder, each in zip(own, given, strict=True):
        if (folder / "meta.json").is_file():
            check_same(folder, make_meta(expert, each.set, plan.asking, plan.readouts))
            count += sum(1 for _ in open_answers(folder).answered())
    return count


def check_beside(beside: Mapping[str, AnswerSet], plan: Plan, given: Sequence[Given]) -> None:
    """See that what is to stand beside an expert can, before anything is asked.

    Raises:
        UsageError: If a name is taken, or one has none of the test images, or calls fakes real.
    """
    check_names(beside, (*plan.baselines, EXPERT))
    test = Scores.of(
        {"chain": chain.id, "label": chain.label.value, "margin": 0.0}
        for each in given
        for chain in each.of(Split.TEST)
    )
    for each in beside.values():
        same_images(read_answers([each]).scores, test, each.meta.expert)


def added_figures(
    plan: Plan,
    given: Sequence[Given],
    answers: Sequence[AnswerSet],
    beside: Mapping[str, AnswerSet],
    seed: int,
) -> dict[str, Any]:
    """What a protocol adds to the figures of any answers: `protocol` of `figures.json`.

    Args:
        plan: What was asked.
        given: What it was asked about.
        answers: The answers, a set for each.
        beside: Other experts' answers by name.
        seed: Seed of folds and intervals.
    """
    how = plan.evaluation.measure
    found: dict[str, Any] = {
        "protocol": plan.evaluation.model_dump(mode="json"),
        "prompts_sha256": plan.sha256,
        "prompts": [*(each.prompt for each in plan.readouts), *(each.prompt for each in plan.asking.open)],
        "remarks": list(plan.remarks),
        "seed": seed,
        "leaks": {str(each.set.folder): leaks(each.set, each.of(Split.TEST), seed) for each in given},
    }
    scores, fitted = fitted_scores(answers)
    if how.by_content:
        contents = Contents.read([chain for each in given for chain in each.chains])
        found["by_content"] = content_figures(scores, contents, fitted, seed)
        found["by_content_beside"] = {
            name: content_figures(theirs, learned, calibrated, seed)
            for name, each in beside.items()
            if (learned := learned_contents(each))
            for theirs, calibrated, _ in [other(each, scores)]
        }
    if isinstance(how.reals, dict):
        test = scores.where((scores.split == "test") & (scores.condition == "clean"))
        found["mapped_reals"] = mapped_reals(test, how.reals)
    return found


def _submit(answers: Sequence[AnswerSet], out: Path) -> dict[str, Any]:
    columns = ("item", "prompt", "condition", "text")
    rows = (row for each in answers for row in each.table(columns).to_pylist())
    return write_fakebench(out / "submission", rows)


def fitted_scores(answers: Sequence[AnswerSet]) -> tuple[Scores, Fit]:
    """The scores of some answers as `measure` calibrates them, and what it fitted."""
    read = read_answers(answers)
    clean = read.scores.where((read.scores.condition == "clean") & (read.scores.split == "validation"))
    stored = stored_fit(
        read.by_prompt,
        asked_readouts(answers),
        aggregations(read.by_prompt, answers),
    )
    fitted = choose(fit(clean), stored)
    read = read.without(fitted.items()) if fitted.items() else read
    return apply(fitted, read.scores, read.by_prompt), fitted


def _expert(expert: Expert | Server, given: Sequence[Given]) -> dict[str, Any]:
    """Who was asked, and whether it was trained on the very chain set: else what it saw of it is not known."""
    trained = expert.card.trained_on.get("chains_sha256")
    return {
        "folder": str(expert.folder),
        "trained_on_these_chains": any(sha256_file(each.set.file) == trained for each in given),
    }
