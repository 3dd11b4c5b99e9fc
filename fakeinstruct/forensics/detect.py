"""Detection for a person: probability, verdict and explanation of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.explain import explain_images
from fakeinstruct.forensics.probability import probability
from fakeinstruct.forensics.protocol import Protocol, chosen_readouts
from fakeinstruct.forensics.questions import verdict_question
from fakeinstruct.forensics.views import View, Viewer


@dataclass(frozen=True)
class Detection:
    """What an expert says of one picture.

    Attributes:
        image: The file.
        verdict: "fake" or "real", whichever is more probable.
        probability: Of fake, 0 to 1, as the expert's tokens give it.
        calibrated: The same after the fitted scale and bias; None if none was fitted.
        margin: Logit of fake minus real.
        label_mass: Probability that the expert answers with a label word at all; a small one means that
            the probability says little.
        explanation: The expert's words; None if none were asked for or it learned none.
        error: Why there is no figure; the others are then None.
    """

    image: str
    verdict: str | None = None
    probability: float | None = None
    calibrated: float | None = None
    margin: float | None = None
    label_mass: float | None = None
    explanation: str | None = None
    error: str | None = None


def detect(expert: Expert, image: str | Path, *, explain: bool = True) -> Detection:
    """Ask an expert about one picture.

    Args:
        expert: Whom to ask.
        image: The picture's file.
        explain: Also let it explain, if it learned to.
    """
    path = Path(image)
    (readout,) = chosen_readouts(expert.card.readouts, Protocol())
    asker = expert.asker(Viewer(path.parent))
    question = verdict_question(View(path.name), readout, {"item": path.name})
    row = asker.ask([question])[0]
    if row.get("error"):
        return Detection(str(image), error=row["error"])
    margin = row["margin"]
    calibrated = None
    if readout.scale is not None and readout.bias is not None:
        calibrated = float(probability(margin, readout.scale, readout.bias))
    unfitted = float(probability(margin))
    trusted = unfitted if calibrated is None else calibrated
    explanation = None
    if explain and expert.card.explanation_prompts:
        explanation = explain_images(expert, asker.collator, [question.view])[0]
    return Detection(
        image=str(image),
        verdict="fake" if trusted > 0.5 else "real",
        probability=unfitted,
        calibrated=calibrated,
        margin=margin,
        label_mass=row["label_mass"],
        explanation=explanation,
    )


def detect_all(expert: Expert, images: list[Path], *, explain: bool = True) -> list[Detection]:
    """Ask about several pictures; one that cannot be read is a detection with its error.

    Raises:
        FakeInstructError: If none could be read.
    """
    found = [detect(expert, image, explain=explain) for image in images]
    if all(detection.error for detection in found):
        raise FakeInstructError(found[0].error or "no picture could be read")
    return found
