"""`fakeinstruct pairs`: conversations of one's own -> pair set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fakeinstruct.base.errors import Rejects
from fakeinstruct.base.progress import console
from fakeinstruct.cli.common import MaxRejects, Out, close


def pairs(
    src: Annotated[
        Path, typer.Argument(help="A .jsonl or .json file, or a folder of such files.", show_default=False)
    ],
    out: Out,
    image_root: Annotated[
        Path | None,
        typer.Option(
            "--image-root", help="What image paths are relative to.  [default: where the file lies]"
        ),
    ] = None,
    validation: Annotated[
        float, typer.Option("--validation", help="Share of images for validation.", min=0, max=0.5)
    ] = 0.1,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same splits.", min=0)] = 0,
    max_rejects: MaxRejects = 0.2,
) -> None:
    """Make a pair set of conversations that you have already, word for word; no template is used.

    A record has `messages` (user and assistant in turn, `<image>` first or blocks as OpenAI has them), `images` (one
    path) and `label` (fake or real). It may have `id`, `task`, `template`, `split` and `group`. Files of other
    trainers serve, and so do those that `export` writes, once each record has its label.

    **Examples**

    `fakeinstruct pairs conversations.jsonl --out pairs --image-root photos`

    `fakeinstruct train my-qwen.yaml pairs=pairs --dry-run`
    """
    from fakeinstruct.expand.own_pairs import make_pairs

    rejects = Rejects(max_rejects)
    manifest = make_pairs(src, out, image_root=image_root, validation=validation, seed=seed, rejects=rejects)
    for name, counts in (("split", manifest.per_split), ("task", manifest.per_task)):
        print(f"{name}: {', '.join(f'{one} {count:,}' for one, count in counts.items())}")
    if not manifest.readouts:
        console.print(
            "note: no task 'verdict' whose first word tells fake from real: score and detect will have no readout",
            highlight=False,
            soft_wrap=True,
        )
    print(f"{manifest.pairs:,} pairs of {manifest.chains:,} images in {out}")
    close(rejects, out)
