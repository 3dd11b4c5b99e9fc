"""One process of a training run: a model, its rows and DeepSpeed brought together, and the expert written.

Started by `launch`, or by any launcher that sets the distributed environment:

    torchrun --nproc_per_node 8 -m fakeinstruct.expert.process RUN_FOLDER
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainingArguments, set_seed

from fakeinstruct.base.errors import FakeInstructError, from_os_error
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.expert.arguments import training_arguments
from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.base_model import load_tuned, whole_images
from fakeinstruct.expert.callbacks import Checkpoints, Progress, board, say
from fakeinstruct.expert.card import load_card, save_card
from fakeinstruct.expert.checkpoints import newest_checkpoint
from fakeinstruct.expert.collate import Collator, PackCollator
from fakeinstruct.expert.engine import die_with_parent, join_deepspeed, prepare_deepspeed, process_group
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.features import TowerFeatures, keep_features
from fakeinstruct.expert.model_card import write_model_card
from fakeinstruct.expert.order import rows as dealt_rows
from fakeinstruct.expert.packing import model_positions
from fakeinstruct.expert.processors import check_image_tokens, load_processor
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.resolution import limit_pixels
from fakeinstruct.expert.rows import index_of, limits_of
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.sampler import PackSampler
from fakeinstruct.expert.trainer import ExpertTrainer
from fakeinstruct.expert.tune import count_parts
from fakeinstruct.expert.vision import ConvVisionConfig

FULL = "Lower packing.tokens or optimizer.batch, or set hardware.gradient_checkpointing; then give another out=DIR."
"""What to do about a GPU's memory."""


def train_process(folder: Path) -> None:
    """Train, from the newest complete checkpoint if there is one, and write the expert.

    Args:
        folder: A run folder that `launch.prepare` filled.

    Raises:
        UsageError: If model, processor or checkpoint do not fit.
        FakeInstructError: If training cannot go on.
    """
    prepare_deepspeed()
    run = RunFolder(folder)
    recipe = Recipe.model_validate(read_json(run.recipe))
    manifest = read_json(run.manifest)
    validated = recipe.checkpoints.choose == "validation" and run.validation.is_file()
    arguments = training_arguments(
        recipe, run, validated=validated
    )  # first: ZeRO-3 shards the model at birth
    join_deepspeed()
    checkpoint = newest_checkpoint(run.checkpoints, manifest["fingerprint"], arguments.world_size)
    set_seed(recipe.seed)
    processor = limit_pixels(load_processor(manifest["processor"]), recipe.data.max_pixels)
    model = load_model(recipe, manifest["base"], processor)
    if arguments.process_index == 0:
        say(parts=count_parts(model, family_of(model.config)))
    rows, sampler = drawn_rows(run.rows, recipe, arguments, seed=recipe.seed)
    trainer = ExpertTrainer(
        recipe=recipe,
        features=kept_features(recipe, model, arguments),
        sampler=sampler,
        validation=drawn_rows(run.validation, recipe, arguments) if validated else None,
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collator(recipe, model, processor, Path(manifest["image_root"]), sampler.index.tasks),
        callbacks=[
            Progress(),
            Checkpoints(run, manifest["fingerprint"], recipe.checkpoints.keep),
            *board(run, arguments, first=(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0) + 1),
        ],
    )
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.is_world_process_zero():
        write_json(run.history, trainer.state.log_history)
    best = trainer.state.best_global_step if trainer.state.best_model_checkpoint else None
    facts = {
        "steps": result.global_step,
        "resumed_from": checkpoint.name if checkpoint else None,
        "chosen_step": best or result.global_step,
        **seen(sampler),
    }
    save_expert(trainer, processor, run, facts)


def load_model(recipe: Recipe, base: str, processor: Any) -> Any:
    """The model as the recipe tunes it, checked against its processor.

    Raises:
        UsageError: If they do not fit each other, or the recipe.
    """
    precision = torch.bfloat16 if recipe.hardware.precision == "bf16" else torch.float32
    model = load_tuned(base, recipe.tune, precision)
    with whole_images(model):
        check_image_tokens(model, processor)
    if recipe.hardware.gradient_checkpointing:
        model.enable_input_require_grads()
    return model


def drawn_rows(
    file: Path, recipe: Recipe, arguments: TrainingArguments, seed: int | None = None
) -> tuple[Any, PackSampler]:
    """Prepared rows, read where they lie, and the sampler of this process: with a seed that of training."""
    from datasets import Dataset

    rows = Dataset.from_file(str(file))
    optimizer, training = recipe.own_optimizer(), seed is not None
    limits = limits_of(recipe, packed=recipe.packing is not None)
    sampler = PackSampler(
        index_of(rows),
        limits if training else replace(limits, per_image=None),
        seed=seed or 0,
        epochs=optimizer.epochs if training else 1,
        rank=arguments.process_index,
        world=arguments.world_size,
        accumulate=optimizer.accumulate if training else 1,
    )
    return rows, sampler


def seen(sampler: PackSampler) -> dict[str, int]:
    """How many pairs all processes go through, each as often as it comes, and of how many images."""
    pairs, images = 0, set[int]()
    for epoch, count in enumerate(sampler.per_epoch):
        dealt = dealt_rows(sampler.index, sampler.packing, sampler.seed, epoch)
        trees = dealt.order[: dealt.starts[count]]
        pairs += int(np.diff(dealt.trees.starts)[trees].sum())
        images |= set(sampler.index.image[dealt.trees.pairs[dealt.trees.starts[trees]]].tolist())
    return {"pairs_seen": pairs, "images_seen": len(images)}


def collator(
    recipe: Recipe, model: Any, processor: Any, image_root: Path, tasks: tuple[str, ...]
) -> Collator:
    """What makes batches: packed ones if the recipe says so, for which the model's attention is set."""
    make: Any = Collator
    if recipe.packing:
        use_tree_attention(model)
        make = partial(PackCollator, positions=model_positions(model, int(processor.image_token_id)))
    made: Collator = make(
        processor,
        image_root,
        weights=recipe.loss.weights,
        tasks=tuple(dict.fromkeys((*tasks, "verdict"))),  # validation asks for verdicts, learned or not
        mirror=recipe.data.mirror,
        join=family_of(model.config).join,
    )
    return made


def kept_features(recipe: Recipe, model: Any, arguments: TrainingArguments) -> TowerFeatures | None:
    """Features of the vision tower, if they can be kept; if not, the log says why."""
    features, reason = keep_features(model, recipe.hardware.feature_cache_gib)
    if reason and arguments.process_index == 0:
        print(f"features of the vision tower are not kept: {reason}", file=sys.stderr)
    return features


def save_expert(trainer: ExpertTrainer, processor: Any, run: RunFolder, facts: dict[str, Any]) -> None:
    """Write the expert to a temporary folder, which takes its name when every process is done.

    Args:
        trainer: Holds the trained model.
        processor: The expert's processor.
        run: The run's folder.
        facts: What the card is to say of the training.
    """
    temporary = run.folder / ".expert.tmp"
    trainer.save_model(str(temporary))  # every process: ZeRO-3 gathers the shards
    torch.distributed.barrier()
    if trainer.is_world_process_zero():
        processor.save_pretrained(temporary)
        card = load_card(run.prepared)
        card = card.model_copy(update={"trained_on": card.trained_on | facts})
        save_card(temporary, card)
        tower = getattr(getattr(trainer.model, "config", None), "vision_config", None)
        write_model_card(
            temporary,
            card,
            read_json(run.manifest)["counts"],
            trainer.state.log_history,
            title=run.folder.name,
            small=isinstance(tower, ConvVisionConfig),
        )
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody should load
        shutil.rmtree(run.expert, ignore_errors=True)
        temporary.rename(run.expert)
    torch.distributed.barrier()


def main() -> None:
    """Entry point of a process; what goes wrong is told to the launcher in one line, whichever process it is."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    die_with_parent()
    folder = Path(sys.argv[1])
    with process_group():
        try:
            train_process(folder)
            return
        except Exception as error:
            say(**told(error, folder))  # before anything is written to the log, whose disk may be full
            with suppress(OSError):
                traceback.print_exc()
                sys.stderr.flush()
        os._exit(1)  # without waiting for the others, which wait for this one; torchrun ends them


def told(error: Exception, folder: Path) -> dict[str, Any]:
    """What the launcher is told of an error: the user's problem as `error` with its status, any other as `failure`."""
    first = (str(error).strip().splitlines() or [""])[0][:500]
    if isinstance(error, FakeInstructError):
        return {"error": str(error), "status": int(error.status)}
    if isinstance(error, OSError):
        problem = from_os_error(error, error.filename or folder)
        return {"error": str(problem), "status": int(problem.status)}
    if isinstance(error, torch.OutOfMemoryError):
        return {"error": f"the GPU's memory is full: {first} {FULL}", "status": 1}
    return {"failure": f"{type(error).__name__}: {first}"}


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; threads of the process group now and then abort an interpreter that ends
