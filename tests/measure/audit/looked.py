"""Chains and what is seen of their images, made by hand, for tests to plant leaks in."""

from __future__ import annotations

import numpy as np
from PIL import Image

from fakeinstruct.chains.schema import Chain, ImageRef, Meta, Origin
from fakeinstruct.chains.store import open_chains, write_chains
from fakeinstruct.measure.audit.facts import name_facts
from fakeinstruct.measure.audit.look import Look


def chain(number, *, fake=None, path=None, **more):
    """A chain; even numbers are fake unless said otherwise."""
    fake = number % 2 == 0 if fake is None else fake
    image = {"path": path or f"{number}.png"} | more.pop("image", {})
    return Chain(
        **{
            "id": f"c{number}",
            "image": ImageRef(**image),
            "label": "fake" if fake else "real",
            "dataset": "planted",
            "group": f"g{number}",
            "origin": Origin(by="program", synthetic=True),
        }
        | more
    )


def named(paths, fakes, groups=None):
    """Looks at names alone."""
    groups = groups or [f"g{number}" for number in range(len(paths))]
    rows = zip(paths, fakes, groups, strict=True)
    return [
        Look(chain(number, fake=bool(fake), path=path, group=group), name_facts(path))
        for number, (path, fake, group) in enumerate(rows)
    ]


def patches(seed, size=(48, 48)):
    """A picture of its own: large smooth patches, so that no two are near duplicates."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def chain_set(folder, chains, **meta):
    """Write chains beside their images and open them."""
    write_chains(folder, chains, Meta(name="planted", **meta))
    return open_chains(folder)


def finding(section, words):
    """The one finding whose title has the words."""
    found = [each for each in section.findings if words in each.title]
    assert len(found) == 1, [each.title for each in section.findings]
    return found[0]


def table(section, words):
    """The rows of the one table whose title has the words, by their first cell."""
    found = [each for each in section.tables if words in each.title]
    assert len(found) == 1, [each.title for each in section.tables]
    return {row[0]: row[1:] for row in found[0].rows}
