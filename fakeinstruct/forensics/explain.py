"""Explanations: the expert's own words on its verdict, after a question it learned to answer with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.forensics.boxes import written_boxes
from fakeinstruct.forensics.verdict import LABELS, find_verdict
from fakeinstruct.forensics.write import write_about

if TYPE_CHECKING:
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.expert import Expert


def explanation_prompt(expert: Expert) -> str:
    """The first question that an expert learned to answer with reasons.

    Raises:
        UsageError: If it learned none.
    """
    question = next(iter(expert.card.explanation_prompts), None)
    if question is None:
        raise UsageError("the expert learned no question that asks for reasons; give one", file=expert.folder)
    return question


def explanations(expert: Expert, collator: Collator, views: Sequence[Any]) -> list[dict[str, Any]]:
    """What an expert says about pictures: of each its text, the boxes and the verdict it names, as in `answers.SCHEMA`.

    Args:
        expert: Who explains.
        collator: Reads the pictures.
        views: What its reader knows them by.

    Raises:
        UsageError: If the expert learned no question that asks for reasons.
    """
    texts = write_about(expert, collator, views, explanation_prompt(expert))
    found = []
    for view, text in zip(views, texts, strict=True):
        verdict = find_verdict(text, LABELS)
        boxes = [list(box) for box in written_boxes(expert, collator, view, text)]
        found.append({"text": text, "boxes": boxes, "verdict": verdict and verdict.label})
    return found
