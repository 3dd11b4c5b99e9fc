"""Chain: one image and what was seen in it. The nouns that every later step reads."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from fakeinstruct.base.boxes import Box
from fakeinstruct.base.config import StrictModel
from fakeinstruct.base.images import MAX_PIXELS
from fakeinstruct.base.json_text import check_text

SCHEMA_VERSION: Final = 1
"""Version of the chain schema, written to every `meta.json`."""

Identifier = Annotated[str, Field(min_length=1, max_length=512)]
Words = Annotated[str, Field(min_length=1, max_length=20_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Label(StrEnum):
    """What the image is. An enumeration, since published sets disagree on what 0 and 1 mean."""

    FAKE = "fake"
    REAL = "real"

    @property
    def other(self) -> Label:
        """The opposite label."""
        return Label.REAL if self is Label.FAKE else Label.FAKE


class Manipulation(StrEnum):
    """How the image came to be, which words the verdict.

    `none`: as the camera stored it; `processed`: a photograph that was only resized, compressed,
    blurred or sharpened; `edited`: a photograph with changed content; `generated`: synthesised whole.
    """

    NONE = "none"
    PROCESSED = "processed"
    EDITED = "edited"
    GENERATED = "generated"


class Split(StrEnum):
    """The part of the set a chain belongs to, set at import and only read from there on."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Assessment(StrEnum):
    """What somebody judged of an attribute. Unmentioned is not absent."""

    PRESENT = "present"
    ABSENT = "absent"
    UNSURE = "unsure"


def _relative(path: str) -> str:
    if not path or path.startswith("/") or ".." in path.split("/") or "\\" in path or "\0" in path:
        raise ValueError("must be a path relative to the image root, with forward slashes and without '..'")
    return path


class ImageRef(StrictModel):
    """The image file. Sizes are those of the pixels as stored, orientation tag applied.

    `width`, `height` and `sha256` are absent only after an import without images.
    """

    path: Annotated[str, AfterValidator(_relative)]
    width: int | None = Field(None, gt=0)
    height: int | None = Field(None, gt=0)
    sha256: Sha256 | None = None


class Mask(StrictModel):
    """An uncompressed COCO run-length mask.

    `size` is height and width in pixels; `counts` are the lengths of column-major runs, the first of zeros.
    """

    size: tuple[PositiveInt, PositiveInt]
    counts: tuple[NonNegativeInt, ...]

    @model_validator(mode="after")
    def _covers_its_size(self) -> Mask:
        height, width = self.size
        if height * width > MAX_PIXELS:
            raise ValueError(f"it is too large ({height} x {width}, more than {MAX_PIXELS:,} pixels)")
        if sum(self.counts) != height * width:
            raise ValueError(f"its runs cover {sum(self.counts)} pixels, not {height} x {width}")
        return self


def _fits(mask: Mask, image: ImageRef) -> bool:
    """Whether a mask has the size that its image states, if it states one."""
    return None in (image.width, image.height) or mask.size == (image.height, image.width)


def _inside(polygon: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if len(polygon) < 3 or not all(0 <= x <= 1 and 0 <= y <= 1 for x, y in polygon):
        raise ValueError("a polygon is three or more points x, y in fractions of the image, 0 to 1")
    return polygon


class Region(StrictModel):
    """Where a trace is seen: a box, and the polygon or mask it came from if the source has one.

    Polygon points are x, y in fractions of the image.
    """

    box: Box
    polygon: Annotated[tuple[tuple[float, float], ...], AfterValidator(_inside)] | None = None
    mask: Mask | None = None


class Span(StrictModel):
    """Characters of one of the chain's texts that a trace was taken from: start inclusive, end exclusive."""

    text: int = Field(ge=0)
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Trace(StrictModel):
    """One step of reasoning: what is seen, what follows from it, what would mend it, and where.

    `attribute` is a key of the taxonomy; `attribute_raw` is the annotator's own name for it, and
    `mapped_by` says who made the one of the other.
    """

    id: Identifier
    attribute: Identifier | None = None
    attribute_raw: str | None = None
    mapped_by: str | None = None
    points_to: Label
    observation: Words
    inference: Words | None = None
    advice: Words | None = None
    severity: Literal["slight", "clear", "severe"] | None = None
    regions: tuple[Region, ...] = ()
    span: Span | None = None


class Text(StrictModel):
    """An annotator's own words, kept whole."""

    role: Literal["caption", "explanation", "conclusion", "original"]
    text: Words
    lang: str = "en"


class BlindVerdict(StrictModel):
    """What somebody said before they knew the label; kept even when wrong."""

    by: str
    verdict: Label


class Origin(StrictModel):
    """Who wrote the chain, and how.

    `label_shown`: whether the writer knew the label. `synthetic`: made by a program whose truth holds
    by construction, not seen by anybody.
    """

    by: Literal["human", "model", "program", "dataset"]
    name: str | None = None
    people: tuple[str, ...] = ()
    blind_verdicts: tuple[BlindVerdict, ...] = ()
    model: str | None = None
    prompt_sha256: Sha256 | None = None
    label_shown: bool | None = None
    exemplars: tuple[str, ...] = ()
    human_reviewed: bool | None = None
    synthetic: bool = False
    licence: str | None = None
    source_record: str | None = None


class Chain(StrictModel):
    """One image and what was seen in it.

    What no annotator and no ground truth said stays absent. `group` never straddles a split; it is one
    source photograph with all its variants, or the image's own hash.
    """

    id: Identifier
    image: ImageRef
    twin: Identifier | None = None
    label: Label
    manipulation: Manipulation | None = None
    dataset: Identifier
    generator: Identifier | None = None
    camera_set: Identifier | None = None
    content: tuple[str, ...] = ()
    group: Identifier
    split: Split | None = None
    traces: tuple[Trace, ...] = ()
    assessed: dict[str, Assessment] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    texts: tuple[Text, ...] = ()
    origin: Origin

    @field_validator("label", mode="before")
    @classmethod
    def _name_the_label(cls, value: Any) -> Any:
        if isinstance(value, bool | int | float) or value in ("0", "1"):
            raise ValueError("must be 'fake' or 'real': published sets disagree on what 0 and 1 mean")
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Chain:
        fakes = (Manipulation.EDITED, Manipulation.GENERATED)
        if self.manipulation and (self.manipulation in fakes) != (self.label is Label.FAKE):
            raise ValueError(f"an image labelled {self.label} cannot have manipulation '{self.manipulation}'")
        if self.generator and self.label is Label.REAL:
            raise ValueError("a real image has no generator; its source is camera_set")
        if self.camera_set and self.label is Label.FAKE:
            raise ValueError("camera_set is of real images; a fake has a generator")
        if self.twin == self.id:
            raise ValueError("its twin is itself")
        ids = [trace.id for trace in self.traces]
        if len(set(ids)) < len(ids):
            raise ValueError("two traces have the same id")
        for trace in self.traces:
            if trace.span and not (
                trace.span.text < len(self.texts)
                and trace.span.start < trace.span.end <= len(self.texts[trace.span.text].text)
            ):
                raise ValueError(f"the span of trace '{trace.id}' lies outside the chain's texts")
            for region in trace.regions:
                if region.mask and not _fits(region.mask, self.image):
                    raise ValueError(f"a mask of trace '{trace.id}' has another size than the image")
        return self


def _text(text: str) -> str:
    check_text(text)
    return text


def _folder(path: str) -> str:
    if "\0" in path:
        raise ValueError("is no path, since it holds a zero byte")
    try:
        os.fsencode(
            path
        )  # a name that is no UTF-8 is carried as surrogates, and some of these stand for no byte
    except UnicodeEncodeError as error:
        raise ValueError(f"is no path ({error.reason})") from None
    return path


PlainText = Annotated[str, AfterValidator(_text)]


class Meta(StrictModel):
    """`meta.json` of a chain set.

    `image_root` is relative to the chain set's folder unless absolute. `licences` maps a source to its terms.
    `evaluation_only` is why the set may not be trained on, if it may not; `expand` then refuses it.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: PlainText
    image_root: Annotated[str, AfterValidator(_folder)] = "."
    licences: dict[PlainText, PlainText] = Field(default_factory=dict)
    synthetic: bool = False
    evaluation_only: PlainText | None = None
    notes: PlainText | None = None
