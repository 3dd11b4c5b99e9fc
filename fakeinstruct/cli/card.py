"""`fakeinstruct card`: what a pair set holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.cli.common import ImageRoot


def card(
    folder: Annotated[Path, typer.Argument(metavar="PAIRS", help="A pair set's folder.")],
    chains: Annotated[
        Path | None,
        typer.Option("--chains", help="The chain set that it was made of, for sources and licences."),
    ] = None,
    image_root: ImageRoot = None,
) -> None:
    """Write a pair set's card into its folder: `README.md` for the Hugging Face hub, `index.html` for people.

    Counts, lengths, variety of words, sources, licences, hashes, and two samples a task with their pictures.

    **Examples**

    `fakeinstruct card pairs --chains chains`
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.card.write import write_card
    from fakeinstruct.expand.pair import open_pairs

    chain_set = open_chains(chains) if chains is not None else None
    for file in write_card(open_pairs(folder, image_root=image_root).verified(), chains=chain_set):
        print(file)
