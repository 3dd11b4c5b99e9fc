"""Versions of what produced a result, for its provenance."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import fakeinstruct


def versions(*packages: str) -> dict[str, str]:
    """Versions of fakeinstruct itself and of installed packages; one that is not installed is left out."""
    found = {"fakeinstruct": fakeinstruct.__version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
