"""Training beside TRL's SFTTrainer: pairs a second with one image for each pair, and with one for K of them.

    python benchmarks/train.py --images 5 --out runs/bench-train
    python benchmarks/train.py --device cuda --config 7b --images 40 --trl-batch 8 --out runs/bench-train-7b

`benchmarks/train_contender.py` says what is compared, `train_setting.py` on what. Each contender runs alone, in a
process of its own, once through the same pairs; its first optimizer step warms up and is not on the clock. CPU
seconds stand beside seconds, since another program on the machine lengthens only the latter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from flops import peak_of
from train_setting import SHAPES, Setting, make_setting

KS = (1, 4, 16, 50)
"""Pairs that share an image."""

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate")


def arrange(options: argparse.Namespace) -> dict[str, float]:
    """Make the pairs, unless the folder holds them; return their mean tokens before and after the image's end."""
    setting = Setting(options.out / "setting", options.out / "chains")
    asked = {"images": options.images, "pairs": options.pairs}
    marker = options.out / "asked.json"
    if not marker.is_file() or json.loads(marker.read_text()) != asked:
        for made in ("chains", "expanded", "setting", "run"):
            shutil.rmtree(options.out / made, ignore_errors=True)
        options.out.mkdir(parents=True, exist_ok=True)
        make_setting(options.out, options.images, options.pairs)
        marker.write_text(json.dumps(asked))
    rows = Dataset.from_file(str(setting.rows)).to_pandas()
    return {"prefix": rows["prefix"].mean(), "branch": (rows["tokens"] - rows["prefix"]).mean()}


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all contenders one after the other."""
    rows = []
    for name, pairs in (("trl", options.trl_batch), *(("ours", k) for k in KS if k <= options.pairs)):
        task = {
            "name": name,
            "pairs": pairs,
            "config": options.config,
            "step": options.step,
            "scored": options.scored,
            "device": options.device,
            "threads": options.threads,
        }
        script = Path(__file__).with_name("train_contender.py")
        command = [sys.executable, str(script), str(options.out), json.dumps(task)]
        threads = str(options.threads)
        quiet = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=os.environ | quiet, stdout=subprocess.PIPE, text=True, check=True)
        rows.append({"name": name, "k": pairs, **json.loads(done.stdout.splitlines()[-1])})
        print(f"{name} {pairs}: {rows[-1]['seconds']:.1f} s", file=sys.stderr)
        (options.out / "figures.json").write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    return rows


def rated(rows: list[dict[str, Any]], tokens: dict[str, float], peak: float | None) -> list[dict[str, Any]]:
    """The rows with their rates and ratios.

    Args:
        rows: What the contenders said, TRL first and ours with K = 1 next.
        tokens: Mean tokens of a pair, see `arrange`.
        peak: The device's FLOP/s, if utilisation is to be told.
    """
    for row in rows:
        row["per_second"] = row["pairs"] / row["seconds"]
        row["per_cpu_second"] = row["pairs"] / row["cpu_seconds"]
        row["per_pair"] = row["tokens"] / row["pairs"]
    trl, single = rows[:2]
    for row in rows:
        row["to_trl"] = row["per_second"] / trl["per_second"]
        row["to_trl_cpu"] = row["per_cpu_second"] / trl["per_cpu_second"]
        if row["name"] == "ours":
            k, before, after = row["k"], tokens["prefix"], tokens["branch"]
            row["to_single"] = row["per_second"] / single["per_second"]
            row["to_single_cpu"] = row["per_cpu_second"] / single["per_cpu_second"]
            row["ideal"] = k * (before + after) / (before + k * after)
            row["fewer_tokens"] = single["per_pair"] / row["per_pair"]
        if peak:
            row["utilisation"] = row["flops"] / row["seconds"] / peak
            row["utilisation_by_6n"] = row["flops_by_6n"] / row["seconds"] / peak
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the tables: what each did, then how they compare."""
    form = "{:<10} {:>5} {:>5} {:>8} {:>8} {:>8} {:>9} {:>10} {:>10} {:>8}"
    heads = ("seconds", "CPU s", "pairs/s", "tokens/s", "loss at 0", "loss after", "peak GiB")
    print(form.format("", "steps", "pairs", *heads))
    for row in rows:
        speeds = (f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}", f"{row['per_second']:.2f}")
        told = (
            f"{row['tokens'] / row['seconds']:,.0f}",
            f"{row['loss_before']:.6f}",
            f"{row['loss_after']:.3f}",
        )
        print(form.format(_name(row), row["steps"], row["pairs"], *speeds, *told, f"{row['gib']:.2f}"))
    form = "{:<10} {:>7} {:>9} {:>7} {:>9} {:>13} {:>13}"
    print(form.format("", "x TRL", "by CPU s", "x K=1", "by CPU s", "fewer tokens", "K(P+n)/(P+Kn)"))
    for row in rows:
        names = ("to_trl", "to_trl_cpu", "to_single", "to_single_cpu", "fewer_tokens", "ideal")
        print(form.format(_name(row), *(f"{row[name]:.2f}" if name in row else "" for name in names)))
    for row in rows:
        if "utilisation" in row:
            by_rule = f"{row['utilisation_by_6n']:.1%} by 6 N a token"
            print(f"{_name(row)}: model FLOP utilisation {row['utilisation']:.1%}, {by_rule}")


def _name(row: dict[str, Any]) -> str:
    return "TRL" if row["name"] == "trl" else f"ours K={row['k']}"


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """What it ran on."""
    device = torch.cuda.get_device_name() if options.device == "cuda" else processor_name()
    return {
        "device": device,
        "cores": os.cpu_count(),
        "threads": options.threads,
        "load": tuple(round(load, 1) for load in os.getloadavg()),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def processor_name() -> str:
    """The processor as Linux names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5, help="the pairs of about one warm up")
    parser.add_argument("--pairs", type=int, default=50, help="pairs an image")
    parser.add_argument("--step", type=int, default=50, help="pairs an optimizer step, about")
    parser.add_argument("--scored", type=int, default=16, help="pairs that the loss is told of")
    parser.add_argument("--trl-batch", type=int, default=4, help="pairs a batch of TRL's, step permitting")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--config", choices=tuple(SHAPES), default="small")
    parser.add_argument("--peak", type=float, help="the device's dense bf16 FLOP/s, if the table lacks it")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-train"))
    return parser.parse_args()


def main() -> None:
    """Arrange, compare, print the tables and write `figures.json`."""
    options = parse()
    tokens = arrange(options)
    found = machine(options)
    peak = options.peak or (peak_of(found["device"]) if options.device == "cuda" else None)
    rows = rated(compare(options), tokens, peak)
    found["load_after"] = tuple(round(load, 1) for load in os.getloadavg())
    command = " ".join(["python", *sys.argv])
    figures = {"command": command, "machine": found, "tokens": tokens, "rows": rows}
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    show(rows)
    print(f"P = {tokens['prefix']:.1f}, n = {tokens['branch']:.1f} tokens a pair")
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    print(command)


if __name__ == "__main__":
    main()
