"""One process of a training run: Transformers' Trainer on DeepSpeed over the prepared rows.

Started by `launch`, or by any launcher that sets the distributed environment:

    torchrun --nproc_per_node 8 -m fakeinstruct.expert.trainer RUN_FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.card import load_card, save_card
from fakeinstruct.expert.collate import Collator
from fakeinstruct.expert.engine import prepare_deepspeed, process_group
from fakeinstruct.expert.recipe import Recipe, deepspeed_config
from fakeinstruct.expert.run import COMPLETE, RunFolder
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


def training_arguments(recipe: Recipe, run: RunFolder) -> TrainingArguments:
    """The recipe in Transformers' words."""
    import torch

    optimizer, hardware = recipe.optimizer, recipe.hardware
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        seed=recipe.seed,
        data_seed=recipe.seed,
        learning_rate=optimizer.lr,
        num_train_epochs=optimizer.epochs,
        per_device_train_batch_size=optimizer.batch,
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
        save_total_limit=recipe.checkpoints.keep,
        logging_steps=10,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=hardware.loader_workers,
        dataloader_persistent_workers=hardware.loader_workers > 0,
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def train_process(folder: Path) -> None:
    """Train, from the last complete checkpoint if there is one, and write the expert.

    Args:
        folder: A run folder that `launch.prepare` filled.
    """
    import torch
    from datasets import load_dataset

    prepare_deepspeed()
    run = RunFolder(folder)
    recipe = Recipe.model_validate(read_json(run.recipe))
    manifest = read_json(run.manifest)
    arguments = training_arguments(recipe, run)  # before the model: ZeRO-3 shards it while it is made
    set_seed(recipe.seed)
    base = manifest["base"]
    processor = AutoProcessor.from_pretrained(base)
    precision = torch.bfloat16 if recipe.hardware.precision == "bf16" else torch.float32
    model = apply_tune(AutoModelForImageTextToText.from_pretrained(base, dtype=precision), recipe.tune)
    if recipe.hardware.gradient_checkpointing:
        model.enable_input_require_grads()
    rows = load_dataset("parquet", data_files=str(run.rows), split="train", cache_dir=str(run.cache))
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=Collator(processor, Path(manifest["image_root"]), mirror=recipe.data.mirror),
        callbacks=[Progress()],
    )
    checkpoint = run.last_checkpoint()
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    facts = {"steps": result.global_step, "resumed_from": checkpoint.name if checkpoint else None}
    save_expert(trainer, processor, run, facts)


def save_expert(trainer: Trainer, processor: Any, run: RunFolder, facts: dict[str, Any]) -> None:
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
