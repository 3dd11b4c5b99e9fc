"""DeLong's interval against the figures that pROC publishes for its aSAH data."""

import pytest
from golden_patients import NDKA, POOR

from fakeinstruct.measure.detection import auc_interval


def test_ndka_interval_equals_the_published_one():
    assert len(POOR) == 113
    auc, low, high = auc_interval(POOR, NDKA.astype(float))
    assert (low, auc, high) == pytest.approx((0.5012, 0.6120, 0.7227), abs=5e-5)
