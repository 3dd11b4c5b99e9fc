"""One question about a drawn picture, before any figure: is a model read as Transformers itself would run it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fakeinstruct.base.errors import FakeInstructError, UsageError
from fakeinstruct.expert.sft import render_chat, tokenize
from fakeinstruct.forensics.expert_files import first_line
from fakeinstruct.forensics.readout import user_turn

if TYPE_CHECKING:
    from torch import Tensor

    from fakeinstruct.forensics.expert import Expert

QUESTION = "Is this image real or fake?"
SERVE = "Serve the model and give the server's address instead."
TOKENS = 8
"""Likeliest tokens whose logits are compared."""


def check_template(processor: Any, folder: Path) -> None:
    """See that a processor can word a question about a picture.

    Raises:
        UsageError: If it has no chat template, or that one fails or leaves the picture out.
    """
    if not getattr(processor, "chat_template", None):
        raise UsageError(
            "has no chat template, so that nobody knows how it is asked",
            file=folder,
            hint="Put the chat_template.jinja that it was trained with beside its config.json.",
        )
    try:
        asked = tokenize(processor, render_chat(processor, user_turn(QUESTION), prompt=True))
    except Exception as error:  # a template is a program of somebody else's
        raise UsageError(f"the chat template fails ({first_line(error)})", file=folder) from error
    if asked.count(processor.image_token_id) != 1:
        raise UsageError(
            f"the chat template gives {asked.count(processor.image_token_id)} places for one picture",
            file=folder,
            hint=f"It has to write {processor.image_token} where the picture is. {SERVE}",
        )


def check_reading(expert: Expert) -> None:
    """Compare what our batches and Transformers' own processor make of one question about a drawn picture.

    Raises:
        UsageError: If the model cannot be asked, or the tokens or the logits differ.
    """
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    prompt = tokenize(expert.processor, render_chat(expert.processor, user_turn(QUESTION), prompt=True))
    try:
        plain, _ = expert.collators(lambda _: picture)
        batch = plain([{"input_ids": prompt, "image": "drawn", "tree": 0}])
        stock = stock_inputs(expert, picture)
        theirs = stock_logits(expert, stock)
        top = theirs.topk(TOKENS)
        ((ours, normaliser),) = expert.read(batch, [[top.indices.tolist()]])[0]
    except FakeInstructError:
        raise
    except Exception as error:  # any model's own code
        raise UsageError(
            f"cannot be asked about a picture ({first_line(error)})", file=expert.folder, hint=SERVE
        ) from error
    kind = expert.model.config.model_type
    if batch["input_ids"][0].tolist() != stock["input_ids"][0].tolist():
        raise UsageError(
            f"models of type '{kind}' lay out a picture's tokens in a way that is not known here",
            file=expert.folder,
            hint=SERVE,
        )
    expected = [*top.values.tolist(), float(theirs.logsumexp(0))]
    differ = max(abs(a - b) for a, b in zip([*ours, normaliser], expected, strict=True))
    if not differ <= tolerance(expert, theirs):  # NaN differs
        raise UsageError(
            f"models of type '{kind}' are read otherwise here than Transformers reads them: "
            f"logits differ by {differ:.3g}",
            file=expert.folder,
            hint=SERVE,
        )


def stock_inputs(expert: Expert, picture: Image.Image) -> dict[str, Any]:
    """A question about a picture as Transformers' own processor prepares it."""
    turn = user_turn(QUESTION)[0]
    content = [block | {"image": picture} if block["type"] == "image" else block for block in turn["content"]]
    found = expert.processor.apply_chat_template(
        [turn | {"content": content}],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
    )
    return dict(found)


def stock_logits(expert: Expert, inputs: dict[str, Any]) -> Tensor:
    """Logits of the answer's first token, float32, shape (vocabulary,), by a plain forward pass."""
    import torch

    with torch.inference_mode():
        logits: Tensor = expert.model(**expert.inputs(inputs), use_cache=False).logits[0, -1]
    return logits.float()


def tolerance(expert: Expert, logits: Tensor) -> float:
    """How far logits may lie apart: the rounding of the model's precision, some dozens of times over."""
    import torch

    rounding = torch.finfo(expert.model.dtype).eps
    return max(1e-3, 32 * rounding * float(logits.abs().max()))
