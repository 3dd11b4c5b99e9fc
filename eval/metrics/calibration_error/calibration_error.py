"""Equal-mass calibration error with its consistency band, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from fakeinstruct.measure.calibration import BINS, reliability
from fakeinstruct.measure.figure import UnavailableError

DESCRIPTION = """
Expected calibration error of the probability of fake over bins of equal mass, beside what a perfectly calibrated scorer
with the same probabilities would show: calibration error is biased upward, the more the fewer images there are.
"""

INPUTS = """
Args:
    references: truth, 1 for fake and 0 for real.
    prediction_scores: probability of fake, 0 to 1; exactly 0 and exactly 1 land in a bin.
    bins: number of bins, 15 by default.
    seed: seed of the simulation behind the band.

Returns:
    ece: the error, 0 to 1, or None; perfect_mean, perfect_percentile_95: mean and 95th percentile of a perfectly
    calibrated scorer's; bins: bins that were used; unavailable: why something is None, or None.
"""

CITATION = """
@article{brocker2007increasing,
  title={Increasing the Reliability of Reliability Diagrams},
  author={Br{\\"o}cker, Jochen and Smith, Leonard A.}, journal={Weather and Forecasting}, volume={22}, year={2007}}
"""


@evaluate.utils.file_utils.add_start_docstrings(DESCRIPTION, INPUTS)
class CalibrationError(evaluate.Metric):
    """Equal-mass expected calibration error and its band."""

    def _info(self) -> evaluate.MetricInfo:
        columns = {"references": datasets.Value("bool"), "prediction_scores": datasets.Value("float64")}
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
        bins: int = BINS,
        seed: int = 0,
    ) -> dict[str, float | int | str | None]:
        try:
            found = reliability(references, prediction_scores, bins=bins, seed=seed)
        except UnavailableError as reason:
            names = ("ece", "perfect_mean", "perfect_percentile_95", "bins")
            return {**dict.fromkeys(names), "unavailable": reason.problem}
        return {
            "ece": found.ece,
            "perfect_mean": found.ece_perfect,
            "perfect_percentile_95": found.ece_band,
            "bins": len(found.count),
            "unavailable": None,
        }
