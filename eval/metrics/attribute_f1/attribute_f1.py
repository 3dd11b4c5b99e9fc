"""Flaws that a text claims against flaws that were annotated, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import evaluate

from fakeinstruct.chains.taxonomy import load_taxonomy
from fakeinstruct.measure.words.attributes import Tally, Truth
from fakeinstruct.measure.words.claims import ClaimReader
from fakeinstruct.measure.words.overlap import plain_words
from fakeinstruct.measure.words.verdict import written_verdict

DESCRIPTION = """
Which attributes of a taxonomy (hands, text, lighting) does an explanation claim to betray a fake picture, and which
did annotators find? Precision, recall and F1 over all claims. A claim is wrong only where the attribute was judged
absent: what no annotator mentioned counts neither way.
"""

INPUTS = """
Args:
    predictions: the text about each fake picture.
    references: of each picture the keys of the attributes that annotators found flawed.
    judged_absent: of each picture the keys of those that were judged to have no flaw.
    taxonomy: path of a taxonomy; the one that comes with the package by default.

Returns:
    recall: over the n pictures with an annotated flaw; precision, f1: over the n_judged of them of which an attribute
    was judged absent as well; unjudged: claims of unmentioned attributes, a picture. What cannot be given is None.
"""

CITATION = """
@book{vanrijsbergen1979information,
  title={Information Retrieval}, author={van Rijsbergen, C. J.}, publisher={Butterworths}, edition={2}, year={1979}}
"""


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class AttributeF1(evaluate.Metric):
    """Attribute-level precision, recall and F1."""

    def _info(self) -> evaluate.MetricInfo:
        keys = datasets.Sequence(datasets.Value("string"))
        columns = {"predictions": datasets.Value("string"), "references": keys, "judged_absent": keys}
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(columns),
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[Sequence[str]],
        judged_absent: Sequence[Sequence[str]],
        taxonomy: str | None = None,
    ) -> dict[str, float | int | None]:
        names = load_taxonomy(None if taxonomy is None else Path(taxonomy))
        for keys in (*references, *judged_absent):
            if unknown := [key for key in keys if key not in names.attributes]:
                raise ValueError(f"the taxonomy has no attribute '{unknown[0]}'")
        reader, flawed = ClaimReader(names), []
        for text, present, absent in zip(predictions, references, judged_absent, strict=True):
            if present:
                truth = Truth(frozenset(present), frozenset(absent) - frozenset(present))
                claimed = reader.read(plain_words(text), written_verdict(text)).flawed
                flawed.append((Tally.of(claimed, truth), bool(truth.absent)))
        every, judged = [tally for tally, _ in flawed], [tally for tally, known in flawed if known]
        right, wrong, missed = (
            sum(getattr(tally, name) for tally in judged) for name in ("right", "wrong", "missed")
        )
        return {
            "recall": over(sum(t.right for t in every), sum(t.right + t.missed for t in every)),
            "precision": over(right, right + wrong),
            "f1": over(2 * right, 2 * right + wrong + missed),
            "unjudged": over(sum(t.unjudged for t in every), len(every)),
            "n": len(every),
            "n_judged": len(judged),
        }


def over(part: int, whole: int) -> float | None:
    """A share, or None of nothing."""
    return part / whole if whole else None
