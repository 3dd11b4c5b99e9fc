"""From answers to figures: detection, calibration, baselines, report."""
