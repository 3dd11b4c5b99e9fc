"""Views: what a classifier is shown of a question, and the classifier."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.measure.audit.sample import Talk
from fakeinstruct.measure.figure import UnavailableError

WORD = re.compile(r"[^\W_]+|[^\w\s]")
"""A word or a mark, lower case."""

WORDS_READ = 100
"""Words of one turn that are read, so that long texts cannot fill the memory."""

LONGEST = 3
"""Words of the longest n-gram."""

MAX_FEATURES = 50_000
"""N-grams that a classifier knows at most, the most frequent ones."""


def n_grams(talk: Talk) -> list[str]:
    """Every run of one to three words of the user's turns."""
    grams = []
    for question in talk.questions:
        words = [found.group() for found in islice(WORD.finditer(question.lower()), WORDS_READ)]
        for size in range(1, LONGEST + 1):
            grams += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
    return grams


def _first_word(talk: Talk) -> list[str]:
    return WORD.findall(talk.questions[0].lower())[:1] if talk.questions else []


def _length(talk: Talk) -> list[str]:
    return [f"{len(' '.join(talk.questions))} characters"]


def _order(talk: Talk) -> list[str]:
    return [f"{number}. {option}" for number, option in enumerate(talk.choices, start=1)]


VIEWS: Mapping[str, Callable[[Talk], list[str]]] = {
    "words": n_grams,
    "first word": _first_word,
    "length": _length,
    "options": lambda talk: sorted(talk.choices),
    "order": _order,
}
"""What a classifier is shown of a question: one name a column of the table."""


def classify(
    fit: Sequence[Talk], score: Sequence[Talk], view: str
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Fit a logistic regression on the features of one view and score other pairs.

    Args:
        fit: What is fitted on; both labels.
        score: What is scored.
        view: One of `VIEWS`.

    Returns:
        Scores, higher for fake, shape (scored,), and the weight of every feature.

    Raises:
        UnavailableError: If no feature occurs twice.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    bag = CountVectorizer(analyzer=VIEWS[view], binary=True, min_df=2, max_features=MAX_FEATURES)
    try:
        known = bag.fit_transform(fit)
    except ValueError:  # an empty vocabulary
        raise UnavailableError("no two questions share anything") from None
    model = LogisticRegression(class_weight="balanced", max_iter=500).fit(known, [talk.fake for talk in fit])
    scores = np.asarray(model.decision_function(bag.transform(score)), dtype=np.float64)
    return scores, dict(zip(bag.get_feature_names_out().tolist(), model.coef_[0].tolist(), strict=True))
