"""Prior: what an expert answers when a picture shows nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.base.images import image_size
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.protocol import Protocol
from fakeinstruct.forensics.questions import Question, verdict_question
from fakeinstruct.forensics.views import View


def prior_pictures(items: ChainSet | PairSet, protocol: Protocol) -> dict[str, Image.Image]:
    """Pictures that show nothing, by name: white, mid-grey and uniform noise.

    They have the size of the first image of the protocol's splits that can be read. There are none if none can, if
    the protocol wants no prior, and for pairs, which are asked other questions.
    """
    size = _first_size(items, protocol) if protocol.prior and isinstance(items, ChainSet) else None
    if size is None:
        return {}
    rng = np.random.default_rng(stable_seed("prior", protocol.seed))
    noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return {
        "prior/blank": Image.new("RGB", size, "white"),
        "prior/grey": Image.new("RGB", size, (128, 128, 128)),
        "prior/noise": Image.fromarray(noise),
    }


def prior_questions(readouts: Sequence[Readout], pictures: Iterable[str]) -> Iterator[Question]:
    """The readouts' questions about the pictures of these names, which have no label."""
    for name in pictures:
        for readout in readouts:
            yield verdict_question(View(name), readout, {"kind": "prior", "item": name})


def _first_size(chains: ChainSet, protocol: Protocol) -> tuple[int, int] | None:
    """Width and height of the first image that can be read; None if none can."""
    for chain in chains.read(Rejects(1.0)):
        if chain.split is None or chain.split in protocol.splits:
            try:
                return image_size(chains.image_path(chain))
            except RecordError:
                continue
    return None
