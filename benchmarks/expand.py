"""Expansion beside its alternatives: pairs a second and core, bytes, peak memory, in one run on one machine.

    python benchmarks/expand.py --chains 2000 --pairs 2000000 --out runs/bench-expand

`benchmarks/contenders.py` says what is compared. The chains are those of a sample set, made once and kept in the
folder. The slower alternatives make fewer pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pss

from fakeinstruct.chains.sample import make_sample

FEWER = {"compiled": 10, "recompiled": 100}
"""By how much the pairs of slow contenders are fewer."""

RUNS = (("plan", 1), ("ours", 1), ("ours", 2), ("compiled", 1), ("recompiled", 1), ("ceiling", 1))
"""Contenders with their numbers of processes, in the order of the run."""

PACKAGES = ("jinja2", "datasets", "pyarrow", "numpy", "pydantic")


def make_chains(folder: Path, count: int) -> Path:
    """A sample set of `count` images, every one another: made once, seconds for 2,000."""
    sample = folder / f"sample-{count}"
    if not (sample / "meta.json").is_file():
        make_sample(sample, images=count, seed=0)
    return sample


def compare(folder: Path, chains: Path, pairs: int) -> list[dict[str, Any]]:
    """Run all contenders one after the other, each in its own processes."""
    rows = []
    for name, workers in RUNS:
        out = folder / f"{name}-{workers}"
        shutil.rmtree(out, ignore_errors=True)
        wanted = max(2, pairs // FEWER.get(name, 1))
        script = Path(__file__).with_name("contenders.py")
        command = [sys.executable, str(script), name, str(chains), str(out), str(wanted), str(workers)]
        said, peak = pss.run(command)
        row = {"name": name, "workers": workers, **json.loads(said.splitlines()[-1]), "peak_bytes": peak}
        row["per_core"] = row["pairs"] / row["seconds"] / workers
        rows.append(row)
        print(f"{name}-{workers}: {row['seconds']:.1f} s", file=sys.stderr)
    for name, workers in RUNS:  # what they wrote is large and of no further use
        shutil.rmtree(folder / f"{name}-{workers}", ignore_errors=True)
        (folder / f"{name}-{workers}.arrow").unlink(missing_ok=True)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    ours = next(row["per_core"] for row in rows if row["name"] == "ours")
    form = "{:<11} {:>9} {:>10} {:>8} {:>11} {:>8} {:>10} {:>9}"
    print(
        form.format("", "processes", "pairs", "seconds", "pairs/s/core", "ours is", "bytes/pair", "peak MiB")
    )
    for row in rows:
        ratio = f"{ours / row['per_core']:.2f} x" if row["name"] != "plan" else ""
        size = f"{row['bytes'] / row['pairs']:.0f}" if row["bytes"] else ""
        seconds, peak = f"{row['seconds']:.1f}", f"{row['peak_bytes'] / 2**20:.0f}"
        speed = f"{row['per_core']:,.0f}"
        print(
            form.format(row["name"], row["workers"], f"{row['pairs']:,}", seconds, speed, ratio, size, peak)
        )


def main() -> None:
    """Make the chains, compare, print the table and write `figures.json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-expand"))
    settings = parser.parse_args()
    busy = os.getloadavg()[0]
    rows = compare(settings.out, make_chains(settings.out, settings.chains), settings.pairs)
    machine = {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "cores": os.cpu_count(),
        "load_before": busy,
    }
    show(rows)
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    figures = {"chains": settings.chains, "pairs": settings.pairs, "machine": machine, "rows": rows}
    (settings.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
