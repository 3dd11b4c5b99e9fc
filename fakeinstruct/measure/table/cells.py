"""What a cell of somebody else's table means: label, split, score."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from fakeinstruct.base.errors import RecordError, UsageError, nearest
from fakeinstruct.chains.importers.layout import CLASS_FOLDERS, SPLIT_FOLDERS

Scale = Literal["probability", "margin", "score"]
"""What a score is: a probability, its logit, or a number of which only the order means something."""

Side = Literal["fake", "real"]
"""What a high score means."""

Bit = Literal["1", "0"]
"""What stands for a fake where labels are numbers."""

LABELS: Mapping[str, str] = {
    **{word: str(label) for word, label in CLASS_FOLDERS.items()},
    **dict.fromkeys(("synthetic", "generated", "ai_generated", "aigc", "deepfake", "forged"), "fake"),
    **dict.fromkeys(("tampered", "manipulated", "edited"), "fake"),
    **dict.fromkeys(("natural", "authentic", "genuine", "original", "pristine", "photo", "camera"), "real"),
}
"""Words that say what an image is. A bare 0 or 1 is none: published tables disagree on what they mean."""

BITS: Mapping[str, Bit] = {"1": "1", "1.0": "1", "true": "1", "0": "0", "0.0": "0", "false": "0"}

SPLITS: Mapping[str, str] = {
    **{word: str(split) for word, split in SPLIT_FOLDERS.items()},
    **dict.fromkeys(("valid", "dev"), "validation"),
}

STRAY = 0.05
"""Share of numbers outside 0 to 1 up to which a column may still hold probabilities, these being bad rows."""

NO_SCORE = "Score the image again, or leave its row out: without a score it counts in no figure."

WRITTEN = (
    (
        re.compile(r"[+-]?[0-9]*,[0-9]+(e[+-]?[0-9]+)?", re.IGNORECASE),
        "have a decimal comma",
        "Spreadsheets write one in much of Europe. Save the table with decimal points (0.93): set the spreadsheet's "
        "language to English, or with pandas: read_csv(FILE, sep=';', decimal=',').to_csv(NEW, index=False).",
    ),
    (
        re.compile(r"[+-]?[0-9]*[.,]?[0-9]+ *%"),
        "are per cent",
        "Write them as numbers without a sign, divided by 100: 0.93 for 93 %.",
    ),
)
"""Ways of writing a number that are not read: what matches, what to call it, what to do."""


def text_of(value: Any) -> str | None:
    """A cell as text, None for an empty one."""
    if value is None or isinstance(value, dict | list | bytes):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value).strip() or None


def number_of(value: Any) -> float | None:
    """A cell as a finite number, None for anything else."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def label_of(text: str | None, fake_is: Bit | None) -> str:
    """The label that a cell says: "fake" or "real".

    Raises:
        RecordError: If it says neither, or is a bare number and nobody said which one is fake.
    """
    if text is None:
        raise RecordError(
            "has no label", field="label", hint="Write fake or real there, or leave the row out."
        )
    word = text.lower()
    if word in BITS:
        if fake_is is None:
            raise RecordError(
                "the label is a bare 0 or 1",
                field="label",
                hint="Say which is fake: --fake-is 1 or --fake-is 0.",
            )
        return "fake" if BITS[word] == fake_is else "real"
    known = LABELS.get(word.replace(" ", "_").replace("-", "_"))
    if known is None:
        raise RecordError(
            f"unknown label ({text!r})",
            field="label",
            hint=f"Write fake or real instead, or leave the row out. Known: {', '.join(LABELS)}.",
        )
    return known


def split_of(text: str | None) -> str | None:
    """The split that a cell says.

    Raises:
        RecordError: If there is no such split.
    """
    if text is None:
        return None
    if text.lower() not in SPLITS:
        raise RecordError(f"unknown split ({text!r})", field="split", hint=f"Known: {', '.join(SPLITS)}.")
    return SPLITS[text.lower()]


def margin_of(value: Any, scale: Scale, positive: Side) -> float:
    """The margin of fake minus real; of a probability of exactly 0 or 1 an infinite one.

    Raises:
        RecordError: If the score is no number, or not such a probability.
    """
    number = number_of(value)
    if number is None:
        raise RecordError("the score is no number", field="score", hint=NO_SCORE)
    if scale == "probability":
        if not 0 <= number <= 1:
            hint = (
                "A probability lies between 0 and 1. If others do not either, say --scores margin or score."
            )
            raise RecordError(f"the score is no probability ({number:g})", field="score", hint=hint)
        number = (
            math.log(number) - math.log1p(-number)
            if 0 < number < 1
            else math.copysign(math.inf, number - 0.5)
        )
    elif abs(number) > np.finfo(np.float32).max:
        hint = "Margins are kept in single precision, up to 3.4e38: divide all scores by one number."
        raise RecordError(f"the score is beyond single precision ({number:g})", field="score", hint=hint)
    return number if positive == "fake" else -number


def scale_of(said: Scale | None, values: Sequence[Any], path: Path) -> Scale:
    """What the scores are, as it was said.

    Raises:
        UsageError: If it was not said, or what was said cannot be.
    """
    numbers = [number for value in values if (number := number_of(value)) is not None]
    _check_written(values, path)
    span = f"they lie between {min(numbers):g} and {max(numbers):g}" if numbers else "none is a number"
    if said is None:
        raise UsageError(
            f"it was not said what the scores are; {span}",
            file=path,
            hint="Say --scores probability (0 to 1), --scores margin (its logit, 0 is undecided) or --scores score "
            "(any number, only the order counts).",
        )
    if said not in get_args(Scale):
        raise UsageError(f"there is no kind of scores '{said}'", hint=nearest(said, get_args(Scale)))
    outside = sum(not 0 <= number <= 1 for number in numbers)
    if said == "probability" and outside > STRAY * len(numbers):
        other = "--scores margin or --scores score (of B alone in 'compare': --scores-b)"
        per_cent = min(numbers) >= 0 and max(numbers) <= 100
        raise UsageError(
            f"{outside:,} of {len(numbers):,} scores are no probabilities: {span}",
            file=path,
            hint=f"They look like per cent: divide them by 100. If they are none, say {other}."
            if per_cent
            else f"Say {other}.",
        )
    return said


def _check_written(values: Sequence[Any], path: Path) -> None:
    """See that most scores are not written in a way that is no number here, and say which.

    Raises:
        UsageError: If they have a decimal comma, or a per cent sign.
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    for pattern, what, hint in WRITTEN:
        found = [text for text in texts if pattern.fullmatch(text)]
        if len(found) > len(values) / 2:
            raise UsageError(f"the scores {what} ('{found[0]}')", file=path, hint=hint)
