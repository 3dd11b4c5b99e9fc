"""JSON as data needs it: finite numbers, no key twice, and texts that are text."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """Parse JSON, refusing what no data holds: NaN, infinite numbers, a key twice in one object.

    Raises:
        ValueError: If it is not such JSON.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=each_key_once)


def parse_record(text: str) -> Any:
    """Parse the JSON of one record as `parse_json`, refusing halves of characters too.

    Raises:
        ValueError: If it is not such JSON.
        RecursionError: If it is nested too deeply.
    """
    value = parse_json(text)
    if may_hold_halves(text):
        check_text(value)
    return value


def may_hold_halves(text: str) -> bool:
    r"""Whether JSON has an escape (``\ud83d``) that, unless two make a pair, is half a character."""
    return _ESCAPED_SURROGATE.search(text) is not None


def is_text(text: str) -> bool:
    """Whether a text is one, as a file name is not whose bytes are no UTF-8: Python carries these as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(value: Any) -> None:
    """Refuse halves of characters anywhere in a JSON value: no file and no page could hold them.

    Raises:
        ValueError: If there is one.
        RecursionError: If the value is nested too deeply.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"{half!r} is half a character, a lone surrogate") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object that `json` read; of a key that comes twice nobody knows which value is meant.

    Raises:
        ValueError: If a key comes twice.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key[:80]!r} comes twice")
    return value
