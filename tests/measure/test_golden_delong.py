"""DeLong's interval against the figures that pROC publishes for its aSAH data."""

import numpy as np
import pytest

from fakeinstruct.measure.detection import auc_interval

# Outcomes of the 113 patients of Turck et al. (2010), in the order of their NDKA concentration: G good, P poor,
# letters that stand together share one concentration. An AUC depends on this order alone.
ORDER = (
    "G P G G P P P G G G G G G G G G P G G G G G G P P G G P G GG G P GP G G G G P G G P G G G G G G P P "
    "P G P G G P G G G G G P G GP G G P G G P P G P P G G GP P P G G G P G G G G P P P P G G P G G G P P "
    "P P G G P G P G P G P"
)


def test_ndka_interval_equals_the_published_one():
    groups = ORDER.split()
    y_true = np.array([letter == "P" for group in groups for letter in group])
    y_score = np.array([rank for rank, group in enumerate(groups) for _ in group], dtype=float)
    assert len(y_true) == 113
    auc, low, high = auc_interval(y_true, y_score)
    assert (low, auc, high) == pytest.approx((0.5012, 0.6120, 0.7227), abs=5e-5)
