"""The whole way once, on the sample set: the same functions that the verbs call, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import read_json, write_json
from fakeinstruct.base.progress import console

SETTINGS = "demo.json"
"""Marks a demo's folder, with the settings that it goes on with."""

PAIRS_PER_IMAGE = 150
"""Pairs asked for: enough that the recipe finds as many of each task as it takes of an image."""


def run_demo(out: str | Path, *, images: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Make the sample set, expand it, train an expert, score, calibrate and measure it.

    A demo that was interrupted goes on in the same folder.

    Args:
        out: Folder to write to; `report/report.html` in it is the end of the way.
        images: Images of the sample set.
        seed: Seed of every step.

    Returns:
        The figures.

    Raises:
        UsageError: If the folder holds a demo of other settings, or something else.
    """
    from fakeinstruct.chains.sample import make_sample
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.pair import open_pairs
    from fakeinstruct.expand.write import expand
    from fakeinstruct.expert.launch import train
    from fakeinstruct.expert.recipe import load_recipe
    from fakeinstruct.forensics.answers import open_answers
    from fakeinstruct.forensics.expert import load_expert
    from fakeinstruct.forensics.protocol import Protocol
    from fakeinstruct.forensics.score import score
    from fakeinstruct.measure.calibrate import calibrate
    from fakeinstruct.measure.run import measure

    out = Path(out)
    claim(out, {"images": images, "seed": seed})
    chains, pairs, run = out / "chains", out / "pairs", out / "train"
    expert, answers, choices, report = run / "expert", out / "answers", out / "choices", out / "report"
    rejects = Rejects()

    with step(f"fakeinstruct sample {chains} --images {images} --seed {seed}"):
        if not (chains / "meta.json").exists():
            make_sample(chains, images=images, seed=seed)
    asked = PAIRS_PER_IMAGE * images
    with step(f"fakeinstruct expand {chains} --out {pairs} --seed {seed} --pairs {asked}"):
        manifest = expand(open_chains(chains), pairs, seed=seed, pairs=asked, rejects=rejects)
        say(f"{manifest.pairs:,} distinct pairs of {manifest.chains:,} images")
    overrides = [f"pairs={pairs}", f"out={run}", f"seed={seed}"]
    with step(f"fakeinstruct train sample {' '.join(overrides)}"):
        train(load_recipe("sample", overrides), rejects=rejects)
    with step(
        f"fakeinstruct score {expert} {chains} --out {answers} --explain --intervene repair --intervene mask"
    ):
        asking = Protocol(explain=True, interventions=("repair", "mask"))
        score(load_expert(expert), open_chains(chains), answers, asking, rejects=rejects)
    with step(f"fakeinstruct score {expert} {pairs} --out {choices} --split test"):
        score(load_expert(expert), open_pairs(pairs), choices, Protocol(splits=("test",)), rejects=rejects)
    with step(f"fakeinstruct calibrate {expert} {answers}"):
        calibrate(expert, [open_answers(answers)])
    with step(f"fakeinstruct measure {answers} {choices} --chains {chains} --baseline cnn --out {report}"):
        figures = measure(
            [open_answers(answers), open_answers(choices)],
            report,
            chains=open_chains(chains),
            baselines=("cnn",),
            seed=seed,
            rejects=rejects,
        )
    if rejects:
        say(f"{len(rejects)} records were rejected; the first: {rejects.errors[0]}")
    return figures


def claim(out: Path, settings: dict[str, Any]) -> None:
    """Take a folder for a demo.

    Raises:
        UsageError: If it holds a demo of other settings, or something else.
    """
    marker = out / SETTINGS
    if marker.is_file():
        if read_json(marker) != settings:
            raise UsageError(
                "holds a demo of other settings", file=out, hint="Give another --out, or remove it."
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("is not empty and not a demo", file=out, hint="Give another --out.")
    else:
        write_json(marker, settings)


@contextmanager
def step(command: str) -> Iterator[None]:
    """Say which command a step equals, and how long it took."""
    console.print(f"$ {command}", style="bold", markup=False, highlight=False, soft_wrap=True)
    began = time.monotonic()
    yield
    say(f"{time.monotonic() - began:.0f} s")


def say(remark: str) -> None:
    """A remark below a step."""
    console.print(f"  {remark}", markup=False, highlight=False, soft_wrap=True)
