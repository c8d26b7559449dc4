"""What Gemini's API says: scripts for `ScriptedUpstream`."""

import json
from collections.abc import Sequence
from typing import Any

from tests.e2e.openai_scripts import EVENT_STREAM, event
from tests.e2e.scripted_upstream import Answer, Received, Script

PROMPT_TOKENS = 13


def says(*words: str) -> Script:
    return _content([{"text": word} for word in words], {"text": "".join(words)}, len(words))


def calls_tool(name: str, *pieces: str) -> Script:
    """A call comes whole, without an id, and ends as any other answer does."""
    call = {"functionCall": {"name": name, "args": json.loads("".join(pieces))}}
    return _content([call], call, 5)


def fails(status: int, message: str = "scripted") -> Script:
    body = {"error": {"code": status, "message": message, "status": "SCRIPTED"}}
    return lambda _: Answer([json.dumps(body, indent=2).encode()], status)


def _content(pieces: Sequence[Any], whole: Any, completion_tokens: int) -> Script:
    def script(received: Received) -> Answer:
        if ":generateContent" in received.path:
            return Answer([json.dumps(_reply(whole, completion_tokens, last=True)).encode()])
        assert received.path.endswith("?alt=sse")
        last = len(pieces) - 1
        events = [event(_reply(piece, i + 1, last=i == last)) for i, piece in enumerate(pieces[:-1])]
        events.append(event(_reply(pieces[-1], completion_tokens, last=True)))
        return Answer(events, headers=EVENT_STREAM, streamed=True)

    return script


def _reply(part: Any, completion_tokens: int, *, last: bool) -> dict[str, Any]:
    candidate = {
        "index": 0,
        "content": {"role": "model", "parts": [part]},
        **({"finishReason": "STOP"} if last else {}),
    }
    usage = {"promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": completion_tokens,
             "totalTokenCount": PROMPT_TOKENS + completion_tokens}  # fmt: skip
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini", "responseId": "r1"}
