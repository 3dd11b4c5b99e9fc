"""The model card beside an expert: `README.md` as Hugging Face shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fakeinstruct.base.files import atomic_write
from fakeinstruct.expert.card import ExpertCard
from fakeinstruct.expert.trainer import LIKELIHOOD

README = """---
{header}---

# {title}

{what}

It is an expert for image forensics, made by FakeInstruct: asked whether an image is real or fake, it answers in words.

## Training

| | |
|---|---|
{rows}

{validation}

The whole recipe, the hashes of the pairs and the versions of the packages stand in `expert.json`.

## Use

    fakeinstruct score FOLDER CHAINS --out ANSWERS

or in Python:

    from transformers import AutoModelForImageTextToText, AutoProcessor
{imports}
    model = AutoModelForImageTextToText.from_pretrained("FOLDER")
    processor = AutoProcessor.from_pretrained("FOLDER")

{readout}

## Limits

A verdict is an estimate, for images like those it was trained on. On other generators, cameras and ways of saving,
measure it first: `fakeinstruct measure`.
"""

READOUT = """A probability is read from the first token of the answer to

    {prompt}

`expert.json` says which words stand for which label and, after `fakeinstruct calibrate`, how they are weighed."""


def write_model_card(
    folder: Path, card: ExpertCard, counts: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> None:
    """Write `README.md` into an expert's folder.

    Args:
        folder: The expert's.
        card: Its `expert.json`.
        counts: What was counted while the rows were written.
        history: What was logged; the validation figures are taken from there.
    """
    with atomic_write(folder / "README.md") as file:
        adapter = (folder / "adapter_config.json").is_file()
        file.write(model_card(card, counts, history, adapter=adapter).encode())


def model_card(
    card: ExpertCard, counts: Mapping[str, Any], history: Sequence[Mapping[str, Any]], *, adapter: bool
) -> str:
    """The text of the card; see `write_model_card`."""
    small, base = card.base == "small", f"`{card.base}`"
    what = f"Adapters (LoRA) on {base}." if adapter else f"A model fine-tuned from {base}."
    readout = (
        READOUT.format(prompt=card.readouts[0].prompt)
        if card.readouts
        else "It has no question for a verdict."
    )
    return README.format(
        header=yaml.safe_dump(_header(card, adapter=adapter), sort_keys=False),
        title=f"Image-forensics expert ({Path(card.base).name})",
        what="A small LLaVA built from scratch." if small else what,
        rows="\n".join(f"| {name} | {value} |" for name, value in _rows(card.trained_on, counts)),
        validation=_validation(history, card.trained_on.get("chosen_step")),
        imports="    from fakeinstruct.expert import vision  # registers the small vision tower\n"
        if small
        else "",
        readout=readout,
    )


def _header(card: ExpertCard, *, adapter: bool) -> dict[str, Any]:
    header: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["fakeinstruct", "image-forensics"],
    }
    published = card.base != "small" and not Path(card.base).is_absolute()
    return header | {"base_model": card.base} if published else header


def _rows(trained: Mapping[str, Any], counts: Mapping[str, Any]) -> list[tuple[str, str]]:
    recipe = trained["recipe"]
    optimizer, tune = recipe["optimizer"], recipe["tune"]
    tasks = ", ".join(f"{count:,} {task}" for task, count in sorted(counts["per_task"].items()))
    return [
        ("pairs", f"{counts['rows']:,} of {counts['images']:,} images ({tasks})"),
        ("tokens", f"{counts['tokens']:,} an epoch, {counts['supervised']:,} of them learned"),
        ("split", trained["split"]),
        ("trained", f"{', '.join(part.replace('_', ' ') for part in tune['parts'])} ({tune['method']})"),
        ("steps", f"{trained['steps']:,}; the weights are those of step {trained['chosen_step']:,}"),
        ("learning rate", f"{optimizer['lr']:g}, {optimizer['schedule']}"),
        ("epochs", f"{optimizer['epochs']:g}"),
        ("precision", f"{recipe['hardware']['precision']}, DeepSpeed {recipe['hardware']['deepspeed']}"),
        ("seed", str(trained["seed"])),
    ]


def _validation(history: Sequence[Mapping[str, Any]], chosen: int | None) -> str:
    """The validation figure of the step that was chosen, or that there is none."""
    name = f"eval_{LIKELIHOOD}"
    found = {entry["step"]: entry[name] for entry in history if name in entry}
    if chosen not in found:
        return "No validation chose the step: the weights are the last ones."
    return (
        f"Validation chose the step among {len(found)}: there the negative log-likelihood of the right verdict is "
        f"{found[chosen]:.4f} nats on average."
    )
