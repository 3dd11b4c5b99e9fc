"""One contender of `train.py` in a process of its own: trains, and prints its figures as the last line.

    python benchmarks/train_contender.py OUT '{"name": "trl", ...}'

`trl` is TRL's SFTTrainer as its documentation shows it for images; `ours` is the library's trainer with K pairs a
tree. Both are Transformers' Trainer underneath, with one set of arguments: PyTorch's AdamW, no DeepSpeed, the same
weights at the start. Reading and processing images is inside the clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, Image, List, load_dataset
from flops import Work, conventional, needed
from torch.utils.data import DataLoader
from train_setting import SHAPES, Setting, build_model
from transformers import TrainerCallback, TrainingArguments
from trl import SFTConfig, SFTTrainer

from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.collate import PackCollator
from fakeinstruct.expert.meter import memory
from fakeinstruct.expert.order import Limits
from fakeinstruct.expert.packing import plain_positions
from fakeinstruct.expert.recipe import Optimizer, Recipe
from fakeinstruct.expert.rows import index_of
from fakeinstruct.expert.sampler import PackSampler, PairRows
from fakeinstruct.expert.trainer import ExpertTrainer

LEARNING_RATE = 3e-4

TOKENS = 8192
"""Most tokens a row: the recipes' default."""


@dataclass(frozen=True)
class Task:
    """What a contender is to do.

    Attributes:
        name: `trl` or `ours`.
        pairs: Pairs a tree (ours), or a batch (TRL).
        config: Name of the model's shape.
        step: Pairs an optimizer step, about.
        scored: On how many of the pairs, the first ones, the loss is measured before and after.
        device: `cpu` or `cuda`.
        threads: PyTorch's.
    """

    name: str
    pairs: int
    config: str
    step: int
    scored: int
    device: str
    threads: int


class Clock(TrainerCallback):
    """Reads wall clock, CPU time and work at the end of the first step, which warms up, and of the last."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.work = Work()
        self.readings: list[tuple[float, float, Work]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Read."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.readings.append((time.perf_counter(), time.process_time(), Work(**asdict(self.work))))


class Counted:
    """Mixed into a trainer: counts what its loss is computed of."""

    clock: Clock

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        """As the trainer does, with the work counted."""
        work, count = self.clock.work, work_of(inputs)
        for name, value in asdict(count).items():
            setattr(work, name, getattr(work, name) + value)
        return super().compute_loss(model, inputs, *args, **options)  # type: ignore[misc]


def work_of(inputs: dict[str, Any]) -> Work:
    """The work in a batch."""
    images = len(inputs["pixel_values"])
    if "tree" in inputs:
        trees, targets = inputs["tree"].trees, inputs["targets"]
        seen = sum(
            _causal(tree.prefix) + sum(tree.prefix * branch + _causal(branch) for branch in tree.branches)
            for tree in trees
        )
        pairs = sum(len(tree.branches) for tree in trees)
        return Work(pairs, len(inputs["tree"]), images, seen, len(targets.ids))
    lengths = inputs["attention_mask"].sum(1).tolist()
    targets = int((inputs["labels"][:, 1:] != -100).sum())
    return Work(len(lengths), sum(lengths), images, sum(map(_causal, lengths)), targets)


def _causal(length: int) -> int:
    """Pairs of query and key in causal attention."""
    return length * (length + 1) // 2


class CountedSft(Counted, SFTTrainer):
    """TRL's, counted."""


class CountedExpert(Counted, ExpertTrainer):
    """Ours, counted."""


def arguments(task: Task, out: Path, accumulate: int) -> dict[str, Any]:
    """What both trainers are told."""
    lora = SHAPES[task.config].lora
    return {
        "output_dir": str(out),
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch",
        "num_train_epochs": 1,
        "gradient_accumulation_steps": accumulate,
        "bf16": lora,
        "gradient_checkpointing": lora,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if lora else None,
        "use_cpu": task.device == "cpu",
        "dataloader_pin_memory": task.device != "cpu",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def trl_trainer(task: Task, setting: Setting, out: Path) -> tuple[Any, Any]:
    """TRL's trainer, and its loader of the pairs that are scored."""

    def located(pair: dict[str, Any]) -> dict[str, Any]:
        return {"messages": pair["messages"], "images": [str(setting.image_root / pair["image"])]}

    pairs = load_dataset("json", data_files=str(setting.pairs), split="train", cache_dir=str(out / "cache"))
    pairs = pairs.map(located, remove_columns="image").cast_column("images", List(Image()))
    processor = setting.processor()
    config = SFTConfig(
        **arguments(task, out, max(1, task.step // task.pairs)),
        per_device_train_batch_size=task.pairs,
        per_device_eval_batch_size=task.pairs,
        max_length=None,  # nothing is cut
        assistant_only_loss=True,
    )
    trainer = CountedSft(
        model=build_model(SHAPES[task.config], processor, task.device),
        args=config,
        train_dataset=pairs,
        processing_class=processor,
    )
    return trainer, trainer.get_eval_dataloader(pairs.select(range(task.scored)))


def our_trainer(task: Task, setting: Setting, out: Path) -> tuple[Any, Any]:
    """The library's trainer, and a loader of the pairs that are scored."""
    rows = Dataset.from_file(str(setting.rows))
    limits = Limits(pairs=task.pairs, batch=task.step, tokens=TOKENS)
    options: dict[str, Any] = {"seed": 0, "epochs": 1, "rank": 0, "world": 1}
    single = PackSampler(index_of(rows), limits, accumulate=1, **options)
    accumulate = max(1, round(task.step * len(single) / len(rows)))
    sampler = PackSampler(index_of(rows), limits, accumulate=accumulate, **options)
    processor = setting.processor()
    model = build_model(SHAPES[task.config], processor, task.device)
    use_tree_attention(model)
    collator = PackCollator(
        processor, setting.image_root, positions=plain_positions, tasks=sampler.index.tasks
    )
    config = TrainingArguments(**arguments(task, out, accumulate), remove_unused_columns=False)
    trainer = CountedExpert(
        recipe=Recipe(base="none", optimizer=Optimizer(lr=LEARNING_RATE)),
        sampler=sampler,
        validation=None,
        model=model,
        args=config,
        train_dataset=rows,
        data_collator=collator,
    )
    few = rows.select(range(task.scored))
    scoring = PackSampler(index_of(few), limits, accumulate=1, **options)
    return trainer, DataLoader(PairRows(few), batch_sampler=scoring, collate_fn=collator)


def mean_loss(trainer: Any, loader: Any) -> float:
    """Mean loss a token in nats, by the trainer's own collator and loss."""
    trainer.model.eval()
    total, tokens = 0.0, 0
    for batch in loader:
        inputs = trainer._prepare_inputs(batch)
        tokens += work_of(inputs).targets
        with torch.no_grad(), trainer.compute_loss_context_manager():
            total += trainer.compute_loss(trainer.model, inputs, num_items_in_batch=torch.tensor(1.0)).item()
    return total / tokens


def compete(task: Task, setting: Setting, out: Path) -> dict[str, Any]:
    """Train once through the pairs."""
    trainer, scored = (trl_trainer if task.name == "trl" else our_trainer)(task, setting, out)
    trainer.clock = clock = Clock(task.device)
    trainer.add_callback(clock)
    before = mean_loss(trainer, scored)
    clock.work = Work()
    trainer.train()
    first, last = clock.readings[0], clock.readings[-1]
    work = last[2] - first[2]
    return {
        **asdict(work),
        "steps": len(clock.readings) - 1,
        "seconds": last[0] - first[0],
        "cpu_seconds": last[1] - first[1],
        "loss_before": before,
        "loss_after": mean_loss(trainer, scored),
        "gib": memory(),
        "flops": needed(trainer.model, work),
        "flops_by_6n": conventional(trainer.model, work),
    }


def main() -> None:
    """Run the task of the command line."""
    out, task = Path(sys.argv[1]), Task(**json.loads(sys.argv[2]))
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(task.threads)
    setting = Setting(out / "setting", out / "chains")
    figures = compete(task, setting, out / "run")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
