"""Figures of what an expert writes: its verdicts, the flaws it claims, and its words beside annotators' own.

Several texts about an image are joined by their mean, so that every image counts once; intervals draw whole groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fakeinstruct.base.errors import Rejects, printable
from fakeinstruct.chains.schema import Label
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.judge.marks import Judgement
from fakeinstruct.measure.ratios import give_ratios, mean_of
from fakeinstruct.measure.words.attributes import attribute_figures
from fakeinstruct.measure.words.beside import Aids, beside_figures
from fakeinstruct.measure.words.said import Images, Said, chains_of, texts_of
from fakeinstruct.measure.words.similarity import Encoder

EXAMPLES = 5
"""Texts without a verdict that are shown, and the `SHOWN` last characters of each."""

SHOWN = 200


def word_figures(
    rows: Sequence[Mapping[str, Any]],
    chains: ChainSet | None,
    *,
    seed: int = 0,
    encoder: Encoder | None = None,
    judgement: Judgement | None = None,
    rejects: Rejects | None = None,
) -> dict[str, Any]:
    """Figures of the texts about the clean images of the test split.

    Args:
        rows: Answers of one expert, those without a text or with an error too.
        chains: What annotators wrote of the images. Without it there are only the figures of verdicts.
        seed: Seed of the draws behind intervals.
        encoder: Compares meanings. Without it similarity is absent.
        judgement: What a judge said of these texts (`judge.judge`). Without it marks are absent.
        rejects: Collects chains that cannot be read. Without it the first is raised.

    Returns:
        `n` images, `texts`, `n_groups`; `verdict`, `attributes` and `beside`, see `verdict_figures`,
        `attribute_figures` and `beside_figures`; `judge`, who marked and how. Every figure has its interval as
        `NAME_low, NAME_high`.

    Raises:
        FakeInstructError: If the chains cannot be read.
    """
    said = texts_of(rows)
    images = Images.of(said)
    known = chains_of(chains, images.names, rejects)
    taxonomy = chains.taxonomy if chains else None
    aids = Aids(encoder, judgement.marks if judgement else None)
    return {
        "n": len(images.names),
        "texts": len(said),
        "n_groups": len(set(images.groups)),
        "seed": seed,
        "verdict": verdict_figures(said, images, seed),
        "attributes": attribute_figures(said, images, known, taxonomy, seed),
        "beside": beside_figures(said, images, known, seed, aids=aids),
        "judge": judgement.json() if judgement else None,
    }


def verdict_figures(said: Sequence[Said], images: Images, seed: int) -> dict[str, Any]:
    """How often the written verdict is right, and whether it says what the margin says.

    Args:
        said: Texts.
        images: Their images.
        seed: Seed of the draws.

    Returns:
        `n`, `n_fake`, `n_real` labelled images; `accuracy` (a text without a verdict is wrong), `accuracy_fake` and
        `accuracy_real` of each label, `parsed` (share of texts with a verdict), `agreement` with the sign of the margin
        (of the `n_agreement` images that have both; exactly 0 says real), `outcomes`, by label the number of texts that
        say `fake`, `real` and `nothing`, `unparsed` with its number `n`, `of_fakes`, `of_reals`, and `examples`.
    """
    labels = [one.label for one in said]
    right = np.array([np.nan if one.label is None else one.verdict == one.label for one in said], dtype=float)
    agree = [
        np.nan
        if one.verdict is None or np.isnan(one.margin)
        else (one.verdict is Label.FAKE) == (one.margin > 0)
        for one in said
    ]
    nothing = "no text about a labelled test image"
    row = Row(n=_images(images, [one is not None for one in labels]))
    row.values |= {f"n_{label}": _images(images, [one is label for one in labels]) for label in Label}
    row.values["n_agreement"] = _images(images, (~np.isnan(np.array(agree, dtype=float))).tolist())
    ratios = {"accuracy": mean_of(images.mean(right), nothing)}
    for label in Label:
        own = np.where([one is label for one in labels], right, np.nan)
        ratios[f"accuracy_{label}"] = mean_of(images.mean(own), f"no text about a {label} test image")
    ratios["parsed"] = mean_of(images.mean([one.verdict is not None for one in said]), "no text")
    ratios["agreement"] = mean_of(
        images.mean(agree), "no text has a verdict and a margin that was read elsewhere"
    )
    give_ratios(row, ratios, images.groups, seed)
    row.values["outcomes"] = {str(label): _outcomes(said, label) for label in Label}
    row.values["unparsed"] = _unparsed([one for one in said if one.verdict is None])
    return row.json()


def _images(images: Images, which: Sequence[bool]) -> int:
    return len({*images.place[np.array(which, dtype=bool)].tolist()})


def _outcomes(said: Sequence[Said], label: Label) -> dict[str, int]:
    """What the texts about images of one label say, as numbers of texts."""
    count = Counter(one.verdict for one in said if one.label is label)
    return {**{str(each): count[each] for each in Label}, "nothing": count[None]}


def _unparsed(silent: Sequence[Said]) -> dict[str, Any]:
    count = Counter(one.label for one in silent)
    examples = [
        {"chain": one.chain, "text": printable(" ".join(one.text.split()))[-SHOWN:]}
        for one in silent[:EXAMPLES]
    ]
    return {
        "n": len(silent),
        "of_fakes": count[Label.FAKE],
        "of_reals": count[Label.REAL],
        "examples": examples,
    }
