"""Multiple-choice questions: how often the right letter had the largest logit, beside chance."""

from __future__ import annotations

from typing import Any

from fakeinstruct.measure.figure import Row, UnavailableError


def choice_figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy over all questions and per template, beside that of guessing.

    Args:
        rows: Answers of kind "choice" with `choice`, `target`, `words` (the letters offered) and `template`.

    Returns:
        `n, accuracy, chance, per_template`, where chance is the mean of 1 / (options offered).
    """
    templates: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        templates.setdefault(row["template"] or "unnamed", []).append(row)
    per_template = {name: _figures(templates[name]).json() for name in sorted(templates)}
    whole = _figures(rows)
    whole.values["per_template"] = per_template
    return whole.json()


def _figures(rows: list[dict[str, Any]]) -> Row:
    row = Row(n=len(rows))

    def figures() -> tuple[float, float]:
        if not rows:
            raise UnavailableError("no multiple-choice answers in the test split")
        right = sum(each["choice"] == each["target"] for each in rows)
        return right / len(rows), sum(1 / len(each["words"]) for each in rows) / len(rows)

    row.give(("accuracy", "chance"), figures)
    return row
