"""From answer sets to `figures.json` and `report.html`; from answers to a calibrated expert."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import atomic_write, sha256_file, write_json
from fakeinstruct.base.versions import versions
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.answers import AnswerSet
from fakeinstruct.measure.baselines import check_name, score_baseline
from fakeinstruct.measure.choices import choice_figures
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.figures import Fit, fit, slices, split_figures
from fakeinstruct.measure.report import Material, render
from fakeinstruct.measure.scores import Answers, Scores, read_answers

if TYPE_CHECKING:
    from fakeinstruct.expert.card import ExpertCard

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "pyarrow", "torch")
"""Packages whose version can change a figure or a drawing."""


def measure(
    answers: Sequence[AnswerSet],
    out: str | Path,
    *,
    chains: ChainSet | None = None,
    baselines: Sequence[str] = (),
    seed: int = 0,
    rejects: Rejects | None = None,
) -> dict[str, Any]:
    """Compute the figures of one expert's answers and write `figures.json` and `report.html`.

    Figures are of the test split (an image without a split counts as test) and of clean images; the
    validation split, if it was answered, gives scale, bias and threshold. The same answers, chains and seed
    give the same bytes.

    Args:
        answers: Answer sets of one expert: verdicts and multiple-choice answers, in any division.
        out: Folder to write to.
        chains: The chain set that was asked about: baselines train on it, and its image root finds pictures.
        baselines: Baselines to train and measure beside the expert: `cnn`, `statistics`, `metadata`.
        seed: Seed of the baselines and of the consistency bands.
        rejects: Collects chains and images that cannot be read. Without it the first is raised.

    Returns:
        The contents of `figures.json`.

    Raises:
        UsageError: If a baseline is asked for without chains, or cannot be trained on them.
        FakeInstructError: If the answers are not those of one expert, or the folder cannot be written.
    """
    wanted = _wanted(baselines, chains)
    read = read_answers(answers)
    meta = answers[0].meta
    clean = read.scores.where(read.scores.condition == "clean")
    test = clean.where(clean.split == "test")
    stored = meta.readouts[0] if len(meta.readouts) == 1 else None
    fitted = fit(
        clean.where(clean.split == "validation"),
        stored.scale if stored else None,
        stored.bias if stored else None,
    )
    figures = detector_figures(read.scores, fitted, seed)
    for split, row in figures["overall"].items():
        row["skipped"] = read.skipped_of("verdict", split)
    figures["choices"] = choice_figures([row for row in read.choices if (row["split"] or "test") == "test"])
    figures["choices"]["skipped"] = read.skipped_of("choice", "test")

    beside: dict[str, Scores] = {}
    figures["baselines"] = {}
    for name, images in wanted:
        scores = _baseline_scores(name, images, test, seed, rejects)
        of_baseline = fit(scores.where(scores.split == "validation"))
        beside[name] = scores.where(scores.split == "test")
        figures["baselines"][name] = {
            **detector_figures(scores, of_baseline, seed),
            "fit": of_baseline.json(),
        }
    figures["provenance"] = _provenance(answers, read, fitted, chains, seed)

    material = Material(
        test, beside, _scale_bias(fitted), read.texts, read.paths, _image_root(answers, chains), seed
    )
    page = render(figures, material)
    out = Path(out)
    with atomic_write(out / "report.html") as file:
        file.write(page.encode())
    write_json(out / "figures.json", figures)
    return figures


def detector_figures(scores: Scores, fitted: Fit, seed: int) -> dict[str, Any]:
    """`overall` by split, `per_condition` and the slices of the test split, for an expert or a baseline.

    Args:
        scores: Scores of all splits and conditions.
        fitted: What was fitted on the clean validation split.
        seed: Seed of the consistency bands.
    """
    clean = scores.where(scores.condition == "clean")
    own = Fit(reason="fitted on this very split")
    splits = ["test", *sorted({"train", "validation"} & set(clean.split))]
    test = scores.where(scores.split == "test")
    conditions = sorted(set(test.condition) - {"clean"})
    return {
        "overall": {
            split: split_figures(
                clean.where(clean.split == split), own if split == "validation" else fitted, seed
            ).json()
            for split in splits
        },
        **slices(clean.where(clean.split == "test")),
        "per_condition": {
            name: split_figures(test.where(test.condition == name), fitted, seed).json()
            for name in conditions
        },
    }


def calibrate(expert: str | Path, answers: Sequence[AnswerSet]) -> ExpertCard:
    """Fit scale and bias on the validation answers and write them to the first readout of `expert.json`.

    Args:
        expert: The expert's folder.
        answers: Its answers, the validation split among them.

    Returns:
        The card as it was written.

    Raises:
        FakeInstructError: If there is no readout, or the answers were read otherwise or cannot be fitted on.
    """
    # these load Transformers, which `measure` has no use for
    from fakeinstruct.expert.card import load_card, save_card
    from fakeinstruct.forensics.expert import expert_sha256

    card = load_card(expert)
    read = read_answers(answers)
    folder, meta = answers[0].folder, answers[0].meta
    if not card.readouts:
        raise FakeInstructError(
            "has no readout to calibrate", file=Path(expert) / "expert.json", field="readouts"
        )
    first = card.readouts[0]
    if meta.expert_sha256 != expert_sha256(Path(expert)):
        raise FakeInstructError(
            "holds the answers of another expert",
            file=folder,
            field="expert_sha256",
            hint=f"Score {expert} first.",
        )
    if meta.aggregation != first.aggregation:
        raise FakeInstructError(
            f"was aggregated by {meta.aggregation}, but the expert's readout is by {first.aggregation}",
            file=folder,
            field="aggregation",
            hint="Score again with the expert's own aggregation.",
        )
    scores = read.scores
    validation = scores.where((scores.split == "validation") & (scores.condition == "clean"))
    fitted = fit(validation)
    try:
        scale, bias = fitted.scale_bias()
    except UnavailableError as reason:
        raise FakeInstructError(
            f"cannot be calibrated on: {reason.problem}",
            file=folder,
            hint="Score the validation split too: scale and bias are never fitted on what is measured.",
        ) from None
    said = f"{len(validation)} validation images of {meta.items} ({meta.items_sha256[:12]})"
    readout = first.model_copy(update={"scale": scale, "bias": bias, "fitted_on": said})
    card = card.model_copy(update={"readouts": (readout, *card.readouts[1:])})
    save_card(expert, card)
    return card


def _wanted(baselines: Sequence[str], chains: ChainSet | None) -> list[tuple[str, ChainSet]]:
    """Each baseline once with the chain set to train it on, checked before the long work begins."""
    for name in baselines:
        check_name(name)
    if baselines and chains is None:
        raise UsageError("a baseline is trained on a chain set", hint="Name it with --chains.")
    return [(name, chains) for name in dict.fromkeys(baselines) if chains is not None]


def _baseline_scores(name: str, chains: ChainSet, test: Scores, seed: int, rejects: Rejects | None) -> Scores:
    """Scores of a baseline on the validation images and the test images that the expert answered."""
    scores = score_baseline(name, chains, test=set(test.image), seed=seed, rejects=rejects)
    if len(test) and not (scores.split == "test").any():
        raise UsageError(
            "holds none of the test images that were answered",
            file=chains.file,
            hint="Name the chain set that was scored.",
        )
    return scores


def _scale_bias(fitted: Fit) -> tuple[float, float] | None:
    try:
        return fitted.scale_bias()
    except UnavailableError:
        return None


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
        "without_split": read.unsplit,
        "skipped": {
            kind: {
                split: read.skipped_of(kind, split)
                for split in sorted({s for k, s, _ in read.skipped if k == kind})
            }
            for kind in sorted({kind for kind, _, _ in read.skipped})
        },
        "answers": [each.meta.model_dump(mode="json") for each in answers],
        "chains_sha256": None if chains is None else sha256_file(chains.file),
    }
