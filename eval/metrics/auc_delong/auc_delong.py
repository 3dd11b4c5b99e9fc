"""AUC with DeLong's interval, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from fakeinstruct.measure.detection import auc, auc_interval
from fakeinstruct.measure.figure import UnavailableError

DESCRIPTION = """
Area under the ROC curve with DeLong's interval, also for images that are not independent (Obuchowski 1997).
An interval that cannot be given honestly is None, and `unavailable` says why.
"""

INPUTS = """
Args:
    references: truth, 1 for fake and 0 for real.
    prediction_scores: any score that is higher for fakes; compared in float32.
    groups: what each image was made from, if several were made from one; None if each stands for itself.
    confidence: coverage of the interval, 0.95 by default.

Returns:
    auc, low, high: the area and the bounds, 0 to 1, or None; unavailable: why something is None, or None.
"""

CITATION = """
@article{sun2014fast,
  title={Fast Implementation of {DeLong's} Algorithm for Comparing the Areas Under Correlated {ROC} Curves},
  author={Sun, Xu and Xu, Weichao}, journal={IEEE Signal Processing Letters}, volume={21}, year={2014}}
"""


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class AucDelong(evaluate.Metric):
    """AUC with DeLong's interval."""

    def _info(self) -> evaluate.MetricInfo:
        columns = {"references": datasets.Value("bool"), "prediction_scores": datasets.Value("float32")}
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(columns),
        )

    def _compute(
        self,
        references: Sequence[bool],
        prediction_scores: Sequence[float],
        groups: Sequence[Any] | None = None,
        confidence: float = 0.95,
    ) -> dict[str, float | str | None]:
        found: dict[str, float | str | None] = dict.fromkeys(("auc", "low", "high", "unavailable"))
        try:
            found["auc"] = auc(references, prediction_scores)
            _, found["low"], found["high"] = auc_interval(references, prediction_scores, groups, confidence)
        except UnavailableError as reason:
            found["unavailable"] = reason.problem
        return found
