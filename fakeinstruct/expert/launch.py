"""Training from the outside: prepare the run folder, start the processes, show how far they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import FakeInstructError, Rejects, UsageError
from fakeinstruct.base.files import fingerprint, read_json, write_json, write_jsonl
from fakeinstruct.base.progress import console, track
from fakeinstruct.base.surfaces import PACKAGE
from fakeinstruct.base.versions import versions
from fakeinstruct.expand.pair import PairSet, open_pairs
from fakeinstruct.expert.card import ExpertCard, Readout, save_card
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.rows import RowWriter, choose
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.validation import validation_pairs

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
        UsageError: If the recipe lacks `pairs` or `out`, or `out` holds a run of another recipe or other pairs.
        FakeInstructError: If no pair can be learned, or a process failed; the log is named.
    """
    rejects = rejects if rejects is not None else Rejects()
    if recipe.pairs is None or recipe.out is None:
        raise UsageError(
            "the recipe names no pairs or no folder to write", hint="Give pairs=DIR and out=DIR."
        )
    pairs = open_pairs(recipe.pairs, image_root=recipe.image_root)
    recipe = recipe.model_copy(update={"out": recipe.out.resolve()})
    claim(recipe)
    for name, single in zip(recipe.stages or ("",), recipe.single(), strict=True):
        if name:
            console.print(f"stage {name}", markup=False, highlight=False)
        run = train_stage(single, pairs, rejects, start=start)
        if not run.expert.is_dir():
            break
    return run.expert


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
    identity = fingerprint(
        {
            "recipe": recipe.model_dump(mode="json", exclude={"out", "pairs", "image_root", "checkpoints"}),
            "pairs": pairs.manifest.model_dump(mode="json", exclude={"image_root"}),
        }
    )
    if not run.manifest.is_file():
        prepare(recipe, pairs, run, rejects, identity)
    elif read_json(run.manifest).get("fingerprint") != identity:
        raise UsageError(
            "holds a run of another recipe or of other pairs",
            file=run.folder,
            hint="Give another out=DIR, or remove the folder.",
        )
    if run.expert.is_dir():
        console.print(f"already trained: {run.expert}", markup=False, highlight=False)
    elif start:
        start_processes(recipe, run)
    return run


def prepare(recipe: Recipe, pairs: PairSet, run: RunFolder, rejects: Rejects, identity: str) -> None:
    """Fill the run folder: base model, rows, card; `run.json` comes last.

    Raises:
        FakeInstructError: If nothing can be learned.
    """
    from transformers import AutoProcessor
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    write_json(run.recipe, recipe.model_dump(mode="json"))
    base = recipe.base
    if recipe.small is not None:
        base = str(run.base)
        build_base(recipe, pairs, run)
    processor = load_base_processor(AutoProcessor, base)
    writer = RowWriter(processor, pairs, recipe.data, rejects)
    tally = writer.write(run.rows, choose(pairs, recipe.data, recipe.steps().epochs))
    verdicts = validation_pairs(pairs, recipe) if recipe.checkpoints.choose == "validation" else []
    if verdicts:
        RowWriter(processor, pairs, recipe.data, rejects).write(run.validation, verdicts)
    if rejects:
        write_jsonl(run.folder / "rejects.jsonl", rejects.rows())
    save_card(run.prepared, make_card(recipe, pairs))
    counts = asdict(tally) | {"per_task": dict(tally.per_task), "rejected": len(rejects)}
    write_json(
        run.manifest,
        {
            "fingerprint": identity,
            "base": base,
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


def load_base_processor(auto: Any, base: str) -> Any:
    """The base model's processor.

    Raises:
        FakeInstructError: If it is not to be had, with what Transformers said.
    """
    try:
        return auto.from_pretrained(base)
    except (OSError, ValueError, ImportError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FakeInstructError(f"cannot be loaded as a processor ({first})", file=base) from error


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


def make_card(recipe: Recipe, pairs: PairSet) -> ExpertCard:
    """The card: readouts and explanation prompts from the templates of the pairs, and where they came from."""
    manifest = pairs.manifest
    readouts = tuple(
        Readout(name=readout.template, prompt=prompt, fake=readout.fake, real=readout.real)
        for readout in manifest.readouts
        for prompt in readout.prompts
    )
    return ExpertCard(
        base=recipe.base,
        readouts=readouts,
        explanation_prompts=manifest.explanation_prompts,
        trained_on={
            "chains_sha256": manifest.chains_sha256,
            "templates_sha256": manifest.templates_sha256,
            "shards_sha256": fingerprint(manifest.shards),
            "split": recipe.data.split,
            "seed": recipe.seed,
            "recipe": recipe.model_dump(mode="json", exclude={"pairs", "out", "image_root"}),
        },
        versions=versions("torch", "transformers", "deepspeed", "peft"),
    )


def start_processes(recipe: Recipe, run: RunFolder) -> None:
    """Run the processes to their end and show how far they are.

    Raises:
        FakeInstructError: If one failed, with its message or the log's name.
    """
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=127.0.0.1:0",
    ]
    command += [
        f"--nproc-per-node={recipe.hardware.processes}",
        "-m",
        "fakeinstruct.expert.process",
        str(run.folder),
    ]
    threads = max(1, (os.cpu_count() or 1) // recipe.hardware.processes)
    environment = os.environ | {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",  # a bare checkout's
        # keep freed activations instead of giving them back to the kernel: 1.45 times the steps on two cores
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    last: dict[str, Any] = {}
    with run.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        try:
            for message in track_steps(read_messages(process, log)):
                last = message if "error" in message else last
        finally:
            if process.poll() is None:
                process.terminate()
            status = process.wait()
    if "error" in last:
        raise FakeInstructError(last["error"])
    if status or not run.expert.is_dir():
        raise FakeInstructError(
            f"training ended with status {status}: {last_words(run.log)}",
            file=run.log,
            hint="Run the same command again to go on from the last checkpoint.",
        )


def read_messages(process: subprocess.Popen[bytes], log: Any) -> Iterator[dict[str, Any]]:
    """The messages of the processes; anything else they print goes to the log."""
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stdout:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            yield message
        else:
            log.write(line)


def track_steps(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Show steps and loss while the messages pass by."""
    first = next((message for message in messages if "step" in message or "error" in message), None)
    if first is None or "error" in first:
        yield from [first] if first else []
        return
    steps = (message for message in messages if "loss" not in message or None)
    yield first
    yield from track(steps, "training (steps)", total=int(first["of"]) - int(first["step"]))


def last_words(log: Path) -> str:
    """The last line of a log that names an error, or its last line."""
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    errors = [
        line
        for line in lines
        if "Error" in line and "ChildFailedError" not in line and "traceback" not in line
    ]
    return (errors or lines or ["it said nothing"])[-1][:300]
