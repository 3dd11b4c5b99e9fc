"""Fakes found at few false alarms, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.roc import tpr_at_fpr

DESCRIPTION = """
Share of the fakes that are found by a threshold which at most a given share of the reals passes. It is withheld where
that share of the reals is fewer than ten images: it would rest on the luck of a few.
"""

INPUTS = """
Args:
    references: truth, 1 for fake and 0 for real.
    prediction_scores: any score that is higher for fakes; compared in float32.
    fpr: the share of reals that may be called fake, 0.01 by default.

Returns:
    tpr: 0 to 1, or None; fpr: as it was asked for; unavailable: why there is none, or None.
"""

CITATION = """
@article{fawcett2006introduction,
  title={An Introduction to {ROC} Analysis}, author={Fawcett, Tom},
  journal={Pattern Recognition Letters}, volume={27}, number={8}, year={2006}}
"""


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class TprAtFpr(evaluate.Metric):
    """True positive rate at a false positive rate."""

    def _info(self) -> evaluate.MetricInfo:
        columns = {"references": datasets.Value("bool"), "prediction_scores": datasets.Value("float32")}
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(columns),
        )

    def _compute(
        self, references: Sequence[bool], prediction_scores: Sequence[float], fpr: float = 0.01
    ) -> dict[str, float | str | None]:
        try:
            found = tpr_at_fpr(references, prediction_scores, fpr)
        except UnavailableError as reason:
            return {"tpr": None, "fpr": fpr, "unavailable": reason.problem}
        return {"tpr": found, "fpr": fpr, "unavailable": None}
