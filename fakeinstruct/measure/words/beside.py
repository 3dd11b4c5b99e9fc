"""An expert's words beside annotators' own: BLEU, ROUGE-L, similarity, a judge's marks, FakeBench's overall figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.chains.schema import Chain
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.ratios import give_ratios, mean_of
from fakeinstruct.measure.words.overlap import bleu, plain_words, rouge_l, tokens
from fakeinstruct.measure.words.own import Own, own_words
from fakeinstruct.measure.words.said import Images, Said
from fakeinstruct.measure.words.similarity import Encoder

Marks = Mapping[str, Mapping[str, float]]
"""By chain id what a judge gave, by `ASPECTS`."""

ASPECTS = ("completeness", "preciseness", "relevance")
"""What a judge marks from 0 to 2."""

FOUR = ("bleu_1", "bleu_2", "rouge_l", "similarity")
"""The figures of overlap that FakeBench takes the mean of, each 0 to 1."""

FORMULA = "(mean of BLEU-1, BLEU-2, ROUGE-L, similarity + mean of the three marks / 2) / 2"

WRITERS = {
    "human": "annotators",
    "model": "a model, not annotators",
    "dataset": "somebody whom the dataset does not name",
}


class Aids(NamedTuple):
    """What not every evaluator has.

    Attributes:
        encoder: Compares meanings.
        marks: A judge's.
    """

    encoder: Encoder | None = None
    marks: Marks | None = None


NONE = Aids()

Columns = dict[str, NDArray[np.float64]]


def beside_figures(
    said: Sequence[Said],
    images: Images,
    known: Mapping[str, Chain],
    seed: int,
    *,
    aids: Aids = NONE,
) -> dict[str, Any]:
    """Figures of a text beside what was written about the same image, apart by who wrote it.

    Args:
        said: Texts.
        images: Their images.
        known: Chains by id.
        seed: Seed of the draws.
        aids: A sentence encoder and a judge's marks, if any.

    Returns:
        `by_writer`: "human", "model" or "dataset" to `n`, `n_marked` by the judge, `words_of`, `writers` with their
        images, `bleu_1`, `bleu_2`, `rouge_l`, `similarity`, the judge's marks and `overall`, FakeBench's, of the images
        that have all of them;
        `left_out`: images without words to compare with, by reason; `formula`; `encoder`.
    """
    own = [own_words(known[name]) if name in known else "no chain" for name in images.names]
    columns = _columns(said, images, own, aids)
    by_writer = {}
    for by, words_of in WRITERS.items():
        theirs = [each if isinstance(each, Own) and each.by == by else None for each in own]
        if any(theirs):
            figures = _figures(theirs, columns, images.groups, seed, aids)
            by_writer[by] = {"words_of": words_of, **figures}
    return {
        "by_writer": by_writer,
        "left_out": dict(sorted(Counter(each for each in own if isinstance(each, str)).items())),
        "formula": FORMULA,
        "encoder": aids.encoder and aids.encoder.json(),
    }


def _columns(
    said: Sequence[Said],
    images: Images,
    own: Sequence[Own | str],
    aids: Aids,
) -> Columns:
    """Every figure of every image, NaN where there is none; each of shape (images,)."""
    pairs = [(plain_words(one.text), own[place]) for one, place in zip(said, images.place, strict=True)]
    overlap = np.array([_overlap(text, each) for text, each in pairs]).reshape(-1, 3)
    columns = {name: images.mean(overlap[:, place]) for place, name in enumerate(FOUR[:3])}
    similar = [(text, each.references if isinstance(each, Own) else ()) for text, each in pairs]
    nothing = np.full(len(images.names), np.nan)
    columns["similarity"] = images.mean(aids.encoder.similarity(similar)) if aids.encoder else nothing
    for aspect in ASPECTS:
        given = [(aids.marks or {}).get(name, {}).get(aspect, np.nan) for name in images.names]
        columns[aspect] = np.array(given, dtype=np.float64)
    four, three = ([columns[name] for name in names] for names in (FOUR, ASPECTS))
    columns["overall"] = (np.mean(four, axis=0) + np.mean(three, axis=0) / 2) / 2
    return columns


def _overlap(text: str, own: Own | str) -> tuple[float, float, float]:
    if isinstance(own, str):
        return (np.nan,) * 3
    words, references = tokens(text), [tokens(each) for each in own.references]
    return *bleu(words, references), rouge_l(words, references)


def _figures(
    own: Sequence[Own | None], columns: Columns, groups: NDArray[np.object_], seed: int, aids: Aids
) -> dict[str, Any]:
    """Figures of the images that one kind of writer wrote about; `own` is None for all others."""
    which = np.array([each is not None for each in own])
    writers = Counter(each.writer for each in own if each)
    marked = int((~np.isnan(columns[ASPECTS[0]][which])).sum())
    row = Row(n=int(which.sum()), n_marked=marked, writers=dict(writers.most_common()))
    missing = {
        "similarity": "no sentence encoder was given" if aids.encoder is None else "no text",
        "overall": "needs similarity and a judge's marks of the same image",
        **dict.fromkeys(ASPECTS, "no judge was asked" if aids.marks is None else "the judge gave no marks"),
    }
    ratios = {name: mean_of(values[which], missing.get(name, "no text")) for name, values in columns.items()}
    give_ratios(row, ratios, groups[which], seed)
    return row.json()
