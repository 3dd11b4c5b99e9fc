"""Asking an expert about an image: readouts, probabilities, answers."""
