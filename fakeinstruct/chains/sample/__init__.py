"""The sample set: known fakes of freely licensed photographs, every trace true by construction."""

from __future__ import annotations

from fakeinstruct.chains.sample.make import make_sample

__all__ = ["make_sample"]
