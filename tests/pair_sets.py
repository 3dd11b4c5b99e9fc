"""Pair sets made by hand, over drawn images: what the tests of exports and cards stand on."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fakeinstruct.base.files import sha256_file, write_json
from fakeinstruct.expand.columns import SCHEMA
from fakeinstruct.expand.pair import (
    Content,
    Message,
    Pair,
    PairImage,
    PairManifest,
    PairSet,
    Target,
    open_pairs,
)


def draw(folder: Path, name: str, side: int = 20) -> Path:
    """A picture in which no two pixels are the same colour."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.indices((side, side)) * (255 // side)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def turn(role: str, text: str, *, images: int = 0) -> Message:
    return Message(role=role, content=(*[Content(type="image")] * images, Content(type="text", text=text)))


def make_pair(name: str, *messages: Message, **fields) -> Pair:
    """A pair about `a.png`, a fake image of the train split, if nothing else is said."""
    values = {
        "chain": "a",
        "template": "verdict/one_word",
        "task": "verdict",
        "images": (PairImage(path="a.png"),),
        "label": "fake",
        "split": "train",
        "group": "a",
        "target": Target(verdict="fake"),
    }
    return Pair(id=name, messages=messages, **values | fields)


def plain(name: str, **fields) -> Pair:
    """A question and a word."""
    return make_pair(name, turn("user", "Real or fake?", images=1), turn("assistant", "fake"), **fields)


BOXED = make_pair(
    "boxed",
    turn("user", "What is at <box>[[100, 200, 300, 400]]</box>?", images=1),
    turn("assistant", "A seam, as at <box>[[0, 0, 500, 1000], [250, 250, 750, 750]]</box>."),
    task="grounding",
    template="grounding/seam",
    target=Target(boxes=((0.1, 0.2, 0.3, 0.4),), attributes=("edge",), tags={"scene": "street", "a": "b"}),
)

LOOKS = make_pair(
    "looks",
    turn("user", "Look at it.", images=1),
    turn("assistant", "This part is odd."),
    turn("user", "Here it is, with another.", images=2),
    turn("assistant", "It is fake."),
    task="looks",
    template="looks/twice",
    images=(
        PairImage(path="a.png"),
        PairImage(path="a.png", crop=(0.1, 0.2, 0.5, 0.6), parent="a.png"),
        PairImage(path="a.png", crop=(0.0, 0.0, 0.25, 1.0), parent="a.png"),
    ),
)

QUESTION_ONLY = make_pair("item", turn("user", "Real or fake?", images=1), split="test")


def write_set(folder: Path, pairs: list[Pair], chains_sha256: str = "0" * 64) -> PairSet:
    """A pair set of these pairs, with the picture `a.png` in a folder beside it."""
    draw(folder.parent / "pictures", "a.png")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for pair in pairs:
        row = pair.model_dump(mode="json")
        tags = pair.target.tags
        row["target"]["tags"] = tags and [{"name": name, "value": tags[name]} for name in tags]
        rows.append(row)
    name = "pairs-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / name)
    per_template: dict[str, dict[str, int]] = {}
    for pair in pairs:
        counts = per_template.setdefault(pair.template, {"fake": 0, "real": 0})
        counts[pair.label.value] += 1
    manifest = PairManifest(
        seed=7,
        pairs=len(pairs),
        chains=len({pair.chain for pair in pairs}),
        rejected=0,
        image_root=os.path.relpath(folder.parent / "pictures", folder),
        chains_sha256=chains_sha256,
        templates_sha256="1" * 64,
        per_task=dict(sorted(Counter(pair.task for pair in pairs).items())),
        per_template=per_template,
        per_split=dict(sorted(Counter(pair.split.value if pair.split else "none" for pair in pairs).items())),
        shards={name: sha256_file(folder / name)},
        readouts=(),
    )
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return open_pairs(folder)
