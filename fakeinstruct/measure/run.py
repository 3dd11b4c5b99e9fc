"""From answer sets to figures and their report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import sha256_file
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expert.card import Aggregation
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.beside import CACHE, Company
from fakeinstruct.measure.calibrate import fitted_file, stored_readouts
from fakeinstruct.measure.choices import choice_figures
from fakeinstruct.measure.figure import rounded
from fakeinstruct.measure.figures import detector_figures
from fakeinstruct.measure.fitting import Fit, aggregations, apply, asked_readouts, choose, fit, stored_fit
from fakeinstruct.measure.interventions import intervention_figures
from fakeinstruct.measure.joining import is_clean, join_prompts
from fakeinstruct.measure.judge.run import Judge
from fakeinstruct.measure.low_mass import low_mass
from fakeinstruct.measure.pair_verdicts import pair_figures
from fakeinstruct.measure.prior import PriorMargins, prior_figures, prior_margins, subtract
from fakeinstruct.measure.prompts import prompt_figures
from fakeinstruct.measure.reading import Answers, read_answers
from fakeinstruct.measure.report.files import write_report
from fakeinstruct.measure.report.gallery import Pictures, cited_regions, named_boxes, surest_mistakes
from fakeinstruct.measure.report.page import Material
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.seeds import seed_figures, seed_runs
from fakeinstruct.measure.table.detector_table import DetectorTable
from fakeinstruct.measure.words.similarity import Encoder
from fakeinstruct.measure.written import JUDGED, Readers, written_figures

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "pyarrow", "torch")
"""Packages whose version can change a figure or a drawing."""


def measure(
    answers: Sequence[AnswerSet],
    out: str | Path,
    *,
    chains: ChainSet | None = None,
    baselines: Sequence[str] = (),
    beside: Mapping[str, AnswerSet] | None = None,
    expert: str | Path | None = None,
    aggregation: Aggregation | None = None,
    subtract_prior: bool = False,
    calibration: str | Path | None = None,
    seed: int = 0,
    protocol: Mapping[str, Any] | None = None,
    encoder: Encoder | None = None,
    judge: Judge | None = None,
    rejects: Rejects | None = None,
) -> dict[str, Any]:
    """Compute the figures of one expert's answers and write `figures.json`, `figures.md` and `report.html`.

    Figures are of the test split (an image without a split counts as test) and of clean images; the
    validation split, if it was answered, gives scale, bias and threshold. The same answers, chains and seed
    give the same bytes.

    Args:
        answers: Answer sets of one expert: verdicts and multiple-choice answers, in any division.
        out: Folder to write to.
        chains: The chain set that was asked about: baselines train on it, and its image root finds pictures.
        baselines: Baselines to train and measure beside the expert, see `beside.BASELINES`.
        beside: Answer sets of other experts, or tables of detectors, to measure on the same images, by the name
            they are to have.
        expert: Folder of the expert that answered, for the baseline `probe`; by default where the answers say.
        aggregation: Compute margins anew from the stored logits by this, without the model.
        subtract_prior: Also give the figures of margins less what the same prompt has on pictures that show nothing.
        calibration: Folder of the expert, or file of the protocol, whose stored scale and bias are applied; by
            default those that the validation answers give, else those that the readouts had when they were asked.
        seed: Seed of the baselines, the consistency bands and the bootstrap.
        protocol: What a protocol adds, see `evaluate`; the report shows it as `protocol` of the figures.
        encoder: Compares the meaning of texts with that of annotators' words.
        judge: Marks texts beside annotators' words; its replies are kept in `out`, and nothing is asked twice.
        rejects: Collects chains and images that cannot be read. Without it the first is raised.

    Returns:
        The contents of `figures.json`.

    Raises:
        UsageError: If a baseline is asked for without chains, or cannot be trained on them; if there is no prior
            to subtract, no stored calibration, or the aggregation cannot be had; if there is an encoder or a judge,
            and no chains.
        FakeInstructError: If the answers are not those of one expert, the folder cannot be written, or the judge does
            not answer.
    """
    everything = read_answers(answers, aggregation)
    out = Path(out)
    company = Company(
        baselines, beside, chains, None if expert is None else Path(expert), out / CACHE, seed, rejects
    )
    company.check(answers)
    readers = Readers(encoder, judge, out / JUDGED)
    readers.check(chains)
    # first: a judge that does not answer shall not be found out after an hour of training baselines
    written = written_figures(answers, chains, seed=seed, readers=readers, rejects=rejects)
    fitted = _fitted(everything, answers, aggregation, calibration)
    read = everything.without(fitted.items()) if fitted.items() else everything
    scores = apply(fitted, read.scores, read.by_prompt)
    test = _clean(scores, "test")
    prior = prior_margins(read.prior)
    figures = expert_figures(read, scores, fitted, prior, seed)
    figures["prior_subtracted"] = _prior_subtracted(read, prior, seed) if subtract_prior else {}

    figures |= written
    others, figures["baselines"] = company.figures(answers, scores)
    runs = seed_runs(answers[0], beside or {})
    figures["seeds"] = seed_figures({"expert": figures, **figures["baselines"]}, runs)
    if protocol:
        figures["protocol"] = dict(protocol)
    figures["provenance"] = _provenance(answers, read, fitted, chains, seed) | {
        "aggregation": aggregation or answers[0].meta.aggregation,
        "aggregated_anew": aggregation is not None,
        "left_out": len(_clean(everything.scores, "test")) - len(test),
    }
    pictures = _pictures(answers, read, test, chains)
    write_report(figures, Material(test, others, fitted.source is not None, pictures, seed), out)
    return figures


def expert_figures(
    read: Answers, scores: Scores, fitted: Fit, prior: PriorMargins, seed: int
) -> dict[str, Any]:
    """All figures of an expert's answers but those beside which others stand.

    Args:
        read: The answers.
        scores: Their scores, with calibrated margins if there are any.
        fitted: What gave them, and the threshold.
        prior: Margins of pictures that show nothing.
        seed: Seed of the consistency bands and the bootstrap.
    """
    figures = detector_figures(scores, fitted, seed)
    for split, row in figures["overall"].items():
        row["skipped"] = read.skipped_of("verdict", split)
        row["no_verdict"] = _no_verdict(row, read.speechless[split, "clean"])
    for condition, row in figures["per_condition"].items():
        row["no_verdict"] = _no_verdict(row, read.speechless["test", condition])
    choices = [row for row in read.choices if (row["split"] or "test") == "test" and is_clean(row)]
    figures["choices"] = {**choice_figures(choices), "skipped": read.skipped_of("choice", "test")}
    figures["pair_verdicts"] = pair_figures(read.pairs)
    figures["prompts"] = prompt_figures(read.by_prompt, prior, seed)
    figures["low_mass"] = low_mass(read.by_prompt)
    figures["prior"] = prior_figures(prior)
    figures["interventions"] = intervention_figures(read.interventions, read.by_prompt, seed)
    return figures


def _no_verdict(row: dict[str, Any], images: int) -> dict[str, Any]:
    """How many images got nothing but texts without a verdict, and the accuracy that takes them for wrong."""
    known = row["accuracy_half"] or 0.0
    total = row["n"] + images
    return {"n": images, "accuracy_half": rounded(known * row["n"] / total) if total else None}


def _clean(scores: Scores, split: str) -> Scores:
    """The scores of a split's unprocessed images."""
    return scores.where((scores.condition == "clean") & (scores.split == split))


def _fitted(
    read: Answers, answers: Sequence[AnswerSet], aggregation: Aggregation | None, expert: str | Path | None
) -> Fit:
    """The fit that calibrated figures rest on.

    Raises:
        UsageError: If the expert that was named has none, or is another than the one that answered.
    """
    own = fit(_clean(read.scores, "validation"), table=isinstance(answers[0], DetectorTable))
    used = aggregations(read.by_prompt, answers, aggregation)
    if expert is None:
        return choose(own, stored_fit(read.by_prompt, asked_readouts(answers), used))
    stored = stored_fit(read.by_prompt, stored_readouts(expert, answers[0], read.by_prompt), used)
    if stored.source is None:
        raise UsageError(stored.reason, file=fitted_file(expert))
    return replace(stored, threshold=own.threshold)


def _origin(answers: AnswerSet) -> dict[str, Any]:
    """Where answers come from, and how they were asked; of a table nobody here asked anything."""
    unknown = {"protocol", "readouts", "aggregation"} if isinstance(answers, DetectorTable) else None
    return answers.meta.model_dump(mode="json", exclude=unknown)


def _prior_subtracted(read: Answers, prior: PriorMargins, seed: int) -> dict[str, Any]:
    """The figures of margins less their prompt's prior, with a fit of their own on validation."""
    by_prompt = subtract(read.by_prompt, prior)
    scores = join_prompts(by_prompt)
    fitted = fit(_clean(scores, "validation"))
    return {**detector_figures(apply(fitted, scores, by_prompt), fitted, seed), "fit": fitted.json()}


def _pictures(answers: Sequence[AnswerSet], read: Answers, test: Scores, chains: ChainSet | None) -> Pictures:
    """What is known of the pictures that the page shows."""
    shown = {str(test.image[index]) for indices in surest_mistakes(test).values() for index in indices}
    root = _image_root(answers, chains)
    return Pictures(root, read.paths, read.texts, named_boxes(answers, shown), cited_regions(chains, shown))


def _image_root(answers: Sequence[AnswerSet], chains: ChainSet | None) -> Path | None:
    """Where the pictures lie: as the chain set says, or the answers, relative to them or to here."""
    if chains is not None:
        return chains.image_root
    root = answers[0].meta.image_root
    if root is None:
        return None
    beside = answers[0].folder / root
    return beside if beside.is_dir() else Path(root)


def _provenance(
    answers: Sequence[AnswerSet], read: Answers, fitted: Fit, chains: ChainSet | None, seed: int
) -> dict[str, Any]:
    """What the figures rest on; nothing of it changes from run to run."""
    return {
        "python": platform.python_version(),
        "packages": versions(*PACKAGES),
        "seed": seed,
        "positive_class": "fake",
        "probability": "sigmoid(margin) unfitted; sigmoid(scale * margin + bias) calibrated",
        "fit": fitted.json(),
        "prompts": dict(sorted(read.prompts.items())),
        "images": len(read.scores),
        "lacking_a_prompt": read.lacking,
        "without_split": read.unsplit,
        "skipped": {
            kind: {
                split: read.skipped_of(kind, split)
                for split in sorted({s for k, s, _ in read.skipped if k == kind})
            }
            for kind in sorted({kind for kind, _, _ in read.skipped})
        },
        "answers": [_origin(each) for each in answers],
        "tables": [each.said for each in answers if isinstance(each, DetectorTable)],
        "chains_sha256": None if chains is None else sha256_file(chains.file),
    }
