"""The dialect is whole, and an unmodified client of it understands us."""

from typing import Any

import httpx2
import openai
import orjson
from pydantic import BaseModel

from gateway.dialects import responses
from gateway.dialects.base import ClientDialect, ProviderDialect
from gateway.dialects.neutral import ChatReply, ChatRequest, Choice, Delta, StopReason, Text
from gateway.exchange import Usage
from tests.gateway.dialects.openai_examples import RESPONSES_REPLY, SCHEMA
from tests.gateway.dialects.responses.test_write_stream import DELTAS


class Report(BaseModel):
    town: str


def client(reply: ChatReply, deltas: list[Delta], seen: list[ChatRequest]) -> openai.OpenAI:
    """The SDK, and behind it our client's side of the dialect."""

    def serve(sent: httpx2.Request) -> httpx2.Response:
        request = responses.read_request(orjson.loads(sent.content))
        seen.append(request)
        if not request.stream:
            return httpx2.Response(200, json=responses.write_reply(reply, request))
        writer = responses.writer(request, wants_usage=False)
        body = b"".join(writer.write(delta) for delta in deltas) + writer.terminal()
        return httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx2.Client(transport=httpx2.MockTransport(serve))
    return openai.OpenAI(base_url="http://gateway.test/v1", api_key="x", http_client=http, max_retries=0)


WHOLE = responses.read_reply(RESPONSES_REPLY)


def test_the_module_is_both_sides_of_a_dialect() -> None:
    asked: ClientDialect = responses
    answering: ProviderDialect = responses
    assert callable(asked.writer)
    assert answering.DROPPED
    assert not set(responses.IGNORED) & set(responses.REFUSED)


def test_the_sdk_asks_understands_and_brings_the_answer_back() -> None:
    seen: list[ChatRequest] = []
    with client(WHOLE, [], seen) as sdk:
        made = sdk.responses.create(model="m", input="hi")
        assert made.output_text == "Rain."
        given: Any = [item.model_dump() for item in made.output if item.type != "image_generation_call"]
        answer: Any = {"type": "function_call_output", "call_id": "call_a", "output": "wet"}
        sdk.responses.create(model="m", input=[{"role": "user", "content": "hi"}, *given, answer], store=False)
    _, assistant, result = seen[1].messages
    assert assistant.parts == WHOLE.choices[0].parts[:-1]
    assert result.parts[0][:2] == ("call_a", "weather")


def test_the_sdk_parses_structured_output() -> None:
    seen: list[ChatRequest] = []
    reply = ChatReply("r", "m", [Choice([Text('{"town":"Ulm"}')], StopReason.END)], Usage(1, 2))
    with client(reply, [], seen) as sdk:
        made = sdk.responses.parse(model="m", input="where?", text_format=Report)
    assert made.output_parsed == Report(town="Ulm")
    assert seen[0].output is not None
    assert seen[0].output.strict is True


def test_the_sdk_puts_a_stream_with_thoughts_and_parallel_calls_together() -> None:
    tool: Any = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}
    with client(WHOLE, DELTAS, []) as sdk, sdk.responses.stream(model="m", input="hi", tools=[tool]) as stream:
        kinds = [event.type for event in stream]
        made = stream.get_final_response()
    assert "response.output_text.delta" in kinds
    assert made.output_text == "Hello"
    assert [item.type for item in made.output] == ["reasoning", "message", "function_call", "function_call"]
    assert [item.arguments for item in made.output if item.type == "function_call"] == ['{"x":1}', "{}"]
    assert made.usage is not None
    assert made.usage.output_tokens == 9
