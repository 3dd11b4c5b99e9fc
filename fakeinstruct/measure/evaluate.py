"""Evaluating: asking, fitting on validation and measuring by a protocol, as one resumable run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import sha256_file, write_json
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.protocol import (
    Evaluation,
    Protocol,
    chosen_readouts,
    load_protocol,
    prompts_sha256,
)
from fakeinstruct.forensics.score import score
from fakeinstruct.forensics.server import Server
from fakeinstruct.measure.baselines import TRAINERS
from fakeinstruct.measure.boxes import box_figures
from fakeinstruct.measure.evaluations.contents import Contents, content_figures
from fakeinstruct.measure.evaluations.leaks import leaks
from fakeinstruct.measure.evaluations.needs import Given, check_needs
from fakeinstruct.measure.evaluations.own_reals import mapped_reals
from fakeinstruct.measure.evaluations.submission import write_fakebench
from fakeinstruct.measure.fitting import Fit, aggregations, apply, choose, fit, stored_fit
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.run import measure
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.words import word_figures

CALIBRATION = "calibration.json"
"""Scale, bias and threshold that the protocol fitted on validation answers; the expert's folder is not touched."""

FOREIGN = "zero-shot"
"""The protocol whose prompts are asked of a model that learned none."""


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        evaluation: The protocol.
        asking: How it asks, with no more prompts than there are.
        readouts: What is asked and read.
        sha256: Hash of the prompts.
        baselines: Baselines that can be trained on the items.
        remarks: What a person should know before: prompts and baselines that cannot be had.
    """

    evaluation: Evaluation
    asking: Protocol
    readouts: tuple[Readout, ...]
    sha256: str
    baselines: tuple[str, ...]
    remarks: tuple[str, ...]


def make_plan(expert: Expert | Server, evaluation: Evaluation, given: Sequence[Given]) -> Plan:
    """Decide what is asked and measured.

    Args:
        expert: Whom to ask.
        evaluation: The protocol.
        given: What it is evaluated on.

    Raises:
        UsageError: If the items are not what the protocol is about, or the prompts not those that it pins.
    """
    check_needs(evaluation, given)
    remarks: list[str] = []
    asking, readouts = evaluation.asking(), expert.card.readouts
    if not (asking.readouts or readouts):
        foreign = load_protocol(FOREIGN)
        how = {"readouts": foreign.readouts, "prompts": foreign.prompts, "held_out": foreign.held_out}
        asking = asking.model_copy(update=how)
        remarks.append(f"the expert learned no prompt of its own: it is asked those of '{FOREIGN}'")
    asking, fewer = as_many_as_there_are(asking, readouts)
    remarks += fewer
    chosen = chosen_readouts(readouts, asking)
    found = prompts_sha256(asking.readouts or chosen, asking.open)
    if evaluation.prompts_sha256 not in (None, found):
        raise UsageError(
            f"the prompts are not those that protocol '{evaluation.name}' pins ({evaluation.prompts_sha256}): "
            f"theirs is {found}",
            field="prompts_sha256",
            hint="Figures by other prompts are of another protocol: give it another name, and this hash.",
        )
    if asking.explain and not expert.card.explanation_prompts:
        asking = asking.model_copy(update={"explain": False})
        remarks.append("it explains nothing: it learned no question that asks for reasons")
    baselines, without = trainable(evaluation.measure.baselines, given, has_tower=isinstance(expert, Expert))
    return Plan(evaluation, asking, chosen, found, baselines, (*remarks, *without))


def as_many_as_there_are(asking: Protocol, own: Sequence[Readout]) -> tuple[Protocol, list[str]]:
    """The protocol with no more prompts, and no more held out, than there are; and what to say of it."""
    known = asking.readouts or tuple(own)
    learned = [each for each in known if each.trained]
    unseen = len(known) - len(learned) if learned else 0
    held_out = min(asking.held_out, unseen)
    prompts = min(asking.prompts - asking.held_out, len(known) - unseen) + held_out
    if (prompts, held_out) == (asking.prompts, asking.held_out):
        return asking, []
    fewer = asking.model_copy(update={"prompts": prompts, "held_out": held_out})
    return fewer, [
        f"{prompts} prompts are asked, {held_out} of them never trained on; the protocol would ask {asking.prompts}, "
        f"{asking.held_out} of them never trained on"
    ]


def trainable(
    baselines: Sequence[str], given: Sequence[Given], *, has_tower: bool
) -> tuple[tuple[str, ...], list[str]]:
    """The baselines that can be trained on the items, and why others cannot.

    Args:
        baselines: Those that the protocol names.
        given: The items.
        has_tower: Whether the expert's vision tower is at hand, for `probe`.
    """
    if "probe" in baselines and not has_tower:
        kept, said = trainable([name for name in baselines if name != "probe"], given, has_tower=True)
        return kept, ["no baseline probe: a server's vision tower is not at hand", *said]
    labels = {chain.label for chain in given[0].of(Split.TRAIN)} if len(given) == 1 else set()
    if len(labels) == len(Label):
        return tuple(baselines), []
    reason = (
        "the items have no train split with both labels"
        if len(given) == 1
        else "there are several sets of items"
    )
    without = [name for name in baselines if name in TRAINERS]
    kept = tuple(name for name in baselines if name not in TRAINERS)
    return kept, [f"no baseline {', '.join(without)}: {reason}"] if without else []


def evaluate(
    expert: Expert | Server,
    evaluation: Evaluation,
    given: Sequence[Given],
    out: str | Path,
    *,
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
    answers = []
    unanswered, unread = Rejects(rejects.share), Rejects(rejects.share)  # of one limit each
    for folder, each in zip(folders(out, len(given)), given, strict=True):
        answers.append(score(expert, each.set, folder, plan.asking, batch=batch, rejects=unanswered))
    found = added_figures(plan, given, answers, seed) | {"expert": _expert(expert, given)}
    if evaluation.measure.submission:
        found["submission"] = _submit(answers, out)
    figures = measure(
        answers,
        out,
        chains=given[0].set if len(given) == 1 else None,
        baselines=plan.baselines,
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


def added_figures(
    plan: Plan, given: Sequence[Given], answers: Sequence[AnswerSet], seed: int
) -> dict[str, Any]:
    """What a protocol adds to the figures of any answers: `protocol` of `figures.json`.

    Args:
        plan: What was asked.
        given: What it was asked about.
        answers: The answers, a set for each.
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
    if isinstance(how.reals, dict):
        test = scores.where((scores.split == "test") & (scores.condition == "clean"))
        found["mapped_reals"] = mapped_reals(test, how.reals)
    if plan.asking.open:
        found["open"] = {
            str(each.set.folder): _open_figures(own, each.set, seed)
            for each, own in zip(given, answers, strict=True)
        }
    return found


def _open_figures(answers: AnswerSet, chains: ChainSet, seed: int) -> dict[str, Any]:
    """Figures of the answers to a benchmark's open questions, beside annotators' words and regions."""
    rows = [row | {"kind": "verdict"} for row in answers.table().to_pylist() if row["kind"] == "open"]
    listed = Rejects(1.0)  # bad chains were listed when the set was asked about
    return {
        "words": word_figures(rows, chains, seed=seed, rejects=listed),
        "boxes": box_figures(rows, chains, seed=seed, rejects=listed),
    }


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
        [readout for each in answers for readout in each.meta.readouts],
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
