"""Training from the outside: prepare the run folder, stage by stage, and start the processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import read_json, write_json, write_jsonl
from fakeinstruct.base.progress import console, track
from fakeinstruct.expand.pair import Pair, PairSet, open_pairs
from fakeinstruct.expert.base_model import adapted_base, check_base, loading
from fakeinstruct.expert.card import save_card
from fakeinstruct.expert.checkpoints import newest_checkpoint
from fakeinstruct.expert.identity import difference, identity_of
from fakeinstruct.expert.image_sizes import check_images
from fakeinstruct.expert.learned import make_card, without_verdict
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.rows import RowWriter, check_data, choose
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.succession import check_stages
from fakeinstruct.expert.torchrun import start_processes
from fakeinstruct.expert.validation import UNCHOSEN, validation_pairs
from fakeinstruct.expert.weights import check_weights

VOCABULARY_TEXTS = 20_000
"""Conversations that the small expert's vocabulary is trained on; templated text repeats itself soon."""


def train(recipe: Recipe, *, start: bool = True, rejects: Rejects | None = None) -> Path:
    """Train an expert and return its folder.

    A run that was interrupted goes on from its last complete checkpoint; a finished one returns at once.

    Args:
        recipe: With `pairs` and `out` given.
        start: Start the processes; without it the run's folder is prepared for a launcher of your own: that of the
            first stage which is not trained yet.
        rejects: Collects pairs that cannot be learned.

    Raises:
        UsageError: If `pairs`, `out` or the base is missing, stages do not fit, or `out` holds another run.
        FakeInstructError: If no pair can be learned, a shard is not the one of the manifest, or a process failed;
            the log is named.
    """
    rejects = rejects if rejects is not None else Rejects()
    if recipe.pairs is None or recipe.out is None:
        raise UsageError(
            "the recipe names no pairs or no folder to write", hint="Give pairs=DIR and out=DIR."
        )
    check_base(recipe.base)
    check_stages(recipe)
    pairs = trainable_pairs(recipe.pairs, recipe.image_root)
    if not all(RunFolder(single.out or Path()).manifest.is_file() for single in recipe.single()):
        pairs.verified()
    for single in recipe.single():  # a later stage is not to fail once the first is trained
        check_data(pairs, single.data)
    recipe = recipe.model_copy(update={"out": recipe.out.resolve()})
    claim(recipe)
    if said := without_verdict(recipe, pairs):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    for name, single in zip(recipe.stages or ("",), recipe.single(), strict=True):
        if name:
            console.print(f"stage {name}", markup=False, highlight=False)
        run = train_stage(single, pairs, rejects, start=start)
        if not run.expert.is_dir():
            break
    return run.expert


def trainable_pairs(folder: Path, image_root: Path | None) -> PairSet:
    """The pair set that a recipe names.

    Raises:
        UsageError: If it is none: of chains it is said whether they may be trained on at all.
    """
    from fakeinstruct.chains.store import open_chains

    if (folder / "meta.json").is_file() and not (folder / "manifest.json").is_file():
        open_chains(folder).check_trainable()
        raise UsageError(
            "holds chains, not pairs",
            file=folder,
            hint="Make pairs of them: fakeinstruct expand CHAINS --out PAIRS.",
        )
    return open_pairs(folder, image_root=image_root)


def claim(recipe: Recipe) -> None:
    """Take the folder that a recipe writes to; one of several stages leaves the whole recipe there.

    Raises:
        UsageError: If it holds something else.
    """
    run = RunFolder(recipe.out or Path())
    if run.folder.exists() and (not run.folder.is_dir() or any(run.folder.iterdir())):
        if not (run.recipe.is_file() or run.stages.is_file()):
            raise UsageError(
                "is not empty and not a training run", file=run.folder, hint="Give another out=DIR."
            )
    elif recipe.stages:
        write_json(run.stages, recipe.model_dump(mode="json"))


def train_stage(recipe: Recipe, pairs: PairSet, rejects: Rejects, *, start: bool) -> RunFolder:
    """Prepare and train one stage, unless it is done.

    Raises:
        UsageError: If its folder holds a run of another recipe or other pairs.
    """
    run = RunFolder(recipe.out or Path())
    identity = identity_of(recipe, pairs)
    if not run.manifest.is_file():
        prepare(recipe, pairs, run, rejects, identity)
    elif read_json(run.manifest).get("fingerprint") != identity:
        raise UsageError(
            f"holds a run of {difference(run, recipe)}",
            file=run.folder,
            hint="Give another out=DIR, or remove the folder.",
        )
    else:  # what may change between two starts
        written = Recipe.model_validate(read_json(run.recipe))
        write_recipe(run, written.model_copy(update={"checkpoints": recipe.checkpoints}))
        move_images(run, recipe, pairs)
    if run.expert.is_dir():
        console.print(f"already trained: {run.expert}", markup=False, highlight=False, soft_wrap=True)
    elif start:
        say_where_it_goes_on(run, identity, recipe.hardware.processes)
        start_processes(run, recipe.hardware.processes)
    return run


def move_images(run: RunFolder, recipe: Recipe, pairs: PairSet) -> None:
    """Take the images of a prepared run from where the recipe says now, if it says so.

    Raises:
        UsageError: If they are not there.
    """
    manifest, root = read_json(run.manifest), str(pairs.image_root.resolve())
    if recipe.image_root is None or manifest["image_root"] == root or run.expert.is_dir():
        return
    check_images(pairs, recipe.data.split)
    write_json(run.manifest, manifest | {"image_root": root})
    console.print(
        f"images are now read from {root}; before, from {manifest['image_root']}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def say_where_it_goes_on(run: RunFolder, identity: str, processes: int) -> None:
    """Name the checkpoint that a run goes on from, if there is one.

    Raises:
        UsageError: If it cannot go on from there.
    """
    checkpoint = newest_checkpoint(run.checkpoints, identity, processes)
    if checkpoint is not None:
        state = read_json(checkpoint / "trainer_state.json")
        where = f"{checkpoint.name}, step {state['global_step']:,} of {state['max_steps']:,}"
        console.print(f"going on from {where}", highlight=False)


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
