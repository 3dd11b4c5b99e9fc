"""Card: one pass over the pairs, then `README.md` for the hub and `index.html` for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.base.files import atomic_write
from fakeinstruct.base.page import environment
from fakeinstruct.base.progress import track
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.card.hub import cell, hub_metadata
from fakeinstruct.expand.card.samples import Picture, Samples, pictures
from fakeinstruct.expand.card.sources import read_sources
from fakeinstruct.expand.card.tally import Tally
from fakeinstruct.expand.pair import Pair, PairManifest, PairSet

MARK = "<!-- Written by fakeinstruct card. -->"
"""What tells our README.md from somebody's own, which is not overwritten."""


def write_card(pairs: PairSet, *, chains: ChainSet | None = None) -> tuple[Path, Path]:
    """Write a pair set's card into its folder, which makes the folder a data set for Hugging Face.

    Args:
        pairs: The pair set.
        chains: The chain set that it was made of, for sources and licences.

    Returns:
        `README.md` and `index.html`.

    Raises:
        FakeInstructError: If the folder has a README.md of somebody else's, or the chains are not the pairs'.
    """
    readme, page = pairs.folder / "README.md", pairs.folder / "index.html"
    if readme.is_file() and MARK not in readme.read_text(encoding="utf-8", errors="replace"):
        raise FakeInstructError(
            "was not written by 'fakeinstruct card', so it is not replaced",
            file=readme,
            hint="Move it away first.",
        )
    sources = read_sources(chains, pairs.manifest) if chains is not None else {}
    tally, samples = Tally(sources), Samples()
    for pair in track(pairs.read(), "reading pairs", pairs.manifest.pairs):
        tally.add(pair)
        samples.add(pair)
    facts = _facts(pairs, chains, tally, samples.by_task())
    shown = {pair.id: pictures(pair, pairs.image_root) for each in facts["samples"].values() for pair in each}
    for file, text in ((readme, _readme(facts, pairs.manifest)), (page, _page(facts, shown))):
        with atomic_write(file) as opened:
            opened.write(text.encode(errors="backslashreplace"))
    return readme, page


def _facts(
    pairs: PairSet, chains: ChainSet | None, tally: Tally, samples: dict[str, list[Pair]]
) -> dict[str, Any]:
    """What both texts say."""
    return {
        "name": chains.meta.name if chains is not None else pairs.folder.resolve().name,
        "manifest": pairs.manifest,
        "meta": chains.meta if chains is not None else None,
        "tally": tally,
        "kinds": {what: tally.by(what) for what in ("task", "template", "split", "attribute")},
        "sources": sorted(_grouped(tally, ("dataset", "label", "manipulation", "maker")).items()),
        "licences": sorted(_grouped(tally, ("licence",)).items()),
        "writers": sorted(_grouped(tally, ("writer",)).items()),
        "samples": samples,
    }


def _grouped(tally: Tally, fields: tuple[str, ...]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Images and pairs by some fields of their source."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for source, images in tally.images.items():
        key = tuple(getattr(source, field) for field in fields)
        before = found.get(key, (0, 0))
        found[key] = (before[0] + images, before[1] + tally.of_source(source))
    return found


def _readme(facts: dict[str, Any], manifest: PairManifest) -> str:
    header = yaml.safe_dump(hub_metadata(facts["name"], manifest), sort_keys=False, allow_unicode=True)
    text = _templates(html=False).get_template("readme.md.jinja").render(facts)
    return f"---\n{header}---\n\n{MARK}\n\n{text}"


def _page(facts: dict[str, Any], shown: dict[str, list[Picture]]) -> str:
    return _templates(html=True).get_template("page.html.jinja").render(facts, shown=shown)


def _templates(*, html: bool) -> Environment:
    jinja = environment("fakeinstruct.expand.card", escape=html)
    jinja.filters["cell"] = cell  # what words of data go through in Markdown
    return jinja
