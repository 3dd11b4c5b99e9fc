"""Readouts resolved: which tokens stand for which label behind a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.sft import Messages, render_chat, tokenize


@dataclass(frozen=True)
class Word:
    """A label word as the model would write it.

    Attributes:
        text: The word.
        label: What it means.
        pieces: Its tokens behind the prompt, at least one.
    """

    text: str
    label: str
    pieces: tuple[int, ...]


@dataclass(frozen=True)
class ResolvedPrompt:
    """A prompt as tokens, and the tokens of each word at its end.

        prompt row    <s> USER: <image> Is this real or fake? ASSISTANT:            reads the first piece of every word
        forced row    <s> USER: <image> Is this real or fake? ASSISTANT: com puter  reads "-" and "made" of a word
                                                                                    of several pieces

    Attributes:
        input_ids: The prompt, with its forced beginning of the answer if there is one, the image one placeholder.
        words: The words.
    """

    input_ids: tuple[int, ...]
    words: tuple[Word, ...]

    def rows(self) -> list[tuple[int, ...]]:
        """Token ids of the prompt row and of one forced row for each word of several pieces."""
        return [
            self.input_ids,
            *(self.input_ids + word.pieces[:-1] for word in self.words if len(word.pieces) > 1),
        ]

    def reads(self) -> list[list[list[int]]]:
        """For each of the rows the tokens that are read at its last places, [places][tokens]."""
        forced = [[[piece] for piece in word.pieces[1:]] for word in self.words if len(word.pieces) > 1]
        return [[[word.pieces[0] for word in self.words]], *forced]


def user_turn(question: str) -> Messages:
    """One user's turn: the image, then the question."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def resolve_prompt(
    processor: Any, messages: Messages, words: Mapping[str, Sequence[str]], prefix: str = ""
) -> ResolvedPrompt:
    """Tokenise a prompt and each word as the answer would begin with it.

    The word is rendered as an answer by the chat template, so that a leading space or a role's
    header is the one that the model learned: `fake`, ` fake` and `Fake` are different tokens.

    Args:
        processor: The expert's processor.
        messages: The conversation up to the answer.
        words: Words of each class.
        prefix: How the answer is made to begin, before the word.

    Raises:
        UsageError: If a word changes the prompt's tokens, or the words of two classes cannot be told apart.
    """
    prompt = tokenize(processor, _answered(processor, messages, prefix)) if prefix else None
    prompt = prompt or tokenize(processor, render_chat(processor, messages, prompt=True))
    found: list[Word] = []
    for label, members in words.items():
        for text in members:
            full = tokenize(processor, _answered(processor, messages, prefix + text))
            if full[: len(prompt)] != prompt or len(full) == len(prompt):
                raise UsageError(
                    f"the tokenizer joins '{text}' with the prompt before it; it cannot be read there"
                )
            word = Word(text, label, tuple(full[len(prompt) :]))
            if not any(_begins(other, word) for other in found if other.label == label):
                found = [other for other in found if other.label != label or not _begins(word, other)]
                found.append(word)
    _check_distinct(found)
    return ResolvedPrompt(tuple(prompt), tuple(found))


def _answered(processor: Any, messages: Messages, answer: str) -> str:
    """The conversation up to the end of the answer's words, without what the template closes a turn with."""
    turn = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    text = render_chat(processor, [*messages, turn])
    return text[: text.rindex(answer) + len(answer)]


def _begins(one: Word, other: Word) -> bool:
    return other.pieces[: len(one.pieces)] == one.pieces


def _check_distinct(words: Sequence[Word]) -> None:
    for one in words:
        for other in words:
            if one.label != other.label and _begins(one, other):
                raise UsageError(
                    f"'{other.text}' ({other.label}) and '{one.text}' ({one.label}) begin with the same token, so "
                    "that it tells nothing",
                    hint="Choose other label words.",
                )
