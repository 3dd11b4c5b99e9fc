"""Tables of a benchmark's open questions: answers beside annotators' words and boxes, by question and content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fakeinstruct.measure.report.cells import Absent, Table, figure, interval
from fakeinstruct.measure.report.words import BESIDE, MARKED, judge_line

Part = Mapping[str, Any]
Lines = Sequence[tuple[str, Part]]

OVERLAP = ("bleu_1", "bleu_2", "rouge_l", "similarity")

BOXES = {
    **{"matched_iou": "matched IoU", "union_iou": "IoU of areas"},
    **{"precision": "precision", "recall": "recall"},
}
"""Figures of boxes that have a column, and what they are called."""

NO_BOX = "no answer names a box"


def open_tables(questions: Mapping[str, Part]) -> list[Table]:
    """The tables of `open` of `figures.json`: words, a judge's marks if there are any, and boxes."""
    lines = [line for name, row in questions.items() for line in _lines(name, row)]
    overlap = [name for name in OVERLAP if name != "similarity" or _known(lines, name)]
    found = [_words("open questions: words beside annotators'", lines, overlap, "n")]
    if marks := [name for name in MARKED if _known(lines, name)]:
        judges = dict.fromkeys(judge_line(row["judge"]) for row in questions.values() if row["judge"])
        title = f"open questions: marks, 0 to 2, of {', '.join(judges)}"
        found.append(_words(title, lines, marks, "n_marked"))
    return [*found, _boxes(lines)]


def _lines(question: str, row: Part) -> Iterator[tuple[str, Part]]:
    """A question's figures, and those of it by what images show."""
    yield question, row
    yield from ((f"{question}, {content}", each) for content, each in row["by_content"].items())


def _known(lines: Lines, name: str) -> bool:
    """Whether a figure is there at all; an encoder and a judge are not everybody's."""
    return any(each[name] is not None for _, row in lines for each in _writers(row).values())


def _writers(row: Part) -> Mapping[str, Part]:
    writers: Mapping[str, Part] = row["beside"]["by_writer"]
    return writers


def _words(title: str, lines: Lines, names: Sequence[str], number: str) -> Table:
    called = [BESIDE[name].removesuffix(", 0 to 2") for name in names]
    head = (
        "question",
        "asked",
        "answered",
        "images",
        *(cell for each in called for cell in (each, "95 % interval")),
    )
    return Table(
        title, head, tuple(row for name, each in lines for row in _beside(name, each, names, number))
    )


def _beside(question: str, row: Part, names: Sequence[str], number: str) -> Iterator[tuple[Any, ...]]:
    """A line for each kind of writer that a question's answers are compared with; one with the reason if none."""
    counts = (row["asked"], row["answered"])
    for by, each in _writers(row).items():
        title = question if by == "human" else f"{question}, beside words of {each['words_of']}"
        yield title, *counts, each[number], *_cells(each, names)
    if not _writers(row):
        reason = Absent(", ".join(row["beside"]["left_out"]) or "nothing was answered")
        yield question, *counts, 0, *(cell for _ in names for cell in (reason, ""))


def _cells(row: Part, names: Sequence[str]) -> Iterator[Any]:
    for name in names:
        yield from (figure(row, name), interval(row, name) or "")


def _boxes(lines: Lines) -> Table:
    head = ("question", "images", *(cell for title in BOXES.values() for cell in (title, "95 % interval")))
    return Table("open questions: boxes beside annotators'", head, tuple(map(_boxed, lines)))


def _boxed(line: tuple[str, Part]) -> tuple[Any, ...]:
    name, row = line[0], line[1]["boxes"]
    if not row:
        return name, 0, *(cell for _ in BOXES for cell in (Absent(NO_BOX), ""))
    return name, row["n"], *_cells(row, tuple(BOXES))
