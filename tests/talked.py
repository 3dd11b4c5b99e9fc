"""Conversations about images that give nothing away, and pair sets of them on disk, for tests to plant leaks in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fakeinstruct.base.files import sha256_file, write_json
from fakeinstruct.expand.pair import Content, Message, Pair, PairImage, PairManifest, Target
from fakeinstruct.measure.audit.sample import Talk, Turn

ASK = (
    "Is this real or fake?",
    "Fake or real?",
    "Please judge this picture.",
    "What do you say of this image?",
)
NOTICE = ("What of the {}?", "Look at the {}.", "Do the {} look right?")
TOPICS = ("edges", "shadows", "hands", "letters", "eyes", "leaves")
SEEN = ("They are even.", "They break off.", "They fit.", "They repeat.", "They blur away.")


def turns(question, answer=None):
    asked = Turn("user", ("image", "text"), question)
    return (asked,) if answer is None else (asked, Turn("assistant", ("text",), answer))


def honest(images=160, seed=0):
    """Three pairs an image; neither words nor letters nor lengths tell anything."""
    rng = np.random.default_rng(seed)
    talks = []
    for number in range(images):
        fake = number % 2 == 0
        common = {
            "chain": f"image-{number}",
            "group": f"group-{number // 2}",
            "fake": fake,
            "images": (f"images/{number}.png",),
            "choices": (),
            "right": None,
        }
        topics = [str(topic) for topic in rng.permutation(TOPICS)]
        question = str(rng.choice(NOTICE)).format(topics[0])
        answer = ("fake", "real")[not fake]
        letter = int(rng.integers(4))
        options = "\n".join(f"{'ABCD'[i]}. {topic}" for i, topic in enumerate(topics[:4]))
        talks += [
            Talk(
                id=f"{number}-v", template="verdict/ask", turns=turns(str(rng.choice(ASK)), answer), **common
            ),
            Talk(
                id=f"{number}-n",
                template="evidence/notice",
                turns=turns(question, f"Of the {topics[0]}: {rng.choice(SEEN)}"),
                **common,
            ),
            Talk(
                id=f"{number}-c",
                template="choice/which",
                turns=turns(f"Which is wrong?\n{options}", "ABCD"[letter]),
                **common | {"choices": tuple(topics[:4]), "right": letter},
            ),
        ]
    return talks


def planted(talks, change, template=None):
    """The pairs with some changed: `change` takes a pair and returns the fields that are new."""
    return [replace(t, **change(t)) if template in (None, t.template) else t for t in talks]


def write_pairs(folder, talks, *, split=lambda talk: None, pictures=0, extra=()):
    """A pair set of the conversations, with this many pictures, and rows that need not be pairs."""
    (folder / "images").mkdir(parents=True)
    for number in range(pictures):
        Image.new("RGB", (32, 24), ("navy", "olive")[number % 2]).save(folder / f"images/{number}.png")
    rows = [_pair(talk, split(talk)).model_dump(mode="json") | {"target": _target(talk)} for talk in talks]
    pq.write_table(pa.Table.from_pylist([*rows, *extra]), folder / "pairs-0.parquet")
    manifest = PairManifest(
        seed=0,
        pairs=len(talks),
        chains=len({talk.chain for talk in talks}),
        rejected=0,
        image_root=".",
        chains_sha256="0" * 64,
        templates_sha256="0" * 64,
        per_task={},
        per_template={},
        per_split={},
        shards={"pairs-0.parquet": sha256_file(folder / "pairs-0.parquet")},
        readouts=(),
    )
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return folder


def _target(talk):
    return {"choice": None if talk.right is None else "ABCDEFGH"[talk.right]}


def _pair(talk, split):
    return Pair(
        id=talk.id,
        chain=talk.chain,
        template=talk.template,
        task=talk.template.split("/")[0],
        images=tuple(PairImage(path=path) for path in talk.images),
        messages=tuple(
            Message(
                role=turn.role,
                content=tuple(Content(type=k, text=turn.text if k == "text" else None) for k in turn.kinds),
            )
            for turn in talk.turns
        ),
        label="fake" if talk.fake else "real",
        split=split,
        group=talk.group,
        target=Target(**_target(talk)),
        choices=talk.choices or None,
    )
