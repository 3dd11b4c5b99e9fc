"""Training from the outside: prepare the run folder, stage by stage, and start the processes."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.base.progress import console
from fakeinstruct.expand.pair import PairSet, open_pairs
from fakeinstruct.expert.base_model import check_base
from fakeinstruct.expert.checkpoints import newest_checkpoint
from fakeinstruct.expert.chosen import check_data
from fakeinstruct.expert.identity import difference, identity_of
from fakeinstruct.expert.image_sizes import check_images
from fakeinstruct.expert.learned import without_verdict
from fakeinstruct.expert.prepare import prepare, write_recipe
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.succession import check_stages
from fakeinstruct.expert.torchrun import start_processes


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
