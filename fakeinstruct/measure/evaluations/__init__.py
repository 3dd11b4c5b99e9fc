"""Measuring by a protocol: what it needs, what stands beside its figures, and the files that a benchmark asks for."""
