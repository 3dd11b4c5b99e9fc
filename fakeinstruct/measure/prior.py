"""What an expert answers before it has seen anything: its margins on pictures that show nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.measure.calibration import probability
from fakeinstruct.measure.figure import Row, UnavailableError, rounded
from fakeinstruct.measure.joining import Asked, ByPrompt, Rows, join_answers

PriorMargins = Mapping[Asked, Mapping[str, float]]
"""Of each prompt the margin of each picture that shows nothing, by the picture's name."""


def prior_margins(rows: Rows) -> PriorMargins:
    """The margins of each prompt, samples and looks joined as those of images are."""
    return {
        key: {row["item"].removeprefix("prior/"): float(row["margin"]) for row in joined}
        for key, joined in join_answers(rows).items()
    }


def prior_figures(prior: PriorMargins) -> dict[str, Any]:
    """Margin and probability of every picture and prompt, and the mean margin; null with its reason if none was asked.

    Returns:
        `per_prompt`, a list of `name, prompt, position, margins, probabilities, mean_margin`, and `mean_margin` over
        prompts.
    """
    row = Row(
        per_prompt=[
            rounded(
                {
                    **key._asdict(),
                    "margins": margins,
                    "probabilities": {name: float(probability(value)) for name, value in margins.items()},
                    "mean_margin": _mean(margins),
                }
            )
            for key, margins in prior.items()
        ]
    )

    def mean() -> float:
        if not prior:
            raise UnavailableError("no picture that shows nothing was asked about")
        return sum(map(_mean, prior.values())) / len(prior)

    row.give(("mean_margin",), mean)
    return row.json()


def subtract(by_prompt: ByPrompt, prior: PriorMargins) -> ByPrompt:
    """The answers with the mean prior margin of the same prompt taken off every margin.

    Raises:
        UsageError: If a prompt has no prior.
    """
    if missing := [key.prompt for key in by_prompt if not prior.get(key)]:
        raise UsageError(
            f"no picture that shows nothing was asked “{missing[0]}”, so there is no prior to subtract",
            hint="Score again without --no-prior.",
        )
    return {
        key: [{**row, "margin": row["margin"] - _mean(prior[key])} for row in rows]
        for key, rows in by_prompt.items()
    }


def _mean(margins: Mapping[str, float]) -> float:
    return sum(margins.values()) / len(margins)
