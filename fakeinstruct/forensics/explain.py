"""Explanations in words: the expert's own, written after a question it learned to answer with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.sft import render_chat, tokenize
from fakeinstruct.forensics.readout import user_turn

if TYPE_CHECKING:
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.expert import Expert

MAX_NEW_TOKENS = 160
"""Longest explanation, in tokens."""


def explain_images(
    expert: Expert, collator: Collator, images: Sequence[Any], question: str | None = None
) -> list[str]:
    """Let the expert write about images: greedily, so that the same image gets the same words.

    Args:
        expert: Who writes.
        collator: Reads the images.
        images: What the collator's reader knows them by.
        question: What to ask; by default the first question it learned to answer with reasons.

    Returns:
        One text an image.

    Raises:
        UsageError: If no question is given and the expert learned none.
    """
    question = question or next(iter(expert.card.explanation_prompts), None)
    if question is None:
        raise UsageError("the expert learned no question that asks for reasons; give one", file=expert.folder)
    prompt = tokenize(expert.processor, render_chat(expert.processor, user_turn(question), prompt=True))
    rows = [{"input_ids": prompt, "image": image} for image in images]
    batch = collator(rows)
    if batch["attention_mask"].all():
        return generate(expert, batch)
    return [text for row in rows for text in generate(expert, collator([row]))]  # unequal lengths: no padding


def generate(expert: Expert, batch: Mapping[str, object]) -> list[str]:
    """Greedy continuations of a batch of prompts of equal length."""
    import torch

    tensors = {
        name: value.to(expert.model.device)
        for name, value in batch.items()
        if isinstance(value, torch.Tensor)
    }
    with torch.inference_mode():
        tokens = expert.model.generate(**tensors, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
    texts = expert.processor.tokenizer.batch_decode(
        tokens[:, tensors["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return [text.strip() for text in texts]
