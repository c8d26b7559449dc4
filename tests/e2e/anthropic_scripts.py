"""What Anthropic's API says: scripts for `ScriptedUpstream`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.e2e.openai_scripts import EVENT_STREAM
from tests.e2e.scripted_upstream import Answer, Received, Script

INPUT_TOKENS = 11


def says(*words: str) -> Script:
    deltas = [{"type": "text_delta", "text": word} for word in words]
    return _message({"type": "text", "text": "".join(words)}, {"type": "text", "text": ""}, deltas, "end_turn")


def calls_tool(name: str, *pieces: str) -> Script:
    """`pieces` are the JSON of the tool's input, cut where a stream is."""
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": json.loads("".join(pieces))}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return _message(block, {**block, "input": {}}, deltas, "tool_use")


def fails(status: int, kind: str, message: str = "scripted") -> Script:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return lambda _: Answer([json.dumps(body).encode()], status)


def breaks_off(*words: str) -> Script:
    """A stream that reports an overload in its midst."""

    def script(received: Received) -> Answer:
        events = list(_events({"type": "text", "text": ""}, [{"type": "text_delta", "text": w} for w in words], ""))
        failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        pieces = [_event(said) for said in [*events[: 2 + len(words)], failed]]
        return Answer(pieces, headers=EVENT_STREAM, streamed=True, wait=lambda sent: 0.3 * (sent == len(pieces) - 1))

    return script


def _message(block: Any, opened: Any, deltas: Sequence[Any], stop: str) -> Script:
    def script(received: Received) -> Answer:
        if received.body.get("stream"):
            pieces = [_event(said) for said in _events(opened, deltas, stop)]
            return Answer(pieces, headers=EVENT_STREAM, streamed=True)
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": len(deltas)}
        return Answer([json.dumps(_head([block], stop, usage)).encode()])

    return script


def _events(opened: Any, deltas: Sequence[Any], stop: str) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    yield {"type": "message_start", "message": _head([], None, usage)}
    yield {"type": "content_block_start", "index": 0, "content_block": opened}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": len(deltas)}}
    yield {"type": "message_stop"}


def _head(content: list[Any], stop: str | None, usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
        "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _event(said: dict[str, Any]) -> bytes:
    return f"event: {said['type']}\ndata: {json.dumps(said)}\n\n".encode()
