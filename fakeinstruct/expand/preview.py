"""Preview: what a template makes of some chains, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain as joined
from itertools import islice
from typing import NamedTuple

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Chain, Label, Manipulation
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.comparison import RELATIONS
from fakeinstruct.expand.context import STATUSES, gather
from fakeinstruct.expand.pair import Pair, parse_pair
from fakeinstruct.expand.render import draw, render_variant, row_of
from fakeinstruct.expand.space import Space, spaces
from fakeinstruct.expand.template import Template

EXAMPLES = 5
"""Examples that are shown: one of each kind of chain."""

CASES = (*STATUSES, *RELATIONS)
"""What phrases may be listed by, in the order in which they are shown."""

SEARCHED = 2_000
"""Chains that are looked at, so that a preview of a set of millions takes no longer."""


class Kind(NamedTuple):
    """A kind of chain: what the image is, how it came to be if that is known, and whether traces were seen."""

    label: Label
    manipulation: Manipulation | None
    traced: bool

    def __str__(self) -> str:
        made = self.manipulation or "unknown how"
        return (
            f"{self.label}, {made if made != 'none' else 'untouched'}{'' if self.traced else ', no traces'}"
        )


FIRST = (
    Kind(Label.FAKE, Manipulation.GENERATED, True),
    Kind(Label.FAKE, Manipulation.EDITED, True),
    Kind(Label.REAL, Manipulation.PROCESSED, True),
    Kind(Label.REAL, Manipulation.NONE, True),
)
"""The kinds that are shown if they are there; then one without traces, then whatever there is."""


def kind_of(chain: Chain) -> Kind:
    """The kind that a chain is of."""
    return Kind(chain.label, chain.manipulation, bool(chain.traces))


def preview(
    template: Template, chains: ChainSet, *, examples: int = EXAMPLES, seed: int = 0
) -> list[tuple[Chain, Pair]]:
    """Render a few pairs of one template, each of another chain and of as many kinds as there are.

    Args:
        template: The template.
        chains: Where chains are taken from: the first of each kind that can fill the template.
        examples: Number of pairs; fewer if the chains run out.
        seed: Seed of the draw.

    Returns:
        Chains with their pairs.

    Raises:
        FakeInstructError: If no chain can fill the template.
    """
    found: dict[Kind, list[tuple[Chain, Pair]]] = {}
    for chain, pair in _first_of_each(template, chains, seed):
        found.setdefault(kind_of(chain), []).append((chain, pair))
        if found.keys() >= {*FIRST} and any(not kind.traced for kind in found) and _count(found) >= examples:
            break
    if not found:
        raise FakeInstructError(f"holds no chain that can fill template '{template.id}'", file=chains.file)
    return list(islice(_in_turn(found), examples))


def unserved(template: Template, chains: ChainSet) -> str | None:
    """Why `expand` would give the template no pairs, or nothing if it would give it some.

    Questions are asked of both labels alike, so there must be a topic that chains of both can fill.
    Looked at are the first `SEARCHED` chains, whatever their split.
    """
    topics: dict[Label, set[str]] = {label: set() for label in Label}
    for chain in islice(chains.read(Rejects(share=1.0)), SEARCHED):
        try:
            topics[chain.label] |= spaces(template, gather(chain, chains.taxonomy)).keys()
        except RecordError:
            continue
        if not topics[Label.FAKE].isdisjoint(topics[Label.REAL]):
            return None
    missing = [label.value for label in Label if not topics[label]]
    if missing:
        why = f"no {' and no '.join(missing)} image can fill it"
    else:
        why = "fake and real images cannot be asked the same questions"
    return f"{why}, so 'expand' gives it no pairs of this set"


def _count(found: dict[Kind, list[tuple[Chain, Pair]]]) -> int:
    return sum(map(len, found.values()))


def _in_turn(found: dict[Kind, list[tuple[Chain, Pair]]]) -> Iterator[tuple[Chain, Pair]]:
    """One of each kind, the first kinds first; then the second of each, and so on."""
    kinds = [kind for kind in FIRST if kind in found]
    others = sorted((kind for kind in found if kind not in FIRST), key=lambda kind: kind.traced)
    rounds = max(map(len, found.values()))
    turns = ((found[kind][turn : turn + 1] for kind in [*kinds, *others]) for turn in range(rounds))
    return joined.from_iterable(joined.from_iterable(turns))


def _first_of_each(template: Template, chains: ChainSet, seed: int) -> Iterator[tuple[Chain, Pair]]:
    """A drawn pair of each chain that can fill the template; chains that cannot be worded are left out."""
    shown: Counter[Kind] = Counter()
    for chain in islice(chains.read(Rejects(share=1.0)), SEARCHED):
        try:
            facts = gather(chain, chains.taxonomy)
            found = spaces(template, facts)
            if not found:
                continue
            kind = kind_of(chain)
            topic = _topic(found, kind, shown[kind], stable_seed(seed, chain.id))
            drawn = next(draw(template, facts, topic, found[topic], seed))
            yield chain, parse_pair(row_of(render_variant(template, facts, drawn)))
            shown[kind] += 1
        except RecordError:
            continue  # expand counts and lists it


def _topic(found: dict[str, Space], kind: Kind, turn: int, key: int) -> str:
    """A topic, by turns one with a flaw and one without; edited and untouched images begin with the latter."""
    cases: dict[str | None, list[str]] = {}
    for topic in sorted(found):
        cases.setdefault(found[topic].items[0].subject.status, []).append(topic)
    order = sorted(cases, key=lambda case: CASES.index(case) if case else 0)
    topics = cases[order[(turn + (kind in FIRST[1::2])) % len(order)]]
    return topics[key % len(topics)]
