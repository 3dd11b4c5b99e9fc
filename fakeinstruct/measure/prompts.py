"""How much figures depend on the wording: each prompt measured alone, and the spread between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fakeinstruct.measure import calibration, detection
from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.figures import label_mass
from fakeinstruct.measure.joining import Asked, ByPrompt, Rows, is_clean
from fakeinstruct.measure.prior import PriorMargins
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import rank

MOST_PROMPTS = 50
"""Of more wordings than this (pairs are asked in hundreds) no table is given: each has too few images."""

GROUPS = {"all": None, "trained": True, "never_trained_on": False}
"""Groups of prompts whose spread is given, with what the column `trained` says of them."""


def prompt_figures(by_prompt: ByPrompt, prior: PriorMargins, seed: int) -> dict[str, Any]:
    """Figures of every prompt on the clean test images, and the spread of their AUC.

    Args:
        by_prompt: Joined answers of every prompt.
        prior: Margins of pictures that show nothing.
        seed: Seed of the consistency bands.

    Returns:
        `per_prompt`, a list in the order of asking, and `spread` with `prompts, min, max, sd` of the AUC over all
        prompts, those trained on and those never trained on.
    """
    if len(by_prompt) > MOST_PROMPTS:
        return {"prompts": len(by_prompt), "per_prompt": [], "spread": {}}
    rows = [_prompt(key, rows, prior.get(key, {}), seed) for key, rows in by_prompt.items()]
    spread = {
        name: _spread([row for row in rows if wanted is None or row["trained"] is wanted])
        for name, wanted in GROUPS.items()
    }
    return {"prompts": len(by_prompt), "per_prompt": rows, "spread": spread}


def _prompt(key: Asked, rows: Rows, prior: Mapping[str, float], seed: int) -> dict[str, Any]:
    test = [row for row in rows if is_clean(row) and (row["split"] or "test") == "test"]
    scores = Scores.of(test)
    words, classes = rows[0]["words"] or [], rows[0]["classes"] or []
    row = Row(
        **key._asdict(),
        trained=rows[0]["trained"],
        words={
            label: [w for w, c in zip(words, classes, strict=False) if c == label]
            for label in ("fake", "real")
        },
        n=len(scores),
    )
    rank(row, scores)
    row.give(("accuracy_half",), lambda: detection.accuracy(scores.fake, scores.margin))
    row.give(("ece",), lambda: _ece(scores, seed))
    row.give(("label_mass",), lambda: label_mass(scores)["mean"])
    row.values["prior"] = dict(prior)
    return row.json()


def _ece(scores: Scores, seed: int) -> float:
    return calibration.reliability(
        scores.fake, calibration.probability(scores.margin), draws=1, seed=seed
    ).ece


def _spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Smallest, largest and sample standard deviation of the AUC over some prompts."""
    areas = [row["auc"] for row in rows if row["auc"] is not None]
    row = Row(prompts=len(areas))

    def ends() -> tuple[float, float]:
        if not areas:
            raise UnavailableError("no such prompt has an AUC")
        return min(areas), max(areas)

    def deviation() -> float:
        if len(areas) < 2:
            raise UnavailableError("a spread needs two prompts")
        return float(np.std(areas, ddof=1))

    row.give(("min", "max"), ends)
    row.give(("sd",), deviation)
    return row.json()
