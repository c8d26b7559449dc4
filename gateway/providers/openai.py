"""Any server that speaks OpenAI's dialect: OpenAI, vLLM, llama.cpp, LM Studio, Ollama, Gemini's compatible paths."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.dialects import chat
from gateway.errors import Refusal, UpstreamError
from gateway.exchange import UNIT_BILLED, Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers import usage
from gateway.providers.base import Conversations, StreamEvent, UpstreamRequest
from gateway.providers.media_events import media_event
from gateway.providers.rejection import redact, rejection
from gateway.wire.frames import EventFrames
from gateway.wire.sse import every_event_ends

ENDPOINTS = (
    frozenset((Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES, Endpoint.MODERATIONS))
    | UNIT_BILLED
)
# Every chunk names usage and finish_reason, nearly always as null. All begin with one quote, written once: the search
# then leaps from quote to quote.
_MATTERS = re.compile(rb'"(?:error"|(?:usage|finish_reason)"(?!: ?null)|response\.(?:completed|failed|incomplete)")')
_LAST_RESPONSES_EVENTS = ("response.completed", "response.incomplete")


class OpenAIProvider:
    endpoints = ENDPOINTS

    def __init__(self, api_key: str) -> None:
        credentials = [("authorization", f"Bearer {api_key}")] if api_key else []
        self._headers = (("content-type", "application/json"), ("user-agent", "guardflow"), *credentials)
        self.conversations: Conversations | None = Conversations(chat, EventFrames, self._converse)

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        beta = inbound.headers.get("openai-beta")
        headers = (*self._headers, ("openai-beta", beta)) if beta else self._headers
        if call.form is not None:
            headers = (("content-type", call.form.content_type), *headers[1:])
        return UpstreamRequest("/" + call.endpoint, headers, rewritten(call, target))

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        return UpstreamRequest("/" + Endpoint.CHAT, self._headers, orjson.dumps(body))

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        return _usage(reply)

    def matters(self, event: bytes) -> bool:
        return _MATTERS.search(event) is not None or not every_event_ends(event, b"}")  # [DONE] ends in no brace

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        if data.strip() == b"[DONE]":
            return StreamEvent(terminal=True, finish=True)
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            return StreamEvent(forward=False, error=UpstreamError("The model's provider sent a broken stream."))
        if not isinstance(said, dict):
            return StreamEvent()
        if call.endpoint is Endpoint.RESPONSES:
            return _responses_event(said)
        if said.get("error"):
            return StreamEvent(forward=False, error=_stream_error(said["error"]))
        if call.endpoint in UNIT_BILLED and (judged := media_event(call, said)) is not None:
            return judged
        choices = said.get("choices")
        return StreamEvent(
            forward=bool(choices) or not said.get("usage") or call.wants_usage,
            finish=isinstance(choices, list)
            and any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices),
            usage=_usage(said),
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        return rejection(status, headers, body)


def rewritten(call: ModelCall, target: Target) -> bytes:
    """The body for the upstream: the client's own bytes where nothing in them has to change."""
    if call.form is not None:
        return call.form.saying("model", target.upstream_model)
    if target.upstream_model == call.model:
        return call.raw if call.raw is not None else orjson.dumps(call.body)
    return orjson.dumps({**call.body, "model": target.upstream_model})


def _usage(reply: Any) -> Usage | None:
    said = reply.get("usage") if isinstance(reply, dict) else None
    return usage.read(said, ("prompt_tokens",), "completion_tokens") or usage.read(
        said, ("input_tokens",), "output_tokens"
    )


def _responses_event(said: dict[str, Any]) -> StreamEvent:
    kind = said.get("type")
    if kind == "error":
        return StreamEvent(forward=False, error=_stream_error(said))
    if kind == "response.failed":  # the client's SDK knows this event; nothing follows it
        return StreamEvent(terminal=True, finish=True, usage=_usage(said.get("response")))
    last = kind in _LAST_RESPONSES_EVENTS
    return StreamEvent(terminal=last, finish=last, usage=_usage(said.get("response")) if last else None)


def _stream_error(error: Any) -> Refusal:
    message = error.get("message") if isinstance(error, dict) else error
    return UpstreamError(redact(message) if isinstance(message, str) else "The model's provider failed.")
