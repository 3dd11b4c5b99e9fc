"""Options of a multiple-choice question: honest distractors only, one right answer, every order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Chain, Label
from fakeinstruct.expand.context import Facts
from fakeinstruct.expand.front import OPTION_TEXTS, OptionSpec

LETTERS = "ABCDEFGH"

ASKED = 6
"""Attributes that a chain's options are taken from: 20 sets of three, enough for every chain."""

BUCKETS = 8
"""Groups of chains; all chains of a group prefer the same attributes, see `asked`."""


@dataclass(frozen=True)
class OptionSet:
    """The options of a question before they are worded and ordered.

    Attributes:
        keys: Keys of the attributes shown, in the order of the alphabet.
        right: Position of the right option, see `option_texts`.
        present: Keys of the attributes that the right option says are present.
    """

    keys: tuple[str, ...]
    right: int
    present: tuple[str, ...]

    @cached_property
    def topic(self) -> str:
        """The attributes shown, as one word; quotas are balanced by it."""
        return "+".join(self.keys)


Sets = Mapping[str, Sequence[OptionSet]]
"""Sets of options by topic."""


def option_sets(spec: OptionSpec, facts: Facts) -> Sets:
    """The sets of options that a chain is asked with; none if it was not judged on enough attributes.

    A fake is asked with a flaw on the list, always: of a real image "none" is right, which is half of all pairs,
    and were it right of fakes too, whoever always says "none" would do better still.
    """
    if spec.kind == "verdict":
        return {"": (OptionSet((), OPTION_TEXTS["verdict"].index(facts.chain.label), ()),)}
    flawed, absent = asked(facts)
    is_fake = facts.chain.label is Label.FAKE
    if spec.kind == "pair":
        return _pairs(flawed, absent, is_fake)
    return _attributes(flawed, absent, spec.count - 1, is_fake)


def option_texts(
    spec: OptionSpec, options: OptionSet, names: dict[str, str]
) -> list[tuple[str, dict[str, str]]]:
    """For each option the name of its text and what that text sees; attributes come first, in their order.

    Args:
        spec: How options are made.
        options: One set of them.
        names: Names of the attributes by key.
    """
    shown = [names[key] for key in options.keys]
    if spec.kind == "attribute":
        return [*(("one", {"name": name}) for name in shown), ("none", {})]
    values = dict(zip(("first", "second"), shown, strict=False))
    return [(kind, values) for kind in OPTION_TEXTS[spec.kind]]


@lru_cache(maxsize=4096)
def _pairs(flawed: tuple[str, ...], absent: tuple[str, ...], needs_flaw: bool) -> Sets:
    found = []
    for keys in combinations(sorted(flawed + absent), 2):
        first, second = (key in flawed for key in keys)
        if needs_flaw and not (first or second):
            continue
        right = ("both" if second else "first") if first else ("second" if second else "neither")
        present = tuple(key for key in keys if key in flawed)
        found.append(OptionSet(keys, OPTION_TEXTS["pair"].index(right), present))
    return _by_topic(found)


@lru_cache(maxsize=4096)
def _attributes(flawed: tuple[str, ...], absent: tuple[str, ...], listed: int, needs_flaw: bool) -> Sets:
    found = []
    for flaw in flawed:
        for others in combinations(absent, listed - 1):
            keys = tuple(sorted((flaw, *others)))
            found.append(OptionSet(keys, keys.index(flaw), (flaw,)))
    if not needs_flaw:
        found += [OptionSet(tuple(sorted(keys)), listed, ()) for keys in combinations(absent, listed)]
    return _by_topic(found)


def _by_topic(sets: Iterable[OptionSet]) -> Sets:
    found: dict[str, list[OptionSet]] = {}
    for options in sets:
        found.setdefault(options.topic, []).append(options)
    return found


def asked(facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The flawed and absent attributes that options are taken from.

    Chains of one bucket prefer the same attributes, so that the same sets come up for fake and real images and
    can be balanced against each other; otherwise the attributes listed would give the label away wherever
    fakes were not judged on the same ones as reals. A real image that was judged on too few is also asked about
    others: no attribute of a photograph gives it away.
    """
    bucket = bucket_of(facts.chain)
    flawed, absent, photograph = (
        tuple(sorted(keys, key=lambda key: preference(bucket, key)))
        for keys in (facts.flawed, facts.absent, facts.photograph)
    )
    flawed = flawed[: ASKED // 3]
    return flawed, (absent + photograph)[: ASKED - len(flawed)]


def bucket_of(chain: Chain) -> int:
    """The group of chains that a chain belongs to, 0 to `BUCKETS` - 1."""
    return stable_seed(chain.id) % BUCKETS


@lru_cache(maxsize=4096)
def preference(bucket: int, key: str) -> int:
    """Rank of an attribute in a bucket: the lower, the rather it is asked about."""
    return stable_seed("options", bucket, key)


def count_options(spec: OptionSpec) -> int:
    """Number of options that each of its sets has."""
    return spec.count if spec.kind == "attribute" else len(OPTION_TEXTS[spec.kind])
