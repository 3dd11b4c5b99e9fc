"""From a conversation to token ids and labels: the loss falls on the assistant's tokens alone.

    <s> USER: <image> x 64  Is this real or fake?  ASSISTANT:  fake  </s>
    |----------------- not supervised (-100) -----------------|---- labels ----|

The labels come from token lists, not from searching the text: an assistant's turn is what the
tokens of the conversation *with* it have beyond the tokens of the conversation *up to* it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fakeinstruct.base.errors import RecordError

IGNORE = -100
"""Label of a token that the loss leaves out, as in `torch.nn.CrossEntropyLoss`."""

Messages = Sequence[dict[str, Any]]
"""Turns as Hugging Face chat templates take them: role, and content as a list of blocks."""


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens, each image still one placeholder token.

    Attributes:
        text: The conversation as the chat template words it.
        input_ids: Token ids.
        labels: The same ids where the assistant speaks, `IGNORE` elsewhere; as long as `input_ids`.
    """

    text: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


def render_chat(processor: Any, messages: Messages, *, prompt: bool = False) -> str:
    """The conversation as the processor's chat template words it; with `prompt`, up to where the answer begins."""
    text = processor.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=prompt)
    return str(text)


def tokenize(processor: Any, text: str) -> list[int]:
    """Token ids of rendered text, special tokens as the text has them.

    One begins the text if the tokenizer puts it before any text and the chat template leaves it to it, as LLaVA-1.5's
    does: Transformers' own processors do just that.
    """
    tokenizer = processor.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    first = tokenizer("")["input_ids"][:1]
    if first and first == [tokenizer.bos_token_id] and not text.startswith(tokenizer.bos_token):
        return [*first, *ids]
    return list(ids)


def encode_conversation(processor: Any, messages: Messages) -> Encoded:
    """Tokenise a conversation and label the assistant's turns, each with the end token it closes with.

    Args:
        processor: A Hugging Face processor with a chat template.
        messages: At least one assistant's turn.

    Raises:
        RecordError: If the conversation has no answer, or if the template or the tokenizer changes what stands
            before a turn once the turn is there, so that no exact labels exist.
    """
    ids: list[int] = []
    labels: list[int] = []
    text = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = tokenize(processor, render_chat(processor, messages[:index], prompt=True))
        text = render_chat(processor, messages[: index + 1])
        full = tokenize(processor, text)
        if prompt[: len(ids)] != ids or full[: len(prompt)] != prompt or len(full) == len(prompt):
            raise RecordError(
                f"turn {index} does not begin where its prompt ends once tokenised",
                field="messages",
                hint="The chat template rewrites earlier turns, or the tokenizer joins across the seam.",
            )
        labels += [IGNORE] * (len(prompt) - len(ids)) + full[len(prompt) :]
        ids = full
    if not ids:
        raise RecordError("the conversation has no assistant's turn", field="messages")
    return Encoded(text, tuple(ids), tuple(labels))
