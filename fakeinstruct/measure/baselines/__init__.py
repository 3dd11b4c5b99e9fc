"""What stands beside every expert: detectors that look at less."""
