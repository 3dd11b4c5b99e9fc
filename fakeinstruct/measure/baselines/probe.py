"""The probe: a logistic regression on what the expert's own vision tower makes of an image, before the projector.

An image's feature is the mean over the tokens of all its tiles. The tower stays as it is: what the probe reaches,
the language model was given; what the expert has beyond it, the rest of the training added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.base.files import atomic_write, fingerprint
from fakeinstruct.base.images import load_image
from fakeinstruct.base.progress import console, track
from fakeinstruct.measure.detection import auc

if TYPE_CHECKING:
    from torch import Tensor

    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.measure.baselines.run import Images, Lesson, Scorer

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of the penalty that validation chooses from, scikit-learn's C."""

UNCHOSEN = 1e-2
"""The one that is taken where there is no validation image of some label."""

CHUNK = 512
"""Images whose features are stored together, which is what a killed run may have to compute again."""

AT_ONCE = 32
"""Most images in one pass of the tower."""

BYTES_AT_ONCE = 32 * 2**20
"""Most bytes of processed pixels in one pass, whatever the number of images."""

Features = NDArray[np.float32]


def train(lesson: Lesson) -> tuple[Scorer, str]:
    """Fit the probe on standardised features of the train split.

    Args:
        lesson: With the expert's folder.

    Returns:
        The scorer, and in words what was fitted.

    Raises:
        UsageError: If it is not known where the expert lies, or it cannot be read.
    """
    if lesson.expert is None:
        raise UsageError(
            "a probe needs the expert whose vision tower it reads", hint="Name it with --expert."
        )
    tower = Tower(lesson.expert, lesson.cache)
    features = tower.features(lesson.train.paths, "probe: describing training images")
    validation = lesson.validation
    held = tower.features(validation.paths, "probe: describing validation images")
    mean, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    spread[spread < 1e-6 * max(1.0, float(spread.max()))] = 1.0  # what never changes says nothing

    def unit(some: Features) -> Features:
        return np.asarray((some - mean) / spread, dtype=np.float32)

    model, note = _choose(unit(features), lesson.train.fake, unit(held) if len(held) else None, validation)

    def score(paths: list[Path]) -> Features:
        return np.asarray(model.decision_function(unit(tower.features(paths))), dtype=np.float32)

    return (
        score,
        f"logistic regression on {features.shape[1]:,} features of {tower.name}'s vision tower, {note}",
    )


def _choose(
    train: Features, fake: NDArray[np.bool_], held: Features | None, validation: Images
) -> tuple[Any, str]:
    """The fit with the highest AUC on validation, of equal ones the most penalised, and in words how it was found."""
    from sklearn.linear_model import LogisticRegression

    def fitted(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=2000).fit(train, fake)

    if held is None or validation.fake.all() or not validation.fake.any():
        return fitted(UNCHOSEN), f"C {UNCHOSEN:g}: no validation images of both labels to choose it by"
    models = [fitted(strength) for strength in track(STRENGTHS, "probe: fitting")]
    areas = [auc(validation.fake, model.decision_function(held)) for model in models]
    best = int(np.argmax(areas))
    return models[
        best
    ], f"C {STRENGTHS[best]:g} of {len(STRENGTHS)} chosen on {len(held):,} validation images"


class Tower:
    """An expert's vision tower, whose features are kept on disk.

    Args:
        folder: The expert's folder.
        cache: Where features are kept; None keeps none.
    """

    def __init__(self, folder: Path, cache: Path | None) -> None:
        from fakeinstruct.forensics.expert_files import check_files, expert_folder

        self.folder = expert_folder(folder)
        self.cache = cache
        check_files(self.folder)

    @property
    def name(self) -> str:
        """The expert's folder by its last name."""
        return self.folder.resolve().name

    @cached_property
    def identity(self) -> list[str | None]:
        """What features depend on beside the images."""
        from fakeinstruct.forensics.expert_files import expert_sha256, processor_sha256

        return [expert_sha256(self.folder), processor_sha256(self.folder)]

    @cached_property
    def expert(self) -> Expert:
        """The expert, read when its first feature is not on disk."""
        from fakeinstruct.forensics.expert import load_expert

        return load_expert(self.folder)

    def features(self, paths: Sequence[Path], what: str | None = None) -> Features:
        """Features of images, shape (images, width of the tower); `what` is said of the progress.

        Raises:
            FakeInstructError: If an image cannot be read, or the tower fails on it.
        """
        chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
        found = [self._chunk(chunk) for chunk in (track(chunks, f"{what} (by {CHUNK})") if what else chunks)]
        return np.concatenate(found) if found else np.empty((0, 0), dtype=np.float32)

    def _chunk(self, paths: Sequence[Path]) -> Features:
        if self.cache is None:
            return np.concatenate(list(self._computed(paths)))
        stats = [(str(path), stat.st_size, stat.st_mtime_ns) for path in paths for stat in (path.stat(),)]
        file = self.cache / f"{fingerprint([self.identity, stats])}.npy"
        try:
            kept: Features = np.load(file, allow_pickle=False)
            if kept.shape[:1] == (len(paths),) and kept.ndim == 2:
                return kept
            console.print(f"{file.name} holds other features: computed anew", markup=False)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, EOFError):
            console.print(f"{file.name} is damaged: computed anew", markup=False)
        found = np.concatenate(list(self._computed(paths)))
        with atomic_write(file) as out:
            np.save(out, found)
        return found

    def _computed(self, paths: Sequence[Path]) -> Iterator[Features]:
        """Features of a few images at a time."""
        from fakeinstruct.expert.rows import image_block

        waiting: list[dict[str, Any]] = []
        size = 0
        for path in paths:
            waiting.append(image_block(self.expert.processor, load_image(path)))
            size += sum(getattr(value, "nbytes", 0) for value in waiting[-1].values())
            if len(waiting) == AT_ONCE or size >= BYTES_AT_ONCE:
                yield pooled(self.expert.model, waiting)
                waiting, size = [], 0
        if waiting:
            yield pooled(self.expert.model, waiting)


def pooled(model: Any, blocks: Sequence[dict[str, Any]]) -> Features:
    """What a model's vision tower makes of images, the mean over each one's tokens in float32.

    Images are put together only with others of the same height and width, or where patches lie end to end, so that
    what fills a smaller one up is in no mean.

    Args:
        model: A vision-language model of any family, in evaluation mode.
        blocks: What its processor made of each image, see `rows.image_block`.

    Returns:
        Shape (images, width of the tower).

    Raises:
        FakeInstructError: If the model does not tell what its tower gives.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, block in enumerate(blocks):
        alike.setdefault(tuple(block["pixel_values"].shape[-3:][1:]), []).append(place)
    found: dict[int, Features] = {}
    for places in alike.values():
        found |= zip(places, _together(model, [blocks[place] for place in places]), strict=True)
    return np.stack([found[place] for place in range(len(blocks))])


def _together(model: Any, blocks: Sequence[dict[str, Any]]) -> Iterator[Features]:
    """Features of images in one pass, or one by one where the tower's parts cannot be told apart."""
    counts = [_parts(block["pixel_values"]) for block in blocks]
    tokens = _tokens(model, blocks)
    if len(tokens) == sum(counts):
        for own in tokens.split(counts):
            yield own.flatten(0, -2).float().mean(0).cpu().numpy()
    elif len(blocks) == 1:
        yield tokens.flatten(0, -2).float().mean(0).cpu().numpy()
    else:
        for block in blocks:
            yield from _together(model, [block])


def _parts(pixels: Tensor) -> int:
    """How many tiles (of shape (..., channels, height, width)) or patches (of shape (patches, values)) an image has."""
    return int(pixels.shape[:-3].numel()) if pixels.ndim > 3 else len(pixels)


def _tokens(model: Any, blocks: Sequence[dict[str, Any]]) -> Tensor:
    """The tower's tokens: (tiles, tokens, width) of all images, or (patches, width)."""
    import torch

    from fakeinstruct.expert.families import join_of

    parameter = next(model.parameters())
    tensors = {
        name: value.to(parameter.device, parameter.dtype if value.is_floating_point() else None)
        for name, value in join_of(model.config)(blocks).items()
    }
    with torch.inference_mode():
        found = model.get_image_features(**tensors).last_hidden_state
    if found is None or found.ndim < 2:
        raise FakeInstructError(
            f"models of type '{model.config.model_type}' do not tell what their tower gives"
        )
    return found  # type: ignore[no-any-return]
