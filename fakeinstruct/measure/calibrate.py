"""Calibrating an expert: scale and bias of each readout asked, or a bias alone, into `expert.json` or a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Split
from fakeinstruct.expert.card import CARD, Readout, load_card
from fakeinstruct.forensics.answers import AnswerSet, AnswersMeta
from fakeinstruct.forensics.protocol import load_protocol
from fakeinstruct.measure import calibration
from fakeinstruct.measure.calibrate_target import Target, card_target, protocol_target
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.fit_warnings import beware
from fakeinstruct.measure.fitting import aggregations, asked_of
from fakeinstruct.measure.reading import read_answers
from fakeinstruct.measure.scores import Scores

if TYPE_CHECKING:
    from fakeinstruct.measure.joining import Asked, ByPrompt


@dataclass(frozen=True)
class FittedReadout:
    """A readout with its new scale and bias, the images behind them, and what to beware of.

    Attributes:
        readout: As it is now.
        n: Images behind the fit.
        warning: What to beware of.
        before: As it was, if it had a scale and bias.
    """

    readout: Readout
    n: int
    warning: str | None
    before: Readout | None


def calibrate(
    expert: str | Path,
    answers: Sequence[AnswerSet],
    *,
    out: str | Path | None = None,
    bias_only: bool = False,
    split: Split | str | None = None,
    images: int | None = None,
    dry_run: bool = False,
) -> tuple[FittedReadout, ...]:
    """Fit every readout that was asked and write what was found to `expert.json`, or to a protocol.

    Scale and bias are fitted on clean validation answers. A bias alone (arXiv 2602.01973) may be fitted on a few
    labelled images of the target as well; `expert.json` then names them, and `measure` leaves them out.

    Args:
        expert: The expert's folder, to which nothing is written if `out` is given.
        answers: Its answers.
        out: YAML file for the protocol that brought the readouts, with what was found: for a model without a card.
        bias_only: Fit the bias, with scale 1.
        split: Split to fit a bias on; validation by default.
        images: With `bias_only`, how many images of it are taken, the same ones each time; all by default.
        dry_run: Write nothing.

    Returns:
        The fitted readouts, in the order they were asked.

    Raises:
        UsageError: If the answers are of another expert, of readouts that `expert.json` (with `out`, the protocol)
            lacks, or if another split than validation, or a number of images, is asked for without `bias_only`.
        FakeInstructError: If they cannot be fitted on, or the card cannot be read.
    """
    split = Split(split or Split.VALIDATION)
    if not bias_only and (images is not None or split is not Split.VALIDATION):
        raise UsageError(
            "scale and bias are fitted on the whole validation split, never on what is measured",
            hint="A bias alone can be fitted on a few target images: --bias-only.",
        )
    target = card_target(expert, answers[0]) if out is None else protocol_target(Path(out), answers[0])
    read = read_answers(answers)
    folder, meta = answers[0].folder, answers[0].meta
    _check_expert(expert, answers[0])
    own = _own_readouts(target, answers, read.by_prompt)
    fitted = []
    for key, rows in read.by_prompt.items():
        scores = Scores.of(rows)
        scores = scores.where((scores.split == split) & (scores.condition == "clean"))
        if images is not None:
            scores = _draw(scores, images, folder)
        try:
            fitted.append(_fit(own[key], scores, bias_only, split, meta, in_protocol=out is not None))
        except UnavailableError as reason:
            raise _unfit(reason, scores, split, folder) from None
    if not dry_run:
        target.save([each.readout for each in fitted])
    return tuple(fitted)


def _own_readouts(target: Target, answers: Sequence[AnswerSet], by_prompt: ByPrompt) -> dict[Asked, Readout]:
    """The target's readouts of all that was asked.

    Raises:
        UsageError: If the answers were read otherwise than these say.
    """
    folder = answers[0].folder
    own = {asked_of(each): each for each in target.content.readouts}
    for key, aggregation in aggregations(by_prompt, answers).items():
        if key not in own:
            raise UsageError(
                f"was asked “{key.prompt}” (readout '{key.name}', position '{key.position}'), "
                f"which {target.file.name} does not hold",
                file=folder,
                hint=target.hint,
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


def fitted_file(source: str | Path) -> Path:
    """The file of stored scales and biases: a protocol, or the card in an expert's folder."""
    path = Path(source)
    is_protocol = path.is_file() or (path.suffix in (".yaml", ".yml") and not path.is_dir())
    return path if is_protocol else path / CARD


def stored_readouts(source: str | Path, answers: AnswerSet, by_prompt: ByPrompt) -> tuple[Readout, ...]:
    """The readouts of an expert's card or of a protocol, once it is sure that all that was asked are calibrated.

    Raises:
        UsageError: If one is not, or the answers are of another expert.
        FakeInstructError: If the card or the protocol cannot be read.
    """
    file = fitted_file(source)
    readouts = load_card(source).readouts if file != Path(source) else load_protocol(file).readouts
    if file != Path(source):
        _check_expert(source, answers)
    if others := {each.fitted_expert for each in readouts} - {None, answers.meta.expert_sha256}:
        raise UsageError(
            f"holds scale and bias of another model ({str(others.pop())[:12]}) than answered "
            f"({answers.meta.expert_sha256[:12]})",
            file=file,
            field="fitted_expert",
            hint="'fakeinstruct calibrate MODEL ANSWERS --out FILE' fits them to this one.",
        )
    known = {asked_of(each) for each in readouts if each.scale is not None and each.bias is not None}
    if missing := [key.prompt for key in by_prompt if key not in known]:
        raise UsageError(
            f"holds no scale and bias for the prompt “{missing[0]}”",
            file=file,
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


def _fit(
    readout: Readout,
    scores: Scores,
    bias_only: bool,
    split: Split,
    meta: AnswersMeta,
    *,
    in_protocol: bool,
) -> FittedReadout:
    """The readout with what the scores give; in a protocol it says whose answers they were.

    Raises:
        UnavailableError: If they give nothing.
    """
    if not len(scores):
        raise UnavailableError(f"no {split} images to fit on")
    if bias_only:
        scale, bias = 1.0, calibration.fit_bias(scores.fake, scores.margin)
    else:
        scale, bias = calibration.fit_scale_bias(scores.fake, scores.margin)
    said = f"{len(scores)} {split} images of {meta.items} ({meta.items_sha256[:12]})"
    said += f", asked of {meta.expert} ({meta.expert_sha256[:12]})" if in_protocol else ""
    fakes = int(scores.fake.sum())
    update = {
        "scale": scale,
        "bias": bias,
        "fitted_on": f"{said}, the bias alone" if bias_only else said,
        "fitted_items": tuple(sorted(scores.image)) if bias_only else (),
        "fitted_n": {"fake": fakes, "real": len(scores) - fakes},
        "fitted_expert": meta.expert_sha256 if in_protocol else None,
    }
    before = readout if readout.scale is not None and readout.bias is not None else None
    return FittedReadout(readout.model_copy(update=update), len(scores), beware(scores, scale), before)


def _unfit(reason: UnavailableError, scores: Scores, split: Split, folder: Path) -> FakeInstructError:
    """The error of a fit that cannot be had, with what to do about it."""
    hint = "Score the validation split too: scale and bias are never fitted on what is measured."
    if split is not Split.VALIDATION:
        hint = f"Score the {split} split too."
    if len(scores):
        hint = "Take more images: some fake and some real."
    return FakeInstructError(f"cannot be calibrated on: {reason.problem}", file=folder, hint=hint)
