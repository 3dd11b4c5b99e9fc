"""Audit: what in a data set gives the label away, or is broken, found before anything is trained."""
