"""What a protocol measures, beside how it asks: the part of its file that `evaluate` reads."""

from __future__ import annotations

from typing import Literal

from fakeinstruct.base.config import StrictModel

Need = Literal["both labels", "questions", "regions", "words", "generators", "content"]
"""What a protocol cannot do without in the chain set it is given."""

Submission = Literal["fakebench"]
"""Benchmarks whose authors ask for files."""


class Measuring(StrictModel):
    """What is measured of the answers.

    Attributes:
        about: The protocol in a sentence.
        needs: What the chain set must hold for it: images of `both labels`, its own `questions` (items.jsonl),
            `regions` or `words` of annotators, fakes of named `generators`, what images show (`content`).
        calibrate: Fit scale and bias on the validation answers; absent, no figure rests on a fit.
        baselines: Detectors measured beside the expert.
        reals: What a generator's fakes are compared with: all real images (`shared`), those that lie beside it in the
            set (`own`: their camera set has the generator's name), or as a mapping says, generator to camera set; a
            generator that the mapping lacks has its own.
        by_content: Also give figures by what images show, held out of training or not.
        submission: Files that the benchmark's authors ask for.
    """

    about: str = ""
    needs: tuple[Need, ...] = ()
    calibrate: bool = False
    baselines: tuple[str, ...] = ()
    reals: Literal["shared", "own"] | dict[str, str] = "shared"
    by_content: bool = False
    submission: Submission | None = None
