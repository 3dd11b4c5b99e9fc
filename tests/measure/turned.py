"""Chain sets with labels the other way round, made by the tests."""

from fakeinstruct.chains.schema import Chain, Meta
from fakeinstruct.chains.store import open_chains, write_chains

WAYS = (
    {"label": "fake", "manipulation": "generated", "generator": "turned"},
    {"label": "real", "manipulation": "none", "generator": None},
)


def turned(chains, folder, *splits):
    """The same images, with the labels of some splits the other way round; `folder` lies beside the chains'."""
    rows = (
        chain.model_dump() | (WAYS[chain.label == "fake"] if chain.split in splits else {})
        for chain in chains.read()
    )
    root = f"../{chains.folder.name}"
    write_chains(folder, [Chain.model_validate(row) for row in rows], Meta(name="turned", image_root=root))
    return open_chains(folder)
