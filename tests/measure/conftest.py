"""Answer sets and chain sets on disk, made by the tests themselves."""

import numpy as np
import pytest
from PIL import Image

from fakeinstruct.base.files import write_json
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.forensics.answers import AnswersMeta, open_answers, write_part


@pytest.fixture
def answer_set(tmp_path):
    """Write rows as an answer set, in parts of 50, and open it."""

    def write(rows, name="answers", **meta):
        folder = tmp_path / name
        folder.mkdir()
        for number, start in enumerate(range(0, len(rows), 50)):
            write_part(folder, f"{number:05d}", rows[start : start + 50])
        known = {
            "expert": "runs/expert",
            "expert_sha256": "ab" * 32,
            "items": "chains",
            "items_sha256": "cd" * 32,
            "complete": True,
        }
        write_json(folder / "meta.json", AnswersMeta(**(known | meta)).model_dump(mode="json"))
        return open_answers(folder)

    return write


@pytest.fixture
def striped_chains(tmp_path):
    """A chain set of 24 x 24 noise, in which fakes have every other row brighter."""

    def write(n=120, *, folder="chains", **other):
        rng = np.random.default_rng(0)
        images = tmp_path / folder / "images"
        images.mkdir(parents=True)
        chains = []
        for index in range(n):
            fake = index % 2 == 0
            pixels = rng.integers(60, 120, (24, 24, 3))
            pixels[::2] += 40 * fake
            Image.fromarray(pixels.astype(np.uint8)).save(
                images / f"{index}.bmp"
            )  # whose size in bytes says nothing
            chains.append(
                Chain(
                    id=f"image-{index}",
                    image=ImageRef(path=f"images/{index}.bmp"),
                    label="fake" if fake else "real",
                    manipulation="generated" if fake else "none",
                    dataset="stripes",
                    generator="stripes" if fake else None,
                    group=f"group-{index}",
                    split=("train", "train", "validation", "test")[index // 2 % 4],
                    origin=Origin(by="program", synthetic=True),
                )
            )
        write_chains(tmp_path / folder, chains, Meta(name="stripes", synthetic=True))
        return open_chains(tmp_path / folder)

    return write
