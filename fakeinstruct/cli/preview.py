"""`fakeinstruct preview`: what a template makes of some chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def preview(
    template: Annotated[str, typer.Argument(help="A template's id, for example verdict/one_word.")],
    chains: Annotated[Path, typer.Option("--chains", help="A chain set's folder.")],
    templates: Annotated[
        Path | None, typer.Option(help="Folder of templates in place of the project's.")
    ] = None,
    examples: Annotated[int, typer.Option(help="Number of pairs shown.", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
) -> None:
    """Print a few pairs of one template, fake and real.

    fakeinstruct preview reasoning/premise --chains chains
    fakeinstruct preview mine/question --templates my-templates --chains chains --examples 8
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.lint import load_templates
    from fakeinstruct.expand.preview import preview as preview_template

    chain_set = open_chains(chains)
    found = load_templates(templates, taxonomy=chain_set.taxonomy)[template]
    for pair in preview_template(found, chain_set, examples=examples, seed=seed):
        print(f"--- {pair.chain}  {pair.label}  {pair.images[0].path}")
        for message in pair.messages:
            print(f"{message.role}: {message.text()}")
        print(f"target: {pair.target.model_dump_json(exclude_defaults=True)}\n")
