"""Sources: where each image comes from, who wrote about it, and on what terms."""

from __future__ import annotations

from typing import NamedTuple

from fakeinstruct.base.errors import FakeInstructError, Rejects
from fakeinstruct.base.files import sha256_file
from fakeinstruct.chains.counts import kind_of
from fakeinstruct.chains.schema import Chain, Origin
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairManifest


class Source(NamedTuple):
    """What the card says of an image's origin; an empty word where the chain does not say.

    Attributes:
        dataset: The published set.
        label: `fake` or `real`.
        manipulation: How the image came to be.
        maker: Generator of a fake, camera set of a real image.
        licence: Its terms.
        writer: Who wrote what was seen in it, in a few words.
    """

    dataset: str
    label: str
    manipulation: str
    maker: str
    licence: str
    writer: str


def source_of(chain: Chain) -> Source:
    """The source of a chain."""
    kind = kind_of(chain)
    return Source(
        chain.dataset,
        kind.label,
        kind.manipulation,
        kind.source,
        chain.origin.licence or "",
        writer(chain.origin),
    )


def writer(origin: Origin) -> str:
    """Who wrote a chain, in a few words: "model gpt-4o, label shown, reviewed by people"."""
    words = [" ".join(filter(None, [origin.by, origin.model or origin.name]))]
    if origin.synthetic:
        words.append("true by construction")
    if origin.label_shown is not None:
        words.append("label shown" if origin.label_shown else "label not shown")
    if origin.human_reviewed is not None:
        words.append("reviewed by people" if origin.human_reviewed else "not reviewed by people")
    return ", ".join(words)


def read_sources(chains: ChainSet, manifest: PairManifest) -> dict[str, Source]:
    """The source of each chain, by the chain's id.

    Raises:
        FakeInstructError: If the pairs were not made of these chains.
    """
    if sha256_file(chains.file) != manifest.chains_sha256:
        raise FakeInstructError(
            "is not the chain file that the pairs were made of: its hash differs from the manifest's",
            file=chains.file,
            hint="Give the chain set that was expanded, unchanged.",
        )
    shared: dict[Source, Source] = {}  # one object a source, however many chains have it
    # bad chains were counted when the pairs were made; they have none
    stream = chains.read(Rejects(share=1.0))
    return {chain.id: shared.setdefault(source, source) for chain in stream for source in [source_of(chain)]}
