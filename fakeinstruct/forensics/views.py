"""Views: what an expert is shown, an image as it is or changed, read once and never written to disk."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from PIL import Image

from fakeinstruct.base.images import load_image, resolve_under

Read = Callable[[str], Image.Image]
"""Gives the RGB image of a path under the image root, or raises `RecordError`."""


@runtime_checkable
class Change(Hashable, Protocol):
    """What is done to an image before it is shown; equal ones do the same."""

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The changed image; the given one is left as it is. `read` gives other images, a twin for example."""


@dataclass(frozen=True)
class View:
    """An image as an expert is shown it.

    Attributes:
        path: Under the image root, or the name of an image in memory.
        change: What is done to it, if anything.
    """

    path: str
    change: Change | None = None


class Viewer:
    """Gives the picture of a view.

    Args:
        image_root: The folder that paths are relative to; None if all images are in memory.
        memory: Images by name, which go before files.
    """

    def __init__(self, image_root: Path | None, memory: Mapping[str, Image.Image] | None = None) -> None:
        self.image_root = image_root
        self.memory = dict(memory or {})
        # the conditions of an image follow one another: its file is decoded once
        self._file = lru_cache(maxsize=4)(self._load)

    def __call__(self, view: View) -> Image.Image:
        """The picture.

        Raises:
            RecordError: If a file cannot be read, or the change cannot be made.
        """
        image = self.read(view.path)
        return image if view.change is None else view.change(image, view.path, self.read)

    def read(self, path: str) -> Image.Image:
        """The image of a path as it is."""
        kept = self.memory.get(path)
        return self._file(path) if kept is None else kept.convert("RGB")

    def _load(self, path: str) -> Image.Image:
        if self.image_root is None:
            raise KeyError(path)
        return load_image(resolve_under(self.image_root, path))
