"""Verdicts that were asked as pairs, where chains were asked too: each image in wordings of its own.

A mean over wordings that differ from image to image is no score of an image, so these stay out of the headline.
"""

from __future__ import annotations

from typing import Any

from fakeinstruct.measure import detection
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.joining import Rows, is_clean, join_answers, join_prompts
from fakeinstruct.measure.scores import Scores
from fakeinstruct.measure.slices import rank


def pair_figures(rows: Rows) -> dict[str, Any]:
    """Figures of verdicts asked as pairs, of the clean test images; empty where there are none.

    Args:
        rows: Answers.

    Returns:
        `answers`, `wordings` and the figures of one score an image, the mean margin over its wordings: `n`, `auc`,
        `auc_low`, `auc_high`, `average_precision`, `accuracy_half`; `per_template` with the same.
    """
    test = [row for row in rows if is_clean(row) and (row["split"] or "test") == "test"]
    if not test:
        return {}
    templates = sorted({row["template"] or "unnamed" for row in test})
    found = _figures(test)
    found.values["per_template"] = {
        name: _figures([row for row in test if (row["template"] or "unnamed") == name]).json()
        for name in templates
    }
    return found.json()


def _figures(rows: Rows) -> Row:
    by_prompt = join_answers(rows)
    scores: Scores = join_prompts(by_prompt)
    row = Row(answers=len(rows), wordings=len(by_prompt), n=len(scores))
    rank(row, scores)
    row.give(("accuracy_half",), lambda: detection.accuracy(scores.fake, scores.margin))
    return row
