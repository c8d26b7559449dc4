"""What an OpenAI-compatible provider says: scripts for `ScriptedUpstream`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.scripted_upstream import Answer, Received, Script

PROMPT_TOKENS = 9
EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}


def says(*words: str, completion_tokens: int | None = None, prompt_tokens: int = PROMPT_TOKENS, **how: Any) -> Script:
    """A chat answer, whole or streamed as it was asked for; `how` are fields of `Answer`."""
    usage = usage_of(prompt_tokens, len(words) if completion_tokens is None else completion_tokens)
    deltas = [{"role": "assistant", "content": words[0]}, *({"content": word} for word in words[1:])]
    message = {"role": "assistant", "content": "".join(words), "refusal": None}
    return _chat(message, deltas, "stop", usage, how)


def calls_tool(name: str, *arguments: str) -> Script:
    """One tool call, its arguments in pieces where it is streamed."""
    function = {"name": name, "arguments": "".join(arguments)}
    message = {"role": "assistant", "content": None, "tool_calls": [_tool(function, id="call_1", type="function")]}
    first = _tool({"name": name, "arguments": ""}, index=0, id="call_1", type="function")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": [first]}]
    deltas += [{"tool_calls": [_tool({"arguments": piece}, index=0)]} for piece in arguments]
    return _chat(message, deltas, "tool_calls", usage_of(PROMPT_TOKENS, 5), {})


def fails(status: int, message: str = "scripted", *, code: str | None = None, **headers: str) -> Script:
    """An error as OpenAI sends it. `headers` are written with underscores."""
    body = json.dumps({"error": {"message": message, "type": "scripted_error", "param": None, "code": code}}).encode()
    return lambda _: Answer([body], status, {name.replace("_", "-"): value for name, value in headers.items()})


def answers(body: Any) -> Script:
    """A whole reply with just this body."""
    return lambda _: Answer([json.dumps(body).encode()])


def usage_of(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def event(said: Any) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def _chat(
    message: Any, deltas: list[dict[str, Any]], finish: str, usage: Mapping[str, int], how: Mapping[str, Any]
) -> Script:
    def script(received: Received) -> Answer:
        body = received.body
        head = {"id": "chatcmpl-1", "created": 1767225600, "model": body["model"]}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            return Answer([json.dumps(whole).encode()], **how)
        chunk = _chunks({**head, "object": "chat.completion.chunk"})
        pieces = [chunk(delta, None) for delta in deltas] + [chunk({}, finish)]
        if (body.get("stream_options") or {}).get("include_usage"):
            pieces.append(event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        return Answer([*pieces, b"data: [DONE]\n\n"], headers=EVENT_STREAM, streamed=True, **how)

    return script


def _chunks(head: Mapping[str, Any]) -> Callable[[Any, str | None], bytes]:
    def chunk(delta: Any, finish: str | None) -> bytes:
        return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    return chunk


def _tool(function: Mapping[str, str], **fields: Any) -> dict[str, Any]:
    return {**fields, "function": function}
