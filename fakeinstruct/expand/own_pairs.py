"""Pairs of one's own: conversations in files to a pair set that `train` takes, their wording untouched."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import (
    atomic_folder,
    check_outside,
    fingerprint,
    sha256_file,
    write_json,
)
from fakeinstruct.base.images import open_header, resolve_under
from fakeinstruct.base.progress import track
from fakeinstruct.chains.importers.records import TEXTS, read_records
from fakeinstruct.chains.importers.source import published_split
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.splits import draw_split
from fakeinstruct.expand.columns import SCHEMA
from fakeinstruct.expand.conversations import first_image, read_conversation
from fakeinstruct.expand.pair import Pair, PairManifest, VerdictReadout
from fakeinstruct.expand.shard import shard_name

PAIRS_A_SHARD = 16_000

OURS = ("pairs-*.parquet", "manifest.json", "rejects.jsonl")
"""Files of a set of this kind."""

NOT_RECORDS = ("manifest.json", "dataset_info.json", "rejects.jsonl", "meta.json")
"""Files of a folder that hold no conversations."""


def make_pairs(
    src: str | Path,
    out: str | Path,
    *,
    image_root: str | Path | None = None,
    validation: float = 0.1,
    seed: int = 0,
    rejects: Rejects | None = None,
) -> PairManifest:
    """Make a pair set of conversations in files.

    Args:
        src: A file of JSON or JSON Lines, or a folder of such files; see `conversations`.
        out: The pair set's folder.
        image_root: What image paths are relative to; by default the file's folder.
        validation: Share of groups for validation, where neither record nor file name says the split.
        seed: Decides which groups these are.
        rejects: Collects records that cannot be taken.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        UsageError: If the source or the image root is not there.
        FakeInstructError: If no record could be taken, or too many were rejected.
    """
    src, out = Path(src), Path(out)
    rejects = rejects if rejects is not None else Rejects()
    root = Path(image_root) if image_root is not None else (src if src.is_dir() else src.parent)
    files = _files(src, root)
    check_outside(out, src, root)
    collected = _Collected(root, validation, seed)
    for file in files:
        collected.read(file, rejects)
    pairs = [pair for own in collected.by_image.values() for pair in own]
    if not pairs:
        first = f"; the first: {rejects.errors[0]}" if rejects else ""
        raise FakeInstructError(f"no conversation could be taken{first}", file=src)
    with atomic_folder(out, ours=OURS, marks={"manifest.json"}) as folder:
        manifest = PairManifest(
            seed=seed,
            rejected=len(rejects),
            image_root=Path(os.path.relpath(root.resolve(), out.resolve())).as_posix(),
            chains_sha256=fingerprint([sha256_file(file) for file in files]),
            templates_sha256=fingerprint([]),
            shards=_write_shards(folder, pairs),
            **_described(pairs),
        )
        write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def _files(src: Path, root: Path) -> list[Path]:
    """The files to read.

    Raises:
        UsageError: If there are none, or no folder of images.
    """
    if src.exists() and not root.is_dir():
        raise UsageError("the image root is not a folder", file=root)
    if src.is_file():
        return [src]
    if not src.is_dir():
        raise UsageError("no such file or folder", file=src)
    found = sorted(file for file in src.iterdir() if file.suffix.lower() in TEXTS)
    if files := [file for file in found if file.name not in NOT_RECORDS]:
        return files
    raise UsageError("holds no .json or .jsonl file", file=src)


class _Collected:
    """Pairs by image, and what keeps one image, group or conversation from standing in two places."""

    def __init__(self, root: Path, validation: float, seed: int) -> None:
        self.root, self.validation, self.seed = root, validation, seed
        self.by_image: dict[str, list[Pair]] = defaultdict(list)
        self._hashes: dict[str, str] = {}
        self._ids: set[str] = set()
        self._said: set[str] = set()
        self._labels: dict[str, Label] = {}
        self._splits: dict[tuple[str, str], Split] = {}

    def read(self, file: Path, rejects: Rejects) -> None:
        """Take the records of a file."""
        published, seen = published_split(file), 0
        for name, value in track(read_records(file, rejects), f"reading {file.name}"):
            seen += 1
            try:
                self._add(value, published)
            except RecordError as error:
                place = f" ({error.file})" if error.file else ""
                rejects.add(
                    RecordError(
                        error.problem + place, file=file, record=name, field=error.field, hint=error.hint
                    )
                )
                rejects.check(max(seen, 100))
        rejects.check(seen)

    def _add(self, value: Any, published: Split | None) -> None:
        sha256 = self._hash(first_image(value))
        pair = read_conversation(value, self.root, group=sha256[:20], split=published)
        if pair.split is None:
            drawn = draw_split(
                None, pair.group, has_validation=False, validation=self.validation, seed=self.seed
            )
            pair = pair.model_copy(update={"split": drawn})
        said = fingerprint([sha256, [message.model_dump() for message in pair.messages]])
        self._check(pair, sha256, said)
        self._ids.add(pair.id)
        self._said.add(said)
        self._labels[sha256] = pair.label
        for place in (("image", sha256), ("group", pair.group)):
            self._splits[place] = Split(str(pair.split))
        self.by_image[pair.images[0].path].append(pair)

    def _check(self, pair: Pair, sha256: str, said: str) -> None:
        if said in self._said:
            raise RecordError("the same conversation about the same image was there before")
        if pair.id in self._ids:
            raise RecordError(f"the id '{pair.id}' was used before", field="id")
        if self._labels.get(sha256, pair.label) is not pair.label:
            raise RecordError(f"the same image is labelled {pair.label.other} before", field="label")
        for what, name in (("image", sha256), ("group", pair.group)):
            before = self._splits.get((what, name), pair.split)
            if before != pair.split:
                raise RecordError(
                    f"its {what} is in the split '{before}' before",
                    field="split",
                    hint=f"One {what} must not be in two splits.",
                )

    def _hash(self, path: str) -> str:
        """The hash of an image's file, which is looked for and opened once."""
        if path not in self._hashes:
            file = resolve_under(self.root, path)
            open_header(file).close()
            self._hashes[path] = sha256_file(file)
        return self._hashes[path]


def readouts_of(pairs: Iterable[Pair]) -> tuple[VerdictReadout, ...]:
    """How verdicts among the training pairs are read: the answers' first word, where it tells the labels apart.

    Questions of one template whose labels have the same words are one readout; one that was asked of images of one
    label only has none.
    """
    words: dict[tuple[str, str], dict[Label, set[str]]] = defaultdict(lambda: defaultdict(set))
    for pair in pairs:
        if pair.task == "verdict" and pair.split == Split.TRAIN:
            first = pair.messages[1].text().split()[0].rstrip(".,:;!")
            words[pair.template, pair.messages[0].text()][pair.label].add(first)
    prompts: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (template, prompt), said in words.items():
        fake, real = (tuple(sorted(filter(None, said[label]))) for label in (Label.FAKE, Label.REAL))
        if fake and real and not set(fake) & set(real):
            prompts[template, fake, real].append(prompt)
    return tuple(
        VerdictReadout(template=template, prompts=tuple(asked), fake=fake, real=real)
        for (template, fake, real), asked in prompts.items()
    )


def explanation_prompts_of(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """Questions for reasons that were asked of images of both labels in training, the most frequent first."""
    asked: dict[str, Counter[Label]] = defaultdict(Counter)
    for pair in pairs:
        if pair.task == "reasoning" and pair.split == Split.TRAIN:
            asked[pair.messages[0].text()][pair.label] += 1
    both = {prompt: counts.total() for prompt, counts in asked.items() if len(counts) == 2}
    return tuple(sorted(both, key=lambda prompt: -both[prompt]))


def _described(pairs: Sequence[Pair]) -> dict[str, Any]:
    """What the manifest says of the pairs: how many by task, template and split, and what they ask."""
    per_template: dict[str, dict[str, int]] = {}
    for pair in pairs:
        per_template.setdefault(pair.template, {"fake": 0, "real": 0})[pair.label.value] += 1
    return {
        "pairs": len(pairs),
        "chains": len({pair.chain for pair in pairs}),
        "readouts": readouts_of(pairs),
        "explanation_prompts": explanation_prompts_of(pairs),
        "per_task": dict(sorted(Counter(pair.task for pair in pairs).items())),
        "per_template": dict(sorted(per_template.items())),
        "per_split": dict(sorted(Counter(str(pair.split) for pair in pairs).items())),
    }


def _write_shards(folder: Path, pairs: Sequence[Pair]) -> dict[str, str]:
    """Write the shards; the hash of each by name."""
    count = -(-len(pairs) // PAIRS_A_SHARD)
    shards = {}
    for number, some in enumerate(_some(pairs)):
        name = shard_name(number, count)
        table = pa.Table.from_pylist([_row(pair) for pair in some], schema=SCHEMA)
        pq.write_table(table, folder / name, compression="zstd")
        shards[name] = sha256_file(folder / name)
    return shards


def _some(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(pairs), PAIRS_A_SHARD):
        yield pairs[start : start + PAIRS_A_SHARD]


def _row(pair: Pair) -> dict[str, Any]:
    """A pair as a row of `SCHEMA`, which has tags as names and values."""
    row = pair.model_dump(mode="json")
    tags = pair.target.tags or {}
    row["target"]["tags"] = [{"name": name, "value": value} for name, value in tags.items()] or None
    return row
