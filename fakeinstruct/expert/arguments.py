"""The recipe in the words of Transformers' Trainer."""

from __future__ import annotations

import torch
from transformers import TrainingArguments

from fakeinstruct.expert.recipe import Recipe, deepspeed_config
from fakeinstruct.expert.run import RunFolder
from fakeinstruct.expert.trainer import LIKELIHOOD

LOG_STEPS = 10
"""Steps that a point of the loss curve averages over."""


def training_arguments(recipe: Recipe, run: RunFolder, *, validated: bool) -> TrainingArguments:
    """What the Trainer is to do.

    Args:
        recipe: Of one stage.
        run: Its folder.
        validated: Whether validation chooses the checkpoint.
    """
    optimizer, hardware = recipe.own_optimizer(), recipe.hardware
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        seed=recipe.seed,
        data_seed=recipe.seed,
        learning_rate=optimizer.lr,
        per_device_train_batch_size=1,  # one row
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
        eval_strategy="steps" if validated else "no",
        eval_steps=recipe.checkpoints.every,
        load_best_model_at_end=validated,
        metric_for_best_model=LIKELIHOOD if validated else None,
        greater_is_better=False if validated else None,
        logging_steps=LOG_STEPS,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=hardware.loader_workers,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
