"""What a scoring run would ask, in lines for a person; nothing is asked and nothing written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fakeinstruct.base.errors import Rejects
from fakeinstruct.chains.schema import Label, Split
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.expand.pair import PairSet
from fakeinstruct.expert.card import Readout
from fakeinstruct.forensics.batch_size import MOST, START
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.intervene import survey
from fakeinstruct.forensics.protocol import Protocol, chosen_readouts
from fakeinstruct.forensics.questions import Question
from fakeinstruct.forensics.score import asked
from fakeinstruct.forensics.server import Server
from fakeinstruct.forensics.views import View, Viewer

EXAMPLES = 20
"""Most questions of a pair set whose words are shown."""

GENERATORS = 12
"""Most generators of a split that are named."""

UNSPLIT = "no split, so test"

Seen = dict[str, tuple[str, str, str | None]]
"""Of each image, by its path, split, label and generator."""


def dry_run(
    expert: Expert | Server,
    items: ChainSet | PairSet,
    protocol: Protocol,
    rejects: Rejects,
    *,
    batch: int | None = None,
) -> Iterator[str]:
    """Say whom a run would ask what, and what each readout resolved to.

    Args:
        expert: Whom to ask.
        items: What to ask about.
        protocol: How to ask.
        rejects: Collects records that cannot be read.
        batch: Images asked at once, if given.

    Raises:
        UsageError: If a readout does not fit the expert's tokenizer.
    """
    readouts = chosen_readouts(expert.card.readouts, protocol)
    yield f"expert      {expert.folder}{where(expert)}"
    yield f"items       {items.folder}, splits {', '.join(protocol.splits)}"
    pictures: set[View] = set()
    nothing: set[View] = set()
    seen: Seen = {}
    conditions: Counter[str] = Counter()
    examples: dict[tuple[str, str], Question] = {}
    for question in asked(items, readouts, protocol, rejects):
        facts = question.facts
        if facts["kind"] == "prior":
            nothing.add(question.view)
            conditions["prior"] += 1
            continue
        pictures.add(question.view)
        conditions[facts["condition"]] += 1
        seen[question.view.path] = (
            facts.get("split") or UNSPLIT,
            facts.get("label") or "unlabelled",
            facts.get("generator"),
        )
        if len(examples) < EXAMPLES:
            own = facts["prompt"] if isinstance(items, ChainSet) else ""
            examples.setdefault((facts["template"] + question.position, own), question)
    yield f"images      {len(seen):,} are asked about"
    yield from (f"            {line}" for line in by_split(seen))
    if isinstance(items, ChainSet):
        yield from (f"            {line}" for line in by_split(left_out(items, seen), "; not asked about"))
    priors = conditions.pop("prior", 0)
    yield f"questions   {conditions.total() + priors:,} in all"
    yield from (f"            {count:,} {name}" for name, count in conditions.items())
    if priors:
        yield f"            {priors:,} prior, about {len(nothing)} pictures that show nothing"
    if isinstance(items, ChainSet) and protocol.interventions:
        yield from (f"            {line}" for line in survey(items, protocol))
    yield f"at once     {f'{batch} images' if batch else f'found while asking, {START} to {MOST} images'}"
    yield from resolved(expert, examples.values(), readouts)


def left_out(items: ChainSet, asked_about: Seen) -> Seen:
    """The images of a chain set that are not asked about."""
    return {
        chain.image.path: (chain.split or UNSPLIT, chain.label, chain.generator)
        for chain in items.read(Rejects(1.0))
        if chain.image.path not in asked_about
    }


def by_split(images: Seen, said: str = "") -> Iterator[str]:
    """How many images lie in each split, of each label, and of each generator where there are several.

    Args:
        images: The images.
        said: What is said of each split.
    """
    splits: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for split, label, generator in images.values():
        splits[split].append((label, generator))
    for split in sorted(splits, key=[*Split, UNSPLIT].index):
        labels = Counter(label for label, _ in splits[split])
        named = Counter(generator for label, generator in splits[split] if label == Label.FAKE and generator)
        counts = ", ".join(f"{count:,} {label}" for label, count in sorted(labels.items()))
        yield f"{len(splits[split]):,} {split}: {counts}{said}"
        if len(named) > 1:
            yield f"    {_generators(named)}"


def _generators(named: Counter[str]) -> str:
    first = "; ".join(f"{name} {count:,}" for name, count in sorted(named.items())[:GENERATORS])
    more = f"; {len(named) - GENERATORS} more" if len(named) > GENERATORS else ""
    return f"by generator {first}{more}"


def where(expert: Expert | Server) -> str:
    """Device and precision of a model in memory, and why its questions about an image cannot share it, if so."""
    if isinstance(expert, Server):
        return ""
    from fakeinstruct.expert.families import why_not_packed

    precision = str(expert.model.dtype).removeprefix("torch.")
    reason = why_not_packed(expert.model.config)
    return f" on {expert.model.device} in {precision}" + (
        f"; one question a pass: {reason}" if reason else ""
    )


def resolved(
    expert: Expert | Server, questions: Iterable[Question], readouts: Sequence[Readout]
) -> Iterator[str]:
    """For each question its template, and the tokens of prompt and words."""
    asker = expert.asker(Viewer(None))
    trained = {readout.prompt: readout.trained for readout in readouts}
    for question in questions:
        facts = question.facts
        seen = "" if trained.get(facts["prompt"], True) else ", never trained on"
        yield f"readout     {facts['template']}, read at '{question.position}', {question.aggregation}{seen}"
        prompt = asker.resolve(question)
        if isinstance(expert, Server):
            yield f"    {facts['prompt']}"
            yield from (f"    {word.label:<6} {word.text!r}" for word in prompt.words)
        else:
            yield from (f"    {line}" for line in prompt.describe(expert.processor).splitlines())
