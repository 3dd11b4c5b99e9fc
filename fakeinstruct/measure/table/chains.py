"""The chains of a detector's images: found by id, path or file name."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.schema import Chain
from fakeinstruct.chains.store import ChainSet


class ChainIndex:
    """What is known of a chain set's images, by whatever a table may call them.

    Args:
        chains: The chain set.
        rejects: Collects chains that cannot be read.
    """

    def __init__(self, chains: ChainSet, rejects: Rejects) -> None:
        self._ids: dict[str, dict[str, Any]] = {}
        self._paths: dict[str, dict[str, Any]] = {}
        self._names: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for chain in chains.read(rejects):
            known = _known(chain)
            self._ids[chain.id] = self._paths[chain.image.path] = known
            self._names[PurePosixPath(chain.image.path).name].append(known)

    def find(self, name: str, label: str | None) -> dict[str, Any]:
        """What is known of an image: by its id, by its path or an end of the path given, by its file name.

        Args:
            name: What the table calls it.
            label: What the table says it is, if it does.

        Raises:
            RecordError: If it is in no chain or in several, or the chain has another label.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        ends = ("/".join(path.parts[start:]) for start in range(len(path.parts)))
        by_path = next((self._paths[end] for end in ends if end in self._paths), None)
        found = self._ids.get(name) or by_path
        if found is None:
            same = self._names.get(path.name, [])
            if len(same) != 1:
                problem = (
                    f"{len(same)} images of the chain set have its file name" if same else "is in no chain"
                )
                hint = "Name the column of whole paths with --column id=NAME, or leave the row out."
                raise RecordError(f"{problem} ({name})", field="id", hint=hint)
            found = same[0]
        if label is not None and label != found["label"]:
            raise RecordError(
                f"is labelled {label}, its chain {found['label']} ({found['chain']})",
                field="label",
                hint="If most rows are, say --fake-is the other way round; else see which of the two is right.",
            )
        return found


def _known(chain: Chain) -> dict[str, Any]:
    return {
        "chain": chain.id,
        "image": chain.image.path,
        "label": str(chain.label),
        "group": chain.group,
        "generator": chain.generator,
        "camera_set": chain.camera_set,
        "split": None if chain.split is None else str(chain.split),
        "manipulation": None if chain.manipulation is None else str(chain.manipulation),
    }
