"""Writing: what an expert writes behind a prompt, its likeliest words or words drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.sft import render_chat, tokenize
from fakeinstruct.forensics.readout import user_turn

if TYPE_CHECKING:
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.expert import Expert

MAX_NEW_TOKENS = 160
"""Longest text by default, in tokens."""

AT_ONCE = 32
"""Texts written at once: each holds the keys and values of its whole prompt in memory."""

AS_IT_IS: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}
"""Published models come with settings that bend what they write; the logits read elsewhere are not bent."""

Show = Callable[[str], None]
"""Takes each piece of a text as soon as it is written."""


def write(
    expert: Expert,
    collator: Collator,
    rows: Sequence[Mapping[str, Any]],
    *,
    draws: Sequence[int] | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    show: Show | None = None,
) -> list[list[int]]:
    """Let an expert write behind prompts of any lengths; what a row gets does not depend on its company.

    Args:
        expert: Who writes.
        collator: Reads the images and batches the rows.
        rows: Each the `input_ids` of a prompt and its `image`, as the collator takes them.
        draws: A seed for each row: its tokens are drawn at temperature 1. Absent, each token is the likeliest.
        max_new_tokens: Where a text is cut off.
        show: Takes the pieces of a single row's text.

    Returns:
        Of each row the tokens written, without the one that ends them.

    Raises:
        ValueError: If the pieces of several texts at once are to be shown.
    """
    if show and len(rows) != 1:
        raise ValueError("several texts at once cannot be shown piece by piece")
    written: list[list[int]] = []
    for start in range(0, len(rows), AT_ONCE):
        here = slice(start, start + AT_ONCE)
        batch = pad_left(collator([dict(row) for row in rows[here]]))
        seeds = None if draws is None else draws[here]
        written += _continue(expert, batch, seeds, max_new_tokens, show)
    return written


def _continue(
    expert: Expert, batch: dict[str, Tensor], seeds: Sequence[int] | None, most: int, show: Show | None
) -> list[list[int]]:
    tokenizer, config = expert.processor.tokenizer, expert.model.config
    tensors = expert.inputs(batch)
    ends = end_tokens(expert)
    placeholders = (expert.processor.image_token_id, getattr(config, "video_token_id", None))
    with torch.inference_mode():
        tokens = expert.model.generate(
            **tensors,
            **AS_IT_IS,
            max_new_tokens=most,
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id,
            # a written placeholder would be taken for another image when the text is read again
            suppress_tokens=[token for token in placeholders if token is not None],
            logits_processor=[Draws(seeds)] if seeds is not None else None,
            streamer=Stream(tokenizer, show) if show else None,
        )
    new = tokens[:, tensors["input_ids"].shape[1] :].tolist()
    return [row[: next((at for at, token in enumerate(row) if token in ends), len(row))] for row in new]


def end_tokens(expert: Expert) -> list[int]:
    """The tokens that end a text."""
    ends = expert.model.generation_config.eos_token_id
    ends = expert.processor.tokenizer.eos_token_id if ends is None else ends
    return list(ends) if isinstance(ends, list | tuple) else [int(ends)]


def pad_left(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """A batch that is padded on the right, padded on the left, where every text ends at the last place.

    Args:
        batch: As a `Collator` gives it; what is of the shape of `input_ids`, (rows, longest row), is moved.
    """
    ids, mask = batch["input_ids"], batch["attention_mask"]
    length = ids.shape[1]
    shift = length - mask.sum(1, keepdim=True)  # (rows, 1)
    source = (torch.arange(length) - shift) % length  # (rows, length)
    return {
        name: value.gather(1, source) if value.shape == ids.shape else value
        for name, value in batch.items()
        if isinstance(value, Tensor)
    }


class Draws:
    """Makes the likeliest token one that is drawn, by noise of each row's own.

    The largest of logits plus Gumbel noise is a token drawn with the probabilities of the softmax. A generator
    a row, on the CPU, keeps a row's draws from depending on its company and on the device.

    Args:
        seeds: One a row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores of shape (rows, vocabulary) with noise added."""
        noise = torch.stack(
            [torch.empty(scores.shape[1]).exponential_(generator=each) for each in self.generators]
        )
        return scores - noise.clamp_min(torch.finfo(torch.float32).tiny).log().to(scores.device)


class Stream:
    """Shows a text while it is written, by whole words; together the pieces are the text without outer spaces.

    Args:
        tokenizer: Turns tokens into text.
        show: Takes the pieces.
    """

    def __init__(self, tokenizer: Any, show: Show) -> None:
        self.tokenizer = tokenizer
        self.show = show
        self.tokens: list[int] | None = None
        self.shown = 0

    def put(self, value: Tensor) -> None:
        """Take the prompt first, then each token."""
        if self.tokens is None:
            self.tokens = []
            return
        self.tokens += value.flatten().tolist()
        text = self._text()
        # what follows the last space may still change: a word, or half a character
        self._show(text[: max(text.rfind(" "), text.rfind("\n"), 0)].rstrip())

    def end(self) -> None:
        """Show what is left."""
        self._show(self._text().rstrip())

    def _text(self) -> str:
        return str(self.tokenizer.decode(self.tokens or [], skip_special_tokens=True)).lstrip()

    def _show(self, text: str) -> None:
        if len(text) > self.shown:
            self.show(text[self.shown :])
            self.shown = len(text)


def prompt_tokens(expert: Expert, question: str) -> list[int]:
    """A question about an image as tokens, up to where the answer begins; the image is one placeholder.

    Raises:
        UsageError: If the question is empty, or holds the image's placeholder itself.
    """
    if not question.strip():
        raise UsageError("the question is empty")
    if expert.processor.image_token in question:
        raise UsageError(
            f"the question holds '{expert.processor.image_token}', which stands for the picture",
            hint="The picture is put before the question by itself.",
        )
    return tokenize(expert.processor, render_chat(expert.processor, user_turn(question), prompt=True))


def write_about(
    expert: Expert, collator: Collator, images: Sequence[Any], question: str, **how: Any
) -> list[str]:
    """The likeliest answer of an expert to one question about each of some images, as text.

    Args:
        expert: Who writes.
        collator: Reads the images.
        images: What the collator's reader knows them by.
        question: What is asked.
        how: Options of `write`.
    """
    prompt = prompt_tokens(expert, question)
    written = write(expert, collator, [{"input_ids": prompt, "image": image} for image in images], **how)
    texts = expert.processor.tokenizer.batch_decode(written, skip_special_tokens=True)
    return [text.strip() for text in texts]
