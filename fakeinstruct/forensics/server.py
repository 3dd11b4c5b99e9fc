"""A server that is asked as an expert is: any that speaks the OpenAI API and returns log-probabilities."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeinstruct.base.errors import UsageError
from fakeinstruct.base.files import fingerprint
from fakeinstruct.expert.card import ExpertCard
from fakeinstruct.forensics.server_http import Connection, Patience, run_to_end

if TYPE_CHECKING:
    from fakeinstruct.forensics.expert import Expert
    from fakeinstruct.forensics.server_ask import ServerAsker
    from fakeinstruct.forensics.views import Viewer

TOP = 20
"""Likeliest tokens asked for: as many as vLLM gives unless it is started with another --max-logprobs."""


ADDRESS = re.compile(r"[\w.-]+:\d+(/|$)|[\w.-]+/v1/?$")
"""What looks like a server's address without its http://, "localhost:8000/v1"."""


@dataclass(frozen=True)
class Server:
    """A vision-language model behind the OpenAI API.

    It has what `Expert` has where questions are asked. Its readouts come from a protocol: it has no `expert.json`.

    Attributes:
        url: Its address, up to `/v1`.
        model: The name that it serves the model by.
        key: The API key, which is sent and stored nowhere.
        top: How many likeliest tokens it is asked for.
        patience: How long it is waited for.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    top: int = TOP
    patience: Patience = field(default_factory=Patience)

    @property
    def folder(self) -> str:
        """What answers call it."""
        return f"{self.url}#{self.model}"

    @property
    def card(self) -> ExpertCard:
        """A card that knows no readout."""
        return ExpertCard(base=self.model)

    def sha256(self) -> tuple[str, str | None]:
        """A hash of address and name, and none of a processor: a server does not vouch for its weights."""
        return fingerprint({"server": self.url, "model": self.model}), None

    def asker(self, viewer: Viewer, *, batch: int | None = None, explain: bool = False) -> ServerAsker:
        """What asks this server about the views that a viewer gives."""
        from fakeinstruct.forensics.server_ask import ServerAsker

        return ServerAsker(self, viewer, batch=batch, explain=explain)

    def connection(self) -> Connection:
        """A connection to it."""
        return Connection(self.url, self.key, self.patience)

    def body(self, messages: Sequence[dict[str, Any]], max_tokens: int) -> dict[str, Any]:
        """A request for the likeliest answer with its log-probabilities."""
        return {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": self.top,
        }


def open_server(url: str, model: str | None = None, *, patience: Patience | None = None) -> Server:
    """Find a server and see whether it can be asked: images in, log-probabilities out.

    Args:
        url: Its address, with or without `/v1/chat/completions`; the environment variable OPENAI_API_KEY has its key.
        model: The name of the model; not needed where it serves one.
        patience: How long it is waited for.

    Raises:
        UsageError: If the address is none, nobody answers there, or the server refuses images or returns no
            log-probabilities.
    """
    from fakeinstruct.forensics.server_probe import probed

    server = Server(
        plain_address(url), model or "", os.environ.get("OPENAI_API_KEY"), patience=patience or Patience()
    )
    return run_to_end(probed(server))


def plain_address(url: str) -> str:
    """An address up to `/v1`.

    Raises:
        UsageError: If it is none, or has a password or a query, which answers would then carry with them.
    """
    import httpx2

    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL:
        parts = httpx2.URL("")
    if parts.scheme not in ("http", "https") or not parts.host or any(map(str.isspace, url)):
        raise UsageError("is not the address of a server", hint="Give one like http://localhost:8000/v1.")
    if parts.userinfo or parts.query or parts.fragment:
        raise UsageError(
            "the address of a server has a user, a password, a query or a fragment",
            hint="Give the plain address, and the key by the environment variable OPENAI_API_KEY.",
        )
    return url.rstrip("/").removesuffix("/chat/completions").rstrip("/")


def open_expert(name: str | Path, model: str | None = None) -> Expert | Server:
    """Whom a name names: the server of an address, or else the expert of a folder.

    Args:
        name: An address that begins with http:// or https://, or a folder.
        model: The name that a server serves the model by.

    Raises:
        UsageError: If there is none, or a model is named beside a folder.
    """
    if str(name).startswith(("http://", "https://")):
        return open_server(str(name), model)
    if model is not None:
        raise UsageError(
            "--model names a server's model", file=name, hint="A folder holds one: leave it out."
        )
    if ADDRESS.match(str(name)) and not Path(name).exists():
        raise UsageError("is no expert's folder", file=name, hint="Did you forget http://?")
    from fakeinstruct.forensics.expert import load_expert

    return load_expert(name)
