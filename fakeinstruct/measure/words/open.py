"""Figures of a benchmark's open questions: how many were answered, and how near the answers come to annotators.

LOKI asks what is wrong with a picture that it calls fake: an answer has no verdict to be right or wrong about. What
can be measured are its words and boxes beside annotators' own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fakeinstruct.chains.schema import Chain
from fakeinstruct.measure.boxes import boxes_beside
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.words.beside import Aids, beside_figures
from fakeinstruct.measure.words.said import Images, texts_of
from fakeinstruct.measure.words.similarity import Encoder

Rows = Sequence[Mapping[str, Any]]

NOT_SAID = "not said"
"""The content of an image of which the benchmark names none."""


def open_rows(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """The answers to each open question, by its name, told like texts about whole images."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "open":
            found[row["template"] or ""].append({**row, "kind": "verdict"})
    return dict(sorted(found.items()))


def open_figures(
    rows: Rows,
    known: Mapping[str, Chain],
    seed: int,
    *,
    encoder: Encoder | None = None,
    judgement: Judgement | None = None,
) -> dict[str, Any]:
    """Figures of the answers to one open question.

    Args:
        rows: The answers, also those without a text, of `open_rows`.
        known: Chains by id.
        seed: Seed of the draws behind intervals.
        encoder: Compares meanings.
        judgement: What a judge said of these answers.

    Returns:
        `asked` and `answered` times; `beside`, see `beside_figures`; `boxes`, see `box_figures`, empty where no answer
        names one; `judge`, who marked and how; `by_content`, the same by what the benchmark says that images show,
        empty where it says nothing.
    """
    aids = Aids(encoder, judgement.marks if judgement else None)
    parts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        chain = known.get(row.get("chain") or row["item"])
        for name in chain.content if chain and chain.content else (NOT_SAID,):
            parts[name].append(row)
    named = sorted(parts, key=lambda name: (name == NOT_SAID, name)) if set(parts) != {NOT_SAID} else []
    points = any(row["boxes"] for row in rows)
    by_content = {name: _figures(parts[name], known, seed, aids, points) for name in named}
    judge = judgement.json() if judgement else None
    return {**_figures(rows, known, seed, aids, points), "judge": judge, "by_content": by_content}


def _figures(rows: Rows, known: Mapping[str, Chain], seed: int, aids: Aids, points: bool) -> dict[str, Any]:
    """Figures of some answers; of boxes where the question was answered with any, be it elsewhere."""
    said = texts_of(rows)
    boxed = [row for row in rows if row["text"] is not None]
    return {
        "asked": len(rows),
        "answered": sum(bool(one.text.strip()) for one in said),
        "beside": beside_figures(said, Images.of(said), known, seed, aids=aids),
        "boxes": boxes_beside(boxed, known, seed) if points else {},
    }
