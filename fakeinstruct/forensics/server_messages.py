"""Conversations as the OpenAI API takes them, pictures as data URLs."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import FakeInstructError, RecordError
from fakeinstruct.expert.sft import Messages

if TYPE_CHECKING:
    from PIL import Image

    from fakeinstruct.forensics.views import View, Viewer


def shown(view: View, viewer: Viewer) -> str:
    """The picture of a view as a data URL.

    Raises:
        RecordError: If it cannot be read, changed or encoded.
    """
    try:
        return data_url(viewer(view))
    except FakeInstructError:
        raise
    except Exception as error:  # pictures fail with nearly any
        reason = f"{type(error).__name__}: {error}"
        raise RecordError(f"cannot be asked about ({reason.splitlines()[0]})") from error


def api_messages(messages: Messages, picture: str) -> list[dict[str, Any]]:
    """Turns as the OpenAI API takes them, the picture wherever an image stands.

    Args:
        messages: Turns as Hugging Face chat templates take them.
        picture: The picture as a data URL.
    """
    image = {"type": "image_url", "image_url": {"url": picture}}
    return [
        {
            "role": turn["role"],
            "content": [image if block["type"] == "image" else block for block in turn["content"]]
            if turn["role"] == "user"
            else "".join(block["text"] for block in turn["content"]),
        }
        for turn in messages
    ]


def data_url(image: Image.Image) -> str:
    """A picture as a data URL, as PNG, which loses nothing."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
