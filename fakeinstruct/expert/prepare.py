"""Preparing a run: all that needs no GPU and may fail, done before any process starts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import write_json, write_jsonl
from fakeinstruct.base.progress import console, track
from fakeinstruct.expand.pair import Pair, PairSet
from fakeinstruct.expert.base_model import adapted_base, loading
from fakeinstruct.expert.card import save_card
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.image_sizes import check_images
from fakeinstruct.expert.learned import make_card
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.rows import RowWriter
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.validation import UNCHOSEN, validation_pairs
from fakeinstruct.expert.weights import check_weights

VOCABULARY_TEXTS = 20_000
"""Conversations that the small expert's vocabulary is trained on; templated text repeats itself soon."""


def write_recipe(run: RunFolder, recipe: Recipe) -> None:
    """Write the resolved recipe, which the processes read."""
    write_json(run.recipe, recipe.model_dump(mode="json"))


def prepare(recipe: Recipe, pairs: PairSet, run: RunFolder, rejects: Rejects, identity: str) -> None:
    """Fill the run folder: base model, rows, card; `run.json` comes last.

    Raises:
        UsageError: If the base model cannot be trained, or the images are not where they should be.
        FakeInstructError: If nothing can be learned.
    """
    from transformers.utils import logging

    from fakeinstruct.expert.processors import load_processor
    from fakeinstruct.expert.resolution import limit_pixels

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    check_images(pairs, recipe.data.split)
    write_recipe(run, recipe)
    base = recipe.base
    if recipe.small is not None:
        base = str(run.base)
        build_base(recipe, pairs, run)
    under = adapted_base(base) or base
    check_weights(base, under)
    write_recipe(run, packable(recipe, under))
    source = base if (Path(base) / "tokenizer_config.json").is_file() else under
    processor = limit_pixels(load_processor(source), recipe.data.max_pixels)
    writer = RowWriter(processor, pairs, recipe.data, rejects)
    tally = writer.write(run.rows, choose(pairs, recipe.data, recipe.own_optimizer().epochs))
    if verdicts := wanted_verdicts(pairs, recipe):
        RowWriter(processor, pairs, recipe.data, rejects).write(run.validation, verdicts)
    if rejects:
        write_jsonl(run.folder / "rejects.jsonl", rejects.rows())
    save_card(run.prepared, make_card(recipe, pairs, base))
    counts = asdict(tally) | {"per_task": dict(tally.per_task), "rejected": len(rejects)}
    write_json(
        run.manifest,
        {
            "fingerprint": identity,
            "base": base,
            "processor": source,
            "image_root": str(pairs.image_root.resolve()),
            "counts": counts,
        },
    )
    console.print(
        f"{tally.rows:,} pairs of {tally.images:,} images, {tally.tokens:,} tokens, "
        f"{tally.supervised:,} of them supervised; longest {tally.longest:,}",
        highlight=False,
        soft_wrap=True,
    )


def packable(recipe: Recipe, base: str) -> Recipe:
    """The recipe, without packing where the model cannot be packed exactly; the reason is printed.

    Raises:
        UsageError: If the model is not there, or of no known family.
    """
    from transformers import AutoConfig

    from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
    from fakeinstruct.expert.families import family_of, why_not_packed
    from fakeinstruct.expert.resolution import check_pixels

    try:
        with loading(base):
            config = AutoConfig.from_pretrained(base)
    except (OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"cannot be loaded ({first})", file=base, field="base") from error
    family_of(config)
    check_pixels(recipe, config)
    reason = why_not_packed(config)
    if recipe.packing is None or reason is None:
        return recipe
    console.print(
        f"each pair is trained in a row of its own, not packed: {reason}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return recipe.model_copy(update={"packing": None})


def wanted_verdicts(pairs: PairSet, recipe: Recipe) -> list[Pair]:
    """The verdicts by which validation chooses the checkpoint; if there are none, that is said."""
    if recipe.checkpoints.choose != "validation":
        return []
    verdicts = validation_pairs(pairs, recipe)
    if not verdicts:
        console.print(UNCHOSEN, highlight=False, soft_wrap=True)
    return verdicts


def build_base(recipe: Recipe, pairs: PairSet, run: RunFolder) -> None:
    """Build the untrained small expert, its vocabulary from the pairs that it will learn."""
    from fakeinstruct.expert.small import build_small

    if recipe.small is None:
        raise UsageError("base small needs a section 'small'", field="small")
    shutil.rmtree(run.base, ignore_errors=True)
    texts = track(vocabulary_texts(pairs, recipe.data.split), "learning a vocabulary")
    build_small(texts, recipe.small, seed=recipe.seed, out=run.base)


def vocabulary_texts(pairs: PairSet, split: str) -> Iterator[str]:
    """Conversations for the vocabulary: evenly spread over the split, worded by the chat template's turns."""
    every = max(1, pairs.manifest.per_split.get(split, 0) // VOCABULARY_TEXTS)
    for pair in islice(pairs.read(split), 0, None, every):
        for message in pair.messages:
            yield ("USER: " if message.role == "user" else "ASSISTANT: ") + message.text()
