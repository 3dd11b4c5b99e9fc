"""`fakeinstruct preview`: what a template makes of some chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import printable


def preview(
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="A template's id, for example verdict/one_word.")
    ],
    chains: Annotated[Path, typer.Option("--chains", metavar="CHAINS", help="A chain set's folder.")],
    templates: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of templates in place of the project's.")
    ] = None,
    examples: Annotated[int, typer.Option(help="Number of pairs shown.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
) -> None:
    """Print a few pairs of one template, of as many kinds of chains as there are.

    Of each of these one, if it is there and can fill the template: generated, edited, processed, untouched,
    without traces. If `expand` would give the template no pairs, the last line says why.

    **Examples**

    `fakeinstruct preview reasoning/premise --chains chains`

    `fakeinstruct preview mine/question --templates my-templates --chains chains --examples 8`
    """
    from fakeinstruct.chains.store import open_chains
    from fakeinstruct.expand.lint import load_template
    from fakeinstruct.expand.preview import kind_of, unserved
    from fakeinstruct.expand.preview import preview as preview_template

    chain_set = open_chains(chains)
    found = load_template(template, templates, taxonomy=chain_set.taxonomy)
    for chain, pair in preview_template(found, chain_set, examples=examples, seed=seed):
        print(f"--- {printable(chain.id)} ({kind_of(chain)})")
        for message in pair.messages:
            text = printable(message.text(), keep="\n")
            print(f"{message.role}: {text}")
        print(f"target: {pair.target.model_dump_json(exclude_defaults=True)}\n")
    if why := unserved(found, chain_set):
        print(f"{found.id}: {why}")
