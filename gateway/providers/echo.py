"""The offline default: a model that repeats what the user said, in every dialect, with true token counts.

It makes a first call work without a key and without a network, and it is the upstream of many tests. Not for load: a
reply is built in memory at once.
"""

import base64
import hashlib
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from math import inf
from typing import Any

import orjson

from classifiers.base import Author
from gateway import text
from gateway.count import count
from gateway.errors import Refusal
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Conversations, StreamEvent, UpstreamReply, UpstreamRequest
from gateway.providers.openai import OpenAIProvider

MODELS = ("echo",)
DIMENSIONS = 16
_MAX_DIMENSIONS = 4096


class EchoProvider:
    """Speaks OpenAI's dialect and Anthropic's: the endpoint decides."""

    endpoints = frozenset(
        (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES, Endpoint.MESSAGES,
         Endpoint.COUNT_TOKENS)
    )  # fmt: skip

    def __init__(self) -> None:
        self._openai = OpenAIProvider("")
        self.conversations: Conversations | None = self._openai.conversations
        self._anthropic = AnthropicProvider("")

    def _for(self, endpoint: Endpoint) -> OpenAIProvider | AnthropicProvider:
        return self._anthropic if endpoint in self._anthropic.endpoints else self._openai

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        body = self._for(call.endpoint).request(call, target, inbound).body
        return UpstreamRequest(f"/{call.endpoint}", (), body)

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        return self._for(endpoint).usage(endpoint, reply)

    def matters(self, event: bytes) -> bool:
        return self._openai.matters(event) or self._anthropic.matters(event)

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        return self._for(call.endpoint).event(call, data)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        return self._openai.error(status, headers, body)


class EchoReply:
    def __init__(self, content_type: str, pieces: list[bytes]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self._pieces = pieces

    async def read(self, max_bytes: int, idle_timeout_s: float) -> bytes:
        return b"".join(self._pieces)

    async def pump(
        self, feed: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]], idle_timeout_s: float
    ) -> None:
        for piece in self._pieces:
            if feed(piece):
                await drained()

    def abort(self) -> None:
        self._pieces = []


class EchoUpstream:
    """Answers in this process, without waiting for anything."""

    async def send(self, request: UpstreamRequest, first_byte_timeout_s: float, ends_at: float = inf) -> UpstreamReply:
        endpoint = Endpoint(request.path[1:])
        body: Json = orjson.loads(request.body)
        said = [turn.text for turn in text.turns(endpoint, body) if turn.author is Author.USER]
        answer = _Answer(endpoint, body, said[-1] if said else "", sum(map(count, said)))
        if answer.streamed:
            return EchoReply("text/event-stream", list(answer.events()))
        return EchoReply("application/json", [orjson.dumps(answer.whole())])

    async def close(self) -> None:
        """Nothing is open."""


class _Answer:
    """One answer, in the shape its endpoint wants."""

    def __init__(self, endpoint: Endpoint, body: Json, said: str, prompt_tokens: int) -> None:
        self.endpoint = endpoint
        self.body = body
        self.said = said
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = 0 if endpoint is Endpoint.EMBEDDINGS else count(said)
        self.streamed = bool(body.get("stream")) and endpoint is not Endpoint.EMBEDDINGS
        self.id = hashlib.sha256(orjson.dumps(body)).hexdigest()[:24]
        self.words = [word + " " for word in said.split(" ")][:-1] + said.split(" ")[-1:]

    def whole(self) -> Json:
        match self.endpoint:
            case Endpoint.EMBEDDINGS:
                return self._embeddings()
            case Endpoint.COUNT_TOKENS:
                return {"input_tokens": self.prompt_tokens}
            case Endpoint.RESPONSES:
                return self._response("completed")
            case Endpoint.MESSAGES:
                return self._message([{"type": "text", "text": self.said}], "end_turn", self.completion_tokens)
            case Endpoint.COMPLETIONS:
                return self._choices("text_completion", {"text": self.said}, "stop") | {"usage": self._usage()}
        message = {"role": "assistant", "content": self.said, "refusal": None}
        return self._choices("chat.completion", {"message": message}, "stop") | {"usage": self._usage()}

    def events(self) -> Iterator[bytes]:
        match self.endpoint:
            case Endpoint.RESPONSES:
                yield from self._responses_events()
            case Endpoint.MESSAGES:
                yield from self._messages_events()
            case _:
                yield from self._chat_events()

    def _usage(self) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def _choices(self, kind: str, choice: Json, finish: str | None) -> Json:
        choices = [{"index": 0, **choice, "logprobs": None, "finish_reason": finish}]
        head = {"id": f"chatcmpl-{self.id}", "object": kind, "created": 0, "model": self.body["model"]}
        return {**head, "choices": choices}

    def _chat_events(self) -> Iterator[bytes]:
        chat = self.endpoint is Endpoint.CHAT
        kind = "chat.completion.chunk" if chat else "text_completion"
        for i, word in enumerate(self.words):
            delta = {"role": "assistant", "content": word} if i == 0 else {"content": word}
            yield _data(self._choices(kind, {"delta": delta} if chat else {"text": word}, None))
        yield _data(self._choices(kind, {"delta": {}} if chat else {"text": ""}, "stop"))
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield _data({**self._choices(kind, {}, None), "choices": [], "usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _message(self, content: list[Json], stop: str | None, output_tokens: int) -> Json:
        usage = {"input_tokens": self.prompt_tokens, "output_tokens": output_tokens}
        head = {"id": f"msg_{self.id}", "type": "message", "role": "assistant", "model": self.body["model"]}
        return {**head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}

    def _messages_events(self) -> Iterator[bytes]:
        yield _named({"type": "message_start", "message": self._message([], None, 0)})
        yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for word in self.words:
            delta = {"type": "text_delta", "text": word}
            yield _named({"type": "content_block_delta", "index": 0, "delta": delta})
        yield _named({"type": "content_block_stop", "index": 0})
        usage = {"output_tokens": self.completion_tokens}
        delta_end = {"stop_reason": "end_turn", "stop_sequence": None}
        yield _named({"type": "message_delta", "delta": delta_end, "usage": usage})
        yield _named({"type": "message_stop"})

    def _item(self, status: str, content: list[Json]) -> Json:
        return {"id": f"msg_{self.id}", "type": "message", "status": status, "role": "assistant", "content": content}

    def _response(self, status: str) -> Json:
        done = status == "completed"
        part = {"type": "output_text", "text": self.said, "annotations": []}
        usage = {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
        return {
            "id": f"resp_{self.id}", "object": "response", "created_at": 0, "status": status, "error": None,
            "incomplete_details": None, "instructions": self.body.get("instructions"), "metadata": {},
            "model": self.body["model"], "output": [self._item(status, [part])] if done else [],
            "parallel_tool_calls": True, "temperature": None, "tool_choice": "auto", "tools": [], "top_p": None,
            "usage": usage if done else None,
        }  # fmt: skip

    def _responses_events(self) -> Iterator[bytes]:
        at = {"item_id": f"msg_{self.id}", "output_index": 0, "content_index": 0}
        empty = {"type": "output_text", "text": "", "annotations": []}
        events: list[Json] = [
            {"type": "response.created", "response": self._response("in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": self._item("in_progress", [])},
            {"type": "response.content_part.added", **at, "part": empty},
            *({"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in self.words),
            {"type": "response.output_text.done", **at, "text": self.said, "logprobs": []},
            {"type": "response.content_part.done", **at, "part": {**empty, "text": self.said}},
            {
                "type": "response.output_item.done",
                "output_index": 0,
                "item": self._item("completed", [{**empty, "text": self.said}]),
            },
            {"type": "response.completed", "response": self._response("completed")},
        ]
        for number, event in enumerate(events):
            yield _named({**event, "sequence_number": number})

    def _embeddings(self) -> Json:
        given = self.body["input"]
        inputs = given if isinstance(given, list) and not all(isinstance(i, int) for i in given) else [given]
        size = self.body.get("dimensions")
        size = size if isinstance(size, int) and 0 < size <= _MAX_DIMENSIONS else DIMENSIONS
        vectors = [_vector(orjson.dumps(one), size) for one in inputs]
        if self.body.get("encoding_format") == "base64":
            made: list[Any] = [base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() for vector in vectors]
        else:
            made = vectors
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(made)]
        usage = {"prompt_tokens": self.prompt_tokens, "total_tokens": self.prompt_tokens}
        return {"object": "list", "data": data, "model": self.body["model"], "usage": usage}


def _vector(given: bytes, size: int) -> list[float]:
    """A unit-range vector that depends on every byte of the input, the same each time."""
    stretched = hashlib.shake_128(given).digest(size)
    return [(byte - 127.5) / 127.5 for byte in stretched]


def _data(event: Json) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _named(event: Json) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\n" + _data(event)
