"""`import cifake`: CIFAKE's folders, and the class that the number in a file's name stands for.

``train/REAL/0000 (2).jpg``, ``test/FAKE/1135 (5).jpg``: the number in brackets is CIFAR-10's class counted from 1, and
a name without one is of the first, an airplane. It becomes the chain's `content`, so that classes can be held out of
training (``--hold-out``) and measured apart. The other number separates real from fake and is used for nothing.

Labels: the folders' names. Splits: the folders' names. Questions, boxes, texts: none. Image paths: those below the
source. Reals: CIFAR-10; fakes: Stable Diffusion 1.4 asked for the same classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from fakeinstruct.base.errors import RecordError, Rejects
from fakeinstruct.chains.importers.imagefolder import import_imagefolder
from fakeinstruct.chains.importers.source import Imported, Source
from fakeinstruct.chains.schema import Chain

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""CIFAR-10's classes in its order, which the numbers in brackets count from 1."""

_NUMBERED = re.compile(r"(?:^|/)\d+(?: \((\d{1,2})\))?\.jpe?g$", re.IGNORECASE)


def import_cifake(source: Source, *, rejects: Rejects) -> Imported:
    """Read CIFAKE's folders.

    Args:
        source: The folder or zip file, with `train` and `test` below it.
        rejects: Collects images that cannot be taken, and names that state no class.

    Raises:
        UsageError: If folders do not say what they hold.
        FakeInstructError: If there are no images, or too many are bad.
    """
    found = import_imagefolder(
        source, rejects=rejects, generator="stable-diffusion-1.4", camera_set="cifar-10"
    )
    return replace(found, chains=_classed(source, found, rejects))


def _classed(source: Source, found: Imported, rejects: Rejects) -> Iterator[Chain]:
    for chain in found.chains:
        try:
            content = class_of(chain.image.path)
        except RecordError as error:
            source.reject(rejects, error, source.path, chain.image.path)
        else:
            yield chain.model_copy(update={"content": (content,)})


def class_of(path: str) -> str:
    """The class that a file's name states.

    Raises:
        RecordError: If it states none.
    """
    named = _NUMBERED.search(path)
    number = int(named.group(1) or 1) if named else 0
    if not 1 <= number <= len(CLASSES):
        raise RecordError(
            "its name states no class of CIFAKE",
            field="content",
            hint="Names are like '0000.jpg' and '0000 (2).jpg', up to '(10)'; or import it as an imagefolder.",
        )
    return CLASSES[number - 1]
