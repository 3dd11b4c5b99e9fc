"""One process of a training run: a model, its rows and DeepSpeed brought together, and the expert written.

Started by `launch`, or by any launcher that sets the distributed environment:

    torchrun --nproc_per_node 8 -m fakeinstruct.expert.process RUN_FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.card import load_card, save_card
from fakeinstruct.expert.collate import Collator, PackCollator
from fakeinstruct.expert.engine import prepare_deepspeed, process_group
from fakeinstruct.expert.order import Packing as Limits
from fakeinstruct.expert.packing import model_positions
from fakeinstruct.expert.recipe import Recipe, deepspeed_config
from fakeinstruct.expert.rows import index_of
from fakeinstruct.expert.run import COMPLETE, RunFolder
from fakeinstruct.expert.sampler import PackSampler
from fakeinstruct.expert.trainer import LIKELIHOOD, ExpertTrainer
from fakeinstruct.expert.tune import apply_tune


def say(**message: Any) -> None:
    """Tell the launcher something, one JSON object a line on standard output."""
    print(json.dumps(message), flush=True)


class Progress(TrainerCallback):
    """Tells the launcher where training is, and marks checkpoints that every process has finished."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Pass on step and loss; called on every process, heard from the first."""
        if state.is_world_process_zero and logs and "loss" in logs:
            say(step=state.global_step, of=state.max_steps, loss=float(logs["loss"]))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Pass on the step."""
        if state.is_world_process_zero:
            say(step=state.global_step, of=state.max_steps)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint as complete once every process has written its part."""
        import torch

        torch.distributed.barrier()
        if state.is_world_process_zero:
            write_json(
                Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE,
                {"step": state.global_step},
            )


def training_arguments(recipe: Recipe, run: RunFolder, *, validated: bool) -> TrainingArguments:
    """The recipe in Transformers' words."""
    import torch

    optimizer, hardware = recipe.steps(), recipe.hardware
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        seed=recipe.seed,
        data_seed=recipe.seed,
        learning_rate=optimizer.lr,
        num_train_epochs=1,  # the sampler goes through all epochs in sequence
        gradient_accumulation_steps=optimizer.accumulate,
        warmup_steps=optimizer.warmup,
        lr_scheduler_type=optimizer.schedule,
        weight_decay=optimizer.weight_decay,
        adam_beta2=optimizer.beta2,
        max_grad_norm=optimizer.clip,
        bf16=hardware.precision == "bf16",
        gradient_checkpointing=hardware.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if hardware.gradient_checkpointing else None,
        use_cpu=not torch.cuda.is_available(),
        deepspeed=deepspeed_config(recipe),
        save_strategy="steps",
        save_steps=recipe.checkpoints.every,
        save_total_limit=recipe.checkpoints.keep + 1,  # the newest counts only once it is marked as complete
        eval_strategy="steps" if validated else "no",
        eval_steps=recipe.checkpoints.every,
        load_best_model_at_end=validated,
        metric_for_best_model=LIKELIHOOD if validated else None,
        greater_is_better=False if validated else None,
        logging_steps=10,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=hardware.loader_workers,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def train_process(folder: Path) -> None:
    """Train, from the last complete checkpoint if there is one, and write the expert.

    Args:
        folder: A run folder that `launch.prepare` filled.
    """
    import torch

    prepare_deepspeed()
    run = RunFolder(folder)
    recipe = Recipe.model_validate(read_json(run.recipe))
    manifest = read_json(run.manifest)
    validated = recipe.checkpoints.choose == "validation" and run.validation.is_file()
    arguments = training_arguments(
        recipe, run, validated=validated
    )  # before the model: ZeRO-3 shards it at birth
    set_seed(recipe.seed)
    base = manifest["base"]
    processor = AutoProcessor.from_pretrained(base)
    precision = torch.bfloat16 if recipe.hardware.precision == "bf16" else torch.float32
    model = apply_tune(AutoModelForImageTextToText.from_pretrained(base, dtype=precision), recipe.tune)
    if recipe.hardware.gradient_checkpointing:
        model.enable_input_require_grads()
    rows, sampler = drawn_rows(run.rows, recipe, arguments, seed=recipe.seed)
    trainer = ExpertTrainer(
        recipe=recipe,
        sampler=sampler,
        validation=drawn_rows(run.validation, recipe, arguments) if validated else None,
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collator(recipe, model, processor, Path(manifest["image_root"]), sampler.index.tasks),
        callbacks=[Progress(), *board(run, arguments)],
    )
    checkpoint = run.last_checkpoint()
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    best = trainer.state.best_global_step if validated else None
    facts = {
        "steps": result.global_step,
        "resumed_from": checkpoint.name if checkpoint else None,
        "chosen_step": best or result.global_step,
    }
    if trainer.is_world_process_zero():
        write_json(run.history, trainer.state.log_history)
    save_expert(trainer, processor, run, facts)


def drawn_rows(
    file: Path, recipe: Recipe, arguments: TrainingArguments, seed: int | None = None
) -> tuple[Any, PackSampler]:
    """Prepared rows, read where they lie, and the sampler of this process: with a seed that of training."""
    from datasets import Dataset

    rows = Dataset.from_file(str(file))
    packing, optimizer, training = recipe.packing, recipe.steps(), seed is not None
    limits = Limits(
        pairs=packing.pairs if packing else 1,
        batch=optimizer.batch,
        tokens=packing.tokens if packing else optimizer.batch * recipe.data.max_tokens,
        per_image=recipe.data.per_image() if training else None,
    )
    sampler = PackSampler(
        index_of(rows),
        limits,
        seed=seed or 0,
        epochs=optimizer.epochs if training else 1,
        rank=arguments.process_index,
        world=arguments.world_size,
        accumulate=optimizer.accumulate if training else 1,
    )
    return rows, sampler


def collator(
    recipe: Recipe, model: Any, processor: Any, image_root: Path, tasks: tuple[str, ...]
) -> Collator:
    """What makes batches: packed ones if the recipe says so, for which the model's attention is set."""
    make: Any = Collator
    if recipe.packing:
        use_tree_attention(model)
        make = partial(PackCollator, positions=model_positions(model, int(processor.image_token_id)))
    made: Collator = make(
        processor, image_root, weights=recipe.loss.weights, tasks=tasks, mirror=recipe.data.mirror
    )
    return made


def board(run: RunFolder, arguments: TrainingArguments) -> list[TrainerCallback]:
    """TensorBoard's writer, on the first process."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    return [TensorBoardCallback(SummaryWriter(str(run.board)))] if arguments.process_index == 0 else []


def save_expert(trainer: ExpertTrainer, processor: Any, run: RunFolder, facts: dict[str, Any]) -> None:
    """Write the expert to a temporary folder, which takes its name when every process is done.

    Args:
        trainer: Holds the trained model.
        processor: The expert's processor.
        run: The run's folder.
        facts: What the card is to say of the training.
    """
    import torch

    temporary = run.folder / ".expert.tmp"
    trainer.save_model(str(temporary))  # every process: ZeRO-3 gathers the shards
    torch.distributed.barrier()
    if trainer.is_world_process_zero():
        processor.save_pretrained(temporary)
        card = load_card(run.prepared)
        save_card(temporary, card.model_copy(update={"trained_on": card.trained_on | facts}))
        (temporary / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody should load
        shutil.rmtree(run.expert, ignore_errors=True)
        temporary.rename(run.expert)
        say(done=str(run.expert))
    torch.distributed.barrier()


def main() -> None:
    """Entry point of a process; a problem of the user's goes to the launcher as a message."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with process_group():
        try:
            train_process(Path(sys.argv[1]))
        except FakeInstructError as error:
            say(error=str(error))
            sys.exit(1)


if __name__ == "__main__":
    main()
