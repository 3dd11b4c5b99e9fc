"""Equal error rate, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.roc import equal_error_rate

DESCRIPTION = """
Equal error rate: the share of fakes missed where it equals the share of reals called fake, interpolated between two
thresholds if no one of them gives both.
"""

INPUTS = """
Args:
    references: truth, 1 for fake and 0 for real.
    prediction_scores: any score that is higher for fakes; compared in float32.

Returns:
    eer: 0 to 1, or None; unavailable: why it is None, or None.
"""

CITATION = """
@article{fawcett2006introduction,
  title={An Introduction to {ROC} Analysis}, author={Fawcett, Tom},
  journal={Pattern Recognition Letters}, volume={27}, number={8}, year={2006}}
"""


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class EqualErrorRate(evaluate.Metric):
    """Equal error rate, interpolated."""

    def _info(self) -> evaluate.MetricInfo:
        columns = {"references": datasets.Value("bool"), "prediction_scores": datasets.Value("float32")}
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(columns),
        )

    def _compute(
        self, references: Sequence[bool], prediction_scores: Sequence[float]
    ) -> dict[str, float | str | None]:
        try:
            return {"eer": equal_error_rate(references, prediction_scores), "unavailable": None}
        except UnavailableError as reason:
            return {"eer": None, "unavailable": reason.problem}
