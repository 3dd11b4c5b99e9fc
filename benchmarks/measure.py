"""Measuring many answers: every figure of a test split, with 1,000 clustered bootstraps of each.

    python benchmarks/measure.py --answers 100000 --out runs/bench-measure

The answers are made up: five to a source, of eight generators with real images of their own, a tenth of the sources
for validation. Two contenders, each alone in a process of its own:

    figures   `detector_figures`: from scores in memory to every table, and nothing else
    measure   `measure`: from Parquet to figures.json and report.html

For both the seconds, the CPU seconds, the peak of the process's memory and how much of it was there before. Threads
are as many as there are cores; BLAS is held to one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

CONTENDERS = ("figures", "measure")

SOURCE = 5
"""Answers of one source."""

GENERATORS = tuple(f"generator-{letter}" for letter in "abcdefgh")

PACKAGES = ("numpy", "scipy", "pyarrow")

PART = 10_000
"""Answers in a part of the set."""


def make_rows(answers: int, seed: int = 0) -> list[dict[str, Any]]:
    """Answers of an AUC near .94, those of one source alike."""
    import numpy as np

    rng = np.random.default_rng(seed)
    sources = answers // SOURCE
    common = np.repeat(rng.normal(0, 1.2, sources), SOURCE)
    generator = rng.integers(len(GENERATORS), size=len(common))
    fake = rng.random(len(common)) < 0.5
    margin = (np.where(fake, 2.0, -2.0) + common + rng.normal(0, 1.5, len(common))).astype(np.float32)
    return [
        {
            **{"item": f"image-{i}", "chain": f"image-{i}", "image": f"{i}.png", "kind": "verdict"},
            **{"template": "verdict/one_word", "prompt": "Is this image real or fake?", "position": "first"},
            **{
                "trained": True,
                "look": 1,
                "condition": "clean",
                "sample": 0,
                "label": "fake" if fake[i] else "real",
            },
            "manipulation": "generated" if fake[i] else "none",
            "generator": GENERATORS[generator[i]] if fake[i] else None,
            "camera_set": None if fake[i] else GENERATORS[generator[i]],
            "group": f"source-{i // SOURCE}",
            "split": "validation" if i // SOURCE % 10 == 0 else "test",
            **{"words": ["fake", "real"], "classes": ["fake", "real"], "logits": [float(margin[i]), 0.0]},
            **{"margin": float(margin[i]), "label_mass": 0.99},
        }
        for i in range(len(common))
    ]


def write_answers(folder: Path, answers: int) -> None:
    """The answers as an answer set; a validation split comes on top of the test answers that were asked for."""
    from fakeinstruct.base.files import write_json
    from fakeinstruct.forensics.answers import AnswersMeta, write_part

    folder.mkdir(parents=True, exist_ok=True)
    rows = make_rows(answers * 10 // 9)
    for start in range(0, len(rows), PART):
        write_part(folder, f"{start:08d}", rows[start : start + PART])
    meta = AnswersMeta(
        expert="made-up", expert_sha256="0" * 64, items="chains", items_sha256="0" * 64, complete=True
    )
    write_json(folder / "meta.json", meta.model_dump(mode="json"))


def run_figures(folder: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds of wall and CPU of `detector_figures`, and the figures."""
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.figures import detector_figures
    from fakeinstruct.measure.fitting import fit
    from fakeinstruct.measure.scores import Scores

    names = (
        "chain",
        "label",
        "margin",
        "group",
        "generator",
        "camera_set",
        "manipulation",
        "split",
        "label_mass",
    )
    scores = Scores.of(open_answers(folder).table(names).to_pylist())
    fitted = fit(scores.where(scores.split == "validation"))
    scores = scores.scaled(fitted.scale or 1, fitted.bias or 0)
    wall, cpu = time.perf_counter(), time.process_time()
    figures = detector_figures(scores, fitted, 0)
    return time.perf_counter() - wall, time.process_time() - cpu, figures


def run_measure(folder: Path, out: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds of wall and CPU of `measure`, and the figures."""
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.measure.run import measure

    wall, cpu = time.perf_counter(), time.process_time()
    figures = measure([open_answers(folder)], out)
    return time.perf_counter() - wall, time.process_time() - cpu, figures


def alone(contender: str, folder: Path, out: Path) -> None:
    """Run one contender in this process and print what it took."""
    import fakeinstruct.measure.run  # noqa: F401  what is imported is there before

    before = peak()
    wall, cpu, figures = run_figures(folder) if contender == "figures" else run_measure(folder, out)
    test = figures["overall"]["test"]
    given = sum(len(row) for row in (test["intervals"], test["calibrated"]["intervals"]))
    print(
        json.dumps(
            {
                **{"contender": contender, "answers": test["n"], "groups": test["bootstrap"]["groups"]},
                **{"draws": test["bootstrap"]["draws"], "intervals_of_the_split": given},
                **{"seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)},
                **{"peak_mb": round(peak()), "before_mb": round(before)},
                "auc": [test["auc"], *test["intervals"]["auc"]],
            }
        )
    )


def peak() -> float:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the answers once, run each contender, write `measure.json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=100_000, help="of the test split")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-measure"))
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.out / f"answers-{options.answers}"
    if options.contender:
        alone(options.contender, folder, options.out / "report")
        return
    if not (folder / "meta.json").is_file():
        write_answers(folder, options.answers)
    machine = {
        **{"cores": os.cpu_count(), "load": [round(load, 1) for load in os.getloadavg()]},
        **{"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    print(json.dumps(machine))
    command = [sys.executable, __file__, "--answers", str(options.answers), "--out", str(options.out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    results = []
    for contender in CONTENDERS:
        run = subprocess.run(
            [*command, "--contender", contender],
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        print(run.stdout.splitlines()[-1])
        results.append(json.loads(run.stdout.splitlines()[-1]))
    (options.out / "measure.json").write_text(
        json.dumps({"machine": machine, "runs": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
