"""How well something that should say nothing tells fake from real, cross-validated by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.audit.chance import Above, auc_above, clusters_of
from fakeinstruct.measure.detection import accuracy
from fakeinstruct.measure.figure import UnavailableError

FOLDS = 5

BINS = 50
"""Most bins that a number is cut into, each of about as many images."""

SMOOTHING = 1.0
"""Images added to each value of a fact: a value seen once is no proof."""

Truth = NDArray[np.bool_]
Margins = NDArray[np.float64]


@dataclass(frozen=True)
class Folds:
    """Who is judged by whom: images of one group always lie in the same fold.

    Attributes:
        fake: Truth, shape (n,).
        clusters: Number of what each image depends on, its group if there are enough, shape (n,).
        fold: Number of each image's fold, shape (n,).
        seed: Seed of the folds, and of what is fitted.
    """

    fake: Truth
    clusters: NDArray[np.int64]
    fold: NDArray[np.int64]
    seed: int

    @property
    def count(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    def prior(self) -> Margins:
        """Log-odds of fake in what each image's judge was fitted on, shape (n,)."""
        odds = np.zeros(self.count)
        for number in range(self.count):
            fitted = self.fake[self.fold != number]
            odds[number] = np.log(fitted.sum() / (~fitted).sum())
        return np.asarray(odds[self.fold])


def make_folds(fake: Truth, groups: list[str], seed: int) -> Folds:
    """Divide images into at most `FOLDS` folds by group, with about as many fakes in each.

    Raises:
        UnavailableError: If there are too few images or groups of a label.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    clusters = clusters_of(fake, groups, [str(number) for number in range(len(fake))])
    names, numbers = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    apart = min(len(np.unique(numbers[fake])), len(np.unique(numbers[~fake])))
    if apart < 2:
        raise UnavailableError("all images of a label are of one group, so none can be held out")
    # with one image a group both divide alike, and the plain one is a hundred times faster
    plain = len(names) == len(fake)
    splitter = (StratifiedKFold if plain else StratifiedGroupKFold)(
        min(FOLDS, apart), shuffle=True, random_state=seed
    )
    parts = splitter.split(np.zeros(len(fake)), fake, None if plain else numbers)
    fold = np.zeros(len(fake), dtype=np.int64)
    for number, (rest, held) in enumerate(parts):
        fold[held] = number
        if fake[rest].all() or not fake[rest].any():
            raise UnavailableError(
                "one group holds all images of a label but a few, so it cannot be held out"
            )
    return Folds(fake, clusters, fold, seed)


@dataclass(frozen=True)
class Told:
    """How much was told, on images that what tells had not seen.

    Attributes:
        auc: Chance that a fake scores above a real, with its interval; .5 is nothing.
        accuracy: Share of right verdicts, 0 to 1.
        n: Images.
        folds: Folds, by group.
    """

    auc: Above
    accuracy: float
    n: int
    folds: int

    def __str__(self) -> str:
        return f"AUC {self.auc}, n {self.n:,}, {self.folds} folds by group"


def tell(folds: Folds, margins: Margins, tests: int) -> Told:
    """Judge margins, shape (n,), that were computed fold by fold.

    A fold with more fakes than others leaves fewer to fit on; that alone would lower its margins, so
    the AUC is of the margins without the prior. Each fold is judged by what was fitted on the others,
    so they depend on one another, and where nothing tells DeLong's interval is too narrow: z had a standard
    deviation of 1.3 to 1.5 in simulations. The correction is that of Nadeau and Bengio, "Inference for the
    Generalization Error", Machine Learning 52 (2003): 1 + K / (K - 1) times the variance for K folds.

    Args:
        folds: Truth and folds.
        margins: Log-odds of fake, shape (n,).
        tests: How many such figures are given together.

    Raises:
        UnavailableError: If there are too few images of a label.
    """
    evidence = np.round(margins - folds.prior(), 9)  # the same evidence in two folds is a tie
    wider = 1 + folds.count / (folds.count - 1)
    area = auc_above(folds.fake, evidence, folds.clusters, tests, wider)
    return Told(area, accuracy(folds.fake, margins), len(folds.fake), folds.count)


def by_value(folds: Folds, codes: NDArray[np.int64]) -> Margins:
    """Log-odds of fake of each image's value, counted in the other folds: shape (n,).

    Args:
        folds: Truth and folds.
        codes: Number of each image's value, from 0, shape (n,).
    """
    values = int(codes.max()) + 1
    prior = folds.prior()
    margins = np.zeros(len(codes))
    for number in range(folds.count):
        held = folds.fold == number
        fakes = np.bincount(codes[~held & folds.fake], minlength=values)
        reals = np.bincount(codes[~held & ~folds.fake], minlength=values)
        share = 1 / (1 + np.exp(-prior[held][0]))  # what is added is as mixed as the whole
        odds = np.log((fakes + SMOOTHING * share) / (reals + SMOOTHING * (1 - share)))
        margins[held] = odds[codes[held]]
    return margins


def by_boosting(folds: Folds, columns: NDArray[np.float32], words: list[bool]) -> Margins:
    """Log-odds of fake by gradient boosting fitted on the other folds: shape (n,).

    Args:
        folds: Truth and folds.
        columns: Shape (n, facts); NaN where there is none.
        words: Which columns are codes of words.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    margins = np.zeros(len(columns))
    columns = np.nan_to_num(columns, nan=-1)  # a column of NaN alone cannot be cut into bins
    for number in range(folds.count):
        held = folds.fold == number
        model = HistGradientBoostingClassifier(
            learning_rate=0.2, max_iter=50, max_leaf_nodes=15, l2_regularization=1.0, early_stopping=False,
            categorical_features=words, random_state=folds.seed,
        )  # fmt: skip
        model.fit(columns[~held], folds.fake[~held])
        margins[held] = model.decision_function(columns[held])
    return margins


def bins(numbers: NDArray[np.float32], most: int = BINS) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cut numbers into bins of about as many images each.

    Args:
        numbers: Shape (n,), NaN for none.
        most: Bins at most; fewer if they would hold fewer than fifty images.

    Returns:
        Code of each number's bin, shape (n,), the last for none; and the edges between bins. Bin i holds
        numbers from edge i-1 on, up to but without edge i.
    """
    known = numbers[~np.isnan(numbers)].astype(np.float64)
    values = np.unique(known)
    count = max(2, min(most, len(known) // 50))
    if len(values) <= count:
        edges = values[1:]
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)[1:-1], method="higher"))
        edges = edges[edges > values[0]]
    codes = np.searchsorted(edges, numbers.astype(np.float64), side="right")
    codes[np.isnan(numbers)] = len(edges) + 1
    return codes, edges
