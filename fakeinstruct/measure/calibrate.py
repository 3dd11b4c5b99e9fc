"""Calibrating an expert: scale and bias of each readout that was asked, or a bias alone, into `expert.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Split
from fakeinstruct.expert.card import CARD, ExpertCard, Readout, load_card, save_card
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta
from fakeinstruct.measure import calibration
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.fitting import aggregations, asked_of, beware
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.scores import Scores

if TYPE_CHECKING:
    from fakeinstruct.measure.joining import Asked, ByPrompt


@dataclass(frozen=True)
class FittedReadout:
    """A readout with its new scale and bias, the images behind them, and what to beware of."""

    readout: Readout
    n: int
    warning: str | None


def calibrate(
    expert: str | Path,
    answers: Sequence[AnswerSet],
    *,
    bias_only: bool = False,
    split: Split | str | None = None,
    images: int | None = None,
    dry_run: bool = False,
) -> tuple[FittedReadout, ...]:
    """Fit every readout that was asked and write what was found to `expert.json`.

    Scale and bias are fitted on clean validation answers. A bias alone (arXiv 2602.01973) may be fitted on a few
    labelled images of the target as well; `expert.json` then names them, and `measure` leaves them out.

    Args:
        expert: The expert's folder.
        answers: Its answers.
        bias_only: Fit the bias, with scale 1.
        split: Split to fit a bias on; validation by default.
        images: With `bias_only`, how many images of it are taken, the same ones each time; all by default.
        dry_run: Write nothing.

    Returns:
        The fitted readouts, in the order they were asked.

    Raises:
        UsageError: If the answers are of another expert, of readouts that `expert.json` lacks, or if another split
            than validation, or a number of images, is asked for without `bias_only`.
        FakeInstructError: If they cannot be fitted on, or the card cannot be read.
    """
    split = Split(split or Split.VALIDATION)
    if not bias_only and (images is not None or split is not Split.VALIDATION):
        raise UsageError(
            "scale and bias are fitted on the whole validation split, never on what is measured",
            hint="A bias alone can be fitted on a few target images: --bias-only.",
        )
    card = load_card(expert)
    read = read_answers(answers)
    folder, meta = answers[0].folder, answers[0].meta
    own = _own_readouts(card, expert, answers, read.by_prompt)
    fitted = []
    for key, rows in read.by_prompt.items():
        scores = Scores.of(rows)
        scores = scores.where((scores.split == split) & (scores.condition == "clean"))
        if images is not None:
            scores = _draw(scores, images, folder)
        try:
            fitted.append(_fit(own[key], scores, bias_only, split, meta))
        except UnavailableError as reason:
            raise _unfit(reason, scores, split, folder) from None
    if not dry_run:
        new = {asked_of(each.readout): each.readout for each in fitted}
        readouts = tuple(new.get(asked_of(each), each) for each in card.readouts)
        save_card(expert, card.model_copy(update={"readouts": readouts}))
    return tuple(fitted)


def _own_readouts(
    card: ExpertCard, expert: str | Path, answers: Sequence[AnswerSet], by_prompt: ByPrompt
) -> dict[Asked, Readout]:
    """The card's readouts of all that was asked.

    Raises:
        UsageError: If the answers are not this expert's, or were read otherwise than the card says.
    """
    folder = answers[0].folder
    if not card.readouts:
        raise UsageError("has no readout to calibrate", file=Path(expert) / CARD, field="readouts")
    _check_expert(expert, answers[0])
    own = {asked_of(each): each for each in card.readouts}
    for key, aggregation in aggregations(by_prompt, answers).items():
        if key not in own:
            raise UsageError(
                f"was asked “{key.prompt}” (readout '{key.name}', position '{key.position}'), "
                f"which {CARD} does not hold",
                file=folder,
                hint="Score the expert by its own readouts, without a --protocol that brings others.",
            )
        if aggregation != own[key].aggregation:
            raise UsageError(
                f"was aggregated by {aggregation}, but the expert's readout is by {own[key].aggregation}",
                file=folder,
                field="aggregation",
                hint="Score again with the expert's own aggregation.",
            )
    return own


def _check_expert(expert: str | Path, answers: AnswerSet) -> None:
    from fakeinstruct.forensics.expert_files import expert_folder, expert_sha256

    if answers.meta.expert_sha256 != expert_sha256(expert_folder(expert)):
        raise UsageError(
            "holds the answers of another expert",
            file=answers.folder,
            field="expert_sha256",
            hint=f"Score {expert} first.",
        )


def stored_readouts(expert: str | Path, answers: AnswerSet, by_prompt: ByPrompt) -> tuple[Readout, ...]:
    """The readouts of an expert's card, once it is sure that all that was asked are calibrated.

    Raises:
        UsageError: If one is not, or the answers are of another expert.
        FakeInstructError: If the card cannot be read.
    """
    readouts = load_card(expert).readouts
    _check_expert(expert, answers)
    known = {asked_of(each) for each in readouts if each.scale is not None and each.bias is not None}
    if missing := [key.prompt for key in by_prompt if key not in known]:
        raise UsageError(
            f"holds no scale and bias for the prompt “{missing[0]}”",
            file=Path(expert) / CARD,
            hint="'fakeinstruct calibrate' fits one for each prompt that was asked.",
        )
    return readouts


def _draw(scores: Scores, images: int, folder: Path) -> Scores:
    """So many of the images, chosen by their ids.

    Raises:
        FakeInstructError: If there are fewer.
    """
    if len(scores) < images:
        raise FakeInstructError(f"holds {len(scores):,} such images, fewer than {images:,}", file=folder)
    order = sorted(range(len(scores)), key=lambda index: stable_seed(0, str(scores.image[index])))
    chosen = set(order[:images])
    return scores.where([index in chosen for index in range(len(scores))])


def _fit(readout: Readout, scores: Scores, bias_only: bool, split: Split, meta: AnswersMeta) -> FittedReadout:
    """The readout with what the scores give.

    Raises:
        UnavailableError: If they give nothing.
    """
    if not len(scores):
        raise UnavailableError(f"no {split} images to fit on")
    if bias_only:
        scale, bias = 1.0, calibration.fit_bias(scores.fake, scores.margin)
    else:
        scale, bias = calibration.fit_scale_bias(scores.fake, scores.margin)
    alone = ", the bias alone" if bias_only else ""
    update = {
        "scale": scale,
        "bias": bias,
        "fitted_on": f"{len(scores)} {split} images of {meta.items} ({meta.items_sha256[:12]}){alone}",
        "fitted_items": tuple(sorted(scores.image)) if bias_only else (),
    }
    return FittedReadout(readout.model_copy(update=update), len(scores), beware(scores.fake))


def _unfit(reason: UnavailableError, scores: Scores, split: Split, folder: Path) -> FakeInstructError:
    """The error of a fit that cannot be had, with what to do about it."""
    hint = "Score the validation split too: scale and bias are never fitted on what is measured."
    if split is not Split.VALIDATION:
        hint = f"Score the {split} split too."
    if len(scores):
        hint = "Take more images: some fake and some real."
    return FakeInstructError(f"cannot be calibrated on: {reason.problem}", file=folder, hint=hint)
