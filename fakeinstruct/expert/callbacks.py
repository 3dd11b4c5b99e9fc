"""What happens beside the steps: messages to the launcher, checkpoints marked and old ones removed, curves kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainingArguments

from fakeinstruct.base.files import write_json
from fakeinstruct.expert.checkpoints import folder_of, mark_complete, prune, remove_incomplete
from fakeinstruct.expert.run import RunFolder


def say(**message: Any) -> None:
    """Tell the launcher something, one JSON object a line on standard output."""
    print(json.dumps(message), flush=True)


class Progress(TrainerCallback):
    """Tells the launcher where training is."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Pass on the step, heard from the first process."""
        if state.is_world_process_zero:
            say(step=state.global_step, of=state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Pass on the loss."""
        if state.is_world_process_zero and logs and "loss" in logs:
            say(step=state.global_step, of=state.max_steps, loss=float(logs["loss"]))


class Checkpoints(TrainerCallback):
    """Marks checkpoints that every process has written, and removes what is not needed.

    Args:
        run: The run's folder.
        fingerprint: The run's, which its checkpoints bear.
        keep: How many are kept beside the best.
    """

    def __init__(self, run: RunFolder, fingerprint: str, keep: int) -> None:
        self.run = run
        self.fingerprint = fingerprint
        self.keep = keep

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Clear the remains of a killed run, and follow the recipe where it changed since the checkpoint."""
        if state.is_world_process_zero:
            remove_incomplete(self.run.checkpoints)
        _barrier()
        state.save_steps, state.eval_steps, state.logging_steps = (
            args.save_steps,
            args.eval_steps,
            args.logging_steps,
        )
        best = self._best(state)
        if best is not None and best.is_dir():
            state.best_model_checkpoint = str(best)
        else:
            state.best_model_checkpoint = state.best_global_step = state.best_metric = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log where a checkpoint is saved: a resumed run then averages over the same steps as an undisturbed one."""
        if control.should_save:
            control.should_log = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the checkpoint once every process has written its part; only then are older ones removed."""
        _barrier()
        if state.is_world_process_zero:
            folder = folder_of(self.run.checkpoints, state.global_step)
            mark_complete(folder, state.global_step, self.fingerprint, args.world_size)
            prune(self.run.checkpoints, self.keep, self._best(state))
            write_json(self.run.history, state.log_history)

    def _best(self, state: Any) -> Path | None:
        """The checkpoint that validation has chosen so far; by its step, since the folder may have been moved."""
        return folder_of(self.run.checkpoints, state.best_global_step) if state.best_global_step else None


def _barrier() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def board(run: RunFolder, arguments: TrainingArguments, first: int) -> list[TrainerCallback]:
    """TensorBoard's writer, on the first process.

    Args:
        run: The run's folder.
        arguments: This process's.
        first: The step that training begins at; what a killed run wrote from there on is hidden.
    """
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    if arguments.process_index:
        return []
    return [TensorBoardCallback(SummaryWriter(str(run.board), purge_step=first))]
