"""Readouts resolved: which tokens stand for which label right after a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.sft import Messages, render_chat, tokenize


@dataclass(frozen=True)
class ResolvedPrompt:
    """A prompt as tokens and the first token of each word at its end.

    Attributes:
        input_ids: The prompt, the image one placeholder token.
        token_ids: One a word; words of one class that share their first token are listed once.
        words: The words, in the order of `token_ids`.
        classes: What each word means, in that order.
    """

    input_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    words: tuple[str, ...]
    classes: tuple[str, ...]


def user_turn(question: str) -> Messages:
    """One user's turn: the image, then the question."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def resolve_prompt(processor: Any, messages: Messages, words: dict[str, Sequence[str]]) -> ResolvedPrompt:
    """Tokenise a prompt and find each word's first token as the answer would begin with it.

    The word is rendered as an answer by the chat template, so that a leading space or a role's
    header is the one that the model learned: `fake`, ` fake` and `Fake` are different tokens.

    Args:
        processor: The expert's processor.
        messages: The conversation up to the answer.
        words: Words of each class.

    Raises:
        UsageError: If a word changes the prompt's tokens, or two classes share a first token.
    """
    prompt = tokenize(processor, render_chat(processor, messages, prompt=True))
    owners: dict[int, tuple[str, str]] = {}
    for name, members in words.items():
        for word in members:
            answer = {"role": "assistant", "content": [{"type": "text", "text": word}]}
            full = tokenize(processor, render_chat(processor, [*messages, answer]))
            if full[: len(prompt)] != prompt or len(full) == len(prompt):
                raise UsageError(
                    f"the tokenizer joins '{word}' with the prompt before it; it cannot be read there"
                )
            owner = owners.setdefault(full[len(prompt)], (word, name))
            if owner[1] != name:
                raise UsageError(
                    f"'{word}' ({name}) and '{owner[0]}' ({owner[1]}) begin with the same token, so that "
                    "it tells nothing",
                    hint="Choose other label words.",
                )
    return ResolvedPrompt(
        tuple(prompt),
        tuple(owners),
        tuple(word for word, _ in owners.values()),
        tuple(name for _, name in owners.values()),
    )
