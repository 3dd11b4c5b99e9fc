"""`fakeinstruct schema`: the JSON Schemas of the file formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.base.files import write_json

if TYPE_CHECKING:
    from pydantic import BaseModel


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each noun that is stored as JSON, by name."""
    from fakeinstruct.chains.items import Item
    from fakeinstruct.chains.schema import Chain, Meta
    from fakeinstruct.chains.taxonomy import Taxonomy
    from fakeinstruct.expand.pair import Pair, PairManifest
    from fakeinstruct.forensics.answers import AnswersMeta

    models: dict[str, type[BaseModel]] = {
        "chain": Chain,
        "chain-meta": Meta,
        "item": Item,
        "taxonomy": Taxonomy,
        "pair": Pair,
        "pair-manifest": PairManifest,
        "answers-meta": AnswersMeta,
    }
    return {name: model.model_json_schema() for name, model in models.items()}


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
    schemas = json_schemas()
    if name is not None and name not in schemas:
        raise UsageError(f"there is no schema '{name}'", hint=nearest(name, schemas))
    if write is not None:
        for each, content in schemas.items():
            write_json(write / f"{each}.json", content)
    elif name is not None:
        print(json.dumps(schemas[name], indent=2, ensure_ascii=False))
    else:
        print("\n".join(schemas))
