"""Interventions: does it matter what a chain cites? A cited region is repaired from the twin, or masked.

If the expert looks where the chain points, the margin falls more than for random regions of the same shape and size,
which are the control.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.chains.schema import Chain, Label, Trace
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.forensics.areas import Area
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.views import Change, Read

Intervention = Literal["repair", "mask"]

CONTROL = "random-"
"""What the condition of a random region begins with; the intervention follows."""

MOST = 0.5
"""Largest share of the picture that a control is asked for: beside more than half there is no room for as much."""


@dataclass(frozen=True)
class Repair:
    """The pixels of an area from the twin, everything else as it is."""

    area: Area
    twin: str

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The repaired picture.

        Raises:
            RecordError: If the twin cannot be read or has another size, which says that it is not the same pixels.
        """
        twin = read(self.twin)
        if twin.size != image.size:
            raise RecordError(
                f"its twin has {twin.width} x {twin.height} pixels, the image {image.width} x {image.height}: no "
                "region can be repaired from it"
            )
        pixels = self.area.pixels(*image.size)[..., None]
        return Image.fromarray(np.where(pixels, np.asarray(twin), np.asarray(image)))


@dataclass(frozen=True)
class Mask:
    """An area filled with the mean colour of the whole picture, which its own content has little part in."""

    area: Area

    def __call__(self, image: Image.Image, path: str, read: Read) -> Image.Image:
        """The masked picture."""
        levels = np.asarray(image)
        colour = np.rint(levels.mean(axis=(0, 1))).astype(np.uint8)
        return Image.fromarray(np.where(self.area.pixels(*image.size)[..., None], colour, levels))


def interventions(
    chain: Chain, protocol: Protocol, twins: Mapping[str, str]
) -> Iterator[tuple[Change, dict[str, Any]]]:
    """What is done to a chain's picture, with the columns of the answer that say so.

    Of every trace that points to fake and has a region: the cited pixels, then `protocol.controls` random places,
    the same for each intervention; `look` numbers them.

    Args:
        chain: The chain.
        protocol: Which interventions, how many controls, and the seed of their places.
        twins: Path of the real image by id.
    """
    for name in protocol.interventions:
        if why_not(chain, name, twins):
            continue
        for trace in cited(chain):
            for condition, look, area in _areas(name, chain, trace, protocol):
                change = Mask(area) if name == "mask" else Repair(area, twins[chain.twin or ""])
                yield (
                    change,
                    {"condition": condition, "look": look, "trace": trace.id, "attribute": trace.attribute},
                )


def cited(chain: Chain) -> list[Trace]:
    """The traces of a fake that point to fake and say where."""
    if chain.label is not Label.FAKE:
        return []
    return [trace for trace in chain.traces if trace.points_to is Label.FAKE and trace.regions]


def why_not(chain: Chain, intervention: Intervention, twins: Mapping[str, str]) -> str | None:
    """Why nothing can be done to a chain's picture; None if something can."""
    if chain.label is not Label.FAKE:
        return "real"
    if not cited(chain):
        return "no cited region"
    if intervention == "repair" and chain.twin is None:
        return "no twin"
    if intervention == "repair" and chain.twin not in twins:
        return "a twin that is no real image of the set"
    return None


def twin_paths(chains: ChainSet) -> dict[str, str]:
    """The path of every real image of a chain set by its chain's id; bad records are passed over."""
    return {chain.id: chain.image.path for chain in chains.read(Rejects(1.0)) if chain.label is Label.REAL}


def survey(chains: ChainSet, protocol: Protocol) -> list[str]:
    """How many fakes each intervention is made of, in words, and why not of the others."""
    twins = twin_paths(chains)
    counts = {name: Counter[str]() for name in protocol.interventions}
    for chain in chains.read(Rejects(1.0)):
        if chain.label is Label.FAKE and (chain.split is None or chain.split in protocol.splits):
            for name, count in counts.items():
                count[why_not(chain, name, twins) or ""] += 1
    return [_told(name, count) for name, count in counts.items()]


def _areas(
    name: Intervention, chain: Chain, trace: Trace, protocol: Protocol
) -> Iterator[tuple[str, int, Area]]:
    """Condition, look and area of a trace's region and of its controls."""
    area = Area(trace.regions)
    yield name, 1, area
    if area.share() <= MOST:
        for look in range(1, protocol.controls + 1):
            seed = stable_seed("control", protocol.seed, chain.id, trace.id, look)
            yield CONTROL + name, look, Area(trace.regions, seed)


def _told(name: Intervention, count: Counter[str]) -> str:
    others = "; ".join(f"{number:,} with {reason}" for reason, number in count.most_common() if reason)
    return f"{name}: {count['']:,} of {count.total():,} fakes" + (f" ({others})" if others else "")
