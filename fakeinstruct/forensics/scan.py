"""Scanning: the expert writes, and the label words are read at the place where it wrote its verdict.

prompt                    written, by the model                read at the place before " fake"
USER: <image> ... A:      The edges repeat. Verdict: fake      " fake" 9.1  " real" 4.0
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.boxes import Fractions
from fakeinstruct.base.errors import UsageError, printable
from fakeinstruct.base.files import sha256_bytes
from fakeinstruct.expert.sft import render_chat, tokenize
from fakeinstruct.forensics.boxes import written_boxes
from fakeinstruct.forensics.probability import check_sum
from fakeinstruct.forensics.readout import ResolvedPrompt, Word, told_apart
from fakeinstruct.forensics.verdict import Verdict, find_verdict
from fakeinstruct.forensics.write import write

if TYPE_CHECKING:
    from fakeinstruct.expert.collate import Collator
    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.forensics.questions import Question

RATIONALE_TOKENS = 512
"""Longest rationale, in tokens; one without a verdict until there has none."""

QUOTE = '"'
"""No tokenizer joins it with a word behind it, nor puts a space between."""


@dataclass(frozen=True)
class Rationale:
    """What an expert wrote to a question, and where its verdict stands.

    Attributes:
        text: What it wrote.
        verdict: The label it wrote, if any.
        boxes: The boxes that the text names, in fractions of the picture.
        prompt: The prompt and what was written before the verdict, with the label words as they would go on.
        error: Why nothing can be read, if so.
    """

    text: str
    verdict: str | None = None
    boxes: tuple[Fractions, ...] = ()
    prompt: ResolvedPrompt | None = None
    error: str | None = None

    def columns(self) -> dict[str, Any]:
        """What it gives to a row of answers."""
        return {
            "text": self.text,
            "verdict": self.verdict,
            "boxes": [list(box) for box in self.boxes],
            "error": self.error,
        }


def sampled(question: Question, samples: int, seed: int) -> Iterator[Question]:
    """A question as often as its rationale is to be sampled; the likeliest one alone if that is once.

    Args:
        question: Any question; one that is not scanned for is asked once.
        samples: Rationales.
        seed: With the question's own key the seed of each rationale.
    """
    if samples == 1 or question.position != "scan":
        yield question
        return
    for sample in range(samples):
        one = replace(question, facts=question.facts | {"sample": sample})
        draw = sha256_bytes(f"{seed}{one.key()}".encode())
        yield replace(one, draw=int(draw[:15], 16))


def scan(expert: Expert, collator: Collator, questions: Sequence[Question]) -> list[Rationale]:
    """Let an expert write to questions and find its verdicts.

    Args:
        expert: Who writes.
        collator: Reads the pictures.
        questions: What is asked; one with a `draw` is written to by chance, with that seed.
    """
    texts = [render_chat(expert.processor, question.messages, prompt=True) for question in questions]
    prompts = [tokenize(expert.processor, text) for text in texts]
    rows = [
        {"input_ids": prompt, "image": question.view}
        for prompt, question in zip(prompts, questions, strict=True)
    ]
    written: dict[int, list[int]] = {}
    for drawn in (False, True):
        chosen = [n for n, question in enumerate(questions) if (question.draw is not None) == drawn]
        draws = [questions[n].draw or 0 for n in chosen] if drawn else None
        tokens = write(
            expert, collator, [rows[n] for n in chosen], draws=draws, max_new_tokens=RATIONALE_TOKENS
        )
        written |= dict(zip(chosen, tokens, strict=True))
    found = []
    for n, question in enumerate(questions):
        begun = Begun(expert.processor, texts[n], prompts[n], written[n])
        rationale = find_place(expert.processor, begun, question)
        boxes = written_boxes(expert, collator, question.view, rationale.text)
        found.append(replace(rationale, boxes=boxes))
    return found


class Begun:
    """A prompt and the tokens written behind it, as text up to any of them.

    Args:
        processor: The expert's processor.
        prompt_text: The prompt as the chat template words it.
        prompt: Its tokens, the image one placeholder.
        written: The tokens behind it.
    """

    def __init__(
        self, processor: Any, prompt_text: str, prompt: Sequence[int], written: Sequence[int]
    ) -> None:
        self.prompt_text, self.prompt, self.written = prompt_text, tuple(prompt), tuple(written)
        self.tokenizer = processor.tokenizer
        self._start = len(self._decode(self.prompt))
        self.upto = cache(lambda count: self.text_with(self.written[:count]))

    def text_with(self, tokens: Sequence[int]) -> str:
        """The text of some tokens behind the prompt, with the space that the first begins with."""
        return self._decode((*self.prompt, *tokens))[self._start :]

    def text(self) -> str:
        """All that was written."""
        return self.upto(len(self.written))

    def place(self, start: int) -> int:
        """The number of tokens before the one that the character at `start` is in."""
        count = bisect_right(range(len(self.written) + 1), start, key=lambda n: len(self.upto(n))) - 1
        while not self.text().startswith(self.upto(count)):  # half a character
            count -= 1
        return count

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(
            self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )


def find_place(processor: Any, begun: Begun, question: Question) -> Rationale:
    """Find the verdict of a text and spell the question's label words at its place."""
    text = begun.text()
    if not question.words:  # it asks for words and no verdict
        return Rationale(text.strip())
    verdict = find_verdict(text, question.words, question.after)
    if verdict is None:
        return Rationale(text.strip(), error=f"wrote no verdict ('{printable(text.strip())[-80:]}')")
    place = begun.place(verdict.start)
    before = begun.upto(place)
    gap = text[len(before) : verdict.start]
    cased = casing(verdict, question)
    wanted = [(label, gap + cased(word)) for label, members in question.words.items() for word in members]
    spelled = spell(processor, begun, place, [word for _, word in wanted], gap + verdict.word)
    if spelled is None:
        reason = f"the tokenizer cannot spell the label words behind '{printable(before)[-40:]}'"
        return Rationale(text.strip(), verdict.label, error=reason)
    words = [Word(word.strip(), label, pieces) for (label, word), pieces in zip(wanted, spelled, strict=True)]
    try:
        words_here = told_apart(processor, words)
        prompt = ResolvedPrompt((*begun.prompt, *begun.written[:place]), words_here)
        check_sum(prompt.tokens("fake"), prompt.tokens("real"), question.aggregation)
    except UsageError as error:
        return Rationale(text.strip(), verdict.label, error=str(error))
    return Rationale(text.strip(), verdict.label, prompt=prompt)


def casing(verdict: Verdict, question: Question) -> Callable[[str], str]:
    """How label words are written where the model wrote one of them: as they stand, capitalised, or in capitals."""
    word = verdict.word
    if any(word in members for members in question.words.values()):
        return str
    if word.isupper():
        return str.upper
    return (lambda text: text[:1].upper() + text[1:]) if word[:1].isupper() else str.lower


def spell(
    processor: Any, begun: Begun, place: int, words: Sequence[str], written: str
) -> list[tuple[int, ...]] | None:
    """The tokens of words behind the first `place` tokens of a text, spelled the way that the model spelled its own.

    Args:
        processor: The expert's processor.
        begun: The text.
        place: Tokens before the words.
        words: The words, with the space before them if there is one.
        written: The one among them that the model wrote.

    Returns:
        Tokens that decode to each word at that place; None if the tokenizer has none.
    """
    head = begun.prompt_text + begun.upto(place)
    ways = [partial(tokens_behind, processor, head), partial(tokens_behind, processor, QUOTE)]
    found = []
    for way in ways:
        pieces = [way(word) for word in words]
        if all(
            begun.text_with((*begun.written[:place], *tokens)) == begun.upto(place) + word
            for tokens, word in zip(pieces, words, strict=True)
        ):
            found.append((way(written) == begun.written[place : place + len(way(written))], pieces))
    return max(found, key=lambda each: each[0])[1] if found else None


def tokens_behind(processor: Any, head: str, word: str) -> tuple[int, ...]:
    """The tokens that a word adds to the text before it; none where it changes that text's own."""
    before, full = tokenize(processor, head), tokenize(processor, head + word)
    return tuple(full[len(before) :]) if full[: len(before)] == before else ()
