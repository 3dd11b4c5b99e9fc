"""`import sofake`: So-Fake: a class word and boxes in an answer, ``<answer>TAMPERED,(48,0),(219,223)</answer>``.

A record names its `image` and holds the answer in `answer`, `solution`, or the last turn of `conversations` (LLaVA) or
`messages` (ms-swift, whose image is the only one of `images`). ``<think>...</think>`` before it is the explanation.

Labels: the class word, **REAL, FULL_SYNTHETIC or TAMPERED**; synthetic images are `generated`, tampered ones `edited`.
A number is no label: the card of So-Fake-OOD has 0 synthetic, 1 real, 2 tampered, that of the same authors' SID-Set
0 real, 1 synthetic, 2 tampered. Questions: none kept. Boxes: corners x, y of a frame of **224 x 224 pixels** over
the whole image, whatever its size or shape, so that the image's own size is not needed; 223 is the last pixel. Only a
tampered image has boxes, and one without is counted. Encoding: UTF-8. Image paths: relative to the image root. Splits:
in the file's name. So-Fake-OOD is for evaluation only, says its card: a set whose name holds "ood" is marked so.

How surely this is known: the form of the answer is known from descriptions of it, the fields around it are not, and
the published sets hold images, masks and numbers only (their class folders can be read with `import sida`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.conversation import Turn, answers
from fakeinstruct.chains.importers.placeholders import Message
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.regions import EDITED, region_from_box
from fakeinstruct.chains.importers.source import Imported, Source, published_split
from fakeinstruct.chains.importers.text import split_text
from fakeinstruct.chains.refusals import is_refusal
from fakeinstruct.chains.schema import Chain, Label, Manipulation, Region, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

FRAME = (224, 224)
"""Width and height of the frame that boxes are in."""

CLASSES: dict[str, tuple[Label, Manipulation | None]] = {
    "REAL": (Label.REAL, None),
    "FULL_SYNTHETIC": (Label.FAKE, Manipulation.GENERATED),
    "TAMPERED": (Label.FAKE, Manipulation.EDITED),
}
"""What each class word means."""

EVALUATION_ONLY = "the card of So-Fake-OOD says that it is for evaluation only"

_POINT = r"\(\s*-?\d{1,4}(?:\.\d+)?\s*,\s*-?\d{1,4}(?:\.\d+)?\s*\)"
_ANSWER = re.compile(
    rf"<answer>\s*(?P<word>[A-Za-z][A-Za-z_ -]{{0,30}}?)\s*(?P<boxes>(?:,\s*{_POINT}\s*,\s*{_POINT}\s*)*)</answer>"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_THINK = re.compile(r"<think>(?P<words>[^<]*)</think>")


class Answered(Record):
    """One image and what was answered of it."""

    image: str | None = None
    images: list[str] | None = None
    answer: str | None = None
    solution: str | None = None
    conversations: list[Turn] | None = None
    messages: list[Message] | None = None
    label: Any = None


def import_sofake(source: Source, *, rejects: Rejects) -> Imported:
    """Read So-Fake's answers; of a folder, every JSON and JSON Lines file.

    Args:
        source: The annotation file, or the folder or zip file that holds it.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no annotation file.
        FakeInstructError: If it cannot be read.
    """
    notes: Counter[str] = Counter()
    reason = EVALUATION_ONLY if "ood" in re.split(r"[^a-z]+", source.dataset.lower()) else None
    return Imported(_chains(source, rejects, notes), evaluation_only=reason, notes=notes)


def _chains(source: Source, rejects: Rejects, notes: Counter[str]) -> Iterator[Chain]:
    def read(file: Path, name: str, value: Any) -> Chain:
        return _chain(source, file, name, Answered.read(value), notes)

    return source.each(source.annotations(), rejects, read)


def _chain(source: Source, file: Path, name: str, record: Answered, notes: Counter[str]) -> Chain:
    text = _text(record)
    label, manipulation, regions = parse_answer(text, notes)
    image = source.images.find(_path(record), near=file)
    think = _THINK.search(text)
    words = think["words"].strip() if think else ""
    if is_refusal(words):
        raise RecordError("the explanation is a refusal")
    traces = list(split_text(words, load_taxonomy(), label=label)) if words else []
    if regions:
        # Which sentence speaks of which box is not said.
        traces.append(Trace(id=f"t{len(traces) + 1}", points_to=label, observation=EDITED, regions=regions))
    return source.chain(
        image,
        label,
        manipulation=manipulation,
        origin={"by": "model" if words else "dataset", "source_record": name},
        texts=[{"role": "explanation", "text": words}] if words else [],
        traces=traces,
        split=published_split(file),
    )


def _text(record: Answered) -> str:
    """The answer of a record, wherever it is."""
    found = [text for text in (record.answer, record.solution) if text is not None]
    if record.conversations is not None:
        found.append(answers(record.conversations)[-1])
    if record.messages is not None:
        spoken = [message.content for message in record.messages if message.role == "assistant"]
        found += spoken[-1:]
    if len(found) == 1:
        return found[0]
    number = isinstance(record.label, int)
    raise RecordError(
        f"has {len(found)} answers, not one" if found else "has no answer",
        field="label" if number else "answer",
        hint="A number is no label: So-Fake-OOD has 1 for real, SID-Set 0."
        if number
        else "It is expected in answer, solution, conversations or messages.",
    )


def _path(record: Answered) -> str:
    paths = [*([record.image] if record.image is not None else []), *(record.images or [])]
    if len(paths) != 1:
        raise RecordError(f"names {len(paths)} images, not one", field="image")
    return paths[0]


def parse_answer(text: str, notes: Counter[str]) -> tuple[Label, Manipulation | None, tuple[Region, ...]]:
    """What an answer says: label, manipulation, and regions in fractions of the image.

    Args:
        text: Holds ``<answer>WORD</answer>`` or ``<answer>TAMPERED,(x0,y0),(x1,y1)</answer>`` once; more pairs of
            corners may follow.
        notes: Counts boxes that were clipped and tampered images without a box.

    Raises:
        RecordError: If it does not, the word is unknown, or a box is not one or of an image that is not tampered.
    """
    found = _ANSWER.findall(text)
    if len(found) != 1 or text.count("<answer>") != 1:
        raise RecordError(
            "is not an answer of So-Fake",
            field="answer",
            hint="Expected: <answer>TAMPERED,(48,0),(219,223)</answer>, REAL or FULL_SYNTHETIC.",
        )
    word = re.sub(r"[ -]+", "_", found[0][0].strip()).upper()
    if word not in CLASSES:
        raise RecordError(
            f"an unknown class word ({found[0][0]!r})", field="answer", hint=f"Known: {', '.join(CLASSES)}."
        )
    numbers = [float(number) for number in _NUMBER.findall(found[0][1])]
    boxes = [numbers[at : at + 4] for at in range(0, len(numbers), 4)]
    if boxes and word != "TAMPERED":
        raise RecordError(f"an image called {word} has boxes", field="answer")
    if word == "TAMPERED" and not boxes:
        notes["tampered images without a box"] += 1
    regions = tuple(region_from_box(box, FRAME, notes, convention="xyxy") for box in boxes)
    return *CLASSES[word], regions
