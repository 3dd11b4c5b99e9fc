"""`fakeinstruct schema`: the JSON Schemas of the file formats."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.base.files import write_json

MODELS = {
    "chain": ("chains.schema", "Chain"),
    "chain-meta": ("chains.schema", "Meta"),
    "item": ("chains.items", "Item"),
    "taxonomy": ("chains.taxonomy", "Taxonomy"),
    "pair": ("expand.pair", "Pair"),
    "pair-manifest": ("expand.pair", "PairManifest"),
    "protocol": ("forensics.protocol", "Evaluation"),
    "answers-meta": ("forensics.answers", "AnswersMeta"),
    "recipe": ("expert.recipe", "Recipe"),
}
"""Module and class of each noun that is stored as JSON or YAML; the recipe's imports PyTorch, hence by name."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a format of `MODELS`."""
    module, model = MODELS[name]
    schema: dict[str, Any] = getattr(import_module(f"fakeinstruct.{module}"), model).model_json_schema()
    return schema


def json_schemas() -> dict[str, dict[str, Any]]:
    """All JSON Schemas by name."""
    return {name: json_schema(name) for name in MODELS}


def schema(
    name: Annotated[str | None, typer.Argument(help="One format; all names are listed without it.")] = None,
    write: Annotated[Path | None, typer.Option("--write", help="Write all of them into this folder.")] = None,
) -> None:
    """Print the JSON Schema of a file format, or write all of them.

    **Examples**

    `fakeinstruct schema`

    `fakeinstruct schema chain > chain.json`

    `fakeinstruct schema --write docs/schema`
    """
    if name is not None and name not in MODELS:
        raise UsageError(f"there is no schema '{name}'", hint=nearest(name, MODELS))
    if write is not None:
        for each, content in json_schemas().items():
            write_json(write / f"{each}.json", content)
    elif name is not None:
        print(json.dumps(json_schema(name), indent=2, ensure_ascii=False))
    else:
        print("\n".join(MODELS))
