"""Processors: loaded without their video part, and checked against their model before the first step.

Since Transformers 5 the processors of Qwen-VL, InternVL and SmolVLM build a video processor, which exists only
with torchvision. Pairs have no videos: the processor is built without that part, of the same tokenizer and image
processor, and what was published for videos is saved again as it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image
from transformers import PROCESSOR_MAPPING, AutoConfig, AutoProcessor, BatchFeature, ProcessorMixin
from transformers.utils import cached_file

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert import vision  # noqa: F401 - registers the small tower
from fakeinstruct.expert.base_model import adapted_base, loading
from fakeinstruct.expert.image_tensors import TOKENS
from fakeinstruct.expert.rows import image_block

SETTINGS = ("processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json")
"""Where the settings of a video processor may stand, the first of them within those of the whole processor."""

REASON = 100
"""Most letters of a reason that Transformers gives, which goes on for several lines."""

TRIAL_SIDES = ((96, 64), (100, 300))
"""Widths and heights of the pictures that processor and model are compared on, one of them tall."""


def load_processor(name: str | Path) -> Any:
    """The processor of a model, without its video part if it has one.

    Args:
        name: A folder, or a name on the hub.

    Raises:
        UsageError: If the folder holds none, or its tokenizer lacks the image token.
    """
    try:
        with loading(str(name)):
            processor = _loaded(name)
    except (OSError, ValueError, AttributeError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            "no processor could be loaded",
            file=Path(name),
            field="base",
            hint="The folder needs the files of its tokenizer and its image processor beside config.json "
            f"({reason if len(reason) <= REASON else f'{reason[:REASON]}...'}).",
        ) from error
    return with_image_token(processor, name)


def _loaded(name: str | Path) -> Any:
    """The processor as it was saved, but for its video part."""
    kind = PROCESSOR_MAPPING.get(type(AutoConfig.from_pretrained(adapted_base(str(name)) or name)), None)
    if kind is None or "video_processor" not in kind.get_attributes():
        return AutoProcessor.from_pretrained(name)
    processor: Any = without_videos(kind).from_pretrained(name)
    processor.video_settings = _video_settings(name)
    return processor


def without_videos(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """A class of processors, less its video part; it bears the same name, which is what `save_pretrained` writes."""

    class Processor(kind):
        video_settings: dict[str, Any] | None = None
        # SmolVLM's reads both for any conversation
        video_processor = SimpleNamespace(num_frames=None, fps=None)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in kind.get_attributes() if name != "video_processor"]

        @classmethod
        def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **kwargs: Any) -> Any:
            # the video processor is the third of the constructor's arguments in all of them
            return super().from_args_and_dict([*args, None], processor_dict, **kwargs)

        def to_dict(self) -> dict[str, Any]:
            kept = {"video_processor": self.video_settings} if self.video_settings else {}
            return dict(super().to_dict()) | kept

    Processor.__name__ = Processor.__qualname__ = kind.__name__
    Processor.__module__ = kind.__module__
    if kind.__name__ == "SmolVLMProcessor":
        _spare_num2words()
    return Processor


def _video_settings(name: str | Path) -> dict[str, Any]:
    """What was published for the video processor, wherever it stands; empty if nothing was."""
    for file in SETTINGS:
        path = cached_file(str(name), file, _raise_exceptions_for_missing_entries=False)
        settings = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        if file == SETTINGS[0]:
            settings = settings.get("video_processor")
        if settings:
            return dict(settings)
    return {}


def _spare_num2words() -> None:
    """SmolVLM's processor refuses to be built without a package that it needs for the length of videos alone."""
    from transformers.models.smolvlm import processing_smolvlm

    processing_smolvlm.num2words = processing_smolvlm.num2words or str


def with_image_token(processor: Any, name: str | Path) -> Any:
    """The processor, if its tokenizer knows the image token as one token.

    Raises:
        UsageError: If not: text would then hold pieces of the token's name where the image belongs.
    """
    token = getattr(processor, "image_token", None)
    if token is None:
        raise UsageError("its processor takes no images", file=Path(name), field="base")
    ids = processor.tokenizer(token, add_special_tokens=False)["input_ids"]
    if ids != [processor.image_token_id] or ids[0] == processor.tokenizer.unk_token_id:
        raise UsageError(
            f"the tokenizer does not know the image token '{token}': it becomes {len(ids)} tokens",
            file=Path(name),
            field="base",
            hint="Take the tokenizer that was published with the model, or add the token to it.",
        )
    return processor


def image_features(model: Any, tensors: dict[str, Any]) -> int:
    """How many features a model makes of an image, each of which needs a token in the text."""
    weight = next(model.parameters())
    moved = BatchFeature({name: value for name, value in tensors.items() if name not in TOKENS})
    with torch.no_grad():
        features = model.get_image_features(**moved.to(weight.device, weight.dtype)).pooler_output
    return sum(int(piece.shape[:-1].numel()) for piece in features)


def check_image_tokens(model: Any, processor: Any) -> None:
    """Check that processor and model agree on the image token and on how many tokens images cost.

    Args:
        model: A vision-language model with its weights, wrapped by PEFT or not.
        processor: The processor that it is to be trained with.

    Raises:
        UsageError: If they do not; both numbers are named.
    """
    expected = model.config.image_token_id
    if expected != processor.image_token_id:
        raise UsageError(
            f"the model's image token is {expected}, the processor's {processor.image_token_id}",
            field="base",
            hint="The tokenizer is another model's.",
        )
    for width, height in TRIAL_SIDES:
        block = image_block(processor, Image.new("RGB", (width, height), "grey"))
        tokens, features = block["input_ids"].count(expected), image_features(model, block)
        if tokens != features:
            raise UsageError(
                f"the processor puts {tokens:,} tokens for a picture of {width} x {height}, "
                f"the model makes {features:,} features of it",
                field="base",
                hint="Sizes, patches and tokens an image differ between processor_config.json and config.json.",
            )
