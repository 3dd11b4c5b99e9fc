"""What is known of each image of the sample set: traces in words, and attributes judged present or absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fakeinstruct.base.boxes import Fractions, from_pixels
from fakeinstruct.chains.sample import evidence
from fakeinstruct.chains.sample.edits import Edited
from fakeinstruct.chains.sample.photographs import SIDE
from fakeinstruct.chains.sample.words import WHOLE, Bank, load_phrases, with_article, write
from fakeinstruct.chains.schema import Assessment, Label, Trace

KNOWN = (
    "texture",
    "edge",
    "clarity",
    "light_shadow",
    "symmetry",
    "perspective",
    "shape",
    "content_deficiency",
    "distortion",
)
"""Attributes that edits and decoders bear on, so that their presence or absence is known by construction."""

ABSENT = {
    "generated": {"light_shadow", "symmetry", "perspective", "shape", "content_deficiency", "distortion"},
    "smooth": {"light_shadow", "symmetry", "perspective", "shape", "distortion"},
    "light": {"texture", "edge", "clarity", "perspective", "shape", "content_deficiency", "distortion"},
    "halo": {"symmetry", "perspective", "shape", "content_deficiency", "distortion"},
    "warp": {"light_shadow", "content_deficiency"},
    "symmetry": {"clarity", "distortion"},
    "removal": {"edge", "symmetry", "perspective", "distortion"},
    "clone": {"clarity", "perspective", "distortion"},
}
"""Attributes that an edit, or any decoder, leaves sound. Where one could dispute it, nothing is said: the copy
of a patch may well cover an outline."""

TOUCHED = {
    "none": set[str](),
    "resize": {"texture", "clarity"},
    "blur": {"texture", "clarity"},
    "sharpen": {"edge", "clarity"},
    "compress": {"texture", "edge"},
}
"""Attributes that processing bears on: they are not judged absent after it."""

SOURCES = ("crop from", "detail of", "square cut from", "part of")
"""What the image is in relation to its photograph."""

MAX_REAL = 3
"""Most traces of a real image."""


@dataclass(frozen=True)
class Story:
    """What is said of one image; without traces it has nothing to show."""

    traces: tuple[Trace, ...]
    assessed: dict[str, Assessment]


def of_generated(
    effects: Mapping[str, float], decoder: str, processing: str, subject: str, rng: np.random.Generator
) -> Story:
    """Tell of a resampled image: each effect that is still measured, all over the picture.

    A ragged outline comes of the lattice, so it is told only with it.

    Args:
        effects: Strengths from `evidence.generated`.
        decoder: A key of `resample.DECODERS`.
        processing: Kind of processing.
        subject: What the photograph shows, in a noun.
        rng: Draws the wording.
    """
    banks = load_phrases().generated[decoder]
    shown = {name: strength for name, strength in effects.items() if name in banks and strength >= 1}
    if "lattice" not in shown:
        shown.pop("outline", None)
    traces = [
        write(
            banks[name],
            rng,
            number=number,
            points_to=Label.FAKE,
            boxes=[WHOLE],
            facts=_facts(subject, rng),
            severity=evidence.severity(strength),
        )
        for number, (name, strength) in enumerate(shown.items(), start=1)
    ]
    return Story(tuple(traces), _assess(traces, ABSENT["generated"], processing))


def of_edited(
    strength: float, name: str, edited: Edited, *, processing: str, subject: str, rng: np.random.Generator
) -> Story:
    """Tell of an edited image, if the edit still shows.

    Args:
        strength: From `evidence.edited`.
        name: A key of `edits.EDITS`.
        edited: The edit.
        processing: Kind of processing.
        subject: What the photograph shows, in a noun.
        rng: Draws the wording.
    """
    if strength < 1:
        return Story((), {})
    traces = [
        write(
            bank,
            rng,
            number=number,
            points_to=Label.FAKE,
            boxes=[from_pixels(box, SIDE, SIDE) for box in edited.boxes],
            facts={**edited.facts, **_facts(subject, rng)},
            severity=evidence.severity(strength),
        )
        for number, bank in enumerate(load_phrases().edited[name], start=1)
    ]
    return Story(tuple(traces), _assess(traces, ABSENT[name], processing))


def of_real(
    processing: str, subject: str, rng: np.random.Generator, *, boxes: Sequence[Fractions] = (WHOLE,)
) -> Story:
    """Tell of a real image: two or three things that were not done to it, or its processing and one or two.

    Args:
        processing: Kind of processing.
        subject: What the photograph shows, in a noun.
        rng: Draws what is told, and the wording.
        boxes: Where its twin's traces lie. What was not done anywhere was not done there, and boxes of any
            other size or place would tell the label.
    """
    phrases = load_phrases()
    banks = [bank for bank in phrases.real if processing not in bank.unless]
    count = int(rng.integers(2, MAX_REAL + 1))
    told: list[tuple[Bank, Sequence[Fractions]]] = []
    if processing in phrases.processed:
        told.append((phrases.processed[processing], (WHOLE,)))
    for index in rng.choice(len(banks), count - len(told), replace=False):
        told.append((banks[index], boxes))
    traces = [
        write(
            bank,
            rng,
            number=number,
            points_to=Label.REAL,
            boxes=own,
            facts=_facts(subject, rng),
        )
        for number, (bank, own) in enumerate(told, start=1)
    ]
    return Story(tuple(traces), _assess(traces, KNOWN, processing))


def _facts(subject: str, rng: np.random.Generator) -> dict[str, str]:
    return {"source": f"{rng.choice(SOURCES)} a photograph of {with_article(subject)}"}


def _assess(traces: Sequence[Trace], absent: Iterable[str], processing: str) -> dict[str, Assessment]:
    """Attributes of traces that point to fake are present, the others absent unless processing bears on them."""
    present = {trace.attribute for trace in traces if trace.points_to is Label.FAKE}
    sound = set(absent) - TOUCHED[processing] - present
    return {
        key: Assessment.PRESENT if key in present else Assessment.ABSENT
        for key in KNOWN
        if key in present or key in sound
    }
