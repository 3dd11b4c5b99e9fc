"""The model card beside an expert: `README.md` as Hugging Face shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fakeinstruct.base.files import atomic_write
from fakeinstruct.expert.base_model import is_adapter, is_folder
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
    folder: Path,
    card: ExpertCard,
    counts: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    *,
    title: str,
    small: bool,
) -> None:
    """Write `README.md` into an expert's folder.

    Args:
        folder: The expert's.
        card: Its `expert.json`.
        counts: What was counted while the rows were written.
        history: What was logged; the validation figures are taken from there.
        title: The name of the run's folder.
        small: Whether the model has the small vision tower, which Transformers does not know.
    """
    adapter = is_adapter(str(folder))
    with atomic_write(folder / "README.md") as file:
        file.write(model_card(card, counts, history, title=title, adapter=adapter, small=small).encode())


def model_card(
    card: ExpertCard,
    counts: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    *,
    title: str,
    adapter: bool,
    small: bool,
) -> str:
    """The text of the card; see `write_model_card`."""
    base = _named(card.base)
    what = f"Adapters (LoRA) on {base}." if adapter else f"A model fine-tuned from {base}."
    readout = (
        READOUT.format(prompt=card.readouts[0].prompt)
        if card.readouts
        else "It has no question for a verdict."
    )
    return README.format(
        header=yaml.safe_dump(_header(card, adapter=adapter), sort_keys=False),
        title=f"Image-forensics expert ({title})",
        what="A small LLaVA built from scratch." if card.base == "small" else what,
        rows="\n".join(f"| {name} | {value} |" for name, value in _rows(card.trained_on, counts)),
        validation=_validation(history, card.trained_on.get("chosen_step")),
        imports="    import fakeinstruct.expert.vision  # registers the small vision tower\n"
        if small
        else "",
        readout=readout,
    )


def _named(base: str) -> str:
    """A base without its place on this machine; an expert by the name of its run."""
    if not is_folder(base):
        return f"`{base}`"
    folder = Path(base)
    return f"a local model, `{folder.parent.name if folder.name == 'expert' else folder.name}`"


def _header(card: ExpertCard, *, adapter: bool) -> dict[str, Any]:
    header: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["fakeinstruct", "image-forensics"],
    }
    published = card.base != "small" and not is_folder(card.base)
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
        (
            "steps",
            f"{trained['steps']:,}, in which {trained['pairs_seen']:,} pairs of {trained['images_seen']:,} images "
            f"were seen; the weights are those of step {trained['chosen_step']:,}",
        ),
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
