"""Features of a frozen vision tower: computed once for each image and kept.

    row      image a   image b   image a, mirrored      an image stands here once, its pairs share it
    kept     yes       no        no
    tower              b         a, mirrored            and only these go through the tower

Which image is which the batch says (`ImageKey`); a batch that does not say runs through the tower as ever.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.expert.families import family_of
from fakeinstruct.expert.vision import FrozenBatchNorm

GIB = 2**30

ROWS = ("llava", "llava_next", "internvl")
"""Families whose tower takes images or tiles as rows; its features are kept before the projector."""

GRIDS = ("qwen2_5_vl", "qwen3_vl")
"""Families whose tower takes patches and grids, the projector inside it; its features are kept after that."""

DROPOUT = ("attention_dropout", "hidden_dropout_prob", "dropout")
"""How configurations of towers name a chance of dropping out."""


@dataclass(frozen=True)
class ImageKey:
    """One image of a batch.

    Attributes:
        path: Under the image root.
        crop: The part of it that is shown, if not all.
        mirrored: Whether it is turned left to right.
        rows: How many rows (images or tiles) the tower sees of it, in the families of `ROWS`.
    """

    path: str
    crop: Fractions | None
    mirrored: bool
    rows: int


def image_key(path: str, crop: Fractions | None, mirrored: bool, image: Mapping[str, Any]) -> ImageKey:
    """The key of an image that a processor made tensors of."""
    pixels = image["pixel_values"]
    return ImageKey(path, crop, mirrored, pixels.shape[1] if pixels.dim() == 5 else pixels.shape[0])


class TowerFeatures:
    """Stands before a tower and gives what is known of the images of a batch.

    Features lie in the machine's memory, in the order of their last use; the longest unused go first. They are
    forgotten when the tower's weights are written to, a loaded checkpoint's for example.

    Args:
        tower: The module; its `forward` is replaced.
        layers: Which of its hidden states are used, None for the last one normalised; empty if it has a projector
            inside, whose output is used.
        limit: Most bytes that are kept.
    """

    def __init__(self, tower: Any, layers: Sequence[int | None], limit: int) -> None:
        self.tower = tower
        self.layers = tuple(layers)
        self.limit = limit
        self.bytes = self.shown = self.known = 0
        self._run = tower.forward
        self._kind: Any = None
        self._images: Sequence[ImageKey] | None = None
        self._versions: tuple[int, ...] = ()
        self._kept: OrderedDict[ImageKey, tuple[Tensor, ...]] = OrderedDict()
        tower.forward = self.forward

    def counted(self) -> tuple[int, int]:
        """Images shown since the last call, and how many of them were known."""
        counts = self.shown, self.known
        self.shown = self.known = 0
        return counts

    @contextmanager
    def of(self, images: Sequence[ImageKey] | None) -> Iterator[None]:
        """Within, the tower is called for these images, in this order; None: for unknown ones."""
        self._images = images
        try:
            yield
        finally:
            self._images = None

    def forward(self, pixel_values: Tensor, grid_thw: Tensor | None = None, **options: Any) -> Any:
        """What the tower would give."""
        if grid_thw is not None:
            options["grid_thw"] = grid_thw
        if self._images is None:
            return self._run(pixel_values, **options)
        self._forget_if_changed()
        known = {key: self._get(key) for key in self._images}
        missing = [key for key, features in known.items() if features is None]
        self.shown += len(self._images)
        self.known += len(self._images) - len(missing)
        if self._wanted(bool(missing)):  # a rank that misses nothing goes along, with one image
            known |= self._compute(missing or [self._images[0]], pixel_values, options)
        return self._give([known[key] or () for key in self._images], pixel_values.device)

    def _compute(
        self, missing: Sequence[ImageKey], pixels: Tensor, options: dict[str, Any]
    ) -> dict[ImageKey, tuple[Tensor, ...]]:
        """Run the tower on some images of the batch and keep what it makes of them."""
        shown = list(self._images or ())
        places = [shown.index(key) for key in missing]
        grid = options.get("grid_thw")
        sizes = [key.rows for key in shown] if grid is None else grid.prod(-1).tolist()
        pieces = pixels.split(sizes)
        if grid is not None:
            options = options | {"grid_thw": grid[places]}
        with torch.no_grad():
            output = self._run(torch.cat([pieces[place] for place in places]), **options)
        self._kind = type(output)
        merged = 1 if grid is None else self.tower.spatial_merge_size**2
        lengths = [sizes[place] // merged for place in places]
        split = [tensor.split(lengths) for tensor in self._take(output)]
        computed = dict(zip(missing, zip(*split, strict=True), strict=True))
        for key, features in computed.items():
            self._keep(key, tuple(tensor.to("cpu", copy=True) for tensor in features))
        return computed

    def _take(self, output: Any) -> list[Tensor]:
        """The tensors of the tower's output that the model goes on with."""
        if not self.layers:
            return [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
        return [
            output.last_hidden_state if layer is None else output.hidden_states[layer]
            for layer in self.layers
        ]

    def _give(self, features: Sequence[tuple[Tensor, ...]], device: torch.device) -> Any:
        """An output of the tower, of the features of each image."""
        joined = [torch.cat([piece.to(device) for piece in pieces]) for pieces in zip(*features, strict=True)]
        if self.layers:
            layers = dict(zip(self.layers, joined, strict=True))  # the model asks for no other
            return self._kind(last_hidden_state=joined[0], hidden_states=layers)
        deep = {"deepstack_features": joined[1:]} if joined[1:] else {}
        return self._kind(last_hidden_state=None, pooler_output=joined[0], **deep)

    def _get(self, key: ImageKey) -> tuple[Tensor, ...] | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: ImageKey, features: tuple[Tensor, ...]) -> None:
        if key in self._kept:
            return
        self._kept[key] = features
        self.bytes += _size(features)
        while self.bytes > self.limit:
            self.bytes -= _size(self._kept.popitem(last=False)[1])

    def _forget_if_changed(self) -> None:
        """Forget everything if the weights were written to since the last call."""
        versions = tuple(weight._version for weight in self.tower.parameters())
        if versions != self._versions:
            self._versions, self.bytes = versions, 0
            self._kept.clear()

    def _wanted(self, missing: bool) -> bool:
        """Whether the tower runs: under ZeRO-3 on every process or on none, since its weights are gathered."""
        shared = any(hasattr(weight, "ds_id") for weight in self.tower.parameters())
        if not shared or not torch.distributed.is_initialized():
            return missing
        device = next(self.tower.parameters()).device
        anywhere = torch.tensor(float(missing), device=device)
        torch.distributed.all_reduce(anywhere, op=torch.distributed.ReduceOp.MAX)
        return bool(anywhere)


def _size(features: tuple[Tensor, ...]) -> int:
    return sum(tensor.nbytes for tensor in features)


def keep_features(model: Any, gib: float) -> tuple[TowerFeatures | None, str | None]:
    """Let the features of a model's frozen vision tower be kept.

    Args:
        model: Tuned by `apply_tune`.
        gib: Most memory of this process that they may take, in GiB; 0 keeps none.

    Returns:
        The features, or None and why they cannot be kept; both are None where it was not asked for.
    """
    if not gib:
        return None, None
    if reason := why_not_kept(model):
        return None, reason
    config = model.config
    if config.model_type in GRIDS:
        return TowerFeatures(tower_of(model), (), int(gib * GIB)), None
    chosen = config.vision_feature_layer
    layers = [chosen] if isinstance(chosen, int) else list(chosen)
    if config.model_type == "internvl":
        layers = [None if layer == -1 else layer for layer in layers]
    return TowerFeatures(tower_of(model), layers, int(gib * GIB)), None


def tower_of(model: Any) -> Any:
    """The module of a model's vision tower, whatever wraps the model."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.model.visual if model.config.model_type in GRIDS else inner.model.vision_tower


def why_not_kept(model: Any) -> str | None:
    """Why an image's features are not the same each time, or cannot be kept; absent if they can."""
    kind = model.config.model_type
    if kind not in (*ROWS, *GRIDS):
        return f"not done for models of type '{kind}'"
    tower = tower_of(model)
    trained = [name for name, weight in tower.named_parameters() if weight.requires_grad]
    if trained:
        inside = family_of(model.config).part_of(f"model.visual.{trained[0]}") if kind in GRIDS else None
        return (
            "the projector, which is part of the tower, is trained"
            if inside == "projector"
            else "it is trained"
        )
    dropout = any(isinstance(module, nn.Dropout) and module.p > 0 for module in tower.modules())
    if dropout or any(getattr(tower.config, name, 0.0) for name in DROPOUT):
        return "it drops activations out"
    if any(
        isinstance(module, _BatchNorm) and not isinstance(module, FrozenBatchNorm)
        for module in tower.modules()
    ):
        return "its batch normalisation looks at the other images of a batch"
    return None
