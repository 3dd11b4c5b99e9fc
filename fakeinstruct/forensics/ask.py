"""Free questions: what an expert writes about a picture when it is asked anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from fakeinstruct.base.errors import FakeInstructError, RecordError, UsageError
from fakeinstruct.forensics.boxes import written_boxes
from fakeinstruct.forensics.expert import Expert
from fakeinstruct.forensics.explain import explanation_prompt
from fakeinstruct.forensics.pictures import Picture, show, viewer_of
from fakeinstruct.forensics.views import View, Viewer
from fakeinstruct.forensics.write import MAX_NEW_TOKENS, Show, prompt_tokens, write_about


@dataclass(frozen=True)
class Reply:
    """What an expert wrote about one picture.

    Attributes:
        image: The file, or "image 2" of those in memory.
        question: What was asked.
        text: What it wrote; None if it could not be asked.
        boxes: Regions that the text names: x0, y0, x1, y1 in fractions of the picture.
        error: Why there is no text.
    """

    image: str
    question: str
    text: str | None = None
    boxes: tuple[tuple[float, ...], ...] = ()
    error: str | None = None


def ask(
    expert: Expert,
    picture: Picture,
    question: str | None = None,
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    show_piece: Show | None = None,
) -> str:
    """Ask an expert anything about one picture.

    Args:
        expert: Whom to ask.
        picture: A file, or an image in memory.
        question: What to ask; by default the first question it learned to answer with reasons.
        max_new_tokens: Where the answer is cut off.
        show_piece: Takes each piece of the answer as soon as it is written.

    Raises:
        UsageError: If the question is empty, or there is none.
        FakeInstructError: If the picture cannot be read.
    """
    (reply,) = replies(expert, [picture], question, max_new_tokens=max_new_tokens, show_piece=show_piece)
    if reply.text is None:
        raise FakeInstructError(reply.error or "there is no answer")
    return reply.text


def ask_all(
    expert: Expert,
    pictures: Sequence[Picture],
    question: str | None = None,
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[Reply]:
    """Ask one question about several pictures; one that cannot be read is a reply with its error.

    Args and errors as `ask`, but for a picture's.
    """
    return list(replies(expert, pictures, question, max_new_tokens=max_new_tokens))


def replies(
    expert: Expert,
    pictures: Sequence[Picture],
    question: str | None = None,
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    show_piece: Show | None = None,
) -> Iterator[Reply]:
    """The same as `ask_all`, one after another as they come; see there."""
    question = explanation_prompt(expert) if question is None else question
    prompt_tokens(expert, question)  # a question that cannot be asked is refused before any picture is read
    for shown in show(pictures):
        views, viewer = viewer_of(shown)
        names = [one.name for one in shown if one.image is not None]
        asking = _Asking(expert, viewer, question, max_new_tokens, show_piece)
        answered = iter(asking.about(list(zip(names, views, strict=True))))
        for one in shown:
            yield Reply(one.name, question, error=one.error) if one.image is None else next(answered)


class _Asking:
    """One question to an expert about the pictures of a viewer."""

    def __init__(
        self, expert: Expert, viewer: Viewer, question: str, max_new_tokens: int, show_piece: Show | None
    ) -> None:
        self.expert = expert
        self.question = question
        self.collator, _ = expert.collators(viewer)
        self.write = partial(write_about, max_new_tokens=max_new_tokens, show=show_piece)

    def about(self, pictures: Sequence[tuple[str, View]]) -> list[Reply]:
        """What it writes about each; what fails for all is tried one by one, down to the picture to blame."""
        if not pictures:
            return []
        try:
            texts = self.write(self.expert, self.collator, [view for _, view in pictures], self.question)
        except UsageError:
            raise
        except Exception as error:  # a model or its processor fails with nearly any
            if len(pictures) == 1:
                return [Reply(pictures[0][0], self.question, error=_reason(error))]
        else:
            return [self._reply(*each) for each in zip(pictures, texts, strict=True)]
        return [reply for one in pictures for reply in self.about([one])]

    def _reply(self, picture: tuple[str, View], text: str) -> Reply:
        name, view = picture
        boxes = written_boxes(self.expert, self.collator, view, text)
        return Reply(name, self.question, text, boxes)


def _reason(error: Exception) -> str:
    if isinstance(error, RecordError):
        return str(error)
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"cannot be asked about ({type(error).__name__}: {first})"
