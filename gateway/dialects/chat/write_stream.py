"""A stream of chat completion chunks, written for a client. Usage and `[DONE]` are said once, at the end."""

import time

import orjson

from gateway.dialects.chat.reply import write_drawn, write_stop, write_usage
from gateway.dialects.chat.thoughts import write_thoughts
from gateway.dialects.chat.write_messages import write_call_signature
from gateway.dialects.neutral import (
    Begin,
    ChatRequest,
    DeclineDelta,
    Delta,
    End,
    Failed,
    MediaDelta,
    Reasoning,
    ReasoningDelta,
    Stop,
    TextDelta,
    ToolBegin,
    ToolDelta,
    UsageDelta,
)
from gateway.dialects.openai.logprobs import write_logprobs
from gateway.errors import render
from gateway.exchange import Dialect, Json, Usage

_DONE = b"data: [DONE]\n\n"


class Writer:
    def __init__(self, request: ChatRequest, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._head: Json = {
            "id": "",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request.model,
        }
        self._spoke: set[int] = set()
        self._declined: set[int] = set()
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Begin():
                self._begin(delta)
            case Stop():
                finish = write_stop(delta.reason, delta.stop_sequence, declined=delta.choice in self._declined)
                return self._chunk(delta.choice, {}, finish)
            case UsageDelta():
                self._usage = delta.usage
            case End():
                return self._counted()
            case Failed():
                return b"data: %b\n\n" % render(delta.refusal, Dialect.OPENAI, "")
            case TextDelta() if delta.logprobs is not None:
                logprobs = {"content": write_logprobs(delta.logprobs), "refusal": None}
                return self._chunk(delta.choice, {"content": delta.text}, {"logprobs": logprobs})
            case _:
                return self._chunk(delta.choice, self._said(delta))
        return b""

    def terminal(self) -> bytes:
        return _DONE

    def _begin(self, delta: Begin) -> None:
        self._head |= {"id": delta.id, "created": delta.created or int(time.time())}
        if delta.model:
            self._head["model"] = delta.model

    def _said(self, delta: TextDelta | ReasoningDelta | DeclineDelta | MediaDelta | ToolBegin | ToolDelta) -> Json:
        match delta:
            case TextDelta():
                return {"content": delta.text}
            case ReasoningDelta():
                return write_thoughts([Reasoning(delta.text, delta.signature, delta.redacted)])
            case DeclineDelta():
                self._declined.add(delta.choice)
                return {"refusal": delta.text}
            case MediaDelta():
                return write_drawn([delta.media])
            case ToolBegin():
                return {"tool_calls": [_call(delta)]}
            case ToolDelta():
                return {"tool_calls": [{"index": delta.call, "function": {"arguments": delta.arguments}}]}

    def _chunk(self, choice: int, said: Json, more: Json | None = None) -> bytes:
        if choice not in self._spoke:
            self._spoke.add(choice)
            said = {"role": "assistant", "content": "", **said}
        written = {"index": choice, "delta": said, "logprobs": None, "finish_reason": None, **(more or {})}
        return self._event([written], None)

    def _counted(self) -> bytes:
        return self._event([], write_usage(self._usage)) if self._wants_usage and self._usage is not None else b""

    def _event(self, choices: list[Json], usage: Json | None) -> bytes:
        chunk = {**self._head, "choices": choices}
        if self._wants_usage:
            chunk["usage"] = usage
        return b"data: %b\n\n" % orjson.dumps(chunk)


def _call(delta: ToolBegin) -> Json:
    return {
        "index": delta.call,
        "id": delta.id,
        "type": "function",
        "function": {"name": delta.name, "arguments": ""},
        **write_call_signature(delta.signature),
    }


def writer(request: ChatRequest, *, wants_usage: bool) -> Writer:
    return Writer(request, wants_usage=wants_usage)
