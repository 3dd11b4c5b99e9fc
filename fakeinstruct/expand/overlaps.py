"""What templates must not share: with each other, with wordings kept for measuring, with benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from fakeinstruct.base.config import StrictModel, read_yaml, validate
from fakeinstruct.expand.sandbox import Finding
from fakeinstruct.expand.template import Template
from fakeinstruct.expand.trial import Trial, plain

BENCHMARKS = Path(__file__).with_name("benchmarks.yaml")


class Benchmark(StrictModel):
    """A benchmark and words that its questions are known by, as `plain` leaves them.

    `source` is where its files are published; `words` are parts of its questions, several words each.
    """

    source: str
    words: tuple[str, ...]


class Benchmarks(StrictModel):
    """`benchmarks.yaml`: benchmarks by name."""

    benchmarks: dict[str, Benchmark]


@lru_cache(maxsize=1)
def benchmarks() -> dict[str, Benchmark]:
    """The benchmarks whose questions templates may not ask."""
    return validate(Benchmarks, read_yaml(BENCHMARKS), file=BENCHMARKS).benchmarks


def overlaps(trials: Sequence[Trial]) -> Iterator[tuple[Template, Finding]]:
    """Findings that concern the templates of a folder together."""
    yield from _of_benchmarks(trials)
    yield from _of_held_out(trials)
    yield from _of_duplicates(trials)


def _of_benchmarks(trials: Iterable[Trial]) -> Iterator[tuple[Template, Finding]]:
    hint = "Word it otherwise: what is measured with a question must not be trained on it."
    for trial in trials:
        asked = sorted({*trial.questions, *_held_out(trial.template)})
        for name, benchmark in benchmarks().items():
            found = next((text for text in asked if _has_any(text, benchmark.words)), None)
            if found:
                yield trial.template, Finding(0, f"the question {found!r} has the words of {name}", hint)


def _has_any(text: str, words: Iterable[str]) -> bool:
    asked = f" {plain(text)} "
    return any(f" {part} " in asked for part in words)


def _held_out(template: Template) -> Iterator[str]:
    for texts in template.front.held_out.values():
        yield from texts


def _of_held_out(trials: Sequence[Trial]) -> Iterator[tuple[Template, Finding]]:
    asked = {plain(text): trial.template.id for trial in trials for text in trial.questions}
    for trial in trials:
        for text in _held_out(trial.template):
            if owner := asked.get(plain(text)):
                problem = f"held_out: '{owner}' asks {text!r}, so pairs have it"
                yield trial.template, Finding(0, problem, "Keep another wording.")


def _of_duplicates(trials: Sequence[Trial]) -> Iterator[tuple[Template, Finding]]:
    """Templates of which another one, earlier if they are equal, asks and answers all that they do."""
    said = [({*map(plain, trial.questions)}, {*map(plain, trial.answers)}) for trial in trials]
    for number, trial in enumerate(trials):
        questions, answers = said[number]
        for other, (asked, answered) in enumerate(said):
            less = questions <= asked and answers <= answered
            if other != number and less and (other < number or (asked, answered) != said[number]):
                problem = f"says nothing that '{trials[other].template.id}' does not say"
                yield trial.template, Finding(0, problem, "Remove one of the two.")
                break
