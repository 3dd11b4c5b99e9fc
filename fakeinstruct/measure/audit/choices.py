"""Choices: whether the right option of a multiple-choice question can be guessed without the image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from fakeinstruct.measure.audit.chance import MARGIN, Above, mean_above
from fakeinstruct.measure.audit.finding import Example, Finding, Level, Section, Table
from fakeinstruct.measure.audit.questions import halves
from fakeinstruct.measure.audit.sample import Talk, spread
from fakeinstruct.measure.figure import UnavailableError

Guess = Callable[[Talk], tuple[int, ...]]
"""A way to guess: the places it holds for equally likely, counted from 0."""


def _longest(talk: Talk) -> tuple[int, ...]:
    sizes = [len(option) for option in talk.choices]
    return tuple(place for place, size in enumerate(sizes) if size == max(sizes))


def _shortest(talk: Talk) -> tuple[int, ...]:
    sizes = [len(option) for option in talk.choices]
    return tuple(place for place, size in enumerate(sizes) if size == min(sizes))


def _commonest_letter(fit: Sequence[Talk]) -> Guess:
    place = _mode(fit)
    return lambda talk: (place,) if place < len(talk.choices) else tuple(range(len(talk.choices)))


def _letter_of_label(fit: Sequence[Talk]) -> Guess:
    """The commonest letter of the image's label: not guessed without the image, but without reading the options."""
    places = {fake: _mode([talk for talk in fit if talk.fake == fake]) for fake in (True, False)}

    def guess(talk: Talk) -> tuple[int, ...]:
        place = places[talk.fake]
        return (place,) if place < len(talk.choices) else tuple(range(len(talk.choices)))

    return guess


def _likeliest_option(fit: Sequence[Talk]) -> Guess:
    """The option that was most often right where it was shown, by its words alone."""
    shown, right = Counter[str](), Counter[str]()
    for talk in fit:
        shown.update(talk.choices)
        right[talk.choices[talk.right or 0]] += 1

    def guess(talk: Talk) -> tuple[int, ...]:
        share = [(right[option] + 1 / len(talk.choices)) / (shown[option] + 1) for option in talk.choices]
        return tuple(place for place, each in enumerate(share) if each > max(share) - 1e-9)

    return guess


WORDS = "option's words"

WAYS: Mapping[str, Callable[[Sequence[Talk]], Guess]] = {
    "one letter": _commonest_letter,
    "letter by label": _letter_of_label,
    "longest": lambda _: _longest,
    "shortest": lambda _: _shortest,
    WORDS: _likeliest_option,
}
"""Ways to guess, each learned on one half of the groups and tried on the other."""

ADVICE: Mapping[str, tuple[str, str]] = {
    "one letter": ("the commonest letter", "Shuffle the options."),
    "letter by label": (
        "the commonest letter of its label",
        "Shuffle the options, so that no letter stands for a label.",
    ),
    "longest": ("the longest option", "Offer wrong options as long as the right one."),
    "shortest": ("the shortest option", "Offer wrong options as short as the right one."),
    WORDS: (
        "the likeliest option",
        "Read a choice accuracy against this share, not against one in so many options; or make each option right "
        "as often as it is offered.",
    ),
}
"""What a way of guessing takes, and what helps against it."""


@dataclass(frozen=True)
class Guessed:
    """How often one way of guessing was right in one template, and the questions it guessed."""

    way: str
    above: Above
    right: list[Talk]


def guessed(fit: Sequence[Talk], tried: Sequence[Talk], way: str, tests: int) -> Guessed:
    """Try one way of guessing; a guess that holds several options for equal gets its share of the credit.

    Raises:
        UnavailableError: If there are too few images.
    """
    guess = WAYS[way](fit)
    credit = np.zeros(len(tried))
    for number, talk in enumerate(tried):
        places = guess(talk)
        credit[number] = (talk.right in places) / len(places)
    images = np.unique(np.array([talk.chain for talk in tried], dtype=str), return_inverse=True)[1]
    above = mean_above(credit, [1 / len(talk.choices) for talk in tried], images, tests)
    return Guessed(way, above, [talk for talk, each in zip(tried, credit, strict=True) if each == 1])


def letters(talks: Sequence[Talk]) -> tuple[list[int], list[float], float | None]:
    """How often each letter is right, how often it would be by chance, and the chi-square test's p.

    Returns:
        Counts and expected counts by letter, A first; p, 0 to 1, or None where too few are expected of a letter.
    """
    most = max(len(talk.choices) for talk in talks)
    counts, expected = [0] * most, [0.0] * most
    for talk in talks:
        counts[talk.right or 0] += 1
        for place in range(len(talk.choices)):
            expected[place] += 1 / len(talk.choices)
    p = float(chisquare(counts, expected).pvalue) if min(expected) >= 5 else None
    return counts, expected, p


def choices_section(talks: Sequence[Talk], *, seed: int) -> Section:
    """Audit the multiple-choice questions of a pair set.

    Args:
        talks: The pairs read.
        seed: Seed of the halves.
    """
    name = "Choices"
    summary = "Can the right option be guessed without the image: by its letter, its length, its words?"
    asked = [talk for talk in talks if talk.right is not None and len(talk.choices) > 1]
    if not asked:
        return Section(name=name, summary=summary, skipped="there are no multiple-choice questions")
    by_template = defaultdict(list)
    for place, talk in enumerate(asked):
        by_template[talk.template].append(place)
    tables = [_letters_table({t: [asked[i] for i in places] for t, places in sorted(by_template.items())})]
    try:
        fitted, units = halves(asked, seed)
    except UnavailableError as error:
        return Section(name=name, summary=summary, tables=tuple(tables), skipped=error.problem)
    tests = len(by_template) * len(WAYS)
    found = {
        template: _guess_all([asked[i] for i in places], fitted[places], tests)
        for template, places in sorted(by_template.items())
    }
    summary += (
        f" Learned on half of the {units}, tried on the other half; a share of right guesses by letter or length "
        f"that is surely more than {MARGIN} over chance is a problem, one surely over chance, and any by the words "
        "of an option, a warning (95 % together)."
    )
    findings = [
        _finding(template, ways)
        for template, ways in found.items()
        if any(each.above.level for each in ways.values())
    ]
    tables.insert(0, _ways_table(found, by_template))
    return Section(name=name, summary=summary, findings=tuple(findings), tables=tuple(tables))


def _mode(talks: Sequence[Talk]) -> int:
    counts = Counter(talk.right or 0 for talk in talks)
    return min(counts, key=lambda place: (-counts[place], place)) if counts else 0


def _guess_all(talks: Sequence[Talk], fitted: NDArray[np.bool_], tests: int) -> dict[str, Guessed]:
    fit = [talk for talk, each in zip(talks, fitted, strict=True) if each]
    tried = [talk for talk, each in zip(talks, fitted, strict=True) if not each]
    found = {}
    for way in WAYS:
        try:
            found[way] = guessed(fit, tried, way, tests)
        except UnavailableError:
            continue  # the table shows no figure
    return found


def _level(ways: Mapping[str, Guessed]) -> Level:
    """A problem if letter or length tell the right option, and length more than the options' words do anyway.

    Words alone are a warning: "none of these" is right of every real image, and that does not tell which are real.
    """
    habit = ways[WORDS].above.value if WORDS in ways else 0.0
    for way, each in ways.items():
        by_length = way in ("longest", "shortest")
        if each.above.level == "problem" and way != WORDS and (not by_length or each.above.low > habit):
            return "problem"
    return "warning"


def _finding(template: str, ways: Mapping[str, Guessed]) -> Finding:
    flagged = sorted((each for each in ways.values() if each.above.level), key=lambda each: -each.above.low)
    shares = "; ".join(f"{each.above} by {ADVICE[each.way][0]}" for each in flagged)
    return Finding(
        level=_level(ways),
        title=f"The right option can be guessed in {template}",
        detail=f"Guessed right: {shares}; chance {flagged[0].above.chance:.3f}.",
        hint=ADVICE[flagged[0].way][1],
        examples=tuple(_shown(talk) for talk in spread(flagged[0].right)),
    )


def _shown(talk: Talk) -> Example:
    return talk.example(f"{' / '.join(talk.questions)}\nRight: {chr(ord('A') + (talk.right or 0))}")


def _ways_table(found: Mapping[str, Mapping[str, Guessed]], places: Mapping[str, Sequence[int]]) -> Table:
    rows = []
    for template, ways in found.items():
        chance = next((round(each.above.chance, 3) for each in ways.values()), None)
        shares = [round(ways[way].above.value, 3) if way in ways else None for way in WAYS]
        rows.append((template, len(places[template]), chance, *shares))
    columns = ("template", "questions", "chance", *WAYS)
    return Table(title="Share of right guesses without the image", columns=columns, rows=tuple(rows))


def _letters_table(talks: Mapping[str, Sequence[Talk]]) -> Table:
    counted = {template: letters(each) for template, each in talks.items()}
    most = max(len(counts) for counts, _, _ in counted.values())
    rows = []
    for template, (counts, _, p) in counted.items():
        cells = [*counts, *[None] * (most - len(counts))]
        rows.append((template, *cells, None if p is None else float(f"{p:.2g}")))
    columns = ("template", *(chr(ord("A") + place) for place in range(most)), "chi-square p")
    return Table(title="Letters of right options", columns=columns, rows=tuple(rows))
