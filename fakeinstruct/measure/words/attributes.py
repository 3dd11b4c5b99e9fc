"""Flaws claimed against flaws annotated, by attribute of the taxonomy, and flaws claimed of real images.

What no annotator mentioned is not clean: a claim is wrong only where the attribute was *judged* absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fakeinstruct.chains.schema import Assessment, Chain, Label
from fakeinstruct.chains.taxonomy import Taxonomy
from fakeinstruct.measure.figure import Row
from fakeinstruct.measure.ratios import Ratio, give_ratios, mean_of
from fakeinstruct.measure.words.claims import ClaimReader
from fakeinstruct.measure.words.overlap import plain_words
from fakeinstruct.measure.words.per_attribute import per_attribute, seen_in
from fakeinstruct.measure.words.said import Images, Said

WRONG_WHERE = "judged absent (`assessed`); what no annotator mentioned counts neither way"


class Truth(NamedTuple):
    """What annotators said of one image's attributes.

    Attributes:
        present: Flaws: those of traces that point to fake, and those assessed as present.
        absent: Judged absent, and in no such trace.
    """

    present: frozenset[str]
    absent: frozenset[str]


def truth_of(chain: Chain) -> Truth:
    """The flaws of a chain, and what was judged to be none; a real image has no flaws."""
    if chain.label is Label.REAL:
        return Truth(frozenset(), frozenset())
    traced = {one.attribute for one in chain.traces if one.attribute and one.points_to is Label.FAKE}
    judged = {what: _assessed(chain, what) for what in (Assessment.PRESENT, Assessment.ABSENT)}
    present = traced | judged[Assessment.PRESENT]
    return Truth(frozenset(present), frozenset(judged[Assessment.ABSENT] - present))


def _assessed(chain: Chain, what: Assessment) -> set[str]:
    return {key for key, judged in chain.assessed.items() if judged is what}


class Tally(NamedTuple):
    """Claims of one text against one truth: numbers of attributes."""

    right: int
    wrong: int
    unjudged: int
    missed: int

    @staticmethod
    def of(flawed: frozenset[str], truth: Truth) -> Tally:
        """Count the attributes that a text claims to be flawed."""
        right, wrong = len(flawed & truth.present), len(flawed & truth.absent)
        return Tally(right, wrong, len(flawed) - right - wrong, len(truth.present) - right)


def attribute_figures(
    said: Sequence[Said], images: Images, known: Mapping[str, Chain], taxonomy: Taxonomy | None, seed: int
) -> dict[str, Any]:
    """Precision, recall and F1 of claimed flaws, and how often a flaw is claimed of a real image.

    All three are micro means: sums over images, each image's texts averaged first.

    Args:
        said: Texts.
        images: Their images.
        known: Chains by id.
        taxonomy: Names the attributes; None without chains.
        seed: Seed of the draws.

    Returns:
        `recall` over the `n` fakes with an annotated flaw; `precision` and `f1` over the `n_judged` of them of which
        something was judged absent as well; `unjudged` claims an image; `per_attribute`, see there; `claimed_on_real`,
        the share of the `n_real` real images of which a flaw is claimed, `claims_a_real` and `on_real`, which;
        `wrong_where`.
    """
    if taxonomy is None:
        return Row().json() | {"unavailable": {"attributes": "no chain set was given"}}
    reader = ClaimReader(taxonomy)
    found = [reader.read(plain_words(one.text), one.verdict).flawed for one in said]
    truths = [
        truth_of(known[one.chain]) if one.chain in known else Truth(frozenset(), frozenset()) for one in said
    ]
    row = Row(wrong_where=WRONG_WHERE)
    tallies = [Tally.of(flawed, truth) for flawed, truth in zip(found, truths, strict=True)]
    ratios = _against(tallies, truths, images, row) | _on_real(said, found, images, row)
    give_ratios(row, ratios, images.groups, seed)
    real = np.array([one.label is Label.REAL for one in said], dtype=bool)
    seen = {key: seen_in(key, found, truths, real) for key in taxonomy.attributes}
    row.values["per_attribute"] = per_attribute(seen, images, seed)
    row.values["on_real"] = _counted(f for f, one in zip(found, said, strict=True) if one.label is Label.REAL)
    return row.json()


def _against(tallies: Sequence[Tally], truths: Sequence[Truth], images: Images, row: Row) -> dict[str, Ratio]:
    flawed = np.array([bool(one.present) for one in truths])
    judged = flawed & np.array([bool(one.absent) for one in truths], dtype=bool)

    def mean(name: str, which: Any) -> Any:
        values = np.array([getattr(one, name) for one in tallies], dtype=np.float64)
        return np.nan_to_num(images.mean(np.where(which, values, np.nan)))

    row.values |= {
        "n": len({*images.place[flawed].tolist()}),
        "n_judged": len({*images.place[judged].tolist()}),
    }
    none, unjudged = "no fake has an annotated flaw", "no fake has an attribute that was judged absent"
    right = mean("right", judged)
    everything = 2 * right + mean("wrong", judged) + mean("missed", judged)
    return {
        "recall": Ratio(mean("right", flawed), mean("right", flawed) + mean("missed", flawed), none),
        "precision": Ratio(
            right, right + mean("wrong", judged), f"{unjudged}, or no claim is of a judged attribute"
        ),
        "f1": Ratio(2 * right, everything, unjudged),
        "unjudged": mean_of(
            images.mean(np.where(flawed, [float(one.unjudged) for one in tallies], np.nan)), none
        ),
    }


def _on_real(
    said: Sequence[Said], found: Sequence[frozenset[str]], images: Images, row: Row
) -> dict[str, Ratio]:
    real = np.array([one.label is Label.REAL for one in said], dtype=bool)
    row.values["n_real"] = len({*images.place[real].tolist()})
    number = np.where(real, [float(len(each)) for each in found], np.nan)
    none = "no text about a real test image"
    return {
        "claimed_on_real": mean_of(images.mean(np.where(real, number > 0, np.nan)), none),
        "claims_a_real": mean_of(images.mean(number), none),
    }


def _counted(found: Iterable[frozenset[str]]) -> dict[str, int]:
    return dict(Counter(key for flawed in found for key in sorted(flawed)).most_common())
