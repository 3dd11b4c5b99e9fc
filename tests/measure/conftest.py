"""Answer sets and chain sets on disk, made by the tests themselves."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich_answers import rich_chains, rich_rows

from fakeinstruct.base.files import write_json
from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.forensics.answers import AnswersMeta, open_answers, write_part
from fakeinstruct.measure.run import measure

sys.path += [str(Path(__file__).parents[1] / name) for name in ("expert", "forensics")]  # tiny models


def write_answers(folder, rows, **meta):
    """Write rows as an answer set, in parts of 50, and open it."""
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


@pytest.fixture
def answer_set(tmp_path):
    """Write rows as an answer set, in parts of 50, and open it."""
    return lambda rows, name="answers", **meta: write_answers(tmp_path / name, rows, **meta)


@pytest.fixture(scope="session")
def rich_report(tmp_path_factory):
    """A report in which everything is: its folder."""
    folder = tmp_path_factory.mktemp("rich")
    answers = write_answers(folder / "answers", rich_rows())
    measure([answers], folder / "out", chains=rich_chains(folder / "chains"))
    return folder / "out"


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
