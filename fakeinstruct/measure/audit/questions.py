"""Questions: whether the words of a question tell the label without a look at the image.

A logistic regression on word n-grams is fitted on one half of the groups and scored on the other. Beside it stand
the same on the first word alone, on the length alone, on the options shown, and on the order of the options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.progress import track
from fakeinstruct.measure.audit.chance import MARGIN, Above, auc_above, clusters_of
from fakeinstruct.measure.audit.finding import LEVELS, Example, Finding, Level, Section, Table
from fakeinstruct.measure.audit.sample import EXAMPLES, Talk
from fakeinstruct.measure.audit.views import VIEWS, classify
from fakeinstruct.measure.figure import UnavailableError

WORDS_SHOWN = 8
"""N-grams that are named with a finding."""

WORD_TABLES = 3
"""Templates of which the telling n-grams are listed, the worst ones."""

ALL = "all templates"


@dataclass(frozen=True)
class Told:
    """What one view of one template's questions tells of the label: the scored pairs, and how well it did."""

    view: str
    scored: Sequence[Talk]
    scores: NDArray[np.float64]
    above: Above
    weights: Mapping[str, float]

    def telling(self) -> list[tuple[str, int, int]]:
        """What tells most, by turns of fakes and of reals: features with how many scored fakes and reals have them."""
        fakes, reals = Counter[str](), Counter[str]()
        for talk in self.scored:
            (fakes if talk.fake else reals).update(set(VIEWS[self.view](talk)))
        told = {name: (fakes[name] - reals[name]) * abs(weight) for name, weight in self.weights.items()}
        order = sorted(told, key=lambda name: (-round(abs(told[name]), 6), len(name), name))
        by_label = [
            _unlike([(name, fakes[name], reals[name]) for name in order if sign * told[name] > 0])
            for sign in (1, -1)
        ]
        return [row for pair in zip_longest(*by_label) for row in pair if row]

    def examples(self) -> tuple[Example, ...]:
        """Questions that gave their label away most clearly, as many fakes as reals, none twice."""
        found: dict[str, Example] = {}
        for fake in (True, False):
            places = np.argsort(self.scores * (-1 if fake else 1), kind="stable")
            shown: set[str] = set()
            for talk in (self.scored[place] for place in places):
                if talk.fake == fake and len(shown) < EXAMPLES // 2:
                    shown.add(" / ".join(talk.questions))
                    found.setdefault(" / ".join(talk.questions), talk.example())
        return tuple(found.values())


def _unlike(rows: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The first few features, without those that are a part of another with the same counts, or hold it."""
    kept: list[tuple[str, int, int]] = []
    for row in rows:
        if len(kept) == WORDS_SHOWN // 2:
            break
        if not any(row[1:] == k[1:] and (row[0] in k[0] or k[0] in row[0]) for k in kept):
            kept.append(row)
    return kept


@dataclass(frozen=True)
class PartTold:
    """What the views of one template's questions tell; `missing` says why a view has no figure."""

    part: str
    n: int
    views: Mapping[str, Told]
    missing: Mapping[str, str]

    def auc(self, view: str) -> float | None:
        """The AUC of a view, rounded for people."""
        return round(self.views[view].above.value, 3) if view in self.views else None

    def highest(self) -> float:
        """What templates are ordered by: the highest lower end if one is flagged, the words' AUC otherwise."""
        if self.level():
            return max(each.above.low for each in self.views.values())
        return self.views["words"].above.value if "words" in self.views else 0.0

    def level(self) -> Level | None:
        """The worst level of any view."""
        found = {each.above.level for each in self.views.values()}
        return next((level for level in LEVELS if level in found), None)

    def leaks(self) -> list[Told]:
        """The views that have a level: the words first, which say most, then those that tell most."""
        found = [each for each in self.views.values() if each.above.level]
        return sorted(found, key=lambda each: (each.view != "words", -each.above.low))

    def finding(self) -> Finding:
        """The leak in words. Only of a part that has a level."""
        leaks = self.leaks()
        where = "over all templates" if self.part == ALL else f"in {self.part}"
        detail = "; ".join(f"{leak.above} by {leak.view}" for leak in leaks)
        first = leaks[0]
        telling = ", ".join(
            f"“{row[0]}” ({row[1]} of fakes, {row[2]} of reals)" for row in first.telling()[:3]
        )
        return Finding(
            level=self.level() or "note",
            title=f"The question tells the label {where}",
            detail=f"AUC {detail}. What tells most: {telling}.",
            hint="Ask the same questions, in the same words, of as many fakes as reals.",
            examples=first.examples(),
        )

    def words(self) -> Table:
        """What of the questions tells most. Only of a part that has a level."""
        worst = self.leaks()[0]
        columns = (worst.view, "of fakes", "of reals")
        return Table(title=f"What tells most in {self.part}", columns=columns, rows=tuple(worst.telling()))


def halves(talks: Sequence[Talk], seed: int) -> tuple[NDArray[np.bool_], str]:
    """Which pairs a classifier is fitted on; the others it is scored on.

    Whole groups, labels balanced; whole images where there are too few groups for both halves to hold both labels.

    Returns:
        True for what is fitted on, shape (n,), and what was halved: "groups" or "images".

    Raises:
        UnavailableError: If there are too few images of a label to halve.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fake = np.array([talk.fake for talk in talks], dtype=bool)
    for name, units in (("groups", [t.group for t in talks]), ("images", [t.chain for t in talks])):
        of_unit = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)[1]
        if min((len(np.unique(of_unit[part])) for part in (fake, ~fake)), default=0) < 2:
            continue
        folds = StratifiedGroupKFold(2, shuffle=True, random_state=seed % 2**32).split(fake, fake, of_unit)
        fitted = np.zeros(len(talks), dtype=bool)
        fitted[next(iter(folds))[0]] = True
        if all(0 < fake[half].sum() < half.sum() for half in (fitted, ~fitted)):
            return fitted, name
    raise UnavailableError("two halves with fakes and reals in both need two images of each label at least")


def tell(talks: Sequence[Talk], fitted: NDArray[np.bool_], view: str, tests: int) -> Told:
    """How well one view of the questions tells the label.

    Raises:
        UnavailableError: If it cannot be said: one label only, too few images, no such feature.
    """
    fit, rest = ([talks[place] for place in np.flatnonzero(half).tolist()] for half in (fitted, ~fitted))
    if not 0 < sum(talk.fake for talk in fit) < len(fit):
        raise UnavailableError("asked of one label only where it is fitted")
    fake = np.array([talk.fake for talk in rest], dtype=bool)
    clusters = clusters_of(fake, [talk.group for talk in rest], [talk.chain for talk in rest])
    scores, weights = classify(fit, rest, view)
    return Told(view, rest, scores, auc_above(fake, scores, clusters, tests), weights)


def questions_section(talks: Sequence[Talk], *, seed: int) -> Section:
    """Audit the questions of a pair set, over all templates and of each.

    Args:
        talks: The pairs read.
        seed: Seed of the halves.
    """
    asked = [talk for talk in talks if talk.questions]
    name, summary = "Questions", "Can the label be told from the words of the question, without the image?"
    try:
        fitted, units = halves(asked, seed)
    except UnavailableError as error:
        return Section(name=name, summary=summary, skipped=error.problem)
    names = np.array([talk.template for talk in asked], dtype=object)
    parts = {ALL: np.arange(len(asked))}
    parts |= {template: np.flatnonzero(names == template) for template in sorted(set(names))}
    told = [
        _told_of(part, [asked[place] for place in places], fitted[places], _tests(part, len(parts) - 1))
        for part, places in track(parts.items(), "fitting classifiers of questions", len(parts))
    ]
    told.sort(key=lambda each: (each.part != ALL, each.level() is None, -each.highest()))
    flagged = [each for each in told if each.level()]
    summary += (
        f" Fitted on half of the {units}, scored on the other half: an AUC of 0.5 is a coin, and somewhat less is "
        "usual where labels are balanced by design. All intervals hold together at 95 %. A lower end "
        f"over {0.5 + MARGIN} is a problem, one over 0.5 a warning."
    )
    tables = [_table(told), *(each.words() for each in flagged[:WORD_TABLES])]
    return Section(
        name=name, summary=summary, findings=tuple(e.finding() for e in flagged), tables=tuple(tables)
    )


def _tests(part: str, templates: int) -> int:
    """Half of the risk of a false finding goes to all templates together, where most is seen, half to each alone."""
    return 2 * len(VIEWS) * (1 if part == ALL else templates)


def _told_of(part: str, talks: Sequence[Talk], fitted: NDArray[np.bool_], tests: int) -> PartTold:
    views: dict[str, Told] = {}
    missing: dict[str, str] = {}
    for view in VIEWS:
        try:
            views[view] = tell(talks, fitted, view, tests)
        except UnavailableError as error:
            missing[view] = error.problem
    return PartTold(part, len(talks), views, missing)


def _table(told: Sequence[PartTold]) -> Table:
    rows = []
    for each in told:
        words = each.views.get("words")
        interval = f"{words.above.low:.3f} – {words.above.high:.3f}" if words else None
        others = [each.auc(view) for view in VIEWS if view != "words"]
        rows.append((each.part, each.n, each.auc("words"), interval, *others))
    columns = ("template", "pairs", "AUC of words", "interval", *(view for view in VIEWS if view != "words"))
    title = "AUC of a classifier that sees the question only"
    return Table(title=title, columns=columns, rows=tuple(rows), missing=_missing(told))


def _missing(told: Sequence[PartTold]) -> tuple[str, ...]:
    """Why templates have no figure by words, a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for each in told:
        if "words" in each.missing:
            reasons.setdefault(each.missing["words"], []).append(each.part)
    return tuple(f"{', '.join(parts)}: no figure by words: {reason}." for reason, parts in reasons.items())
