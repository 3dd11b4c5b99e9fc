"""Paired DeLong tests against the figures that pROC's own tests expect of its aSAH data."""

import numpy as np
import pytest
from golden_patients import NDKA, POOR, S100B, WFNS

from fakeinstruct.measure.comparison.paired import paired_auc


@pytest.mark.parametrize(
    ("a", "b", "z", "p", "low", "high"),
    [
        (WFNS, S100B, 2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        (WFNS, NDKA, 2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        (NDKA, S100B, -1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
    ids=["wfns-s100b", "wfns-ndka", "ndka-s100b"],
)
def test_three_tests_of_two_markers_equal_the_published_ones(a, b, z, p, low, high):
    found = paired_auc(POOR, a, b)
    assert (found.z, found.p) == pytest.approx((z, p), rel=1e-10)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-10)
    assert len(np.unique(S100B)) == 50  # ties and all
