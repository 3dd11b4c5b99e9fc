"""Drawn images with pairs and chains over them, and the texts of a tiny vocabulary: what several tests stand on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fakeinstruct.base.files import sha256_file, write_json
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import write_chains
from fakeinstruct.expand.pair import Content, Message, Pair, PairImage, PairManifest, Target, VerdictReadout
from fakeinstruct.expert.small import SmallShape

QUESTION = "Is this image real or fake? Answer with one word."
TINY = SmallShape(
    image_size=16,
    widths=(8, 16),
    strides=(2, 2),
    hidden_size=16,
    layers=1,
    heads=2,
    intermediate_size=32,
    vocab_size=500,
    max_positions=256,
)


def turn(role: str, text: str, *, image: bool = False) -> Message:
    blocks = (Content(type="image"),) if image else ()
    return Message(role=role, content=(*blocks, Content(type="text", text=text)))


def draw_image(path, label: str, rng: np.random.Generator) -> None:
    """A smooth picture; a fake one also has a checkerboard, which anything can learn."""
    pixels = np.full((16, 16, 3), rng.integers(60, 190), dtype=np.float64)
    pixels += rng.normal(0, 4, pixels.shape)
    if label == "fake":
        pixels += 24 * ((np.indices((16, 16)).sum(0) % 2) * 2 - 1)[..., None]
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def make_pairs(folder, *, images: int = 24, seed: int = 0, held_out: str = "test"):
    """A pair set of `images` images, three pairs each, one of several turns; a third of the images is held out."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(images):
        label = ("real", "fake")[number % 2]
        path = f"images/{number:03d}.png"
        draw_image(folder / path, label, rng)
        split = "train" if number < images * 2 // 3 else held_out
        verdict = (turn("user", QUESTION, image=True), turn("assistant", label))
        reasons = (
            turn("user", "What speaks for your verdict?", image=True),
            turn("assistant", f"The texture tells: it is {label}."),
            turn("user", "So what is it?"),
            turn("assistant", f"It is {label}, as I said."),
        )
        for index, (task, messages) in enumerate(
            (("verdict", verdict), ("reasoning", reasons), ("verdict", verdict))
        ):
            pair = Pair(
                id=f"{number}/{index}",
                chain=str(number),
                template="verdict/one_word" if task == "verdict" else "reasoning/turns",
                task=task,
                images=(PairImage(path=path),),
                messages=messages,
                label=label,
                split=split,
                group=str(number),
                target=Target(verdict=label),
            )
            row = pair.model_dump(mode="json")
            rows.append(row | {"target": {"verdict": label}})
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs-0.parquet")
    trained = sum(row["split"] == "train" for row in rows)
    manifest = PairManifest(
        seed=seed,
        pairs=len(rows),
        chains=images,
        rejected=0,
        image_root=".",
        chains_sha256="0" * 64,
        templates_sha256="0" * 64,
        per_task={"verdict": 2 * images, "reasoning": images},
        per_template={},
        per_split={"train": trained, held_out: len(rows) - trained},
        shards={"pairs-0.parquet": sha256_file(folder / "pairs-0.parquet")},
        readouts=(
            VerdictReadout(template="verdict/one_word", prompts=(QUESTION,), fake=("fake",), real=("real",)),
        ),
        explanation_prompts=("What speaks for your verdict?",),
    )
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return folder


def conversations(count: int = 40) -> list[str]:
    """Texts for a vocabulary."""
    kinds = ("edges", "texture", "light", "symmetry")
    return [
        text
        for number in range(count)
        for text in (
            f"USER: {QUESTION}",
            "ASSISTANT: fake",
            "ASSISTANT: real",
            f"USER: What do the {kinds[number % 4]} tell? ASSISTANT: The {kinds[number % 4]} tell that it is fake.",
            "USER: What speaks for your verdict? ASSISTANT: The texture tells: it is real. So what is it?",
        )
    ]


def make_chains(folder: Path, count: int) -> Path:
    """A chain set of `count` drawn images: four of ten for testing, four for validation, two for training."""
    rng = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    chains = []
    for number in range(count):
        label = ("real", "fake")[number % 2]
        draw_image(folder / f"images/{number}.png", label, rng)
        chains.append(
            Chain(
                id=f"c{number}",
                image=ImageRef(path=f"images/{number}.png"),
                label=label,
                dataset="drawn",
                generator="drawer" if label == "fake" else None,
                group=f"g{number}",
                split=("test", "validation", "train")[number % 10 // 4],
                origin=Origin(by="program", synthetic=True),
            )
        )
    write_chains(folder, chains, Meta(name="drawn"))
    return folder
