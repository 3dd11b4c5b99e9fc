"""Pages that need nothing beside themselves: how they are rendered, and how pictures lie in them."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Literal

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image


@cache
def environment(*packages: str, escape: bool = True) -> Environment:
    """Jinja for pages: whatever comes from data is escaped, and what is not there is an error.

    The same one for the same arguments: a template is compiled once.

    Args:
        packages: The packages that the templates lie in; `page.css.jinja` is found from any.
        escape: Whether to escape HTML. What is no HTML takes care of itself.
    """
    jinja = Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in (*packages, "fakeinstruct.base")]),
        autoescape=escape,  # noqa: S701 - said by the caller, True for pages
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["num"] = number
    return jinja


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people: "–" where there is none."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def data_uri(picture: Image.Image, side: int, kind: Literal["PNG", "JPEG"] = "PNG") -> str:
    """A picture as a data URI, about `side` pixels on its longer side.

    Args:
        picture: An RGB picture; a smaller one is enlarged by a whole factor, without smoothing.
        side: Longer side in pixels.
        kind: JPEG where there are many pictures, PNG where their pixels matter.
    """
    longer = max(picture.size)
    if longer > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    else:
        factor = max(1, side // longer)
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True, **({"quality": 85} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
