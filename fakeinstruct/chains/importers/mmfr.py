"""`import mmfr`: MMFR (FakeReasoning): attributes by image path, and chains of reasoning.

Attributes are an object keyed by path: ``{"sd/1_fake/0001.png": {"Irregular Image Edges": text or null, ...}}``. A
chain is LLaVA's JSON whose answer is ``<REASONING>...</REASONING><CONCLUSION> This image is fake. </CONCLUSION>``. What
both say of one image becomes one chain.

Labels: a folder of the path, **0_real or 1_fake**, and a chain's conclusion, which must agree. A real image has the
positive names ("Consistent Lighting and Shadows"), a fake the negative ones; the wrong ones are a reject. `null` means
that nothing was said, not that the attribute is clean. Questions: not kept. Boxes: none. Encoding: UTF-8. Image paths:
relative to the image root. Generator: the outermost folder of a fake. Who wrote the texts: models that knew the label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.conversation import Turn, answers
from fakeinstruct.chains.importers.layout import SPLIT_FOLDERS, folder_split
from fakeinstruct.chains.importers.records import Record
from fakeinstruct.chains.importers.source import BAD, Imported, Source, published_split
from fakeinstruct.chains.importers.text import split_text
from fakeinstruct.chains.importers.verdict import stated_verdict
from fakeinstruct.chains.refusals import is_refusal
from fakeinstruct.chains.schema import Assessment, Chain, ImageRef, Label, Span, Trace
from fakeinstruct.chains.taxonomy import load_taxonomy

FLAWS = {
    "Semantic Irrationality": "unrealistic",
    "Inconsistent Lighting and Shadows": "light_shadow",
    "Irregular Image Edges": "edge",
    "Anomalous Image Texture": "texture",
    "Low Image Quality": "clarity",
}
"""The names of a fake's attributes, and the attribute of the taxonomy that each is."""

VIRTUES = {
    "Semantic Rationality": "unrealistic",
    "Consistent Lighting and Shadows": "light_shadow",
    "Smooth and Natural Image Edges": "edge",
    "Natural and Consistent Image Texture": "texture",
    "High Image Quality": "clarity",
}
"""The names of a real image's attributes."""

_CLASS = {"0_real": Label.REAL, "1_fake": Label.FAKE}
_PART = re.compile(r"(?:0|1)_(?:real|fake)", re.IGNORECASE)
_ANSWER = re.compile(
    r"<REASONING>(?P<reasoning>.*?)</REASONING>\s*<CONCLUSION>(?P<conclusion>.*?)</CONCLUSION>",
    re.DOTALL | re.IGNORECASE,
)


class Reasoned(Record):
    """A chain of reasoning about one image."""

    image: str
    conversations: list[Turn]


@dataclass
class _Said:
    """What was said of one image so far."""

    image: ImageRef
    label: Label
    file: Path
    name: str
    texts: list[dict[str, str]] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    assessed: dict[str, Assessment] = field(default_factory=dict)


def import_mmfr(source: Source, *, rejects: Rejects) -> Imported:
    """Read MMFR's attributes, chains or both; of a folder, every JSON and JSON Lines file.

    Args:
        source: The annotation file, or the folder or zip file that holds them.
        rejects: Collects records that cannot be taken, with reasons.

    Raises:
        UsageError: If there is no annotation file.
        FakeInstructError: If one cannot be read.
    """
    return Imported(_chains(source, rejects))


def _chains(source: Source, rejects: Rejects) -> Iterator[Chain]:
    found: dict[str, _Said] = {}

    def read(file: Path, name: str, value: Any) -> None:
        if isinstance(value, dict) and "conversations" in value:
            _reason(source, found, file, name, Reasoned.read(value))
        else:
            _attributes(source, found, file, name, value)

    for _ in source.each(source.annotations(), rejects, read):
        pass
    for said in found.values():
        try:
            yield _chain(source, said)
        except BAD as error:
            source.reject(rejects, error, said.file, said.name)


def _chain(source: Source, said: _Said) -> Chain:
    folders = said.image.path.split("/")[:-1]
    named = [name for name in folders if name.lower() not in (*_CLASS, *SPLIT_FOLDERS)]
    return source.chain(
        said.image,
        said.label,
        origin={"by": "model", "label_shown": True, "source_record": said.name},
        generator=named[0] if named and said.label is Label.FAKE else None,
        texts=said.texts,
        traces=[each.model_copy(update={"id": f"t{n}"}) for n, each in enumerate(said.traces, start=1)],
        assessed=said.assessed,
        split=folder_split(folders) or published_split(said.file),
    )


def _attributes(source: Source, found: dict[str, _Said], file: Path, path: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise RecordError(f"is not an object of attributes but {str(value)[:40]!r}")
    label = path_label(path)
    if label is None:
        raise RecordError(
            "its path does not say whether it is real or fake", hint="It has a folder 0_real or 1_fake."
        )
    names, others = (FLAWS, VIRTUES) if label is Label.FAKE else (VIRTUES, FLAWS)
    texts = {name: text for name, text in value.items() if text is not None}
    for name, text in texts.items():
        if name not in names:
            problem = f"is a name that {'the other label has' if name in others else 'no attribute has'}"
            hint = f"Known of {label} images: {', '.join(names)}."
            raise RecordError(f"{problem} (the path says {label})", field=name, hint=hint)
        if not isinstance(text, str) or not text.strip():
            raise RecordError(f"must be text or null, not {str(text)[:40]!r}", field=name)
        if is_refusal(text):
            raise RecordError("the text is a refusal", field=name)
    image = source.images.find(path, near=file)
    verdict = Assessment.PRESENT if label is Label.FAKE else Assessment.ABSENT
    _add(
        found,
        _Said(
            image,
            label,
            file,
            path,
            texts=[{"role": "explanation", "text": text.strip()} for text in texts.values()],
            traces=[_trace(name, names[name], texts[name].strip(), label, n) for n, name in enumerate(texts)],
            assessed={names[name]: verdict for name in texts},
        ),
    )


def _trace(name: str, key: str, text: str, label: Label, index: int) -> Trace:
    return Trace(
        id=f"t{index}",
        attribute=key,
        attribute_raw=name,
        mapped_by="format",
        points_to=label,
        observation=text,
        span=Span(text=index, start=0, end=len(text)),
    )


def _reason(source: Source, found: dict[str, _Said], file: Path, name: str, record: Reasoned) -> None:
    match = _ANSWER.search(answers(record.conversations)[0])
    if not match:
        raise RecordError("the answer has no <REASONING> and <CONCLUSION>", field="conversations")
    reasoning, conclusion = match["reasoning"].strip(), match["conclusion"].strip()
    label = stated_verdict(conclusion)
    if label is None:
        raise RecordError(f"the conclusion states no verdict ({conclusion[:80]!r})", field="conversations")
    if path_label(record.image) not in (None, label):
        raise RecordError(f"its conclusion says {label}, and its path the opposite", field="conversations")
    texts = [{"role": "explanation", "text": reasoning}, {"role": "conclusion", "text": conclusion}]
    traces = list(split_text(reasoning, load_taxonomy(), label=label))
    image = source.images.find(record.image, near=file)
    _add(found, _Said(image, label, file, name, texts, traces))


def _add(found: dict[str, _Said], said: _Said) -> None:
    """Add what a record says to what others said of the same image."""
    known = found.setdefault(said.image.path, said)
    if known is said:
        return
    if known.label is not said.label:
        raise RecordError(f"the image is called {said.label} here and {known.label} in record {known.name}")
    for each in said.traces:
        span = each.span and each.span.model_copy(update={"text": each.span.text + len(known.texts)})
        known.traces.append(each.model_copy(update={"span": span}))
    known.texts += said.texts
    known.assessed |= said.assessed


def path_label(path: str) -> Label | None:
    """The label that a folder of a path states, None if none does.

    Raises:
        RecordError: If folders state both, or a number goes with the wrong word.
    """
    folders = {part.lower() for part in re.split(r"[/\\]", path)[:-1] if _PART.fullmatch(part)}
    if len(folders) > 1 or not folders <= set(_CLASS):
        raise RecordError(
            f"its path contradicts itself ({', '.join(sorted(folders))})",
            hint="0_real is real, 1_fake is fake.",
        )
    return _CLASS[folders.pop()] if folders else None
