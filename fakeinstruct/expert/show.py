"""One row as the model gets it, in words: what `train --show-labels` prints.

The row is drawn, packed and collated by the same code as in training, from the pairs of a few images; and it is read
back from the batch, so that what is printed is what would be learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.text import Text
from torch import Tensor

from fakeinstruct.base.errors import Rejects, UsageError, printable
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.base_model import adapted_base, check_base
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.collate import Collator, PackCollator
from fakeinstruct.expert.dry_run import meta_model, unpacked
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.launch import trainable_pairs
from fakeinstruct.expert.order import rows
from fakeinstruct.expert.packing import model_positions
from fakeinstruct.expert.prepare import vocabulary_texts
from fakeinstruct.expert.processors import load_processor
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.resolution import check_pixels, limit_pixels
from fakeinstruct.expert.rows import RowWriter, index_of, limits_of
from fakeinstruct.expert.sampler import Drawn, PairRows
from fakeinstruct.expert.tree import Layout

IMAGES = 16
"""Images whose pairs are tokenised."""

TREES = 2
"""Trees, or rows of a pair alone, that are printed whole."""

VOCABULARY_TEXTS = 4000
"""Conversations that stand in for the small expert's vocabulary."""

PREFIX, SUPERVISED, QUIET = "cyan", "bold green", "dim"


@dataclass(frozen=True)
class Shown:
    """A batch and what it was made of.

    Attributes:
        ids: Tokens, shape (rows, length).
        supervised: Which of them are learned, the same shape.
        positions: Position of each, on the axis where it is highest, shape (length,); absent if not packed.
        layout: Of a packed row.
        lengths: Tokens of each row without padding.
        pairs: What stands in the row, in order.
        rejects: Pairs of the images that cannot be learned.
    """

    ids: Tensor
    supervised: Tensor
    positions: Tensor | None
    layout: Layout | None
    lengths: list[int]
    pairs: list[Pair]
    rejects: Rejects


def show_labels(recipe: Recipe) -> Iterator[Text]:
    """The first row of the first epoch of each stage, as far as the first `IMAGES` images go; trains nothing.

    Args:
        recipe: With `pairs`.

    Yields:
        A text for each stage; without colour it can be read as well.

    Raises:
        UsageError: If the recipe lacks `pairs`, or its base has no processor.
        FakeInstructError: If no pair can be learned.
    """
    if recipe.pairs is None:
        raise UsageError("the recipe names no pairs", field="pairs", hint="Give pairs=DIR.")
    check_base(recipe.base)
    pairs = trainable_pairs(recipe.pairs, recipe.image_root)
    processor = processor_of(recipe, pairs)
    model = meta_model(recipe)
    for name, single in zip(recipe.stages or ("",), recipe.single(), strict=True):
        check_pixels(single, model.config)
        limit_pixels(processor, single.data.max_pixels)
        shown = draw(single, pairs, processor, model)
        heading = Text(f"stage {name}\n" if name else "", style="bold")
        yield heading + describe(shown) + body(shown, processor)


def processor_of(recipe: Recipe, pairs: PairSet) -> Any:
    """The base's processor; of the small expert one with a vocabulary of some of its conversations."""
    if recipe.small is None:
        whole = (Path(recipe.base) / "tokenizer_config.json").is_file()  # an adapter may have none of its own
        return load_processor(recipe.base if whole else adapted_base(recipe.base) or recipe.base)
    from fakeinstruct.expert.small import build_processor

    split = recipe.single()[0].data.split
    return build_processor(islice(vocabulary_texts(pairs, split), VOCABULARY_TEXTS), recipe.small)


def draw(recipe: Recipe, pairs: PairSet, processor: Any, model: Any) -> Shown:
    """Tokenise the pairs of some images and collate the first row of them.

    Args:
        recipe: Of one stage.
        pairs: The pair set.
        processor: The expert's.
        model: The model, for its rule of positions; it needs no weights.
    """
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    images = groupby(choose(pairs, recipe.data, recipe.own_optimizer().epochs), key=lambda pair: pair.chain)
    chosen = [pair for _, own in islice(images, IMAGES) for pair in own]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.arrow"
        rejects = Rejects()
        RowWriter(processor, pairs, recipe.data, rejects).write(file, chosen)
        written = Dataset.from_file(str(file), in_memory=True)
    index = index_of(written)
    packed = unpacked(recipe, model.config) is None
    first = rows(index, limits_of(recipe, packed=packed), recipe.seed, 0)[0]
    drawn = [Drawn(pair, tree, True) for tree, own in enumerate(first) for pair in own.tolist()]
    read = PairRows(written).__getitems__(drawn)
    make: Any = Collator
    if packed:
        make = partial(PackCollator, positions=model_positions(model, int(processor.image_token_id)))
    options = {"tasks": index.tasks, "mirror": recipe.data.mirror, "join": family_of(model.config).join}
    batch = make(processor, pairs.image_root, **options)(read)
    by_id = {pair.id: pair for pair in chosen}
    return shown_batch(batch, [by_id[row["id"]] for row in read], rejects)


def shown_batch(batch: dict[str, Any], pairs: list[Pair], rejects: Rejects) -> Shown:
    """Read a batch back: a packed row, or a row for each pair."""
    ids, targets = batch["input_ids"], batch["targets"]
    supervised = torch.zeros_like(ids, dtype=torch.bool)
    supervised[0 if targets.rows is None else targets.rows, targets.places + 1] = (
        True  # each predicts the next
    )
    if "tree" not in batch:
        return Shown(ids, supervised, None, None, batch["attention_mask"].sum(1).tolist(), pairs, rejects)
    positions = batch["position_ids"].reshape(-1, ids.shape[1]).amax(0)
    return Shown(ids, supervised, positions, batch["tree"], [ids.shape[1]], pairs, rejects)


def describe(shown: Shown) -> Text:
    """What is counted, and the legend."""
    tokens, learned = sum(shown.lengths), int(shown.supervised.sum())
    lines = [
        f"{len(shown.pairs):,} pairs, {tokens:,} tokens, {learned:,} of them supervised ({learned / tokens:.1%})"
    ]
    if shown.layout is None:
        padding = 1 - tokens / shown.ids.numel()
        lines.append(
            f"not packed: {len(shown.lengths):,} rows, each a pair with its image; padding {padding:.1%}"
        )
    else:
        trees = shown.layout.trees
        shared = sum(tree.prefix for tree in trees)
        alone = sum(tree.prefix * len(tree.branches) + sum(tree.branches) for tree in trees)
        lines.append(
            f"one row: {len(trees):,} trees, {shared:,} tokens in prefixes, {tokens - shared:,} in branches; "
            f"padding {shown.layout.padding():.1%}; the same pairs alone {alone:,} tokens ({alone / tokens:.1f} times)"
        )
    lines += [
        f"{count:,} pairs of these images left out: {reason}" for reason, count in shown.rejects.reasons()
    ]
    lines.append(f"drawn from the first {IMAGES} images; a run draws from all")
    return Text.assemble("\n".join(lines), "\n\n", *LEGEND, "\n")


LEGEND = (
    ("shared prefix", PREFIX),
    ", branch, ",
    ("[[supervised: the loss falls here]]", SUPERVISED),
    "; <image> x n are n tokens of an image",
)


def body(shown: Shown, processor: Any) -> Text:
    """The row's first trees in words, then a line for the rest."""
    text = Text()
    pairs = iter(shown.pairs)
    layout = shown.layout
    if layout is None:
        for row, length in enumerate(shown.lengths[:TREES]):
            text += _pair(shown, processor, next(pairs), row, (0, length))
        return text + _rest(len(shown.lengths) - TREES, "pairs")
    for number, (start, tree) in enumerate(islice(layout.starts(), TREES), start=1):
        own = list(islice(pairs, len(tree.branches)))
        text += _prefix(shown, processor, f"tree {number}", own[0], (start, start + tree.prefix))
        place = start + tree.prefix
        for pair, length in zip(own, tree.branches, strict=True):
            text += _pair(shown, processor, pair, 0, (place, place + length))
            place += length
    return text + _rest(len(layout.trees) - TREES, "trees")


def _rest(count: int, what: str) -> Text:
    return Text(f"\nand {count:,} more {what}\n" if count > 0 else "", style=QUIET)


def _prefix(shown: Shown, processor: Any, name: str, pair: Pair, span: tuple[int, int]) -> Text:
    head = f"\n{name}: {printable(pair.images[0].path)}, {span[1] - span[0]:,} tokens{_positions(shown, span)}\n  "
    words = spell(processor, shown.ids[0], shown.supervised[0], span)
    return Text.assemble((head, QUIET), *((part, PREFIX) for part, _ in words), "\n")


def _pair(shown: Shown, processor: Any, pair: Pair, row: int, span: tuple[int, int]) -> Text:
    learned = int(shown.supervised[row, span[0] : span[1]].sum())
    head = f"  {pair.template}, {printable(pair.id)}: {span[1] - span[0]:,} tokens, {learned:,} supervised"
    words = spell(processor, shown.ids[row], shown.supervised[row], span)
    parts = ((f"[[{part}]]", SUPERVISED) if marked else part for part, marked in words)
    return Text.assemble((f"{head}{_positions(shown, span)}\n    ", QUIET), *parts, "\n")


def _positions(shown: Shown, span: tuple[int, int]) -> str:
    if shown.positions is None:
        return ""
    own = shown.positions[span[0] : span[1]]
    return f", positions {int(own.min()):,} to {int(own.max()):,}"


def spell(processor: Any, ids: Tensor, supervised: Tensor, span: tuple[int, int]) -> list[tuple[str, bool]]:
    """Tokens as text in runs that are supervised or not, a block of image tokens as "<image> x 64".

    Args:
        processor: The expert's.
        ids: Tokens of the row, shape (length,).
        supervised: Which of them are learned, the same shape.
        span: What is spelt: first place, and the one after the last.
    """
    tokens, image = ids.tolist(), int(processor.image_token_id)
    kinds = [(bool(supervised[place]), tokens[place] == image) for place in range(*span)]
    words: list[tuple[str, bool]] = []
    place = span[0]
    for (marked, is_image), run in groupby(kinds):
        stop = place + len(list(run))
        text = f"<image> x {stop - place}" if is_image else _decode(processor, tokens, place, stop)
        if words and words[-1][1] == marked:
            text, marked = words.pop()[0] + text, marked
        words.append((text, marked))
        place = stop
    return words


def _decode(processor: Any, tokens: Sequence[int], start: int, stop: int) -> str:
    """Text of a run, decoded after the token before it, since a tokenizer drops a space that stands first."""
    before = list(tokens[max(0, start - 1) : start])
    whole, lead = (
        processor.tokenizer.decode(some, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for some in ([*before, *tokens[start:stop]], before)
    )
    return printable(whole[len(lead) :])
