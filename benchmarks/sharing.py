"""What sharing an image among pairs does to learning: detection and calibration while small experts train.

    OMP_NUM_THREADS=1 python benchmarks/sharing.py cifake runs/cifake/pairs
    OMP_NUM_THREADS=1 python benchmarks/sharing.py sample runs/demo/pairs --base runs/demo/train/alignment/expert

Each run of a study is a process of its own, one after the other; what it found is kept, so that a study that was
interrupted goes on. At the end the study is drawn as OUT/STUDY.svg.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from fakeinstruct.base.errors import Rejects
from fakeinstruct.expand.pair import Pair, PairSet, open_pairs
from fakeinstruct.expert.attention import use_tree_attention
from fakeinstruct.expert.chosen import choose
from fakeinstruct.expert.collate import PackCollator
from fakeinstruct.expert.order import Limits
from fakeinstruct.expert.packing import plain_positions
from fakeinstruct.expert.prepare import vocabulary_texts
from fakeinstruct.expert.recipe import Data, Loss, load_recipe
from fakeinstruct.expert.rows import RowWriter, index_of
from fakeinstruct.expert.sampler import PackSampler
from fakeinstruct.expert.small import build_small
from fakeinstruct.expert.trainer import ExpertTrainer
from fakeinstruct.expert.tune import apply_tune
from fakeinstruct.expert.validation import one_verdict_each
from fakeinstruct.measure.calibration import nll, probability, reliability
from fakeinstruct.measure.detection import auc

POINTS = 8
"""Measurements of a run, from a sixteenth of it to its end, evenly on a logarithmic scale."""

TEST_IMAGES = 1000
"""Most test images of a measurement."""


@dataclass(frozen=True)
class Run:
    """One training run of a study.

    Attributes:
        name: Its line in the drawing.
        share: Most pairs that share an image (K).
        batch: Pairs a step.
        epochs: Epochs.
        per_image: Pairs of each task an image gives an epoch.
        loss: Settings of the loss.
    """

    name: str
    share: int
    batch: int
    epochs: float
    per_image: dict[str, int]
    loss: dict[str, Any] = field(default_factory=dict)


def verdicts(name: str, share: int, images: int, pairs: int, epochs: float) -> Run:
    """A run on verdicts alone, of so many images a step and pairs an image and epoch."""
    return Run(name, share, images * share, epochs, {"verdict": pairs})


MIXED = {
    1: {"verdict": 1},
    5: {"verdict": 1, "reasoning": 2, "evidence": 1, "choice": 1},
    20: {"verdict": 4, "reasoning": 8, "evidence": 2, "choice": 4, "advice": 2},
    50: {"verdict": 10, "reasoning": 20, "evidence": 5, "choice": 10, "advice": 5},
}
"""Pairs an image, in the demo's proportions."""

STUDIES = {
    "cifake": [
        verdicts("K = 1, 64 images a step", 1, 64, 6, 1),
        verdicts("K = 4, 64 images a step", 4, 64, 6, 1),
        verdicts("K = 6, 64 images a step", 6, 64, 6, 1),
        verdicts("K = 4, 16 images a step", 4, 16, 6, 1),
        verdicts("K = 6, 11 images a step", 6, 11, 6, 1),
    ],
    "sample": [
        Run("20 pairs an image, K = 1", 1, 16, 1, MIXED[20]),
        Run("20 pairs an image, K = 4", 4, 64, 1, MIXED[20]),
        Run("20 pairs an image, K = 16", 16, 256, 1, MIXED[20]),
        Run("1 pair an image", 1, 16, 1, MIXED[1]),
        Run("5 pairs an image, K = 5", 5, 80, 1, MIXED[5]),
        Run("50 pairs an image, K = 16", 16, 256, 1, MIXED[50]),
        Run(
            "20 pairs an image, K = 16, verdicts weigh 20",
            16,
            256,
            1,
            MIXED[20],
            {"weights": {"verdict": 20}},
        ),
        Run("20 pairs an image, K = 16, smoothing .1", 16, 256, 1, MIXED[20], {"smoothing": 0.1}),
    ],
}
"""CIFAKE's experts learn to see, from nothing, at 64 images a step or at 64 pairs a step; the sample's begin with the
demo's first stage and learn its second, the vision tower frozen, at 16 images a step."""


class Measure(TrainerCallback):
    """Asks for verdicts on the test images at certain steps and stops the clock meanwhile."""

    def __init__(self, model: Any, batches: list[dict[str, Any]], collate: PackCollator) -> None:
        self.model, self.batches, self.collate = model, batches, collate
        self.found: list[dict[str, float]] = []
        self.seconds = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Choose the steps and start the clock."""
        steps = state.max_steps * 2.0 ** np.linspace(-4, 0, POINTS)
        self.steps = {max(1, round(step)) for step in steps}
        self.began = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure if the step is one of them."""
        if state.global_step not in self.steps:
            return
        self.seconds += time.process_time() - self.began
        self.found.append({"step": state.global_step, "seconds": self.seconds, **self.figures()})
        print(self.found[-1], file=sys.stderr)
        self.model.train()
        self.began = time.process_time()

    def figures(self) -> dict[str, float]:
        """AUC, calibration error and likelihood of the verdicts, unfitted."""
        self.model.eval()
        truth, margins = [], []
        for rows in self.batches:
            batch = self.collate(rows)
            targets = batch.pop("targets")
            with torch.inference_mode():
                logits = targets.logits(self.model(**batch, use_cache=False).logits)
            words = targets.ids[targets.first]
            both = logits[targets.first][:, [self.collate.fake, self.collate.real]].double()
            truth += (words == self.collate.fake).tolist()
            margins += (both[:, 0] - both[:, 1]).tolist()
        found = reliability(truth, probability(margins))
        return {
            "auc": auc(truth, margins),
            "ece": found.ece,
            "band": found.ece_band,
            "nll": nll(truth, margins),
        }


def test_pairs(pairs: PairSet, template: str) -> Iterable[Pair]:
    """One verdict for each test image, spread over the set."""
    found = one_verdict_each(pairs, "test", [template])
    return sorted(found.values(), key=lambda pair: pair.id)[:TEST_IMAGES]


def train(study: str, run: Run, folder: Path, pairs: PairSet, base: Path | None) -> dict[str, Any]:
    """Train one run and measure on the way: the last stage of the study's recipe, from an expert if one is given."""
    recipe = load_recipe(study).single()[-1]
    data = recipe.data.model_copy(update={"pairs_per_image": run.per_image})
    recipe = recipe.model_copy(update={"data": data, "loss": Loss(**run.loss)})
    if base is None:
        base = folder / "base"
        build_small(vocabulary_texts(pairs, "train"), recipe.small, seed=0, out=base)
    processor = AutoProcessor.from_pretrained(base)
    rows = written(processor, pairs, data, choose(pairs, data, run.epochs), folder / "rows.arrow")
    asked = written(processor, pairs, data, test_pairs(pairs, "verdict/one_word"), folder / "test.arrow")
    set_seed(0)
    model = apply_tune(AutoModelForImageTextToText.from_pretrained(base), recipe.tune)
    use_tree_attention(model)
    index = index_of(rows)
    make = partial(PackCollator, processor, pairs.image_root, positions=plain_positions, tasks=index.tasks)
    limits = Limits(run.share, run.batch, 2**20, run.per_image)
    sampler = PackSampler(index, limits, seed=0, epochs=run.epochs, rank=0, world=1, accumulate=1)
    measure = Measure(model, test_batches(asked), with_words(make(), processor, asked))
    optimizer = recipe.own_optimizer()
    trainer = ExpertTrainer(
        recipe=recipe,
        sampler=sampler,
        validation=None,
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            seed=0,
            learning_rate=optimizer.lr,
            num_train_epochs=1,
            warmup_steps=optimizer.warmup,
            lr_scheduler_type=optimizer.schedule,
            weight_decay=optimizer.weight_decay,
            adam_beta2=optimizer.beta2,
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        ),
        train_dataset=rows,
        data_collator=make(mirror=data.mirror, weights=recipe.loss.weights),
        callbacks=[measure],
    )
    trainer.train()
    taken = sum(len(row) for row in sampler)
    return {"run": asdict(run), "pairs": taken, "images": len(set(index.image)), "points": measure.found}


def written(processor: Any, pairs: PairSet, data: Data, chosen: Iterable[Pair], file: Path) -> Dataset:
    """Pairs as rows, tokenised."""
    RowWriter(processor, pairs, data, Rejects()).write(file, chosen)
    return Dataset.from_file(str(file))


def test_batches(asked: Dataset) -> list[list[dict[str, Any]]]:
    """Test rows, 64 images at a time, a tree each."""
    rows = [row | {"tree": number, "counts": True} for number, row in enumerate(asked.to_list())]
    return [rows[start : start + 64] for start in range(0, len(rows), 64)]


def with_words(collate: PackCollator, processor: Any, asked: Dataset) -> PackCollator:
    """A collator that knows which tokens mean fake and real: the first of each answer."""
    first = {next(label for label in labels if label != -100) for labels in asked["labels"]}
    words = {processor.tokenizer.decode([token]).strip(): token for token in first}
    collate.fake, collate.real = words["fake"], words["real"]
    return collate


def draw(found: list[dict[str, Any]], file: Path) -> None:
    """AUC and calibration error against seconds and against pairs, a line for each run."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    from fakeinstruct.measure.report.plots import STYLE

    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(11, 7), sharey="row")
        for number, one in enumerate(found):
            points = one["points"]
            pairs = [one["pairs"] * point["step"] / points[-1]["step"] for point in points]
            for column, across in enumerate(([point["seconds"] for point in points], pairs)):
                for row, name in enumerate(("auc", "ece")):
                    axes[row, column].plot(
                        across,
                        [point[name] for point in points],
                        color=f"C{number}",
                        label=one["run"]["name"],
                    )
        for row, name in enumerate(("AUC on test images", "calibration error (15 equal-mass bins)")):
            axes[row, 0].set_ylabel(name)
        axes[1, 0].axhline(found[0]["points"][-1]["band"], color="#8a8f98", lw=0.8, ls=":")
        axes[1, 1].axhline(found[0]["points"][-1]["band"], color="#8a8f98", lw=0.8, ls=":")
        for column, name in enumerate(("CPU seconds of training, one thread", "pairs seen")):
            axes[1, column].set_xlabel(name)
            for row in range(2):
                axis = axes[row, column]
                axis.set_xscale("log")
                axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
                axis.xaxis.set_major_formatter("{x:,g}")
                axis.xaxis.set_minor_formatter(NullFormatter())
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.savefig(file, metadata={"Date": None})


def table(found: list[dict[str, Any]]) -> str:
    """The end of each run, in Markdown."""
    lines = ["| run | pairs seen | CPU s | AUC | ECE | NLL |", "|---|---:|---:|---:|---:|---:|"]
    for one in found:
        end = one["points"][-1]
        lines.append(
            f"| {one['run']['name']} | {one['pairs']:,} | {end['seconds']:.0f} | {end['auc']:.4f} | "
            f"{end['ece']:.4f} | {end['nll']:.4f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing of a study, then draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("pairs", type=Path, help="the pair set")
    parser.add_argument(
        "--base", type=Path, help="the expert to begin with; without one it is built from nothing"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/sharing"))
    parser.add_argument("--run", type=int, help="train this run alone, in this process")
    args = parser.parse_args()
    runs = STUDIES[args.study]
    files = [args.out / f"{args.study}-{number}.json" for number in range(len(runs))]
    if args.run is not None:
        folder = args.out / f"{args.study}-{args.run}"
        folder.mkdir(parents=True, exist_ok=True)
        found = train(args.study, runs[args.run], folder, open_pairs(args.pairs), args.base)
        files[args.run].write_text(json.dumps(found, indent=1))
        return
    for number, file in enumerate(files):
        if not file.is_file():
            print(f"{args.study}: {runs[number].name}", file=sys.stderr)
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--run", str(number)], check=True)
    results = [json.loads(file.read_text()) for file in files]
    draw(results, args.out / f"{args.study}.svg")
    print(table(results))


if __name__ == "__main__":
    main()
