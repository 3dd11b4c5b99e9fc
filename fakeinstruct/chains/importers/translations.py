"""Phrases of a chat model that translated an annotation, around the words that it translated."""

from __future__ import annotations

import re

_REPLY = re.compile(
    r"(?:Certainly|Sure)\b|The (?:English )?(?:text|translation|description|sentence)s?\b[^.]*\b(?:translat|describes)"
    r"|The (?:English )?translation of\b|.*\byou (?:provided|would like)\b"
)
_QUOTED = re.compile(r'"([^"]+)"')
_FOREIGN = re.compile(r"[^\x00-ɏ -⁯]")
_BODY = re.compile(r":\s*\n+(?P<body>.+)", re.DOTALL)


def without_translator(text: str) -> str | None:
    """The translated words of an annotation, None if a translator's reply holds none.

    >>> without_translator('The text translates to: "The shadow is missing."')
    'The shadow is missing.'
    >>> without_translator("The shadow is missing.")
    'The shadow is missing.'
    """
    text = text.strip()
    if not _REPLY.match(text):
        return text
    body = _BODY.search(text)
    if body:
        return body["body"].strip().strip('"').strip()
    quoted = [words for words in _QUOTED.findall(text) if not _FOREIGN.search(words)]
    return quoted[0].strip() if quoted else None
