"""Five prompts about each image: in one pass, in five, and by free generation whose text is parsed.

    python benchmarks/score.py --images 8 --out runs/bench-score
    python benchmarks/score.py --device cuda --config 2b --images 64 --batch 16 --out runs/bench-score-2b

The model is a LLaVA of random weights with 576 tokens an image, see `train_setting.py`. All contenders see the same
images in batches of the same size, process each image once, and keep its tensors for the five prompts:

    one pass     `Asker` as it is: the image's tokens once, each prompt a branch
    five passes  `Asker` without packing: a batch of rows for each prompt
    16 tokens    Transformers' `generate`, greedy with a key-value cache, a batch of rows for each prompt: a short
                 sentence of exactly so many tokens, since random weights would end anywhere; then the verdict is
                 looked for in the text
    96 tokens    the same for a verdict with its reasons

Each contender runs alone in a process of its own; the first batch warms up and is not on the clock. The margins of one
pass and of five are compared. CPU seconds stand beside seconds, since another program on the machine lengthens only
the latter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from train import machine
from train_setting import PATCHES, SHAPES, build_model

from fakeinstruct.expert.card import ExpertCard, Readout
from fakeinstruct.expert.meter import memory
from fakeinstruct.expert.sft import render_chat, tokenize
from fakeinstruct.expert.small import build_processor
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.questions import Question, verdict_question
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.verdict import find_verdict
from fakeinstruct.forensics.views import View, Viewer

PROMPTS = (
    "Is this image real or fake? Answer with one word.",
    "Is this image fake or real? Answer with one word.",
    "Real or fake? Reply with a single word.",
    "Judge the authenticity of this picture in one word, real or fake.",
    "One word only: is the picture shown real or fake?",
)

WRITTEN = {"16 tokens": 16, "96 tokens": 96}
"""Contenders that write, and how much."""

CONTENDERS = ("one pass", "five passes", *WRITTEN)

TOLERANCE = 1e-4
"""How far the margins of one pass and of five may lie apart, in float32."""


def make_expert(config: str, device: str) -> Expert:
    """An expert of random weights, the same in every process; in bfloat16 where the configuration is a large one."""
    texts = [f"USER: {prompt} ASSISTANT: {word}" for prompt in PROMPTS for word in ("fake", "real")] * 20
    processor = build_processor(texts, PATCHES)
    processor.vision_feature_select_strategy = "default"  # CLIP has a class token, which LLaVA leaves out
    processor.num_additional_image_tokens = 1
    shape = SHAPES[config]
    model = build_model(replace(shape, lora=False), processor, device).eval()
    readouts = tuple(
        Readout(name=str(n), prompt=prompt, fake=("fake",), real=("real",))
        for n, prompt in enumerate(PROMPTS)
    )
    card = ExpertCard(base="random", readouts=readouts)
    return Expert(Path(), model.to(torch.bfloat16) if shape.lora else model, processor, card)


def pictures(count: int) -> dict[str, Image.Image]:
    """Noise of 480 x 360 pixels by name."""
    rng = np.random.default_rng(0)
    return {
        str(n): Image.fromarray(rng.integers(0, 256, (360, 480, 3), dtype=np.uint8)) for n in range(count)
    }


def by_probability(expert: Expert, viewer: Viewer, names: Sequence[str], *, packed: bool) -> list[float]:
    """The margins of a batch of images, image by image."""
    asker = expert.asker(viewer, batch=len(names))
    questions = [
        [verdict_question(View(name), readout, {"item": name}) for readout in expert.card.readouts]
        for name in names
    ]
    if packed:
        return margins(asker, [question for own in questions for question in own])
    asker.packer = asker.collator
    passes = [margins(asker, list(one_prompt)) for one_prompt in zip(*questions, strict=True)]
    return [margin for own in zip(*passes, strict=True) for margin in own]


def margins(asker: Any, questions: Sequence[Question]) -> list[float]:
    """Margins of questions.

    Raises:
        SystemExit: If one could not be asked.
    """
    rows = asker.ask(questions)
    if failed := [row["error"] for row in rows if row.get("error")]:
        raise SystemExit(failed[0])
    return [row["margin"] for row in rows]


def by_generation(expert: Expert, viewer: Viewer, names: Sequence[str], tokens: int) -> list[str | None]:
    """The verdicts that are found in what the model writes."""
    collator, _ = expert.collators(viewer)
    found: list[str | None] = []
    for readout in expert.card.readouts:
        prompt = tokenize(
            expert.processor, render_chat(expert.processor, user_turn(readout.prompt), prompt=True)
        )
        batch = expert.inputs(collator([{"input_ids": prompt, "image": View(name)} for name in names]))
        with torch.inference_mode():
            written = expert.model.generate(
                **batch, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False
            )
        texts = expert.processor.tokenizer.batch_decode(
            written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True
        )
        verdicts = (find_verdict(text, readout.words()) for text in texts)
        found += [verdict.label if verdict else None for verdict in verdicts]
    return found


def contend(options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender, batch by batch, the first of them twice."""
    torch.set_num_threads(options.threads)
    expert = make_expert(options.config, options.device)
    shown = pictures(options.images)
    seconds, cpu, answers = 0.0, 0.0, []
    for count, names in enumerate(batches(list(shown), options.batch)):
        viewer = Viewer(None, shown)
        began, began_cpu = time.perf_counter(), time.process_time()
        if options.contender in WRITTEN:
            found: list[Any] = by_generation(expert, viewer, names, WRITTEN[options.contender])
        else:
            found = by_probability(expert, viewer, names, packed=options.contender == "one pass")
        if count:
            seconds += time.perf_counter() - began
            cpu += time.process_time() - began_cpu
            answers += found
    return {"seconds": seconds, "cpu_seconds": cpu, "gib": memory(), "answers": answers}


def batches(names: list[str], size: int) -> Iterator[list[str]]:
    """The images in batches, before them the first batch once more, to warm up."""
    yield names[:size]
    for start in range(0, len(names), size):
        yield names[start : start + size]


def compare(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run all contenders one after the other."""
    found = {}
    for name in CONTENDERS:
        command = [sys.executable, *sys.argv, "--contender", name]
        threads = str(options.threads)
        quiet = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=os.environ | quiet, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}: {found[name]['seconds']:.1f} s", file=sys.stderr)
    return found


def show(found: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the table and whether the margins agree."""
    form = "{:<12} {:>9} {:>9} {:>11} {:>14} {:>10} {:>9}"
    heads = ("seconds", "CPU s", "images/s", "x one pass", "by CPU s", "peak GiB")
    print(form.format("", *heads))
    one = found["one pass"]
    for name, row in found.items():
        slower = (row["seconds"] / one["seconds"], row["cpu_seconds"] / one["cpu_seconds"])
        told = (row["seconds"], row["cpu_seconds"], options.images / row["seconds"], *slower, row["gib"])
        print(form.format(name, *(f"{value:.2f}" for value in told)))
    apart = float(np.abs(np.subtract(one["answers"], found["five passes"]["answers"])).max())
    print(
        f"margins of one pass and of five differ by at most {apart:.1e} (in float32 {TOLERANCE:.0e} is allowed)"
    )
    for name in WRITTEN:
        parsed = sum(answer is not None for answer in found[name]["answers"])
        print(f"{name}: a verdict was found in {parsed} of {len(one['answers'])} texts of random weights")
    if apart > TOLERANCE and not SHAPES[options.config].lora:
        raise SystemExit("the margins differ")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4, help="images at once")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--config", choices=tuple(SHAPES), default="small")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-score"))
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Compare, print the table and write `figures.json`; or be one of the contenders."""
    options = parse()
    if options.contender:
        print(json.dumps(contend(options)))
        return
    about = machine(options)
    found = compare(options)
    about["load_after"] = tuple(round(load, 1) for load in os.getloadavg())
    command = " ".join(["python", *sys.argv])
    options.out.mkdir(parents=True, exist_ok=True)
    figures = {"command": command, "machine": about, "found": found}
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    show(found, options)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(command)


if __name__ == "__main__":
    main()
