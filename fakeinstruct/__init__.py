"""Explainable detection of AI-generated images: chains, pairs, an expert, answers, figures.

`fakeinstruct.api` holds the verbs of the way as functions.
"""

__version__ = "0.1.0"
