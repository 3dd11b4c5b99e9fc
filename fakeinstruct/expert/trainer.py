"""Transformers' Trainer over packed rows: its own order of rows, its own loss, validation by verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.expert.checkpoints import disown, folder_of
from fakeinstruct.expert.collate import collated, made
from fakeinstruct.expert.features import TowerFeatures
from fakeinstruct.expert.loss import Targets, token_losses
from fakeinstruct.expert.meter import Meter
from fakeinstruct.expert.recipe import Recipe
from fakeinstruct.expert.sampler import PackSampler, PairRows
from fakeinstruct.expert.tune import parameter_groups

LIKELIHOOD = "verdict_nll"
"""What validation measures: the mean negative log-likelihood of the right verdict's first token, in nats."""

DIVERGED = "Lower optimizer.lr or lengthen optimizer.warmup. The checkpoints written before are as they were."
"""What to do about a loss or weights that are not finite."""


class ExpertTrainer(Trainer):
    """Trains on what a `PackSampler` draws.

    Args:
        sampler: Draws the rows of this process.
        validation: Validation rows and their sampler, if there are any.
        recipe: The run's.
        features: Of the vision tower, if they are kept.
        options: Those of Transformers' `Trainer`; `train_dataset` holds the pairs.
    """

    optimizer: Any
    control: Any

    loss_is_scaled_for_ga = True  # by the tokens of all accumulated rows, see `get_batch_samples`

    def __init__(
        self,
        *,
        sampler: PackSampler,
        validation: tuple[Any, PackSampler] | None,
        recipe: Recipe,
        features: TowerFeatures | None = None,
        **options: Any,
    ) -> None:
        super().__init__(eval_dataset=validation[0] if validation else None, **options)
        self.sampler = sampler
        self.features = features
        self.validation = validation
        self.recipe = recipe
        self.meter = Meter(sampler.index.tasks)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Rows of this process; not handed to accelerate, which would deal them out again."""
        return self._loader(self.train_dataset, self.sampler, self.args.dataloader_num_workers)

    def _loader(self, rows: Any, sampler: PackSampler, workers: int) -> DataLoader[Any]:
        return DataLoader(
            PairRows(rows),
            batch_sampler=sampler,
            collate_fn=partial(collated, self.data_collator),
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a group for each part of the model, so that each can have its own learning rate."""
        if self.optimizer is None:
            model = self.model if model is None else model
            decaying = set(self.get_decay_parameter_names(model))
            groups = parameter_groups(
                model, self.recipe.tune, decaying, self.args.learning_rate, self.args.weight_decay
            )
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = kind(groups, **settings)
        optimizer: torch.optim.Optimizer = self.optimizer
        return optimizer

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor]:
        """The rows of an optimizer step, and the weight of all its targets over all processes.

        Raises:
            FakeInstructError: If one could not be made.
        """
        batches = list(map(made, islice(epoch_iterator, num_batches)))
        total = torch.stack([batch["targets"].weights.sum() for batch in batches]).sum().to(device)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(total)
        return batches, total

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The row's part of the step's loss, times the processes, over which gradients are averaged.

        Raises:
            FakeInstructError: If the loss is not finite.
        """
        targets, logits = self._predict(model, inputs)
        exact, learned = token_losses(logits, targets.ids, self._smoothing(targets))
        total = torch.as_tensor(num_items_in_batch).clamp(min=1e-9)
        loss = (learned * targets.weights).sum() / total * self.args.world_size
        if not torch.isfinite(loss):
            disown(
                folder_of(Path(self.args.output_dir), self.state.global_step)
            )  # its weights gave this loss
            raise FakeInstructError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}",
                field="optimizer.lr",
                hint=DIVERGED,
            )
        self.meter.add(targets, exact, inputs["input_ids"].numel(), inputs.get("tree"))
        return (loss, None) if return_outputs else loss

    def _predict(self, model: Any, inputs: dict[str, Any]) -> tuple[Targets, Tensor]:
        """The targets of a batch, and the logits that predict them."""
        tensors = {name: value for name, value in inputs.items() if name not in ("targets", "image_keys")}
        targets = inputs["targets"].to(inputs["input_ids"].device)
        with self.features.of(inputs["image_keys"]) if self.features else nullcontext():
            return targets, targets.logits(model(**tensors, use_cache=False).logits)

    def _smoothing(self, targets: Targets) -> Tensor | None:
        """Each target's smoothing: a verdict is smoothed, and nothing else."""
        if not self.recipe.loss.smoothing or "verdict" not in self.meter.tasks:
            return None
        verdicts = targets.first & (targets.tasks == self.meter.tasks.index("verdict"))
        return verdicts * self.recipe.loss.smoothing

    def evaluate(
        self, *args: Any, metric_key_prefix: str = "eval", **options: Any
    ) -> dict[str, float]:  # one signature with Trainer's
        """How likely the right verdicts of the validation pairs are; every process must call.

        Returns:
            `eval_verdict_nll`, in nats.

        Raises:
            FakeInstructError: If a batch could not be made.
        """
        if self.validation is None:
            return {}
        rows, sampler = self.validation
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        self.model_wrapped.eval()
        for batch in self._loader(rows, sampler, 0):
            inputs = self._prepare_inputs(made(batch))
            with torch.no_grad():
                targets, logits = self._predict(self.model_wrapped, inputs)
                exact, _ = token_losses(logits, targets.ids)
            verdicts = targets.first & (targets.weights > 0)
            sums += torch.stack([exact[verdicts].double().sum(), verdicts.sum()])
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        metrics = {f"{metric_key_prefix}_{LIKELIHOOD}": float(sums[0] / sums[1])}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save the state, unless training has diverged.

        Raises:
            FakeInstructError: If weights are not finite, or the checkpoint cannot be written.
        """
        if not self._finite():
            raise FakeInstructError(
                f"weights are not finite after step {self.state.global_step}",
                field="optimizer.lr",
                hint=DIVERGED,
            )
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:
            if not written_badly(error):
                raise
            raise FakeInstructError(
                f"the checkpoint could not be written: {why_unwritten(error, Path(self.args.output_dir))}",
                file=folder_of(Path(self.args.output_dir), self.state.global_step),
                hint="Free some room and run the same command again: it goes on from the last complete checkpoint.",
            ) from error

    def _finite(self) -> bool:
        """Whether all trained weights are finite; every process looks at its own shards, and must call."""
        shards = (
            getattr(weight, "ds_tensor", weight) for weight in self.model.parameters() if weight.requires_grad
        )
        finite = all(bool(torch.isfinite(shard).all()) for shard in shards)
        everywhere = torch.tensor([float(finite)], device=self.args.device)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(everywhere, op=torch.distributed.ReduceOp.MIN)
        return bool(everywhere.item())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the meter counted; called on every process."""
        if "loss" in logs:
            if self.features:
                self.meter.add_features(*self.features.counted())
            logs |= self.meter.report(self.args.device)
        super().log(logs, start_time)


def written_badly(error: Exception) -> bool:
    """Whether an error comes from writing a file: PyTorch's writer, in C++, raises a RuntimeError and no OSError."""
    writer = ("inline_container", "PytorchStreamWriter", "iostream")
    return not isinstance(error, RuntimeError) or any(name in str(error) for name in writer)


def why_unwritten(error: Exception, folder: Path) -> str:
    """Why a file could not be written; PyTorch's writer does not say that the disk is full."""
    if disk_usage(folder).free < 2**20:
        return "the disk is full"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
