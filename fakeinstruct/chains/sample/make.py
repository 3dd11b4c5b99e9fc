"""The sample set: crops of photographs, each once as it is and once resampled or edited."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import atomic_folder, sha256_bytes, stable_seed
from fakeinstruct.base.progress import track
from fakeinstruct.chains.sample import evidence, process, story
from fakeinstruct.chains.sample.edits import EDITS
from fakeinstruct.chains.sample.photographs import PHOTOGRAPHS, SIDE, Crop, Photograph, Pixels, cut, load
from fakeinstruct.chains.sample.process import AMOUNTS, Processing
from fakeinstruct.chains.sample.resample import DECODERS, resample
from fakeinstruct.chains.sample.story import Story
from fakeinstruct.chains.schema import Chain, ImageRef, Label, Manipulation, Meta, Origin
from fakeinstruct.chains.store import write_chains

DATASET = "fakeinstruct-sample"

EDIT = "edit-"
"""What the generator of an edited image begins with; the name of the edit follows."""

TRIES = 100
"""Crops and amounts drawn for a fake until its trace shows after processing."""


@dataclass(frozen=True)
class Job:
    """One crop to be made, real and fake.

    Attributes:
        photograph: What it is cut from.
        number: Its place among the crops of the photograph.
        generator: A decoder, or "edit-" and the edit.
        processing: Kind of harmless processing that both twins go through.
    """

    photograph: Photograph
    number: int
    generator: str
    processing: str


@dataclass(frozen=True)
class Twins:
    """A crop as it is and as a fake, both after the same processing, and what is to be said of the fake."""

    crop: Crop
    processing: Processing
    real: Pixels
    fake: Pixels
    story: Story


def make_sample(out: str | Path, *, images: int, seed: int) -> int:
    """Write the sample set: half real, half fake, each fake with a real twin.

    Half of the fakes are resampled whole by an encoder-decoder, half are edited in one place. Twins share their
    crop, processing, group and split. The same number and seed give the same bytes.

    Args:
        out: Folder of the chain set; a chain set that stands there is replaced.
        images: Number of images, a multiple of four.
        seed: Seed of everything that is drawn.

    Returns:
        The number of chains.

    Raises:
        UsageError: If `images` is not a positive multiple of four.
        FakeInstructError: If `out` is a folder of something else, a photograph is missing, or the disk is full.
    """
    if images < 4 or images % 4:
        raise UsageError(
            f"{images} images cannot be halved into real and fake, and these into generated and edited",
            field="images",
            hint="Ask for a multiple of four.",
        )
    out = Path(out)
    jobs = plan(images // 2, seed)
    with atomic_folder(out) as folder:
        (folder / "images").mkdir()
        chains = [chain for job in track(jobs, "making sample crops") for chain in _make(job, seed, folder)]
        # ids are hashes, so their order mixes labels, photographs and kinds
        return write_chains(folder, sorted(chains, key=lambda chain: chain.id), _meta(seed))


def plan(crops: int, seed: int) -> list[Job]:
    """What each crop becomes: kinds in turn within a photograph, so that all are equally frequent everywhere.

    The numbers of decoders (3), of edits (7) and of kinds of processing (5) have no common factor, so counting
    all of them up together pairs each with each.
    """
    edits = [EDIT + name for name in EDITS]
    makers, processings = (list(DECODERS), edits), list(AMOUNTS)
    jobs: list[Job] = []
    for photograph, quota in zip(PHOTOGRAPHS, _quotas(crops), strict=True):
        start = stable_seed("sample", seed, photograph.name) % 105
        for number in range(quota):
            maker = makers[len(jobs) % 2]
            turn = start + number // 2
            generator, processing = maker[turn % len(maker)], processings[turn % len(processings)]
            jobs.append(Job(photograph, number, generator, processing))
    return jobs


def _quotas(crops: int) -> list[int]:
    """Crops of each photograph by its share: largest remainders, the first named first."""
    shares = [photograph.share * crops for photograph in PHOTOGRAPHS]
    quotas = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: quotas[index] - shares[index])
    for index in by_remainder[: crops - sum(quotas)]:
        quotas[index] += 1
    return quotas


def _make(job: Job, seed: int, folder: Path) -> tuple[Chain, Chain]:
    """Make the twins of one job, write their images, and return their chains, the real one first."""
    rng = np.random.default_rng(stable_seed("sample", seed, job.photograph.name, job.number))
    twins = _draw(job, rng)
    real_id, fake_id = (_identifier(seed, job, member) for member in ("real", "fake"))
    boxes = [region.box for region in twins.story.traces[0].regions]
    real_story = story.of_real(job.processing, job.photograph.content[0], rng, boxes=boxes)
    handled = Manipulation.NONE if job.processing == "none" else Manipulation.PROCESSED
    made = Manipulation.EDITED if job.generator.startswith(EDIT) else Manipulation.GENERATED
    return (
        _chain(
            job,
            twins,
            real_story,
            id=real_id,
            twin=fake_id,
            image=_write_image(folder, real_id, twins.real),
            label=Label.REAL,
            manipulation=handled,
            camera_set=job.photograph.name,
        ),
        _chain(
            job,
            twins,
            twins.story,
            id=fake_id,
            twin=real_id,
            image=_write_image(folder, fake_id, twins.fake),
            label=Label.FAKE,
            manipulation=made,
            generator=job.generator,
        ),
    )


def _draw(job: Job, rng: np.random.Generator) -> Twins:
    """Draw crops and amounts until the fake shows a trace after processing."""
    photograph, subject = load(job.photograph), job.photograph.content[0]
    for _ in range(TRIES):
        crop = cut(photograph, rng)
        processing = process.draw(job.processing, rng)
        real = process.apply(processing, crop.pixels)
        if job.generator.startswith(EDIT):
            name = job.generator.removeprefix(EDIT)
            edited = EDITS[name](rng, crop.pixels)
            fake = process.apply(processing, edited.pixels)
            strength = evidence.edited(fake, real, edited.boxes[0])
            told = story.of_edited(
                strength, name, edited, processing=job.processing, subject=subject, rng=rng
            )
        else:
            fake = process.apply(processing, resample(crop.pixels, job.generator))
            effects = evidence.generated(fake, real, two_layers=DECODERS[job.generator][0] == 2)
            told = story.of_generated(effects, job.generator, job.processing, subject, rng)
        if told.traces:
            return Twins(crop, processing, real, fake, told)
    raise FakeInstructError(f"none of {TRIES} crops of '{job.photograph.name}' shows '{job.generator}'")


def _identifier(seed: int, job: Job, member: str) -> str:
    """An id that says nothing about the label, short enough to read aloud."""
    return f"{stable_seed('sample id', seed, job.photograph.name, job.number, member):016x}"


def _write_image(folder: Path, name: str, pixels: Pixels) -> ImageRef:
    """Save as PNG, the one encoding of the set: 8-bit RGB, fixed compression, no metadata."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=9)
    path = f"images/{name}.png"
    (folder / path).write_bytes(buffer.getvalue())
    return ImageRef(path=path, width=SIDE, height=SIDE, sha256=sha256_bytes(buffer.getvalue()))


def _chain(job: Job, twins: Twins, told: Story, **fields: Any) -> Chain:
    """A chain: what its own `fields` say, what is said of the image, and what both twins share."""
    photograph = job.photograph
    x0, y0, x1, _ = twins.crop.box
    return Chain(
        **fields,
        dataset=DATASET,
        content=photograph.content,
        group=photograph.name,
        split=photograph.split,
        traces=told.traces,
        assessed=told.assessed,
        origin=Origin(
            by="program",
            name="fakeinstruct sample",
            label_shown=True,
            synthetic=True,
            licence=photograph.licence,
            source_record=f"{photograph.name}: x {x0}, y {y0}, side {x1 - x0}; processing {twins.processing}",
        ),
    )


def _meta(seed: int) -> Meta:
    return Meta(
        name=DATASET,
        licences={photograph.name: photograph.licence for photograph in PHOTOGRAPHS},
        synthetic=True,
        notes=f"Made by 'fakeinstruct sample' with seed {seed}: every trace is true by construction.",
    )
