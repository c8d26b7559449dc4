"""A failure that one of OpenAI's dialects reports inside a stream."""

from typing import Any

from gateway.errors import Refusal, UpstreamError
from gateway.providers.rejection import redact

_SAID_NOTHING = "The model's provider failed."


def read_failure(error: Any) -> Refusal:
    """`error`: an object with a message, or the message itself. Our keys are taken out of it."""
    message = error.get("message") if isinstance(error, dict) else error
    return UpstreamError(redact(message) if isinstance(message, str) and message else _SAID_NOTHING)
