"""The files that FakeBench's authors ask for: answers to its three query files, by image.

They keep the annotators' answers to themselves and score what is sent to them (README of FakeBench, "Submission
Guidelines"): UTF-8 JSON named as their scripts name it, of these forms.

    test_FakeClass.json   [{"image_id", "answer"}]
    test_FakeClue.json    [{"image_id", "faultfinding_mode", "inference_mode"}]
    test_FakeQA.json      [{"image_id", "A1", "A1_org", ..., "A14", "A14_org"}]

`A1_org` is the whole answer, `A1` its sentences that name what was asked for, or all of it where none does.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fakeinstruct.base.files import atomic_write

ASPECTS = (
    *(
        "texture",
        "edge",
        "clarity",
        "light",
        "shadow",
        "layout",
        "symmetry",
        "reflection",
        "perspective",
        "shape",
    ),
    *("theme", "deficienc", "distortion", "unrealistic", "realis", "color", "tone"),
)
"""Beginnings of the words by which a question names its aspect."""

MODES = ("faultfinding", "inference")


def write_fakebench(folder: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Write the submission files.

    Args:
        folder: Where to.
        rows: Answers to FakeBench's questions: `item` is the image's name, "#", and which question it is; `text` and
            `prompt`.

    Returns:
        The files, of each how many images it holds and how many answers of these it lacks.
    """
    said: dict[str, dict[str, Any]] = {"FakeClass": {}, "FakeClue": {}, "FakeQA": {}}
    lacking = dict.fromkeys(said, 0)
    for image, answers in sorted(_by_image(rows).items()):
        for name, answer, keys in (
            ("FakeClass", _class(answers), {"class"}),
            ("FakeClue", _clue(answers), set(MODES)),
            ("FakeQA", _qa(answers), {key for key in answers if key.startswith("Q")}),
        ):
            lacking[name] += sum(answers[key]["text"] is None for key in keys & answers.keys())
            if keys & answers.keys():
                said[name][image] = {"image_id": image, **answer}
    found: dict[str, Any] = {}
    for name, images in said.items():
        if images:
            file = folder / f"test_{name}.json"
            text = json.dumps(list(images.values()), ensure_ascii=False, indent=4)
            with atomic_write(file) as out:
                out.write(text.encode("utf-8", errors="replace"))
            found[file.name] = {"images": len(images), "lacking": lacking[name]}
    return found


def _by_image(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Answers by image and question; under no condition but the image as it is."""
    found: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        image, mark, question = (row["item"] or "").rpartition("#")
        if mark and (row.get("condition") or "clean") == "clean":
            found[image][question] = row
    return found


def _class(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {"answer": _text(answers["class"])} if "class" in answers else {}


def _clue(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {f"{mode}_mode": _text(answers[mode]) for mode in MODES if mode in answers}


def _qa(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    numbers = sorted(int(key[1:]) for key in answers if re.fullmatch(r"Q\d{1,2}", key))
    found: dict[str, str] = {}
    for number in numbers:
        row = answers[f"Q{number}"]
        found |= {f"A{number}": to_the_point(row["prompt"], _text(row)), f"A{number}_org": _text(row)}
    return found


def to_the_point(question: str, answer: str) -> str:
    """The sentences of an answer that name what the question asks for, or all of it if none does."""
    named = [word for word in ASPECTS if word in question.lower()]
    sentences = re.split(r"(?<=[.!?])\s+", answer.replace("\n", " ").strip())
    kept = [one for one in sentences if any(re.search(rf"\b{word}", one, re.IGNORECASE) for word in named)]
    return " ".join(kept or sentences)


def _text(row: Mapping[str, Any]) -> str:
    return row["text"] or ""
