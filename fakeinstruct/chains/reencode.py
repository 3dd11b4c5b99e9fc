"""One encoding, one size and names without meaning for both labels, so that files give no label away."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects, UsageError
from fakeinstruct.base.files import atomic_folder, check_outside, sha256_bytes
from fakeinstruct.base.images import load_image
from fakeinstruct.base.progress import track
from fakeinstruct.base.threads import in_threads
from fakeinstruct.chains.items import read_items, write_items
from fakeinstruct.chains.masks import decode_mask, encode_mask
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Mask, Region, Trace
from fakeinstruct.chains.store import ChainSet, write_chains

Format = Literal["png", "jpeg"]

IMAGES: Final = "images"
"""Folder of the new chain set that its images lie in."""

LARGEST: Final = 8192
"""Pixels a side that may be asked for."""


@dataclass(frozen=True)
class Encoding:
    """How all images are to be stored.

    Attributes:
        format: `png`, without loss, or `jpeg` with the standard's tables, 4:2:0, not progressive.
        quality: Of JPEG, 1 to 95, in Pillow's scale.
        size: Width and height in pixels; as it is if None.
    """

    format: Format = "png"
    quality: int = 90
    size: int | None = None

    def check(self) -> None:
        """Make sure that all values are in range.

        Raises:
            UsageError: Naming the one that is not.
        """
        if self.format not in ("png", "jpeg"):
            raise UsageError(f"there is no format '{self.format}'", hint="Known: jpeg, png.")
        if not 1 <= self.quality <= 95:
            raise UsageError(f"the quality is {self.quality}", hint="It is between 1 and 95.")
        if self.size is not None and not 8 <= self.size <= LARGEST:
            raise UsageError(f"the size is {self.size}", hint=f"It is between 8 and {LARGEST} pixels.")

    def __str__(self) -> str:
        size = f", {self.size} x {self.size} pixels" if self.size else ""
        return f"PNG{size}" if self.format == "png" else f"JPEG of quality {self.quality}{size}"

    def scaled(self, image: Image.Image) -> Image.Image:
        """The image at the size wanted."""
        if self.size is None or image.size == (self.size, self.size):
            return image
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC)

    def encode(self, image: Image.Image) -> bytes:
        """The bytes of a file that holds an RGB image's pixels and nothing else."""
        bare = Image.frombytes("RGB", image.size, image.tobytes())  # without what the file said beside them
        buffer = io.BytesIO()
        if self.format == "png":
            bare.save(buffer, "PNG")
        else:
            bare.save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
        return buffer.getvalue()


@dataclass(frozen=True)
class Reencoded:
    """What was written: how many images of each label have which width and height, in pixels."""

    sizes: Counter[tuple[Label, tuple[int, int]]]

    @property
    def count(self) -> int:
        """Chains written."""
        return self.sizes.total()

    @property
    def one_size(self) -> bool:
        """Whether all images have the same size."""
        return len({size for _, size in self.sizes}) == 1

    def counted(self, chains: Iterator[Chain], ids: set[str]) -> Iterator[Chain]:
        """Pass chains on, count their sizes and note their ids."""
        for chain in chains:
            self.sizes[chain.label, (chain.image.width or 0, chain.image.height or 0)] += 1
            ids.add(chain.id)
            yield chain


def reencode(
    chains: ChainSet,
    out: str | Path,
    *,
    format: Format = "png",
    quality: int = 90,
    size: int | None = None,
    rejects: Rejects | None = None,
) -> Reencoded:
    """Write a chain set with the same chains, whose images are all stored alike.

    Every image is decoded, turned as its orientation tag says, made RGB, scaled if asked, and saved by one encoder
    without EXIF, colour profile, comments or text. Its file's name is made from the hash of its new bytes. Boxes and
    polygons are fractions of the image and stay; masks are scaled. Ids, groups, splits and texts stay.

    What was done to the pixels before, as by lossy compression or scaling, stays in them.

    Args:
        chains: The chain set, with its images.
        out: Folder of the new chain set; complete or absent.
        format: `png`, without loss, or `jpeg`.
        quality: Of JPEG, 1 to 95, in Pillow's scale.
        size: Width and height of every image, in pixels, by scaling both sides; as they are if None. Nothing is cut
            off, since a trace may lie there.
        rejects: Collects chains that cannot be read or whose image cannot; without it the first is raised.

    Raises:
        UsageError: If a value is out of range, or `out` holds the images that are read.
        FakeInstructError: If too many records are bad, or the disk is full.
    """
    encoding = Encoding(format, quality, size)
    encoding.check()
    _check_places(chains, Path(out))
    done = Reencoded(Counter())
    notes = " ".join(filter(None, (chains.meta.notes, f"Images saved anew as {encoding}.")))
    meta = chains.meta.model_copy(update={"image_root": ".", "notes": notes})
    kept: set[str] = set()
    with atomic_folder(out) as folder:
        (folder / IMAGES).mkdir()
        written = _reencoded(chains, folder, encoding, rejects)
        write_chains(folder, done.counted(written, kept), meta)
        if not kept:
            first = f"; the first: {rejects.errors[0]}" if rejects else ""
            raise FakeInstructError(f"no image could be read{first}", file=chains.folder)
        write_items(folder, (item for item in read_items(chains.folder, rejects) if item.chain in kept))
    return done


def _check_places(chains: ChainSet, out: Path) -> None:
    if not chains.image_root.is_dir():
        raise UsageError(
            "the image root is not a folder",
            file=chains.image_root,
            hint="Say where it is with --image-root.",
        )
    check_outside(out, chains.folder, chains.image_root)


def _reencoded(
    chains: ChainSet, folder: Path, encoding: Encoding, rejects: Rejects | None
) -> Iterator[Chain]:
    def work(chain: Chain) -> Chain | FakeInstructError:
        try:
            return _one(chain, load_image(chains.image_path(chain)), folder, encoding)
        except RecordError as error:
            return error.located(file=chains.file, record=chain.id)

    reading = track(chains.read(rejects), "encoding images")
    for seen, result in enumerate(in_threads(work, reading), start=1):
        if isinstance(result, Chain):
            yield result
        elif rejects is None:
            raise result
        else:
            rejects.add(result)
            rejects.check(seen)


def _one(chain: Chain, image: Image.Image, folder: Path, encoding: Encoding) -> Chain:
    """Write the image and return the chain that refers to it."""
    image = encoding.scaled(image)
    data = encoding.encode(image)
    sha256 = sha256_bytes(data)
    path = f"{IMAGES}/{sha256[:32]}.{encoding.format}"
    (folder / path).write_bytes(data)  # two chains of one picture write the same bytes to one name
    ref = ImageRef(path=path, width=image.width, height=image.height, sha256=sha256)
    traces = (
        chain.traces
        if encoding.size is None
        else tuple(_scaled(each, encoding.size) for each in chain.traces)
    )
    return chain.model_copy(update={"image": ref, "traces": traces})


def _scaled(trace: Trace, size: int) -> Trace:
    """The trace with its masks scaled; boxes and polygons are fractions."""
    if not any(region.mask for region in trace.regions):
        return trace
    regions = tuple(
        region.model_copy(update={"mask": _scaled_mask(region, size)}) for region in trace.regions
    )
    return trace.model_copy(update={"regions": regions})


def _scaled_mask(region: Region, size: int) -> Mask | None:
    """The mask at the new size; None if nothing of it is left, the box still says where it was."""
    if region.mask is None:
        return None
    pixels = Image.fromarray(decode_mask(region.mask).astype(np.uint8))
    scaled = np.asarray(pixels.resize((size, size), Image.Resampling.NEAREST), dtype=bool)
    return encode_mask(scaled) if scaled.any() else None
