"""Conversations as OpenAI's clients and servers have them, in both of its dialects: every feature at least once."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from gateway.dialects.base import StreamReader, StreamWriter
from gateway.dialects.neutral import Delta
from gateway.wire.sse import EventSplitter, data_of

PIXEL = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}

CHAT_REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "messages": [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "developer", "content": [{"type": "text", "text": "Metric units."}]},
        {
            "role": "user",
            "name": "mia",
            "content": [
                {"type": "text", "text": "What is the weather on this picture?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/sky.jpg"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"filename": "map.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
                {"type": "file", "file": {"file_id": "file-7"}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look it up.",
            "refusal": None,
            "annotations": [],
            "reasoning_content": "Two towns.",
            "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Ulm"}'}},
                {"id": "call_b", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Bonn"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": "sun"}]},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 300,
    "temperature": 0.4,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "presence_penalty": -0.2,
    "seed": 11,
    "stop": ["END"],
    "n": 2,
    "logprobs": True,
    "top_logprobs": 2,
    "tools": [
        {
            "type": "function",
            "function": {"name": "weather", "description": "now", "parameters": SCHEMA, "strict": True},
        },
        {"type": "function", "function": {"name": "clock"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": True,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "report", "description": "what", "schema": SCHEMA, "strict": True},
    },
    "reasoning_effort": "low",
    "user": "u-17",
    "metadata": {"ticket": "88"},
    "store": False,
    "service_tier": "auto",
}

CHAT_REPLY: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-5-2026",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Rain.",
                "refusal": None,
                "reasoning_content": "Clouds, so rain.",
                "tool_calls": [
                    {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"town":"Ulm"}'}}
                ],
            },
            "logprobs": {
                "content": [
                    {
                        "token": "Rain",
                        "logprob": -0.1,
                        "bytes": [82, 97, 105, 110],
                        "top_logprobs": [{"token": "Sun", "logprob": -2.5, "bytes": [83, 117, 110]}],
                    }
                ],
                "refusal": None,
            },
            "finish_reason": "tool_calls",
        },
        {
            "index": 1,
            "message": {"role": "assistant", "content": None, "refusal": "I can't."},
            "logprobs": None,
            "finish_reason": "stop",
        },
    ],
    "usage": {
        "prompt_tokens": 40,
        "completion_tokens": 12,
        "total_tokens": 52,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}

RESPONSES_REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "instructions": "Answer in one sentence.",
    "input": [
        {"role": "developer", "content": "Metric units."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is the weather on this picture?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                {"type": "input_image", "image_url": "https://example.com/sky.jpg", "detail": "auto"},
                {"type": "input_image", "file_id": "file-3", "detail": "auto"},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
                {"type": "input_file", "filename": "map.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                {"type": "input_file", "file_url": "https://example.com/map.pdf"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Two towns."}],
            "encrypted_content": "gAAAA-sealed",
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "I look it up.", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "weather", "arguments": '{"town":"Ulm"}'},
        {"type": "function_call", "call_id": "call_b", "name": "weather", "arguments": '{"town":"Bonn"}'},
        {"type": "function_call_output", "call_id": "call_a", "output": "rain"},
        {
            "type": "function_call_output",
            "call_id": "call_b",
            "output": [
                {"type": "input_text", "text": "sun"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
            ],
        },
    ],
    "stream": True,
    "max_output_tokens": 300,
    "temperature": 0.4,
    "top_p": 0.9,
    "top_logprobs": 2,
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "tools": [
        {"type": "function", "name": "weather", "description": "now", "parameters": SCHEMA, "strict": True},
        {"type": "function", "name": "clock", "parameters": SCHEMA, "strict": False},
    ],
    "tool_choice": {"type": "function", "name": "weather"},
    "parallel_tool_calls": False,
    "text": {
        "format": {"type": "json_schema", "name": "report", "description": "what", "schema": SCHEMA, "strict": True},
        "verbosity": "low",
    },
    "reasoning": {"effort": "low", "summary": "auto"},
    "user": "u-17",
    "metadata": {"ticket": "88"},
    "store": False,
}

RESPONSES_REPLY: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_790_000_000,
    "status": "completed",
    "model": "gpt-5-2026",
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Clouds, so rain."}],
            "encrypted_content": "gAAAA-sealed",
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "Rain.",
                    "annotations": [],
                    "logprobs": [
                        {
                            "token": "Rain",
                            "logprob": -0.1,
                            "bytes": [82],
                            "top_logprobs": [{"token": "Sun", "logprob": -2.5, "bytes": [83]}],
                        }
                    ],
                },
                {"type": "refusal", "refusal": "No more."},
            ],
        },
        {"id": "fc_1", "type": "function_call", "call_id": "call_a", "name": "weather", "arguments": '{"town":"Ulm"}'},
        {
            "id": "ig_1",
            "type": "image_generation_call",
            "status": "completed",
            "result": PIXEL,
            "output_format": "webp",
        },
    ],
    "usage": {
        "input_tokens": 40,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 52,
    },
}


def data(document: Any) -> bytes:
    return orjson.dumps(document)


def read_all(reader: StreamReader, events: Iterable[Any]) -> list[Delta]:
    """The deltas of `events`, each JSON or bytes as they are."""
    return [
        delta for event in events for delta in reader.read(event if isinstance(event, bytes) else orjson.dumps(event))
    ]


def write_all(writer: StreamWriter, deltas: Sequence[Delta]) -> list[bytes]:
    """The raw events of `deltas`, the terminal ones included."""
    written = b"".join(writer.write(delta) for delta in deltas) + writer.terminal()
    return EventSplitter().feed(written)


def said(events: Iterable[bytes]) -> list[Any]:
    """The JSON of the events, `[DONE]` left out."""
    return [orjson.loads(found) for event in events if (found := data_of(event)) != b"[DONE]"]


def chunk(delta: Any = None, finish: str | None = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    """A chat completion chunk of one choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-5-2026", "choices": [choice], **more}
