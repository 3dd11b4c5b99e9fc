"""Pair: one conversation about an image, with its machine-readable truth, and pair sets on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from fakeinstruct.base.boxes import Box
from fakeinstruct.base.config import StrictModel, explain, without_nulls
from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import read_json, sha256_file
from fakeinstruct.chains.schema import Identifier, Label, Split

Task = Literal["verdict", "reasoning", "evidence", "choice", "advice", "knowledge", "grounding", "looks"]
"""FakeInstruct's dimensions, and what the later papers add: evidence comes as narrative (`evidence`) and as
multiple choice (`choice`), extended knowledge as `advice` and `knowledge`; `grounding` answers or asks with
boxes, `looks` scans the whole image and then looks at crops of it."""

Stage = Literal["alignment", "instruction"]


class PairImage(StrictModel):
    """An image of a conversation: a file under the image root, or a crop of one (fractions of `parent`)."""

    path: str
    crop: Box | None = None
    parent: str | None = None


class Content(StrictModel):
    """One block of a message, as Hugging Face chat templates expect it: an image placeholder or text."""

    type: Literal["image", "text"]
    text: str | None = None


class Message(StrictModel):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: tuple[Content, ...]

    def text(self) -> str:
        """The words of the turn, without placeholders."""
        return "".join(block.text or "" for block in self.content)


class Target(StrictModel):
    """What the right answer says, for closed scoring, rewards and the contradiction test."""

    verdict: Label | None = None
    choice: str | None = None
    attributes: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    tags: dict[str, str] | None = None
    text: str | None = None


class Pair(StrictModel):
    """One conversation about one chain's image. Without an assistant turn it is an evaluation item.

    `polarity` is what "yes" means in a yes/no question; `choices` are the options of a multiple-choice
    question, letter to text; `advice_origin` says whether advice is the annotator's or the taxonomy's.
    """

    id: Identifier
    chain: Identifier
    template: str
    task: Task
    stage: Stage = "instruction"
    images: tuple[PairImage, ...] = Field(min_length=1)
    messages: tuple[Message, ...] = Field(min_length=1)
    label: Label
    split: Split | None = None
    group: Identifier
    target: Target
    polarity: Label | None = None
    choices: tuple[str, ...] | None = None
    references: tuple[str, ...] | None = None
    advice_origin: Literal["chain", "bank"] | None = None


class VerdictReadout(StrictModel):
    """How a verdict template's answer is read as a probability: its question, and the word of each label.

    The verdict is the answer's first word; `fake` and `real` list the words that mean each label there.
    `held_out` are wordings of the question that no pair uses, for measuring.
    """

    template: str
    prompts: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    fake: tuple[str, ...]
    real: tuple[str, ...]


Count = Annotated[int, Field(ge=0)]
ShardName = Annotated[str, Field(pattern=r"^[^/\\\x00]+\.parquet$")]
"""A file of the pair set's own folder."""


class PairManifest(StrictModel):
    """`manifest.json` of a pair set: written last, so its presence vouches for every shard it names.

    `image_root` is relative to the pair set's folder. Counts are of pairs; `asked` is how many there were to be at
    most. `shards` maps a shard's file name to
    its SHA-256; `per_template` counts by label. `explanation_prompts` are questions that ask for a verdict
    with its reasons.
    """

    schema_version: Literal[1] = 1
    seed: int
    asked: int | None = None
    pairs: Count
    chains: Count
    rejected: Count
    image_root: str = Field(pattern=r"^[^\x00]*$")
    chains_sha256: str
    templates_sha256: str
    per_task: dict[str, Count]
    per_template: dict[str, dict[str, Count]]
    per_split: dict[str, Count]
    shards: dict[ShardName, str] = Field(min_length=1)
    readouts: tuple[VerdictReadout, ...]
    explanation_prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairSet:
    """A pair set that was found on disk; its pairs are read as a stream.

    Attributes:
        folder: The pair set's folder.
        manifest: The contents of `manifest.json`.
        image_root: The folder that image paths are relative to.
        files: Its Parquet shards, in order.
    """

    folder: Path
    manifest: PairManifest
    image_root: Path
    files: tuple[Path, ...]

    def verified(self) -> PairSet:
        """The same set, every shard held against its hash in the manifest.

        Raises:
            FakeInstructError: Naming the first shard that is another one.
        """
        for file, sha256 in zip(self.files, self.manifest.shards.values(), strict=True):
            if sha256_file(file) != sha256:
                raise FakeInstructError(
                    "is not the shard that manifest.json names: its SHA-256 differs",
                    file=file,
                    hint="Run 'fakeinstruct expand' again as before; it writes what is damaged anew.",
                )
        return self

    def read(
        self,
        split: str | None = None,
        tasks: Sequence[str] | None = None,
        templates: Sequence[str] | None = None,
    ) -> Iterator[Pair]:
        """The pairs in order, of one split, some tasks and some templates if so asked.

        Raises:
            FakeInstructError: If a shard is damaged.
        """
        for file in self.files:
            own = replace(self, files=(file,))
            for batch in own.batches(split, tasks, templates=templates):
                try:
                    yield from map(parse_pair, batch.to_pylist())
                except FakeInstructError as error:
                    raise error.located(file=file) from None

    def batches(
        self,
        split: str | None = None,
        tasks: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        *,
        templates: Sequence[str] | None = None,
    ) -> Iterator[Any]:
        """The same pairs as Arrow record batches, unchecked, with some of the columns if so asked.

        Raises:
            FakeInstructError: If a shard is damaged.
        """
        import pyarrow.dataset as ds

        asked = {"split": None if split is None else [split], "task": tasks, "template": templates}
        wanted = [ds.field(name).isin(list(some)) for name, some in asked.items() if some is not None]
        condition: Any = reduce(and_, wanted) if wanted else None
        names = None if columns is None else list(columns)
        for file in self.files:
            try:
                shard = ds.dataset(file, format="parquet")
                yield from shard.to_batches(columns=names, filter=condition, batch_size=4096)
            except (OSError, ValueError) as error:
                raise FakeInstructError(f"is not a readable pair shard ({error})", file=file) from error


def parse_pair(row: dict[str, Any]) -> Pair:
    """A pair from a Parquet row, in which absent fields and empty lists stand as null.

    Raises:
        FakeInstructError: Naming the pair and the field that is wrong.
    """
    cleaned = _with_tags_by_name(without_nulls(row))
    try:
        return Pair.model_validate(cleaned)
    except ValidationError as error:
        field, problem, hint = explain(error, Pair)
        raise FakeInstructError(problem, record=row.get("id"), field=field, hint=hint) from None


def _with_tags_by_name(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its target's tags as a mapping: Parquet holds them as names and values."""
    target = row.get("target")
    tags = target.get("tags") if isinstance(target, dict) else None
    if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
        return row
    named = {tag.get("name"): tag.get("value") for tag in tags}
    return row | {"target": {**row["target"], "tags": named or None}}


def open_pairs(folder: str | Path, *, image_root: str | Path | None = None) -> PairSet:
    """Find a pair set on disk.

    Raises:
        UsageError: If the folder is not there, not a pair set, or an expansion of it never finished.
        FakeInstructError: If its manifest is wrong, or a shard is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError("no such pair set folder", file=folder)
    if not (folder / "manifest.json").is_file():
        raise UsageError(
            "is not a finished pair set: it has no manifest.json",
            file=folder,
            hint="Run 'fakeinstruct expand' again; it goes on where it stopped.",
        )
    try:
        manifest = PairManifest.model_validate(read_json(folder / "manifest.json"))
    except ValidationError as error:
        field, problem, hint = explain(error, PairManifest)
        raise FakeInstructError(problem, file=folder / "manifest.json", field=field, hint=hint) from None
    files = tuple(folder / name for name in manifest.shards)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise FakeInstructError(f"shards are missing: {', '.join(missing[:3])}", file=folder)
    root = Path(image_root) if image_root is not None else folder / manifest.image_root
    return PairSet(folder, manifest, root, files)
