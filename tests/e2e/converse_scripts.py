"""What Amazon Bedrock's Converse API says: scripts for `ScriptedUpstream`, streams in AWS's own framing."""

import json
from collections.abc import Sequence
from typing import Any

from tests.e2e.scripted_upstream import Answer, Received, Script
from tests.gateway.wire.test_eventstream import event

INPUT_TOKENS = 19
_FRAMED = {"content-type": "application/vnd.amazon.eventstream"}


def says(*words: str) -> Script:
    deltas = [{"text": word} for word in words]
    return _message({"text": "".join(words)}, None, deltas, "end_turn", len(words))


def calls_tool(name: str, *pieces: str) -> Script:
    use = {"toolUseId": "tooluse_1", "name": name}
    block = {"toolUse": {**use, "input": json.loads("".join(pieces))}}
    return _message(block, {"toolUse": use}, [{"toolUse": {"input": piece}} for piece in pieces], "tool_use", 5)


def fails(status: int, message: str = "scripted") -> Script:
    headers = {"x-amzn-errortype": "ScriptedException:http://internal.amazon.com/"}
    return lambda _: Answer([json.dumps({"message": message}).encode()], status, headers)


def _message(block: Any, opened: Any, deltas: Sequence[Any], stop: str, output_tokens: int) -> Script:
    usage = {"inputTokens": INPUT_TOKENS, "outputTokens": output_tokens, "totalTokens": INPUT_TOKENS + output_tokens}

    def script(received: Received) -> Answer:
        if received.path.endswith("/converse"):
            message = {"role": "assistant", "content": [block]}
            whole = {"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}
            return Answer([json.dumps(whole).encode()])
        assert received.path.endswith("/converse-stream")
        start = {"contentBlockStart": {"contentBlockIndex": 0, "start": opened}} if opened else {}
        said = [
            {"messageStart": {"role": "assistant"}},
            *([start] if start else []),
            *({"contentBlockDelta": {"contentBlockIndex": 0, "delta": delta}} for delta in deltas),
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": stop}},
            {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}},
        ]
        pieces = [event(name, json.dumps(payload).encode()) for one in said for name, payload in one.items()]
        return Answer(pieces, headers=_FRAMED, streamed=True)

    return script
