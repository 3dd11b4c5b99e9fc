"""What a protocol needs of the chain sets that it is given, seen before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fakeinstruct.base.errors import Rejects, UsageError, nearest
from fakeinstruct.chains.items import ITEMS
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.store import ChainSet, open_chains
from fakeinstruct.forensics.measuring import Need
from fakeinstruct.forensics.protocol import Evaluation
from fakeinstruct.measure.beside import BASELINES


@dataclass(frozen=True)
class Given:
    """A chain set and its chains.

    Attributes:
        set: The set.
        chains: All its chains.
    """

    set: ChainSet
    chains: tuple[Chain, ...]

    def of(self, *splits: Split) -> list[Chain]:
        """The chains of some splits; one without a split counts as test."""
        return [chain for chain in self.chains if (chain.split or Split.TEST) in splits]


def open_items(
    paths: Sequence[str | Path], image_root: str | Path | None = None, max_rejects: float = 0.2
) -> list[Given]:
    """Open the chain sets that are to be evaluated on.

    Args:
        paths: Their folders.
        image_root: Where the images lie, if not where `meta.json` says.
        max_rejects: Share of bad records above which nothing is asked.

    Raises:
        UsageError: If one is none, with the verb that makes one of it; if it is named twice, or an id stands in two.
    """
    given: list[Given] = []
    owners: dict[str, Path] = {}
    for path in map(Path, paths):
        if (path / "manifest.json").is_file():
            raise UsageError(
                "is a pair set; protocols are for chain sets",
                file=path,
                hint="Name the chains it was made of, or ask the pairs with 'score' and measure them with 'measure'.",
            )
        if path.exists() and not (path / "meta.json").is_file():
            raise UsageError(
                "is no chain set",
                file=path,
                hint=f"Import it first: fakeinstruct import imagefolder {path} --out CHAINS (or another format).",
            )
        if any(path.resolve() == each.set.folder.resolve() for each in given):
            raise UsageError("is named twice", file=path)
        chains = open_chains(path, image_root=image_root)
        # bad records are listed once the set is asked about
        given.append(Given(chains, tuple(chains.read(Rejects(max_rejects)))))
        for chain in given[-1].chains:
            if owners.setdefault(chain.id, path) != path:  # answers are told apart by it
                raise UsageError(
                    f"its chain '{chain.id}' has the id of one in {owners[chain.id]}",
                    file=path,
                    hint="'fakeinstruct merge' makes one set of them, with ids of its own.",
                )
    return given


def check_protocol(evaluation: Evaluation) -> None:
    """See that a protocol does not contradict itself, and names baselines that there are.

    Not seen where a protocol is read: `score --split test` may ask by a protocol that calibrates, and `evaluate` can
    go on from those answers.

    Raises:
        UsageError: If it asks to calibrate without asking about the validation split, or names another baseline.
    """
    if evaluation.measure.calibrate and Split.VALIDATION not in evaluation.splits:
        raise UsageError(
            f"protocol '{evaluation.name}' says calibrate, which fits on validation answers, and asks about "
            f"{', '.join(evaluation.splits)} only",
            field="measure.calibrate",
            hint="Say 'splits: [validation, test]', or leave calibrate out.",
        )
    for name in evaluation.measure.baselines:
        if name not in BASELINES:
            raise UsageError(
                f"there is no baseline '{name}'", field="measure.baselines", hint=nearest(name, BASELINES)
            )


def check_needs(evaluation: Evaluation, given: Sequence[Given]) -> None:
    """See that the chain sets hold what the protocol is about, in the splits that it asks about.

    Raises:
        UsageError: If they do not, naming what is missing and what to do; or as `check_protocol`.
    """
    check_protocol(evaluation)
    asked = [chain for each in given for chain in each.of(*evaluation.splits)]
    names = ", ".join(str(each.set.folder) for each in given)
    if not [chain for each in given for chain in each.of(Split.TEST)]:
        raise UsageError(
            "no image of the test split",
            file=names,
            hint="Figures are of the test split; import it with one.",
        )
    for need in evaluation.measure.needs:
        met, missing, hint = NEEDS[need]
        if need == "questions":
            if not all((each.set.folder / ITEMS).is_file() for each in given):
                raise UsageError(f"{missing}, which protocol '{evaluation.name}' asks", file=names, hint=hint)
        elif not met(asked):
            raise UsageError(f"{missing}, which protocol '{evaluation.name}' is about", file=names, hint=hint)


def _both(chains: Sequence[Chain]) -> bool:
    return len({chain.label for chain in chains if (chain.split or Split.TEST) is Split.TEST}) == len(Label)


NEEDS: Mapping[Need, tuple[Callable[[Sequence[Chain]], bool], str, str]] = {
    "both labels": (
        _both,
        "the test split holds images of one label only",
        "Name a set of the other label as well: several ITEMS are measured together.",
    ),
    "questions": (
        bool,
        "has no questions of its own (items.jsonl)",
        "Import the benchmark's question files with 'fakeinstruct import'.",
    ),
    "regions": (
        lambda chains: any(trace.regions for chain in chains for trace in chain.traces),
        "no annotator marked a region",
        "Import a format with boxes, polygons or masks.",
    ),
    "words": (
        lambda chains: any(chain.texts or chain.traces for chain in chains),
        "no annotator wrote a word",
        "Import a format with explanations.",
    ),
    "generators": (
        lambda chains: any(chain.generator for chain in chains),
        "no fake names its generator",
        "Import the folder above, with a folder a generator; or name it with --generator, several with --fake each.",
    ),
    "content": (
        lambda chains: any(chain.content for chain in chains),
        "no image says what it shows",
        "Import CIFAKE with 'fakeinstruct import cifake'.",
    ),
}
"""Of each need how it is seen, what to say where it is not met, and what to do."""
