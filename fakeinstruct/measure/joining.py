"""One score an image: how samples, looks and prompts of it are joined.

Rationales sampled for one prompt are joined by their probabilities, since P(fake) is the mean over rationales of
P(fake | rationale). Looks at parts of the picture, then prompts, are joined by the mean margin: each prompt has an
offset of its own, and a mean of probabilities would let the surest one decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fakeinstruct.forensics.probability import logit_of_mean
from fakeinstruct.measure.scores import Scores

Rows = list[dict[str, Any]]


class Asked(NamedTuple):
    """What tells one way of asking from another, in answers and in `expert.json`."""

    name: str
    prompt: str
    position: str


ByPrompt = Mapping[Asked, Rows]
"""Of each way of asking one row an image, condition and trace."""


def asked(row: Mapping[str, Any]) -> Asked:
    """How the row was asked for; columns that older answers lack count as the first token of no template."""
    return Asked(row.get("template") or "", row.get("prompt") or "", row.get("position") or "first")


def is_clean(row: Mapping[str, Any]) -> bool:
    """Whether the image was shown as it is."""
    return (row.get("condition") or "clean") == "clean"


def join_answers(rows: Iterable[dict[str, Any]]) -> ByPrompt:
    """Join the samples, then the looks, of every prompt, image, condition and trace."""
    found: dict[Asked, Rows] = defaultdict(list)
    for look in join_samples(rows):
        found[asked(look)].append(look)
    return {key: _joined(looks, (), _mean) for key, looks in found.items()}


def join_samples(rows: Iterable[dict[str, Any]]) -> Rows:
    """Join the rationales sampled for one prompt, image, look, condition and trace."""
    return _joined(rows, ("look",), logit_of_mean)


def join_prompts(by_prompt: ByPrompt, fitted: Mapping[Asked, tuple[float, float]] | None = None) -> Scores:
    """One score an image and condition: the mean margin over prompts.

    Args:
        by_prompt: Joined answers of every prompt.
        fitted: Scale and bias of each prompt; with them the scores' calibrated margin is the mean of the
            prompts' calibrated ones.
    """
    together: dict[tuple[str, str], Rows] = {}
    for key, rows in by_prompt.items():
        for row in rows:
            scale, bias = fitted[key] if fitted else (None, None)
            calibrated = None if scale is None or bias is None else scale * row["margin"] + bias
            together.setdefault(shown(row), []).append(
                row if calibrated is None else {**row, "calibrated": calibrated}
            )
    return Scores.of(
        same[0]  # a copy of each of a hundred thousand rows takes more memory than all else
        if len(same) == 1
        else {
            **same[0],
            "margin": _mean([row["margin"] for row in same]),
            "label_mass": mean_known(same, "label_mass"),
            "calibrated": mean_known(same, "calibrated"),
        }
        for same in together.values()
    )


def lacking(by_prompt: ByPrompt) -> int:
    """Images (of any condition) that an answer to some prompt is missing of: their mean is over the others."""
    count: dict[tuple[str, str], int] = defaultdict(int)
    for rows in by_prompt.values():
        for row in rows:
            count[shown(row)] += 1
    return sum(each < len(by_prompt) for each in count.values())


def mean_known(rows: Rows, name: str) -> float | None:
    """Mean of a column over the rows that have it."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return _mean(values) if values else None


def shown(row: Mapping[str, Any]) -> tuple[str, str]:
    """The image that a row is about, and under which condition."""
    return row["chain"], row.get("condition") or "clean"


def _joined(
    rows: Iterable[dict[str, Any]], apart: tuple[str, ...], join: Callable[[list[float]], float]
) -> Rows:
    """One row for all that are of one prompt, image, condition and trace, and equal in the columns `apart`."""
    together: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        key = (*asked(row), *shown(row), row.get("trace"), *(row.get(name) for name in apart))
        together.setdefault(key, []).append(row)
    return [
        same[0]
        if len(same) == 1
        else {
            **same[0],
            "margin": join([r["margin"] for r in same]),
            "label_mass": mean_known(same, "label_mass"),
        }
        for same in together.values()
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
