"""Detection for a person: probability, verdict and explanation of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.expert.card import Position, Readout
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.pictures import AT_ONCE, Picture, Shown, show, viewer_of
from fakeinstruct.forensics.probability import logit_of_mean, probability
from fakeinstruct.forensics.protocol import Protocol, as_protocol, chosen_readouts
from fakeinstruct.forensics.questions import verdict_question
from fakeinstruct.forensics.scan import sampled


@dataclass(frozen=True)
class Detection:
    """What an expert says of one picture.

    Attributes:
        image: The file, or "image 2" of those in memory.
        verdict: "fake" or "real", whichever is more probable by `probability`.
        probability: Of fake, 0 to 1, as the expert's tokens give it.
        calibrated: The same after the fitted scale and bias; None if none was fitted.
        fitted_on: What those were fitted on.
        margin: Logit of fake minus real; of several sampled rationales the logit of their mean probability.
        label_mass: Probability that the expert answers with a label word at all; a small one means that
            the probability says little.
        logits: Of each label word its logit.
        log_normaliser: Log of the sum of exp(logit) over the vocabulary.
        readout: Name of the readout.
        prompt: What was asked.
        position: Where the verdict was read, see `Readout`.
        samples: Rationales that the figures are means of; 1 without sampling.
        rationale: With position "scan", what the expert wrote its verdict in; the first that names one.
        explanation: The expert's words afterwards; None if none were asked for or it learned none.
        explanation_prompt: What they answer.
        boxes: Regions that explanation or rationale name: x0, y0, x1, y1 in fractions of the picture.
        note: What is not as exact in this model as elsewhere, or happened on the way.
        error: Why there is no figure; the others are then None.
    """

    image: str
    verdict: str | None = None
    probability: float | None = None
    calibrated: float | None = None
    fitted_on: str | None = None
    margin: float | None = None
    label_mass: float | None = None
    logits: dict[str, float] = field(default_factory=dict)
    log_normaliser: float | None = None
    readout: str | None = None
    prompt: str | None = None
    position: Position | None = None
    samples: int = 0
    rationale: str | None = None
    explanation: str | None = None
    explanation_prompt: str | None = None
    boxes: tuple[tuple[float, ...], ...] = ()
    note: str | None = None
    error: str | None = None


def detect(
    expert: Expert, picture: Picture, *, explain: bool = True, protocol: Protocol | str | Path | None = None
) -> Detection:
    """Ask an expert about one picture.

    Args:
        expert: Whom to ask.
        picture: A file, or an image in memory.
        explain: Also let it explain, if it learned to.
        protocol: How to ask, or a protocol's name or file; by default with the expert's first readout.

    Raises:
        UsageError: If the expert has no such readout, or this is no picture.
    """
    return next(detections(expert, [picture], explain=explain, protocol=protocol))


def detect_all(
    expert: Expert,
    pictures: Sequence[Picture],
    *,
    explain: bool = True,
    protocol: Protocol | str | Path | None = None,
) -> list[Detection]:
    """Ask about several pictures; one that cannot be read is a detection with its error.

    Args:
        expert: Whom to ask.
        pictures: Files, or images in memory.
        explain: Also let it explain, if it learned to.
        protocol: How to ask, or a protocol's name or file; by default with the expert's first readout.

    Raises:
        UsageError: If the expert has no such readout, or this is no picture.
        FakeInstructError: If none could be read.
    """
    found = list(detections(expert, pictures, explain=explain, protocol=protocol))
    if found and all(detection.error for detection in found):
        raise FakeInstructError(found[0].error or "no picture could be read")
    return found


def detections(
    expert: Expert,
    pictures: Sequence[Picture],
    *,
    explain: bool = True,
    protocol: Protocol | str | Path | None = None,
) -> Iterator[Detection]:
    """The same as `detect_all`, one after another as they come; see there."""
    protocol = as_protocol(protocol)
    readout = chosen_readouts(expert.card.readouts, protocol)[0]
    explain = explain and bool(expert.card.explanation_prompts) and readout.position != "scan"
    for shown in show(pictures):
        views, viewer = viewer_of(shown)
        names = [one.name for one in shown if one.image is not None]
        questions = [
            [*sampled(verdict_question(view, readout, {"item": name}), protocol.samples, protocol.seed)]
            for view, name in zip(views, names, strict=True)
        ]
        asker = expert.asker(viewer, batch=AT_ONCE, explain=explain)
        rows = iter(asker.ask([one for own in questions for one in own]))
        answered = iter([[next(rows) for _ in own] for own in questions])
        prompt = expert.card.explanation_prompts[0] if explain else None
        for one in shown:
            if one.image is None:
                yield Detection(one.name, error=one.error)
            else:
                yield _detection(one, readout, next(answered), explanation_prompt=prompt, note=expert.note)


def _detection(
    shown: Shown,
    readout: Readout,
    rows: Sequence[Mapping[str, Any]],
    *,
    explanation_prompt: str | None,
    note: str | None,
) -> Detection:
    asked: dict[str, Any] = {
        "readout": readout.name,
        "prompt": readout.prompt,
        "position": readout.position,
        "fitted_on": readout.fitted_on,
    }
    read = [row for row in rows if not row.get("error")]
    if not read:
        return Detection(shown.name, **asked, rationale=rows[0].get("text"), error=rows[0]["error"])
    margin = logit_of_mean([row["margin"] for row in read])
    unfitted = float(probability(margin))
    fitted = readout.scale is not None and readout.bias is not None
    first = read[0]
    return Detection(
        shown.name,
        **asked,
        verdict="fake" if unfitted > 0.5 else "real",
        probability=unfitted,
        calibrated=float(probability(margin, readout.scale or 0.0, readout.bias or 0.0)) if fitted else None,
        margin=margin,
        label_mass=float(np.mean([row["label_mass"] for row in read])),
        logits=_mean_logits(read),
        log_normaliser=float(np.mean([row["log_normaliser"] for row in read])),
        samples=len(read),
        rationale=first.get("text") if readout.position == "scan" else None,
        explanation=first.get("text") if explanation_prompt else None,
        explanation_prompt=explanation_prompt,
        boxes=tuple(tuple(box) for box in first.get("boxes") or ()),
        note="; ".join(filter(None, [_silent(rows), first.get("note"), note])) or None,
    )


def _silent(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """How many sampled rationales the figures leave out."""
    silent = sum(bool(row.get("error")) for row in rows)
    return f"{silent} of {len(rows)} rationales name no verdict" if silent else None


def _mean_logits(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean logit of each word over the rows that have it: a sampled rationale may spell it otherwise."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for word, logit in zip(row["words"], row["logits"], strict=True):
            found.setdefault(word, []).append(logit)
    return {word: float(np.mean(logits)) for word, logits in found.items()}
