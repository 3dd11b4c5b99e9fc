"""Readouts resolved: which tokens stand for which label behind a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from fakeinstruct.base.errors import UsageError
from fakeinstruct.expert.sft import Messages, render_chat, tokenize

SOUGHT = "\u27e8answer\u27e9"
"""Stands for an answer in a rendered conversation: words of no template's own."""


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

    def tokens(self, label: str) -> int:
        """Tokens of all words of a label; a word that a server reads by its text counts as one."""
        return sum(max(1, len(word.pieces)) for word in self.words if word.label == label)

    def describe(self, processor: Any) -> str:
        """What a readout resolved to, for a person: the prompt, then a line for each word with its tokens."""
        tokenizer = processor.tokenizer
        lines = [f"prompt {tokenizer.decode(list(self.input_ids))!r}"]
        width = max((len(repr(word.text)) for word in self.words), default=0)
        for word in self.words:
            decoded = [tokenizer.decode([piece]) for piece in word.pieces]
            lines.append(
                f"{word.label:<6} {word.text!r:<{width}}  {_spelt(processor, word.pieces)}  decoded {decoded}"
            )
        return "\n".join(lines)


def user_turn(question: str) -> Messages:
    """One user's turn: the image, then the question."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def resolve_prompt(
    processor: Any, messages: Messages, words: Mapping[str, Sequence[str]], prefix: str = ""
) -> ResolvedPrompt:
    """Tokenise a prompt and each word as the answer goes on with it.

    Prompt and word are tokenised as one text and the prompt's tokens taken off: `fake`, ` fake` and `Fake` are
    different tokens, and which of them the model would write depends on what stands before. Spaces at the end of
    the prompt belong to the word.

    Args:
        processor: The expert's processor.
        messages: The conversation up to the answer.
        words: Words of each class.
        prefix: How the answer is made to begin, before the word.

    Raises:
        UsageError: If a word cannot be spelt or changes the prompt's tokens, or if the words of two classes cannot be
            told apart.
    """
    asked = answer_start(processor, messages) + prefix
    prompt = tokenize(processor, asked.rstrip(" "))
    spelt = [
        Word(text, label, _pieces(processor, prompt, asked, text))
        for label, members in words.items()
        for text in members
    ]
    return ResolvedPrompt(tuple(prompt), told_apart(processor, spelt))


def answer_start(processor: Any, messages: Messages) -> str:
    """The conversation as text up to the first letter of the answer's words.

    The template words an answer that is looked for, so that a leading space or whatever it puts before an answer is
    the one that the model learned. A prompt that says more than that, a closed thought for example, counts as it is.

    Raises:
        UsageError: If the template words the conversation otherwise once it is answered.
    """
    prompt = render_chat(processor, messages, prompt=True)
    turn = {"role": "assistant", "content": [{"type": "text", "text": SOUGHT}]}
    try:
        head, found, _ = render_chat(processor, [*messages, turn]).rpartition(SOUGHT)
    except TemplateError:  # it has no turn for an answer: that is written right behind the prompt
        return prompt
    if not found or prompt.startswith(head):
        return prompt
    if head.startswith(prompt):
        return head
    raise UsageError(
        "the chat template words the conversation otherwise once it is answered, so that nobody knows where an answer "
        "begins",
        hint="Mend the model's chat_template.jinja.",
    )


def _pieces(processor: Any, prompt: Sequence[int], asked: str, word: str) -> tuple[int, ...]:
    """The tokens of a word behind a prompt.

    Raises:
        UsageError: If there are none, one is the unknown token, or the prompt's own tokens change.
    """
    full = tokenize(processor, asked + word)
    pieces = tuple(full[len(prompt) :])
    if full[: len(prompt)] != list(prompt) or not pieces:
        raise UsageError(
            f"the tokenizer joins '{word}' with the prompt before it; it cannot be read there",
            hint="Choose another word, or end the prompt otherwise.",
        )
    if processor.tokenizer.unk_token_id in pieces:
        raise UsageError(
            f"the tokenizer cannot spell '{word}': it becomes {_spelt(processor, pieces)}",
            hint="Choose another word.",
        )
    return pieces


def _spelt(processor: Any, pieces: Sequence[int]) -> str:
    """Tokens as they are called in the vocabulary, with their ids."""
    names = processor.tokenizer.convert_ids_to_tokens(list(pieces))
    return " ".join(f"{name}[{piece}]" for name, piece in zip(names, pieces, strict=True))


def told_apart(processor: Any, words: Sequence[Word]) -> tuple[Word, ...]:
    """Words of which none of a label begins with another of it, which would count twice: the shorter stands for both.

    Raises:
        UsageError: If a word of one label begins with one of the other.
    """
    found: list[Word] = []
    for word in words:
        if not any(_begins(other, word) for other in found if other.label == word.label):
            found = [other for other in found if other.label != word.label or not _begins(word, other)]
            found.append(word)
    _check_distinct(processor, found)
    return tuple(found)


def _begins(one: Word, other: Word) -> bool:
    return other.pieces[: len(one.pieces)] == one.pieces


def _check_distinct(processor: Any, words: Sequence[Word]) -> None:
    for one in words:
        for other in words:
            if one.label != other.label and _begins(one, other):
                raise UsageError(
                    f"'{other.text}' ({other.label}, {_spelt(processor, other.pieces)}) and '{one.text}' ({one.label}, "
                    f"{_spelt(processor, one.pieces)}) begin with the same tokens, so that they tell nothing",
                    hint="Choose other label words.",
                )
