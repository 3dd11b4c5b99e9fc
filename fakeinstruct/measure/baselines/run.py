"""Detectors without a language model, trained on the same images: what an expert must be compared with.

`cnn` is a plain convolutional network of about 300,000 parameters; `statistics` is gradient boosting on
statistics of pixel differences and a log spectrum; `metadata` sees the header of the file, as an audit of the
set does, and not one pixel, so that what it finds is a leak of the set and no skill; `probe` is a logistic regression
on what the expert's own vision tower makes of an image, so that what the expert has beyond it is the language model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fakeinstruct.base.errors import RecordError, Rejects, UsageError
from fakeinstruct.base.files import stable_seed
from fakeinstruct.base.images import load_image
from fakeinstruct.base.progress import track
from fakeinstruct.chains.schema import Chain, Label, Split
from fakeinstruct.chains.store import ChainSet
from fakeinstruct.measure.scores import Scores

TRAIN_LIMIT = 20_000
"""Most images a baseline is trained on: it bounds memory and time; more are drawn from by the seed."""

BATCH = 1024
"""Images held decoded at a time while scoring."""

Pixels = NDArray[np.uint8]
Scorer = Callable[[list[Path]], NDArray[np.float32]]


class Images(NamedTuple):
    """Image files and their truth, true for fake, shape (images,)."""

    paths: list[Path]
    fake: NDArray[np.bool_]


class Trained(NamedTuple):
    """A baseline that gives image files margins, shape (images,), and what to know of its training."""

    score: Scorer
    note: str | None = None


@dataclass(frozen=True)
class Lesson:
    """What a baseline is trained with.

    Attributes:
        train: The images of the train split.
        validation: Those of the validation split, to choose a setting by; maybe none.
        seed: Same seed, same baseline.
        expert: The expert's folder, for its vision tower.
        cache: Folder where features are kept for another run; None keeps none.
    """

    train: Images
    validation: Images
    seed: int
    expert: Path | None = None
    cache: Path | None = None


def score_baseline(
    name: str,
    chains: ChainSet,
    *,
    test: set[str] | None = None,
    seed: int = 0,
    expert: Path | None = None,
    cache: Path | None = None,
    rejects: Rejects | None = None,
) -> tuple[Scores, str | None]:
    """Train a baseline on the train split of a chain set and score its validation and test splits.

    Args:
        name: One of `TRAINERS`.
        chains: The images, with splits.
        test: Ids of the test images to score; all by default. A chain without a split counts as test.
        seed: Same seed, same scores, on the same machine and number of threads.
        expert: Folder of the expert, for `probe`.
        cache: Folder where `probe` keeps its features.
        rejects: Collects chains and images that cannot be read. Without it the first is raised.

    Returns:
        Scores of the validation and test images, margins being log-odds of fake; and what to know of the training.

    Raises:
        UsageError: If the train split lacks one of the labels, or the expert cannot be read.
        FakeInstructError: If the chain set cannot be read.
    """
    train, held = _partition(chains, test, rejects)
    images, _ = _readable(chains, _draw(train, seed), rejects)
    fakes, reals = int(images.fake.sum()), int((~images.fake).sum())
    if not fakes or not reals:
        raise UsageError(
            f"the train split has {fakes:,} readable fakes and {reals:,} reals, "
            f"so baseline '{name}' cannot be trained",
            file=chains.file,
            field="split",
        )
    held_images, rows = _readable(chains, held, rejects)
    trained = TRAINERS[name](Lesson(images, _validation(held_images, rows), seed, expert, cache))
    paths = held_images.paths
    starts = track(range(0, len(paths), BATCH), f"{name} baseline: scoring (batches)")
    margins = [trained.score(paths[start : start + BATCH]) for start in starts]
    for row, margin in zip(rows, np.concatenate(margins) if margins else [], strict=True):
        row["margin"] = float(margin)
    return Scores.of(rows), trained.note


def _validation(held: Images, rows: list[dict[str, Any]]) -> Images:
    """The images of the validation split."""
    kept = np.array([row["split"] == Split.VALIDATION for row in rows], dtype=bool)
    return Images([path for path, keep in zip(held.paths, kept, strict=True) if keep], held.fake[kept])


def _partition(
    chains: ChainSet, test: set[str] | None, rejects: Rejects | None
) -> tuple[list[Chain], list[Chain]]:
    """Chains to train on and to score."""
    train, held = [], []
    for chain in chains.read(rejects):
        if chain.split is Split.TRAIN:
            train.append(chain)
        elif chain.split is Split.VALIDATION or test is None or chain.id in test:
            held.append(chain)
    return train, held


def _draw(train: list[Chain], seed: int) -> list[Chain]:
    """At most `TRAIN_LIMIT` chains, chosen by their ids, in the order of the set."""
    if len(train) <= TRAIN_LIMIT:
        return train
    chosen = {chain.id for chain in sorted(train, key=lambda each: stable_seed(seed, each.id))[:TRAIN_LIMIT]}
    return [chain for chain in train if chain.id in chosen]


def _readable(
    chains: ChainSet, wanted: list[Chain], rejects: Rejects | None
) -> tuple[Images, list[dict[str, Any]]]:
    """Image files that can be decoded, and a row of scores for each, without its margin."""
    paths, rows = [], []
    for chain in track(wanted, "checking images"):
        try:
            path = chains.image_path(chain)
            load_image(path)
        except RecordError as error:
            located = error.located(file=chains.file, record=chain.id)
            if rejects is None:
                raise located from None
            rejects.add(located)
            rejects.check(len(wanted))
            continue
        paths.append(path)
        rows.append(
            {
                "chain": chain.id,
                "label": "fake" if chain.label is Label.FAKE else "real",
                "group": chain.group,
                "generator": chain.generator,
                "camera_set": chain.camera_set,
                "manipulation": chain.manipulation,
                "split": chain.split,
            }
        )
    return Images(paths, np.array([row["label"] == "fake" for row in rows], dtype=bool)), rows


def read_pixels(paths: list[Path], side: tuple[int, int] | None = None) -> Iterator[Pixels]:
    """Images as RGB, shape (height, width, 3), resized to `side` (width, height) if given and different."""
    for path in paths:
        image = load_image(path)
        if side is not None and image.size != side:
            image = image.resize(side, Image.Resampling.BICUBIC)
        yield np.asarray(image)


def _train_cnn(lesson: Lesson) -> Trained:
    from fakeinstruct.measure.baselines import cnn

    paths, fake = lesson.train
    side = cnn.input_size(paths)
    train = np.stack(list(track(read_pixels(paths, side), "cnn baseline: reading images", len(paths))))
    network = cnn.train(train, fake, seed=lesson.seed)
    return Trained(lambda some: cnn.margins(network, np.stack(list(read_pixels(some, side)))))


def _train_statistics(lesson: Lesson) -> Trained:
    from fakeinstruct.measure.baselines.statistics import features

    def describe(some: list[Path], what: str | None = None) -> NDArray[np.float32]:
        images = track(read_pixels(some), what, len(some)) if what else read_pixels(some)
        return np.stack([features(image) for image in images])

    return _boost(describe(lesson.train.paths, "statistics baseline: describing images"), lesson, describe)


def _train_metadata(lesson: Lesson) -> Trained:
    from fakeinstruct.measure.audit.facts import HEADER_FAMILIES, Encoder, facts_of, header_facts

    rows = [header_facts(path) for path in track(lesson.train.paths, "metadata baseline: reading headers")]
    encoder = Encoder(rows, facts_of(HEADER_FAMILIES))

    def describe(some: list[Path]) -> NDArray[np.float32]:
        return np.nan_to_num(encoder.encode([header_facts(path) for path in some]), nan=-1)

    return _boost(np.nan_to_num(encoder.encode(rows), nan=-1), lesson, describe)


def _boost(
    train: NDArray[np.float32], lesson: Lesson, describe: Callable[[list[Path]], NDArray[np.float32]]
) -> Trained:
    """Gradient boosting on features, shape (images, features)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=0.08, max_iter=300, max_leaf_nodes=15, l2_regularization=1.0, random_state=lesson.seed,
        early_stopping=False,
    )  # fmt: skip
    model.fit(train, lesson.train.fake)
    return Trained(lambda some: model.decision_function(describe(some)).astype(np.float32))


def _train_probe(lesson: Lesson) -> Trained:
    from fakeinstruct.measure.baselines import probe

    return Trained(*probe.train(lesson))


TRAINERS: dict[str, Callable[[Lesson], Trained]] = {
    "cnn": _train_cnn,
    "statistics": _train_statistics,
    "metadata": _train_metadata,
    "probe": _train_probe,
}
"""Every baseline that is trained on images."""
