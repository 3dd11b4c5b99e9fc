"""A first look at a server, before anything is written: does it answer, look at images, tell log-probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydantic import ValidationError

from fakeinstruct.base.errors import RecordError, UsageError
from fakeinstruct.forensics.readout import user_turn
from fakeinstruct.forensics.server_http import Connection, RefusedError, StoppedServerError
from fakeinstruct.forensics.server_messages import api_messages, data_url
from fakeinstruct.forensics.server_tokens import Answer, Completion, read_completion

if TYPE_CHECKING:
    from fakeinstruct.forensics.server import Server

FEWER = 5
"""Likeliest tokens asked for where a server gives fewer than `server.TOP`."""

PROBE = "Is this image real or fake? Answer with one word."


class Model(Answer):
    """A model of the list."""

    id: str


class Models(Answer):
    """What `/models` returns, as far as it is read here."""

    data: list[Model]


async def served_model(connection: Connection) -> str:
    """The name of the only model that a server serves.

    Raises:
        UsageError: If it serves several, or does not say.
    """
    try:
        names = [
            model.id for model in Models.model_validate_json(await connection.request("GET", "/models")).data
        ]
    except (RefusedError, ValidationError):
        names = []
    if len(names) == 1:
        return names[0]
    told = f"serves {', '.join(names[:20])}" if names else "does not say which model it serves"
    raise UsageError(told, file=connection.url, hint="Name one with --model.")


async def probed(server: Server) -> Server:
    """The server with its model's name, asked for as many likeliest tokens as it gives.

    Raises:
        UsageError: If it cannot be asked.
    """
    hasty = replace(server.patience, attempts=min(2, server.patience.attempts))
    try:
        async with Connection(server.url, server.key, hasty) as connection:
            server = replace(server, model=server.model or await served_model(connection))
            return await _probed_with(server, connection)
    except StoppedServerError as error:
        problem = error.problem.replace("stopped answering", "does not answer")
        raise UsageError(problem, file=server.url, hint="Start it, or wait until it is up.") from None
    except RecordError as error:
        raise UsageError(error.problem, file=server.url, hint=error.hint) from None


async def _probed_with(server: Server, connection: Connection) -> Server:
    grey, noise = probe_pictures()
    for top in (server.top, FEWER):
        server = replace(server, top=top)
        try:
            seen = await _ask(server, connection, grey)
            break
        except RefusedError as error:
            if "logprob" not in error.said.lower():
                raise await _why_refused(server, connection, error) from None
            if top == FEWER:
                raise _no_logprobs(server, error.said) from None
    if not seen.places:
        raise _no_logprobs(server, "its answers have none")
    if not seen.places[0].top_logprobs:
        raise _no_logprobs(server, "its answers have that of the written token alone")
    if (await _ask(server, connection, noise)).places == seen.places:
        raise UsageError(
            f"does not look at the image: {server.model} answers alike to a grey picture and to noise",
            file=server.url,
        )
    return server


def _no_logprobs(server: Server, reason: str) -> UsageError:
    return UsageError(
        f"returns no log-probabilities ({reason})",
        file=server.url,
        hint="Serve the model with vLLM or SGLang, or score its folder.",
    )


async def _ask(server: Server, connection: Connection, picture: Image.Image | None) -> Completion:
    if picture is None:
        messages = [{"role": "user", "content": PROBE}]
    else:
        messages = api_messages(user_turn(PROBE), data_url(picture))
    return read_completion(await connection.complete(server.body(messages, 1)))


async def _why_refused(server: Server, connection: Connection, error: RefusedError) -> UsageError:
    """What a refusal of a question with an image means: of the image, if the question alone is answered."""
    if error.code in (401, 403):
        return UsageError(
            f"refuses the key ({error.said})",
            file=server.url,
            hint="Give it by the environment variable OPENAI_API_KEY.",
        )
    try:
        await _ask(server, connection, None)
    except RecordError:
        return UsageError(error.problem, file=server.url, hint="Is that the address, and --model the name?")
    return UsageError(
        f"refuses images: {server.model} answers the question alone, and with an image {error.code} ({error.said})",
        file=server.url,
        hint="Serve a vision-language model.",
    )


def probe_pictures() -> tuple[Image.Image, Image.Image]:
    """A grey picture and one of noise, 224 pixels a side."""
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return Image.new("RGB", (224, 224), (128, 128, 128)), Image.fromarray(noise)
