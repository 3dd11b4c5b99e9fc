"""Does the verdict rest on the regions that are cited? The margin's drop when one is repaired or masked.

Beside every cited region stand random regions of equal area in the same image: a margin drops wherever an image is
changed, and only what the cited region costs beyond that speaks for the citation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.figure import Row, UnavailableError
from fakeinstruct.measure.joining import ByPrompt, Rows, asked, is_clean, join_samples
from fakeinstruct.measure.reading import INTERVENTIONS

DRAWS = 2000
"""Bootstrap draws behind an interval."""

FEW_GROUPS = 5
"""Of fewer sources than this no interval is given: resampling them shows next to nothing."""


@dataclass(frozen=True)
class Drop:
    """What one trace's region is worth, as the mean over prompts of clean minus changed margin."""

    group: str
    attribute: str
    cited: float
    random: float


def intervention_figures(rows: Rows, by_prompt: ByPrompt, seed: int) -> dict[str, Any]:
    """Drops of the margin by kind of intervention, over the traces of the test split.

    Args:
        rows: Answers about changed images.
        by_prompt: Answers about the whole ones.
        seed: Seed of the bootstrap.

    Returns:
        Kind (`repair`, `mask`) to `n` traces, `n_groups`, mean drop `cited` and `random`, their paired `difference`
        with its 95 % interval `low, high`, `incomplete` (traces left out) and `incomplete_reasons` with
        how many each, and `per_attribute`; only of kinds that were asked.
    """
    clean = {
        (key, row["chain"]): row["margin"]
        for key, joined in by_prompt.items()
        for row in joined
        if is_clean(row)
    }
    test = [row for row in join_samples(rows) if (row["split"] or "test") == "test"]
    found = {}
    for kind in INTERVENTIONS:
        of_kind = [row for row in test if (row["condition"] or "").removeprefix("random-").startswith(kind)]
        if of_kind:
            drops, incomplete = paired_drops(of_kind, clean)
            found[kind] = _figures(drops, incomplete, seed)
    return found


def paired_drops(rows: Rows, clean: dict[Any, float]) -> tuple[list[Drop], Counter[str]]:
    """One drop a trace that has a clean answer and both kinds of region, and how many lack what.

    Args:
        rows: Answers about images changed in one way, by cited and by random regions.
        clean: Margin of the whole image by prompt and chain.
    """
    traces: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in rows:
        traces[row["chain"], row["trace"] or ""].append(row)
    drops, incomplete = [], Counter[str]()
    for same in traces.values():
        # of each prompt the mean over random regions, which `look` numbers
        sides: dict[tuple[Any, bool], list[float]] = defaultdict(list)
        for row in same:
            key = asked(row)
            if (key, row["chain"]) in clean:
                random = (row["condition"] or "").startswith("random-")
                sides[key, random].append(clean[key, row["chain"]] - row["margin"])
        prompts = [key for key, random in sides if not random and (key, True) in sides]
        if not prompts:
            incomplete[_lack(same, {random for _, random in sides})] += 1
            continue
        cited, control = (
            float(np.mean([np.mean(sides[key, random]) for key in prompts])) for random in (False, True)
        )
        first = same[0]
        drops.append(Drop(first["group"] or first["chain"], first["attribute"] or "unnamed", cited, control))
    return drops, incomplete


def _lack(rows: Rows, answered: set[bool]) -> str:
    """What a trace lacks; `answered` says whether the cited (False) and a random region (True) have a clean answer."""
    if not answered:
        return "no clean answer"
    changed = {(row["condition"] or "").startswith("random-") for row in rows}
    if True not in changed:
        return "no random region beside it (none is asked about where it covers over half of the picture)"
    if False not in changed:
        return "no answer about the cited region"
    return "no prompt that was asked of both regions and of the whole image"


def _figures(drops: Sequence[Drop], incomplete: Counter[str], seed: int) -> dict[str, Any]:
    row = _means(drops)
    groups = np.array([drop.group for drop in drops], dtype=object)
    difference = np.array([drop.cited - drop.random for drop in drops])
    row.values |= {"n_groups": len(set(groups)), "incomplete": incomplete.total()}
    row.values["incomplete_reasons"] = dict(sorted(incomplete.items(), key=lambda each: (-each[1], each[0])))
    row.give(("low", "high"), lambda: cluster_interval(difference, groups, seed))
    attributes = Counter(drop.attribute for drop in drops)
    row.values["per_attribute"] = {
        name: _means([drop for drop in drops if drop.attribute == name]).json() for name in sorted(attributes)
    }
    return row.json()


def _means(drops: Sequence[Drop]) -> Row:
    row = Row(n=len(drops))

    def means() -> tuple[float, float, float]:
        if not drops:
            raise UnavailableError("no trace has a clean answer, a cited region and a random one")
        cited, random = np.mean([(drop.cited, drop.random) for drop in drops], axis=0)
        return cited, random, cited - random

    row.give(("cited", "random", "difference"), means)
    return row


def cluster_interval(
    values: NDArray[np.float64], groups: NDArray[np.object_], seed: int, draws: int = DRAWS
) -> tuple[float, float]:
    """95 % percentile interval of the mean, by drawing whole groups with replacement.

    Args:
        values: Shape (n,).
        groups: What each comes from, shape (n,); values of one group may depend on one another.
        seed: Seed of the draws.
        draws: Number of draws.

    Raises:
        UnavailableError: If there are fewer than `FEW_GROUPS` groups.
    """
    names, inverse = np.unique(groups.astype(str), return_inverse=True)
    if len(names) < FEW_GROUPS:
        raise UnavailableError(f"only {len(names)} source{'s' * (len(names) != 1)} to draw from")
    total = np.bincount(inverse, weights=values)
    count = np.bincount(inverse)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):  # one at a time: memory stays O(n)
        drawn = rng.integers(len(names), size=len(names))
        means[draw] = total[drawn].sum() / count[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
