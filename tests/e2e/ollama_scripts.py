"""What Ollama says at its own path: scripts for `ScriptedUpstream`."""

import json
from collections.abc import Sequence
from typing import Any

from tests.e2e.scripted_upstream import Answer, Received, Script

PROMPT_TOKENS = 17


def says(*words: str) -> Script:
    return _message([{"content": word} for word in words], {"content": "".join(words)}, len(words))


def calls_tool(name: str, *pieces: str) -> Script:
    message = {"content": "", "tool_calls": [{"function": {"name": name, "arguments": json.loads("".join(pieces))}}]}
    return _message([message], message, 5)


def fails(status: int, message: str = "scripted") -> Script:
    return lambda _: Answer([json.dumps({"error": message}).encode()], status)


def _message(pieces: Sequence[Any], whole: Any, completion_tokens: int) -> Script:
    def script(received: Received) -> Answer:
        assert received.path == "/api/chat"
        head = {"model": received.body["model"], "created_at": "2026-01-01T00:00:00.123456789Z"}
        done = {
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": PROMPT_TOKENS,
            "eval_count": completion_tokens,
        }
        if not received.body["stream"]:
            return Answer([json.dumps({**head, "message": {"role": "assistant", **whole}, **done}).encode()])
        said = [{**head, "message": {"role": "assistant", **piece}, "done": False} for piece in pieces]
        said.append({**head, "message": {"role": "assistant", "content": ""}, **done})
        lines = [json.dumps(line).encode() + b"\n" for line in said]
        return Answer(lines, headers={"content-type": "application/x-ndjson"}, streamed=True)

    return script
