"""Example chains that templates are tried on: every kind of chain that templates must cope with, in both labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakeinstruct.chains.schema import (
    Assessment,
    Chain,
    ImageRef,
    Label,
    Manipulation,
    Origin,
    Region,
    Text,
    Trace,
)
from fakeinstruct.chains.taxonomy import Taxonomy

MADE = {
    Label.FAKE: (Manipulation.GENERATED, Manipulation.EDITED),
    Label.REAL: (Manipulation.NONE, Manipulation.PROCESSED),
}
"""How the images of the first two kinds came to be; of the others nobody said."""


def examples(taxonomy: Taxonomy) -> Iterator[Chain]:
    """Seven kinds of chains, each fake and real.

    In this order: all that a chain can hold; an edited or processed photograph without inferences or advice of
    the annotator's; one trace with its attribute and severity; one trace with a region and without an attribute;
    a trace for every attribute; attributes judged absent alone; a label alone.

    Args:
        taxonomy: Where the attributes are taken from.
    """
    keys = tuple(taxonomy.attributes)
    for label in Label:
        whole, part = MADE[label]
        yield _chain(
            "full", label, traces=_full(keys[:4], label), absent=keys[4:9], manipulation=whole, tagged=True
        )
        yield _chain("partial", label, traces=_placed(keys[1:3], label), absent=keys[3:7], manipulation=part)
        yield _chain("sparse", label, traces=[_grave(keys[0], label)])
        yield _chain("unnamed", label, traces=_placed([None], label))
        yield _chain(
            "thorough", label, traces=[_trace(number, key, label) for number, key in enumerate(keys, start=1)]
        )
        yield _chain("judged", label, absent=keys[:4])
        yield _chain("bare", label)


def _chain(
    name: str,
    label: Label,
    *,
    traces: Sequence[Trace] = (),
    absent: Sequence[str] = (),
    manipulation: Manipulation | None = None,
    tagged: bool = False,
) -> Chain:
    return Chain(
        id=f"example-{name}",  # the same for both labels, so that both are asked about the same attributes
        image=ImageRef(path="example.png"),
        label=label,
        manipulation=manipulation,
        dataset="example",
        group="example",
        traces=tuple(traces),
        assessed=dict.fromkeys(absent, Assessment.ABSENT),
        tags={"style": "street scene", "quality": "low"} if tagged else {},
        texts=(Text(role="explanation", text="Somebody explained this image."),) if tagged else (),
        origin=Origin(by="program", synthetic=True),
    )


def _full(keys: Sequence[str], label: Label) -> list[Trace]:
    """Traces with all that is optional, the second all over the picture, the first the gravest."""
    return [
        _trace(number, key, label).model_copy(
            update={
                "inference": f"this is how it goes in case {number}",
                "advice": f"change place {number}" if number != 2 else None,
                "severity": "severe" if number == 1 else "slight",
                "regions": (Region(box=_box(number) if number != 2 else (0.0, 0.0, 1.0, 1.0)),),
            }
        )
        for number, key in enumerate(keys, start=1)
    ]


def _grave(key: str, label: Label) -> Trace:
    return _trace(1, key, label).model_copy(update={"severity": "clear"})


def _placed(keys: Sequence[str | None], label: Label) -> list[Trace]:
    """Traces with a region and nothing else."""
    return [
        _trace(number, key, label).model_copy(update={"regions": (Region(box=_box(number)),)})
        for number, key in enumerate(keys, start=1)
    ]


def _trace(number: int, key: str | None, label: Label) -> Trace:
    observation = f"something is seen at place {number}"
    return Trace(id=f"t{number}", attribute=key, points_to=label, observation=observation)


def _box(number: int) -> tuple[float, float, float, float]:
    return 0.1 * number, 0.1, 0.1 * number + 0.1, 0.3
