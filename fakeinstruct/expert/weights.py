"""Weights of a base model: whether a folder has them, which its configuration alone does not say."""

from __future__ import annotations

from pathlib import Path

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import read_json
from fakeinstruct.expert.base_model import is_adapter

KINDS = ("*.safetensors", "*.bin")
"""Files that hold weights, as Transformers reads them."""


def check_weights(*bases: str) -> None:
    """Look for the weights of models in folders; names on the hub pass.

    Args:
        bases: Folders of models or adapters.

    Raises:
        UsageError: If a folder has none, or its index names files that are not there.
    """
    for folder in map(Path, dict.fromkeys(bases)):
        if not (is_adapter(str(folder)) or (folder / "config.json").is_file()):
            continue
        missing = missing_weights(folder)
        if missing is not None:
            raise UsageError(
                f"has no weights ({missing} is missing)",
                file=folder,
                field="base",
                hint="Put the model's *.safetensors files there, all of them.",
            )


def missing_weights(folder: Path) -> str | None:
    """The name of a file with weights that a model's folder lacks."""
    for index in sorted(folder.glob("*.index.json")):
        named = read_json(index)
        shards = named.get("weight_map", {}).values() if isinstance(named, dict) else ()
        return next((str(name) for name in sorted(set(shards)) if not (folder / str(name)).is_file()), None)
    name = "adapter_model.safetensors" if is_adapter(str(folder)) else "model.safetensors"
    return None if any(any(folder.glob(kind)) for kind in KINDS) else name
