"""`fakeinstruct sample`: nothing -> chain set made by us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.cli.common import Seed


def sample(
    out: Annotated[Path, typer.Argument(help="Folder of the chain set.", show_default=False)],
    images: Annotated[
        int, typer.Option("--images", help="Number of images, half real and half fake; a multiple of 4.")
    ] = 2000,
    seed: Seed = 0,
) -> None:
    """Make the sample set: known fakes of photographs that come with scikit-image and scikit-learn.

    Half of the images are real crops. Each has a fake twin: resampled whole by a small encoder-decoder, or edited
    in one place. What is said of each is true by construction, and every chain says that it is synthetic.
    Nothing is downloaded.

    **Examples**

    `fakeinstruct sample chains/sample`

    `fakeinstruct sample chains/small --images 200 --seed 7`
    """
    from collections import Counter

    from fakeinstruct.chains.counts import kind_of
    from fakeinstruct.chains.sample import make_sample
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.cli.tables import print_counts

    total = make_sample(out, images=images, seed=seed)
    print_counts(Counter(kind_of(chain) for chain in open_chains(out).read()))
    print(f"{total:,} chains in {out}")
