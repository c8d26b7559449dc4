"""Google's Gemini in its own dialect; embeddings by its OpenAI-compatible path.

The model and whether the answer is a stream stand in the path. A stream has no last event of its own: the one that says
why the model stops is the last, where there is one candidate.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from gateway.dialects import gemini
from gateway.errors import Refusal, UpstreamError
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers import usage
from gateway.providers.base import Conversations, StreamEvent, UpstreamRequest
from gateway.providers.openai import rewritten
from gateway.providers.rejection import redact, rejection
from gateway.wire.frames import EventFrames

EVENTS = "alt=sse"
"""In a query: the stream shall be events, not one array of JSON."""
_BAD_KEY = b'"API_KEY_INVALID"'
_WAIT = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"')

Headers = tuple[tuple[str, str], ...]


class GeminiProvider:
    endpoints = frozenset((Endpoint.GENERATE, Endpoint.EMBEDDINGS))

    def __init__(self, api_key: str) -> None:
        self._headers: Headers = (("content-type", "application/json"), ("user-agent", "guardflow"))
        self._key: Headers = (("x-goog-api-key", api_key),) if api_key else ()
        self._bearer: Headers = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self.conversations: Conversations | None = Conversations(gemini, EventFrames, self._converse)

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        if call.endpoint is Endpoint.EMBEDDINGS:
            return UpstreamRequest("/v1beta/openai/embeddings", self._headers + self._bearer, rewritten(call, target))
        body = call.raw if call.raw is not None else orjson.dumps(call.body)
        path = self._path(target.upstream_model, stream=call.stream, query=inbound.query)
        return UpstreamRequest(path, self._headers + self._key, body)

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        path = self._path(target.upstream_model, stream=call.stream, query=EVENTS)
        return UpstreamRequest(path, self._headers + self._key, orjson.dumps(body))

    def _path(self, model: str, *, stream: bool, query: str) -> str:
        """Of the client's query only the form of the stream goes along."""
        verb = "streamGenerateContent" if stream else "generateContent"
        form = f"?{EVENTS}" if stream and asks_for_events(query) else ""
        return f"{self._models()}/{quote(model.removeprefix('models/'), safe='')}:{verb}{form}"

    def _models(self) -> str:
        return "/v1beta/models"

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        if endpoint is Endpoint.EMBEDDINGS:
            said = reply.get("usage") if isinstance(reply, dict) else None
            return usage.read(said, ("prompt_tokens",), "completion_tokens")
        if isinstance(reply, list):  # a stream that was not asked for as events is one array
            return next(filter(None, map(_usage, reversed(reply))), None)
        return _usage(reply)

    def matters(self, event: bytes) -> bool:
        return True  # every event tells the usage so far

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            return StreamEvent(forward=False, error=UpstreamError("The model's provider sent a broken stream."))
        if not isinstance(said, dict):
            return StreamEvent()
        if said.get("error"):
            return StreamEvent(forward=False, error=_stream_error(said["error"]))
        finish = _is_finished(said)
        return StreamEvent(finish=finish, terminal=finish and call.choices == 1, usage=_usage(said))

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        """A key that isn't good is a 400 there, but no fault of the client's. When to come back stands in the body.
        Errors of a stream come in an array."""
        if status == 400 and _BAD_KEY in body:
            status = 401
        if "retry-after" not in headers and (wait := _WAIT.search(body)) is not None:
            headers = {**headers, "retry-after": wait[1].decode()}
        return rejection(status, headers, body.strip().removeprefix(b"[").removesuffix(b"]"))


def asks_for_events(query: str) -> bool:
    return EVENTS in query.split("&")


def _is_finished(said: Json) -> bool:
    candidates, feedback = said.get("candidates"), said.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return True
    return isinstance(candidates, list) and any(isinstance(c, dict) and c.get("finishReason") for c in candidates)


def _usage(reply: Any) -> Usage | None:
    """Thoughts are counted beside the candidates, and are output too; what tools added is input."""
    said = reply.get("usageMetadata") if isinstance(reply, dict) else None
    if not isinstance(said, dict):
        return None
    thoughts, cached = _count(said, "thoughtsTokenCount"), _count(said, "cachedContentTokenCount")
    prompt = _count(said, "promptTokenCount") + _count(said, "toolUsePromptTokenCount")
    return Usage(prompt, _count(said, "candidatesTokenCount") + thoughts, min(cached, prompt), thoughts)


def _count(said: Json, name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _stream_error(error: Any) -> Refusal:
    message = error.get("message") if isinstance(error, dict) else None
    return UpstreamError(redact(message) if isinstance(message, str) else "The model's provider failed.")
