"""The dialect is whole, and an unmodified client of it understands us."""

from typing import Any

import httpx2
import openai
import orjson
import pytest
from pydantic import BaseModel

from gateway.dialects import chat
from gateway.dialects.base import ClientDialect, ProviderDialect
from gateway.dialects.neutral import ChatRequest
from tests.gateway.dialects.openai_examples import CHAT_REPLY, SCHEMA, chunk, data, read_all


class Report(BaseModel):
    town: str


def client(answer: Any, seen: list[ChatRequest]) -> openai.OpenAI:
    """The SDK, behind it our dialect on both sides, and a server that gives `answer`: a reply, or a stream's chunks."""

    def serve(sent: httpx2.Request) -> httpx2.Response:
        request = chat.read_request(orjson.loads(sent.content))
        seen.append(request)
        if not request.stream:
            return httpx2.Response(200, json=chat.write_reply(chat.read_reply(answer), request))
        writer = chat.writer(request, wants_usage=True)
        deltas = read_all(chat.reader(), [*answer, b"[DONE]"])
        body = b"".join(writer.write(delta) for delta in deltas) + writer.terminal()
        return httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx2.Client(transport=httpx2.MockTransport(serve))
    return openai.OpenAI(base_url="http://gateway.test/v1", api_key="x", http_client=http, max_retries=0)


def reply(content: str) -> Any:
    message = {"role": "assistant", "content": content}
    return {**CHAT_REPLY, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def test_the_module_is_both_sides_of_a_dialect() -> None:
    asked: ClientDialect = chat
    answering: ProviderDialect = chat
    assert callable(asked.writer)
    assert answering.DROPPED
    assert not set(chat.IGNORED) & set(chat.REFUSED)


def test_the_sdk_asks_and_understands() -> None:
    seen: list[ChatRequest] = []
    with client(CHAT_REPLY, seen) as sdk:
        made = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], n=2)
    assert made.choices[0].message.tool_calls is not None
    assert made.choices[1].message.refusal == "I can't."
    assert seen[0].choices == 2


def test_the_sdk_parses_structured_output() -> None:
    seen: list[ChatRequest] = []
    with client(reply('{"town":"Ulm"}'), seen) as sdk:
        made = sdk.chat.completions.parse(
            model="m", messages=[{"role": "user", "content": "where?"}], response_format=Report
        )
    assert made.choices[0].message.parsed == Report(town="Ulm")
    assert seen[0].output is not None
    assert seen[0].output.strict is True


def test_the_sdk_puts_a_stream_with_parallel_calls_together() -> None:
    first = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"town":'}}
    second = {"index": 1, "id": "b", "function": {"name": "weather", "arguments": '{"town":"Bonn"}'}}
    chunks = [
        chunk({"content": "Wait."}),
        chunk({"tool_calls": [first]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Ulm"}'}}]}),
        chunk({"tool_calls": [second]}),
        chunk(finish="tool_calls", usage={"prompt_tokens": 4, "completion_tokens": 2}),
    ]
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}
    with (
        client(chunks, []) as sdk,
        sdk.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}], tools=[tool]) as stream,
    ):
        stream.until_done()
        made = stream.get_final_completion()
    calls = made.choices[0].message.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls] == [
        ("a", '{"town":"Ulm"}'),
        ("b", '{"town":"Bonn"}'),
    ]
    assert made.choices[0].message.content == "Wait."
    assert made.usage is not None
    assert made.usage.total_tokens == 6


def test_a_failure_in_the_stream_is_raised_by_the_sdk() -> None:
    chunks = [chunk({"content": "a"}), {"error": {"message": "overloaded"}}]
    with client(chunks, []) as sdk:
        stream = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        with pytest.raises(openai.APIError, match="overloaded"):
            list(stream)


def test_a_reply_that_comes_and_goes_is_the_same_bytes() -> None:
    request = chat.read_request({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    once = chat.write_reply(chat.read_reply(CHAT_REPLY), request)
    assert data(chat.write_reply(chat.read_reply(once), request)) == data(once)
