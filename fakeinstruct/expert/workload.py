"""What an epoch of a recipe goes through: pairs, trees, rows and tokens, before anything is tokenised.

The pairs are put together by the code that puts them together in training; see `estimate` for their tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fakeinstruct.expert.estimate import Integers, Source, texts_of
from fakeinstruct.expert.order import Index, Limits, Rows, rows, tree_tokens
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.resolution import ImageTokens
from fakeinstruct.expert.sampler import PackSampler


@dataclass(frozen=True)
class Workload:
    """An epoch, over all processes; tokens are estimates.

    Attributes:
        source: Whether the pairs were counted.
        pairs: Pairs.
        trees: Trees: an image with some of its pairs.
        rows: Micro-batches.
        steps: Optimizer steps of the whole run.
        alone: Tokens, image included, if each pair had its own.
        shared: Tokens as they are packed.
        longest: Tokens of the longest row.
        supervised: Most supervised tokens of a row.
        too_long: Pairs that are left out as longer than `data.max_tokens`.
        unanswered: Pairs that are left out as they have no assistant's turn.
        image_tokens: Tokens of an image, the mean.
        warning: What is wrong with the images, if anything is.
    """

    source: Source
    pairs: int
    trees: int
    rows: int
    steps: int
    alone: int
    shared: int
    longest: int
    supervised: int
    too_long: int
    unanswered: int
    image_tokens: int
    warning: str | None


def workload(recipe: Recipe, images: ImageTokens, limits: Limits, *, packed: bool) -> Workload:
    """What an epoch of a recipe goes through.

    Args:
        recipe: Of one stage.
        images: What an image costs.
        limits: How pairs are put together.
        packed: Whether they share their image.

    Raises:
        UsageError: If no pair is left to learn.
    """
    texts = texts_of(recipe, images)
    index, scale = texts.index, 1 / texts.share
    dealt = rows(index, limits, recipe.seed, 0)
    trees, answers = dealt.trees, texts.answers[dealt.trees.pairs]
    tokens = tree_tokens(index, trees)
    return Workload(
        source=texts.source,
        pairs=round(len(trees.pairs) * scale),
        trees=round(len(trees) * scale),
        rows=round(len(dealt) * scale),
        steps=round(steps_of(recipe, index, limits) * scale),
        alone=round(index.tokens[trees.pairs].sum(dtype=np.int64) * scale),
        shared=round(tokens.sum() * scale),
        longest=int(_sums(dealt, tokens).max()) if packed else padded(dealt, tokens),
        supervised=int(_sums(dealt, np.add.reduceat(answers, trees.starts[:-1])).max()),
        too_long=round(texts.too_long * scale),
        unanswered=round(texts.unanswered * scale),
        image_tokens=texts.image_tokens,
        warning=texts.warning,
    )


def steps_of(recipe: Recipe, index: Index, limits: Limits) -> int:
    """Optimizer steps of a run, as its sampler counts them."""
    optimizer = recipe.own_optimizer()
    sampler = PackSampler(
        index,
        limits,
        seed=recipe.seed,
        epochs=optimizer.epochs,
        rank=0,
        world=recipe.hardware.processes,
        accumulate=optimizer.accumulate,
    )
    return sampler.steps


def padded(dealt: Rows, tokens: Integers) -> int:
    """Tokens of the largest batch of pairs that do not share their image: all as long as the longest."""
    longest = np.maximum.reduceat(tokens[dealt.order], dealt.starts[:-1])
    return int((longest * np.diff(dealt.starts)).max())


def _sums(dealt: Rows, per_tree: Integers) -> Integers:
    """Sums over the trees of each row."""
    sums: Integers = np.add.reduceat(per_tree[dealt.order], dealt.starts[:-1])
    return sums
