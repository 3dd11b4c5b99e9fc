"""Refusals: words with which language models decline, in what was to be an annotation or an answer.

There are two questions, which one set of words answers. An importer asks whether a text *is* a refusal, since it then
drops the record: the text has to begin as one. An audit asks whether a text *has* one, also after other words.
"""

from __future__ import annotations

import re
from typing import Final

_CANNOT = r"i (?:can(?:no|['’])?t|can not|could(?: not|n['’]t)|am (?:unable|not able) to|['’]m (?:unable|not able) to)"

_ANYWHERE = re.compile(
    rf"\bi(?:['’]m| am) (?:very |really |so )?sorry\b|\bi (?:must )?apologi[sz]e\b"
    rf"|\b{_CANNOT} (?:(?:assist|help|comply)\b"
    r"|(?:view|see|access|process|analy[sz]e) (?:(?:any|the|this|your|an) )?(?:image|picture|photo)(?:graph)?s?\b)"
    r"|\bno image (?:was|is|has been) provided\b",
    re.IGNORECASE,
)
"""What nobody says of a picture, wherever it stands."""

_AT_THE_START = re.compile(
    rf"\s*(?:sorry,|apologi[sz]e|unfortunately, (?:i (?:can|am)|i['’]m)|i(?:['’]m| am) (?:unable|not able)"
    rf"|{_CANNOT} (?:provide|process|analy[sz]e|comment|fulfil|do|view"
    r"|(?:determine|identify|see)(?! (?:an?|any|one|obvious|clear|visible)\b)))",
    re.IGNORECASE,
)
"""What declines where a text begins with it. Later on it may be said of a detail, as "I cannot do without a zoom"."""

OF_ITSELF: Final = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b", re.IGNORECASE
)
"""A model that speaks of itself: a refusal where a text begins so, and no annotator's words anywhere."""


def is_refusal(text: str) -> bool:
    """Whether a text begins as a refusal: "I'm sorry, but I can't assist with that."."""
    return any(pattern.match(text.lstrip()) for pattern in (_ANYWHERE, _AT_THE_START, OF_ITSELF))


def has_refusal(text: str) -> bool:
    """Whether a text begins as a refusal, or declines anywhere. What a model says of itself is `OF_ITSELF`."""
    return bool(_AT_THE_START.match(text) or _ANYWHERE.search(text))
