"""`import generators`: a folder a generator, with its fakes and the real images that they are compared with.

GenImage: ``ADM/.../{train,val}/{ai,nature}``; UniversalFakeDetect and CNNDetection: ``glide/{0_real,1_fake}``, also
with folders of classes between, ``progan/cat/0_real``, and folders of reals that several generators are compared with,
``laion/0_real``. As `imagefolder`, but made for measuring:

Splits: `train` is the train split; everything else is the test split, `val` too, which is what GenImage is tested on.
Names: the outermost folder that tells images apart is the generator of fakes and the camera set of reals, so that
"own reals" are those whose camera set has the generator's name. Several class folders named as fakes are generators
where no folder above them is.
Labels: the names of class folders. Questions, boxes, texts: none. Image paths: those below the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.imagefolder import import_imagefolder
from fakeinstruct.chains.importers.source import Imported, Source
from fakeinstruct.chains.schema import Chain, Label, Split


def import_generators(
    source: Source, *, rejects: Rejects, fake: Sequence[str] = (), real: Sequence[str] = ()
) -> Imported:
    """Read folders of generators.

    Args:
        source: The folder above the generators'.
        rejects: Collects images that cannot be taken, and fakes whose folders name no generator.
        fake: More class folder names that hold fakes; several are generators, as in `imagefolder`.
        real: More class folder names that hold real images.

    Raises:
        UsageError: If folders do not say what they hold.
        FakeInstructError: If there are no images, or too many are bad.
    """
    found = import_imagefolder(source, rejects=rejects, fake=fake, real=real)
    return replace(found, chains=_named(source, found, rejects))


def _named(source: Source, found: Imported, rejects: Rejects) -> Iterator[Chain]:
    for chain in found.chains:
        if chain.label is Label.FAKE and chain.generator is None:
            error = RecordError(
                "no folder names its generator",
                field="generator",
                hint="Import the folder above, which has one for each; or name each with --fake; or import as "
                "imagefolder with --generator.",
            )
            source.reject(rejects, error, source.path, chain.image.path)
            continue
        split = Split.TRAIN if chain.split is Split.TRAIN else Split.TEST
        yield chain.model_copy(update={"split": split})
