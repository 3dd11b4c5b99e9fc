"""Calibration error in bins and without, with its consistency band, as a Hugging Face `evaluate` module."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate
import numpy as np

from fakeinstruct.measure.calibration import BINS, DRAWS, reliability
from fakeinstruct.measure.figure import UnavailableError
from fakeinstruct.measure.smooth import perfect_smooth_ece, smooth_ece

DESCRIPTION = """
Expected calibration error of the probability of fake over bins of equal mass, beside what a perfectly calibrated scorer
with the same probabilities would show: calibration error is biased upward, the more the fewer images there are. The
smooth calibration error stands beside it, which has no bins to choose.
"""

INPUTS = """
Args:
    references: truth, 1 for fake and 0 for real.
    prediction_scores: probability of fake, 0 to 1; exactly 0 and exactly 1 land in a bin.
    bins: number of bins, 15 by default.
    seed: seed of the simulation behind the band.

Returns:
    ece: the error, 0 to 1, or None; perfect_mean, perfect_percentile_95: mean and 95th percentile of a perfectly
    calibrated scorer's; bins: bins that were used; smooth_ece, smooth_perfect_mean, smooth_perfect_percentile_95: the
    same without bins; unavailable: why something is None, or None.
"""

CITATION = """
@article{brocker2007increasing,
  title={Increasing the Reliability of Reliability Diagrams},
  author={Br{\\"o}cker, Jochen and Smith, Leonard A.}, journal={Weather and Forecasting}, volume={22}, year={2007}}
@inproceedings{blasiok2024smooth,
  title={Smooth {ECE}: Principled Reliability Diagrams via Kernel Smoothing},
  author={B{\\l}asiok, Jaros{\\l}aw and Nakkiran, Preetum}, booktitle={ICLR}, year={2024}}
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
        names = ("ece", "perfect_mean", "perfect_percentile_95", "bins")
        smooth = ("smooth_ece", "smooth_perfect_mean", "smooth_perfect_percentile_95")
        found: dict[str, float | int | str | None] = dict.fromkeys((*names, *smooth, "unavailable"))
        try:
            error, scores = smooth_ece(references, prediction_scores), np.asarray(prediction_scores)
            found |= dict(zip(smooth, (error, *perfect_smooth_ece(scores, DRAWS, seed)), strict=True))
            binned = reliability(references, prediction_scores, bins=bins, seed=seed)
            values = (binned.ece, binned.ece_perfect, binned.ece_band, len(binned.count))
            found |= dict(zip(names, values, strict=True))
        except UnavailableError as reason:
            found["unavailable"] = reason.problem
        return found
