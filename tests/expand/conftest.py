"""Chains made by hand, and chain sets of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fakeinstruct.chains.schema import (
    Assessment,
    Chain,
    ImageRef,
    Label,
    Manipulation,
    Meta,
    Origin,
    Region,
    Split,
    Text,
    Trace,
)
from fakeinstruct.chains.store import ChainSet, open_chains, write_chains
from fakeinstruct.chains.taxonomy import Taxonomy, load_taxonomy
from fakeinstruct.expand.lint import load_templates
from fakeinstruct.expand.template import TemplateSet

ORIGIN = Origin(by="program", synthetic=True)


def make_chain(name: str, label: Label, *, traces: int = 3, judged: int = 6, seed: int = 0) -> Chain:
    """A chain whose attributes are drawn from the same distribution for both labels."""
    rng = random.Random(f"{seed}/{name}")
    keys = rng.sample(sorted(load_taxonomy().attributes), traces + judged)
    own = tuple(
        Trace(
            id=f"t{number}",
            attribute=key,
            points_to=label,
            observation=f"In {name} the {key} shows sign number {number} of being {label}",
            inference=f"Sign {number} is how {label} images look" if number else None,
            advice=f"Rework the {key} of {name}" if label is Label.FAKE and number % 2 else None,
            severity=("severe", "clear", "slight")[number % 3] if label is Label.FAKE else None,
            regions=() if number == 2 else (Region(box=(0.1 * number, 0.2, 0.1 * number + 0.2, 0.5)),),
        )
        for number, key in enumerate(keys[:traces])
    )
    return Chain(
        id=name,
        image=ImageRef(path=f"{name}.png"),
        label=label,
        manipulation=rng.choice(
            [Manipulation.GENERATED, Manipulation.EDITED, None]
            if label is Label.FAKE
            else [Manipulation.NONE, Manipulation.PROCESSED, None]
        ),
        dataset="hand",
        group=name,
        split=rng.choice([Split.TRAIN, Split.TRAIN, Split.TEST]),
        traces=own,
        assessed=dict.fromkeys(keys[traces:], Assessment.ABSENT),
        tags={"texture quality": "low", "realism": "fair"} if label is Label.FAKE else {},
        texts=(Text(role="explanation", text=f"Somebody explained {name}."),),
        origin=ORIGIN,
    )


def make_set(folder: Path, chains: list[Chain]) -> ChainSet:
    """Write a chain set and open it."""
    write_chains(folder, chains, Meta(name="hand", image_root="images"))
    (folder / "images").mkdir(exist_ok=True)
    return open_chains(folder)


def mixed(count: int, seed: int = 0) -> list[Chain]:
    """Chains of both labels in turn, with two to four traces."""
    return [
        make_chain(f"c{number:04d}", list(Label)[number % 2], traces=2 + number // 2 % 3, seed=seed)
        for number in range(count)
    ]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="session")
def templates() -> TemplateSet:
    return load_templates()


@pytest.fixture(scope="session")
def chain_set(tmp_path_factory: pytest.TempPathFactory) -> ChainSet:
    """Two hundred chains."""
    return make_set(tmp_path_factory.mktemp("chains"), mixed(200))
