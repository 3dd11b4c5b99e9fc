"""Explainable detection of AI-generated images: chains, pairs, an expert, answers, figures."""

__version__ = "0.1.0"
