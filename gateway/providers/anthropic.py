"""Anthropic's own dialect at `/v1/messages`, and any server that speaks it."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.dialects import messages
from gateway.errors import Refusal, UpstreamError
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers import usage
from gateway.providers.base import Conversations, StreamEvent, UpstreamRequest
from gateway.providers.openai import rewritten
from gateway.providers.rejection import redact, rejection
from gateway.wire.frames import EventFrames
from gateway.wire.sse import every_event_ends

DEFAULT_VERSION = "2023-06-01"
_PATHS = {Endpoint.MESSAGES: "/v1/messages", Endpoint.COUNT_TOKENS: "/v1/messages/count_tokens"}
_MATTERS = re.compile(rb'"usage"\s*:\s*\{|"type"\s*:\s*"(?:message_delta|message_stop|error)"')
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicProvider:
    endpoints = frozenset((Endpoint.MESSAGES, Endpoint.COUNT_TOKENS))

    def __init__(self, api_key: str) -> None:
        credentials = [("x-api-key", api_key)] if api_key else []
        self._headers = (("content-type", "application/json"), ("user-agent", "guardflow"), *credentials)
        self.conversations: Conversations | None = Conversations(messages, EventFrames, self._converse)

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        version = inbound.headers.get("anthropic-version", DEFAULT_VERSION)
        beta = inbound.headers.get("anthropic-beta")
        passed = (("anthropic-version", version), *((("anthropic-beta", beta),) if beta else ()))
        return UpstreamRequest(_PATHS[call.endpoint], self._headers + passed, rewritten(call, target))

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        headers = (*self._headers, ("anthropic-version", DEFAULT_VERSION))
        return UpstreamRequest("/v1/messages", headers, orjson.dumps(body))

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        return Usage(0, 0) if endpoint is Endpoint.COUNT_TOKENS else _usage(reply)  # to count costs nothing

    def matters(self, event: bytes) -> bool:
        return _MATTERS.search(event) is not None or not every_event_ends(event, b"}")

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            return StreamEvent(forward=False, error=UpstreamError("The model's provider sent a broken stream."))
        match said.get("type") if isinstance(said, dict) else None:
            case "message_start":
                return StreamEvent(usage=_usage(said.get("message")))
            case "message_delta":
                delta = said.get("delta")
                done = isinstance(delta, dict) and bool(delta.get("stop_reason"))
                return StreamEvent(finish=done, usage=_output_usage(said))
            case "message_stop":
                return StreamEvent(terminal=True, finish=True)
            case "error":
                return StreamEvent(forward=False, error=_stream_error(said.get("error")))
        return StreamEvent()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        return rejection(status, headers, body)


def _usage(message: Any) -> Usage | None:
    return usage.read(message.get("usage") if isinstance(message, dict) else None, _INPUT, "output_tokens")


def _output_usage(said: dict[str, Any]) -> Usage | None:
    """`message_delta` always counts the output so far, and the input only sometimes."""
    counted = said.get("usage")
    if not isinstance(counted, dict):
        return None
    return usage.read({**counted, "input_tokens": counted.get("input_tokens") or 0}, _INPUT, "output_tokens")


def _stream_error(error: Any) -> Refusal:
    message = error.get("message") if isinstance(error, dict) else None
    return UpstreamError(redact(message) if isinstance(message, str) else "The model's provider failed.")
