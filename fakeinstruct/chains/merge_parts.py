"""Chain sets as parts of one: which may be merged, and what their ids and image paths become."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError
from fakeinstruct.base.files import check_outside
from fakeinstruct.base.json_text import is_text
from fakeinstruct.chains.items import Item, read_items
from fakeinstruct.chains.settle import Place
from fakeinstruct.chains.store import ChainSet


@dataclass(frozen=True)
class Part:
    """One of the sets, and how it is called and placed in the merged one.

    Attributes:
        chains: The set.
        name: Its name, which no other part has.
        root: The folder that all image roots have in common.
        prefix: Its image root's path below `root`.
        clashes: Ids that other parts use too; shared by all parts.
    """

    chains: ChainSet
    name: str
    root: Path
    prefix: str
    clashes: set[str]

    def id(self, id: str) -> str:
        """The id that a chain or item has in the merged set."""
        return f"{self.name}/{id}" if id in self.clashes else id

    def path(self, path: str) -> str:
        """An image's path below the common root."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def items(self, places: Mapping[str, Place], rejects: Rejects) -> Iterator[Item]:
        """The set's evaluation items whose chains were kept; bad ones are rejected."""
        for item in read_items(self.chains.folder, rejects):
            if self.id(item.chain) in places:
                yield item.model_copy(update={"id": f"{self.name}/{item.id}", "chain": self.id(item.chain)})


def parts_of(sets: Sequence[ChainSet], out: Path, *, without_images: bool) -> list[Part]:
    """The sets as parts of one.

    Args:
        sets: Two chain sets or more.
        out: The merged set's folder.
        without_images: Whether image roots need not exist.

    Raises:
        UsageError: As `merge_chains`.
    """
    if len(sets) < 2:
        raise UsageError("a merge takes two chain sets or more")
    folders = [chains.folder.resolve() for chains in sets]
    for chains, folder in zip(sets, folders, strict=True):
        if folders.count(folder) > 1:
            raise UsageError("is given twice", file=chains.folder)
        if chains.meta.evaluation_only:
            raise UsageError(
                f"may not be trained on, so it is not merged ({chains.meta.evaluation_only})",
                file=chains.folder,
            )
        check_outside(out, chains.folder, chains.image_root)
        if not without_images and not chains.image_root.is_dir():
            raise UsageError(
                "the image root is not a folder",
                file=chains.image_root,
                hint="Bring the images back, or give --without-images.",
            )
    root = _common(sets)
    clashes: set[str] = set()
    return [
        Part(chains, name, root, _below(chains.image_root, root), clashes)
        for chains, name in zip(sets, _names(sets), strict=True)
    ]


def _common(sets: Sequence[ChainSet]) -> Path:
    """The folder that all image roots lie in."""
    roots = [chains.image_root.resolve() for chains in sets]
    try:
        common = Path(os.path.commonpath(roots))
    except ValueError:  # other drives
        common = Path(roots[0].anchor)
    if common == Path(common.anchor):
        raise UsageError(
            f"the images have no folder in common ({', '.join(map(str, roots))})",
            hint="Move them below one folder, and import from there.",
        )
    return common


def _below(path: Path, root: Path) -> str:
    below = path.resolve().relative_to(root).as_posix()
    if not is_text(below):
        raise UsageError("the folder's name is not UTF-8", file=path, hint="Rename it, and import again.")
    return "" if below == "." else below


def _names(sets: Sequence[ChainSet]) -> list[str]:
    names = [chains.meta.name for chains in sets]
    if len(set(names)) < len(names):
        names = [chains.folder.resolve().name.encode(errors="replace").decode() for chains in sets]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two sets have the same name ({', '.join(sorted(names))})",
            hint="Rename a folder, or the name in its meta.json.",
        )
    return names
