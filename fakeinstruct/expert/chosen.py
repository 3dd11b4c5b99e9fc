"""Which pairs a recipe's `data` section takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from fakeinstruct.base.errors import UsageError, nearest
from fakeinstruct.expand.pair import Pair, PairSet, Task
from fakeinstruct.expert.recipe import Data


def check_data(pairs: PairSet, data: Data) -> None:
    """See that the pairs have the templates and tasks that a recipe's `data` section names.

    Raises:
        UsageError: If the set was made without such a template, or the split has no pair of a task.
    """
    known = pairs.manifest.per_template
    for template in data.templates or ():
        if known and template not in known:
            raise UsageError(
                f"the pair set has no template '{template}'",
                file=pairs.folder,
                field="data.templates",
                hint=nearest(template, known),
            )
    asked, there = set(data.per_image() or ()), set[str]()
    for batch in pairs.batches(data.split, None, ["task"], templates=data.templates):
        there.update(batch.column("task").unique().to_pylist())
        if asked <= there:
            return
    if there:
        among = " of these templates" if data.templates else ""
        raise UsageError(
            f"the split '{data.split}' has no pair{among} of the task '{min(asked - there)}'",
            file=pairs.folder,
            field="data.pairs_per_image",
            hint=f"There are: {', '.join(sorted(there))}.",
        )


def choose(pairs: PairSet, data: Data, epochs: float = 1) -> Iterator[Pair]:
    """The pairs that a recipe's `data` section asks for, an image's pairs together.

    A limit on a task takes a sample over the task's templates: those with the smallest ids, which are hashes. It is a
    limit an epoch: for several epochs as many different pairs are taken, if there are so many.

    Raises:
        UsageError: If the section names what the pairs do not have.
    """
    check_data(pairs, data)
    limits = {task: limit * math.ceil(epochs) for task, limit in (data.pairs_per_image or {}).items()} or None
    wanted = pairs.read(data.split, list(limits) if limits else None, data.templates)
    if limits is None:
        yield from wanted
        return
    for _, own in groupby(wanted, key=lambda pair: pair.chain):
        yield from _sample(list(own), limits)


def _sample(pairs: list[Pair], limits: Mapping[Task, int]) -> Iterator[Pair]:
    """The first pairs of each task in the order of their ids, as they stood."""
    left = Counter(limits)
    taken = set()
    for pair in sorted(pairs, key=lambda pair: pair.id):
        if left[pair.task] > 0:
            left[pair.task] -= 1
            taken.add(pair.id)
    return (pair for pair in pairs if pair.id in taken)
