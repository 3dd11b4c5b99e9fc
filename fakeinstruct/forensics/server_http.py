"""Requests to a server: what is tried again and how long, what ends the run, what is one item's error."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from fakeinstruct.base.errors import FakeInstructError, RecordError

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

BUSY = (408, 425, 429, 502, 503, 504)
"""Status of a server that may answer later; if it does not, it has stopped answering."""

LONGEST_PAUSE = 120.0
"""Seconds that a server may ask to wait with `Retry-After`, at most."""

LARGEST = 32 * 2**20
"""Bytes of an answer that are read."""


class RefusedError(RecordError):
    """An answer other than success to one request.

    Args:
        code: Its HTTP status.
        said: What the server said.
    """

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"the server answered {code} ({said})")
        self.code = code
        self.said = said


class StoppedServerError(FakeInstructError):
    """A server from which no more answers come: not there, too slow or too busy after all retries, or failing."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout: Seconds for one request.
        attempts: How often a request is made at most.
        pause: Seconds before the second attempt; doubled before each further one, shortened by up to a half at random.
    """

    timeout: float = 120.0
    attempts: int = 7
    pause: float = 0.5


@dataclass
class Connection:
    """Connections to one server, open within `async with`.

    Attributes:
        url: The address up to `/v1`.
        key: Sent as a bearer token.
        patience: How long the server is waited for.
    """

    url: str
    key: str | None = field(repr=False)
    patience: Patience
    client: httpx2.AsyncClient = field(init=False, repr=False)

    async def __aenter__(self) -> Connection:
        import httpx2

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        limits = httpx2.Limits(max_connections=None)
        self.client = httpx2.AsyncClient(headers=headers, timeout=self.patience.timeout, limits=limits)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def complete(self, body: dict[str, Any]) -> bytes:
        """Ask for a completion.

        Raises:
            RefusedError: If the server answers with an error.
            StoppedServerError: If it does not answer, or is too busy, after all attempts.
        """
        return await self.request("POST", "/chat/completions", body)

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """Make a request, again and again where the server does not answer."""
        problem = ""
        for attempt in range(self.patience.attempts):
            wait = self.patience.pause * 2**attempt * random.uniform(0.5, 1)
            status, answer, asked_wait = await self._try(method, path, body)
            if status == 200:
                return answer
            problem = answer.decode("utf-8", "replace") if status is None else f"it answered {status}"
            last = attempt + 1 == self.patience.attempts
            if status is not None and status not in BUSY and (status < 500 or last):
                raise RefusedError(status, self._said(answer))
            if not last:
                await asyncio.sleep(min(max(wait, asked_wait), LONGEST_PAUSE))
        raise StoppedServerError(f"the server stopped answering ({problem})", file=self.url)

    async def _try(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int | None, bytes, float]:
        """Status, body and seconds to wait of one attempt; status None and the reason if there was no answer."""
        import httpx2

        try:
            async with (
                asyncio.timeout(self.patience.timeout),
                self.client.stream(method, f"{self.url}{path}", json=body) as response,
            ):
                answer = bytearray()
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > LARGEST:
                        raise RecordError(f"the server's answer has more than {LARGEST:,} bytes")
                return response.status_code, bytes(answer), retry_after(response.headers.get("Retry-After"))
        except TimeoutError:
            return None, f"no answer in {self.patience.timeout:g} s".encode(), 0.0
        except httpx2.HTTPError as error:
            return (
                None,
                (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__).encode(),
                0.0,
            )

    def _said(self, answer: bytes) -> str:
        """What an error's body says, without the key if it repeats it."""
        text = answer.decode("utf-8", "replace")
        try:
            said = json.loads(text)
            for name in ("error", "detail", "message"):
                said = said.get(name, said) if isinstance(said, dict) else said
            text = said if isinstance(said, str) else json.dumps(said)
        except ValueError:
            pass
        text = " ".join(text.split())[:300] or "it did not say why"
        return text.replace(self.key, "...") if self.key else text


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from plain code; in a notebook, whose own loop runs already, in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def retry_after(value: str | None) -> float:
    """Seconds to wait by a `Retry-After` header, which gives seconds or a date; 0 if it says nothing."""
    if not value:
        return 0.0
    try:
        return (
            max(0.0, float(value))
            if value[0].isdigit()
            else max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        )
    except (ValueError, TypeError):
        return 0.0
