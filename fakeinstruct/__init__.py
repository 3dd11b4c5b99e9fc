"""Explainable detection of AI-generated images: chains, pairs, an expert, answers, figures.

`fakeinstruct.api` holds every verb as a function.
"""

__version__ = "0.1.0"
