"""Six hundred made-up scores without a tie, by a formula, whose figures other libraries gave."""

import numpy as np


def golden():
    """Truth, and the margin of an overconfident scorer, each of shape (600,)."""
    i = np.arange(600)
    margin = 4 * np.sin(1.7 * i) + 0.001 * i
    y = (np.sin(12.9 * i) * 43758.5453) % 1 < (1 / (1 + np.exp(-margin))) ** 1.3
    return y, margin
