"""Preview: what a template makes of some chains, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Label
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.context import gather
from fakeinstruct.expand.pair import Pair, parse_pair
from fakeinstruct.expand.render import draw, render_variant
from fakeinstruct.expand.space import spaces
from fakeinstruct.expand.template import Template


def preview(template: Template, chains: ChainSet, *, examples: int = 4, seed: int = 0) -> list[Pair]:
    """Render a few pairs of one template, each of another chain, fake and real in turn.

    Args:
        template: The template.
        chains: Where chains are taken from, in their order.
        examples: Number of pairs; fewer if the chains run out.
        seed: Seed of the draw.

    Raises:
        FakeInstructError: If no chain can fill the template.
    """
    found: dict[Label, list[Pair]] = {label: [] for label in Label}
    for pair in _first_of_each(template, chains, seed):
        found[pair.label].append(pair)
        if all(len(pairs) >= examples for pairs in found.values()):
            break
    fake, real = found[Label.FAKE], found[Label.REAL]
    if not (fake or real):
        raise FakeInstructError(f"holds no chain that can fill template '{template.id}'", file=chains.file)
    half = max((examples + 1) // 2, examples - len(real))
    chosen = fake[:half]
    chosen += real[: examples - len(chosen)]
    return chosen


def _first_of_each(template: Template, chains: ChainSet, seed: int) -> Iterator[Pair]:
    """The first drawn pair of each chain that can fill the template."""
    for chain in chains.read(Rejects(share=1.0)):
        facts = gather(chain, chains.taxonomy)
        found = spaces(template, facts)
        if not found:
            continue
        topics = sorted(found)
        topic = topics[stable_seed(seed, chain.id) % len(topics)]
        for drawn in islice(draw(template, facts, topic, found[topic], seed), 1):
            yield parse_pair(render_variant(template, facts, drawn))
