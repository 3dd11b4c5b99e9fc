"""What a scoring run would ask, in lines for a person; nothing is asked and nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from fakeinstruct.base.errors import Rejects
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
    views: dict[View, None] = {}
    conditions: Counter[str] = Counter()
    examples: dict[tuple[str, str], Question] = {}
    for question in asked(items, readouts, protocol, rejects):
        kind = question.facts["kind"]
        conditions["prior" if kind == "prior" else question.facts["condition"]] += 1
        views[question.view] = None
        if len(examples) < EXAMPLES and kind != "prior":
            own = question.facts["prompt"] if isinstance(items, ChainSet) else ""
            examples.setdefault((question.facts["template"] + question.position, own), question)
    images = {view.path for view in views}
    yield f"questions   {conditions.total():,} about {len(views):,} pictures of {len(images):,} images"
    yield from (f"            {count:,} {name}" for name, count in conditions.items())
    if isinstance(items, ChainSet) and protocol.interventions:
        yield from (f"            {line}" for line in survey(items, protocol))
    yield f"at once     {f'{batch} images' if batch else f'found while asking, {START} to {MOST} images'}"
    yield from resolved(expert, examples.values(), readouts)


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
