"""Small published sets made by hand: pictures, annotation files, and importing them."""

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.importers import import_chains
from fakeinstruct.chains.items import read_items
from fakeinstruct.chains.store import open_chains


def picture(path, seed, size=(40, 30)):
    """A picture of its own: large smooth patches, so that no two are near duplicates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(patches).resize(size, Image.Resampling.NEAREST).save(path)
    return path


def pictures(root, *names, size=(40, 30)):
    for number, name in enumerate(names):
        picture(root / name, number, size)
    return root


def write(file, value, encoding="utf-8"):
    file.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    file.write_bytes(text.encode(encoding))
    return file


def take(format, src, out, **options):
    """Import, read back: chains by id, rejects, items, and the summary."""
    rejects = options.pop("rejects", Rejects(1.0))
    summary = import_chains(format, src, out, rejects=rejects, **options)
    chains = {chain.id: chain for chain in open_chains(out).read()}
    return chains, rejects, list(read_items(out)), summary


def problems(rejects):
    return {error.record: error.problem for error in rejects.errors}


def conversation(image, answer, **more):
    question = "<image>\nIs this image real or fake? Explain."
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": "1", "image": image, "conversations": turns, **more}


def data_folder():
    return Path(os.environ.get("FAKEINSTRUCT_DATA") or Path(__file__).parents[2] / "shared/data")
