"""Sample: the conversations that an audit of pairs reads, slim, and bounded in number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from fakeinstruct.base.errors import FakeInstructError, RecordError, Rejects
from fakeinstruct.base.files import stable_seed
from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Label
from fakeinstruct.expand.pair import Pair, PairSet, parse_pair
from fakeinstruct.measure.audit.finding import Example

LIMIT = 100_000
"""Pairs whose texts are read: about 2,000 images of 50 pairs, which bounds an AUC over them to some .03."""

EXAMPLES = 6
"""Records shown with one finding."""

SHOWN_TEXT = 400
"""Characters of a text that are shown."""


class Turn(NamedTuple):
    """One turn: who speaks, the kinds of its blocks, and its words."""

    role: str
    kinds: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Talk:
    """What an audit reads of one pair. `right` is the place of the right option, counted from 0."""

    id: str
    chain: str
    group: str
    template: str
    fake: bool
    images: tuple[str, ...]
    turns: tuple[Turn, ...]
    choices: tuple[str, ...]
    right: int | None

    @property
    def questions(self) -> tuple[str, ...]:
        """The words of the user's turns."""
        return tuple(turn.text for turn in self.turns if turn.role == "user")

    @property
    def answers(self) -> tuple[str, ...]:
        """The words of the assistant's turns."""
        return tuple(turn.text for turn in self.turns if turn.role == "assistant")

    def example(self, text: str | None = None) -> Example:
        """The pair as an example: its questions, or the given text, with its picture."""
        return Example(
            text=shortened(text if text is not None else " / ".join(self.questions)),
            label="fake" if self.fake else "real",
            image=self.images[0],
        )


def shortened(text: str) -> str:
    """A text of at most `SHOWN_TEXT` characters; of a longer one the beginning and the end."""
    half = SHOWN_TEXT // 2
    return text if len(text) <= SHOWN_TEXT else f"{text[:half]} [...] {text[-half:]}"


def spread(talks: Sequence[Talk]) -> list[Talk]:
    """Some of the pairs to show: of different images first, and of both labels where both are there."""
    by_image: dict[str, Talk] = {}
    for talk in talks:
        by_image.setdefault(talk.chain, talk)
    fakes, reals = ([talk for talk in by_image.values() if talk.fake == fake] for fake in (True, False))
    half = EXAMPLES // 2
    return [*fakes[: max(half, EXAMPLES - len(reals))], *reals[: max(half, EXAMPLES - len(fakes))]]


def draw(pairs: PairSet, total: int, *, seed: int, limit: int, rejects: Rejects) -> list[Talk]:
    """The pairs of as many images as `limit` allows on average, drawn by a hash of the image and the seed.

    All pairs of a drawn image are read, so that what repeats within an image is seen.

    Args:
        pairs: The pair set.
        total: How many pairs it holds.
        seed: Seed of the draw; of a set that is read whole it changes nothing.
        limit: Pairs to read, about.
        rejects: Collects rows that are no pairs.

    Raises:
        FakeInstructError: If a shard is damaged, or too many rows are no pairs.
    """
    talks = []
    reading = track(_rows(pairs, min(1.0, limit / max(1, total)), seed), "reading pairs", min(total, limit))
    for seen, row in enumerate(reading, start=1):
        try:
            talks.append(talk_of(parse_pair(row)))
        except FakeInstructError as error:
            problem = RecordError(error.problem, record=row.get("id"), field=error.field, hint=error.hint)
            rejects.add(problem.located(file=pairs.folder))
            rejects.check(seen)
    return talks


def _rows(pairs: PairSet, share: float, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of the drawn images, filtered before they become Python objects."""
    import pyarrow as pa

    drawn = lru_cache(maxsize=1024)(lambda chain: stable_seed(seed, chain) < share * 2**64)
    for batch in pairs.batches():
        chains = batch.column("chain").to_pylist()
        wanted = pa.array([share >= 1 or drawn(str(chain)) for chain in chains], pa.bool_())
        yield from batch.filter(wanted).to_pylist()


def talk_of(pair: Pair) -> Talk:
    """What an audit reads of a pair."""
    choices = pair.choices or ()
    letter = pair.target.choice or ""
    right = ord(letter) - ord("A") if len(letter) == 1 else -1
    return Talk(
        id=pair.id,
        chain=pair.chain,
        group=pair.group,
        template=pair.template,
        fake=pair.label is Label.FAKE,
        images=tuple(image.path for image in pair.images),
        turns=tuple(
            Turn(each.role, tuple(block.type for block in each.content), each.text())
            for each in pair.messages
        ),
        choices=choices,
        right=right if 0 <= right < len(choices) else None,
    )
