"""Annotators' own words of a chain, and who wrote them; never our templates' text, which would measure memory."""

from __future__ import annotations

from typing import NamedTuple

from fakeinstruct.chains.schema import Chain, Text

LANGUAGE = "en"
"""Words in another language are not compared: experts answer in this one."""

ROLES = ("explanation", "conclusion")
"""Roles of texts that explain; a caption says what is seen, "original" is before translation."""


class Own(NamedTuple):
    """What an expert's words are compared with.

    Attributes:
        by: Who wrote them, as `origin.by`: "human", "model", or "dataset" where a publisher does not say.
        writer: The model that wrote them, or the dataset's name.
        references: Whole texts, one or more.
    """

    by: str
    writer: str
    references: tuple[str, ...]


def own_words(chain: Chain) -> Own | str:
    """The annotators' own words of a chain, or why there are none.

    Its explanations and conclusions count, each as a reference; where it has none, what its traces took from its texts;
    where it has no texts, what a human annotator's traces say. A sentence that an importer wrote for a published
    category (`mapped_by: format`) is nobody's own.
    """
    if chain.origin.by == "program" or chain.origin.synthetic:
        return "written by a program"
    writer = chain.origin.model or chain.origin.name or chain.dataset
    texts = [text for text in chain.texts if text.role in ROLES]
    references = tuple(text.text for text in texts if _spoken(text))
    if texts and not references:
        return f"in another language than '{LANGUAGE}'"
    if not references:
        said = " ".join(_of_traces(chain))
        references = (said,) if said else ()
    return Own(chain.origin.by, writer, references) if references else "no words of annotators"


def _spoken(text: Text) -> bool:
    return text.lang.lower().split("-")[0] == LANGUAGE


def _of_traces(chain: Chain) -> list[str]:
    """What the traces that speak for the label took from a text, or say where a human wrote them."""
    traces = [trace for trace in chain.traces if trace.points_to == chain.label]
    spans = [(chain.texts[one.span.text], one.span) for one in traces if one.span]
    if spans:
        return [text.text[span.start : span.end] for text, span in spans if _spoken(text)]
    if chain.origin.by != "human":
        return []
    own = [one for one in traces if one.mapped_by != "format"]
    return [part for one in own for part in (one.observation, one.inference) if part]
