"""Images of an export: named where they lie, or copied below the export, crops as files of their own."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from PIL import Image

from fakeinstruct.base.boxes import Fractions, to_pixels
from fakeinstruct.base.errors import RecordError
from fakeinstruct.base.images import crop_image, load_image, open_header, resolve_under
from fakeinstruct.expand.pair import PairImage

WHOLE = "images/whole"
"""Folder of the copies, each under the path that it has under the image root."""

CROPS = "images/crops"
"""Folder of the crops: a folder an image, a file a crop, named by its pixels x0, y0, x1, y1."""

REMEMBERED = 4096
"""Images whose soundness is remembered; the pairs of an image come together."""


class Gallery:
    """Gives each image its path in the export, and sees to it that an image is there.

    Args:
        root: The image root of the pair set.
        copy_to: The export's folder if images are to be copied into it; None leaves them where they are.
    """

    def __init__(self, root: Path, copy_to: Path | None) -> None:
        self.root = root
        self.copy_to = copy_to
        self.whole = lru_cache(REMEMBERED)(self._whole)
        self._load = lru_cache(1)(load_image)

    def place(self, image: PairImage) -> str:
        """The path of an image or a crop, relative to the export's image root.

        Raises:
            RecordError: If its file is missing, is not an image, or leaves the image root.
        """
        whole = self.whole(image.path)
        return whole if image.crop is None else self._crop(image.path, image.crop)

    def _whole(self, path: str) -> str:
        file = resolve_under(self.root, path)
        open_header(file).close()
        if self.copy_to is None:
            return path
        copy = self.copy_to / WHOLE / path
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        return f"{WHOLE}/{path}"

    def _crop(self, path: str, crop: Fractions) -> str:
        """A crop as PNG, so that no second compression veils what it is looked at for."""
        if self.copy_to is None:
            raise RecordError("a crop has no file of its own where images are not copied", field="images")
        whole: Image.Image = self._load(resolve_under(self.root, path))
        name = "-".join(map(str, to_pixels(crop, *whole.size)))
        file = self.copy_to / CROPS / path / f"{name}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            crop_image(whole, crop).save(file, "PNG")
        return f"{CROPS}/{path}/{name}.png"
