"""Every figure of some images, by the name that people know it by, with its interval and band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeinstruct.measure.report.cells import Absent, Table, figure, interval

LABELS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "eer": "equal error rate",
    "tpr_fpr_0_01": "fakes found at 1 % false alarms",
    "tpr_fpr_0_001": "fakes found at 0.1 % false alarms",
    "accuracy_half": "accuracy at 0.5",
    "accuracy_validation_threshold": "accuracy at the validation threshold",
    "accuracy_oracle_threshold": "accuracy at the oracle threshold, chosen on these very images",
    "brier": "Brier",
    "nll": "log loss",
    "ece": "ECE, 15 bins of equal mass",
    "smooth_ece": "smooth ECE",
}
"""Names of figures for people."""

EVERY = (
    *("auc", "average_precision", "eer", "tpr_fpr_0_01", "tpr_fpr_0_001"),
    *("accuracy_half", "accuracy_validation_threshold", "accuracy_oracle_threshold"),
)
"""Figures of a detector that no calibration changes."""

PROBABLE = ("brier", "nll", "ece", "smooth_ece")
"""Figures of a probability, each of the unfitted and of the calibrated one."""


FITTED = "and a fitted one"
"""The column of `calibrated.ece_fitted_band`."""


def every_figure(row: Mapping[str, Any], who: str = "expert") -> Table:
    """Every figure of some images with its interval, and what it stays under by chance alone in 95 % of draws.

    For a perfectly calibrated scorer that is the chance in these images; for one of fitted scale and bias, also that
    in the images they were fitted on.
    """
    reasons = {
        name.removeprefix("calibrated."): why
        for name, why in row["unavailable"].items()
        if "calibrated." in name
    }
    beside = {**row["calibrated"], "unavailable": reasons}
    rows: list[tuple[Any, ...]] = [
        (LABELS[name], figure(row, name), interval(row, name), "", "") for name in EVERY if name in row
    ]
    for title, each in (("{}", row), ("{}, calibrated", beside)):
        rows += [
            (
                title.format(LABELS[name]),
                figure(each, name),
                interval(each, name),
                *_bands(each, name, each is beside),
            )
            for name in PROBABLE
            if name in each
        ]
    head = ("figure", "value", "95 % interval", "a perfect scorer stays under", FITTED)
    return Table(f"the {who}, {row['n']:,} images", head, tuple(rows))


def _bands(row: Mapping[str, Any], name: str, fitted: bool) -> tuple[float | str, float | str | Absent]:
    band = row.get(f"{name}_band")
    perfect = "" if band is None else float(band["perfectly_calibrated"]["percentile_95"])
    return perfect, _fitted(row, name) if fitted and band is not None else ""


def _fitted(row: Mapping[str, Any], name: str) -> float | Absent | str:
    """What a calibrated scorer stays under by the chance in the images of its fit as well, or why that is not known."""
    band = row.get(f"{name}_fitted_band")
    if band is not None:
        return float(band["percentile_95"])
    if name == "smooth_ece":
        return Absent("simulated for the ECE alone")
    return Absent(reason) if (reason := (row.get("unavailable") or {}).get(f"{name}_fitted_band")) else ""
