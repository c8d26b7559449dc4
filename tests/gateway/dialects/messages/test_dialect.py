"""The dialect as a whole: it fits the seam, tells what it drops, and an unmodified SDK is content with it."""

from collections.abc import Iterator
from dataclasses import fields

import httpx2
import orjson
import pytest
from anthropic import Anthropic, beta_tool
from pydantic import BaseModel

from gateway.dialects import messages
from gateway.dialects.base import ClientDialect, ProviderDialect
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Reasoning,
    Role,
    StopReason,
    Text,
    ToolUse,
    as_text,
)
from gateway.errors import Refusal, render
from gateway.exchange import Dialect


def test_the_module_is_both_sides_of_the_seam() -> None:
    client: ClientDialect = messages
    provider: ProviderDialect = messages
    assert client.writer is messages.writer
    assert provider.reader is messages.reader


def test_every_reason_is_a_sentence_and_every_dropped_field_exists() -> None:
    for told in (messages.IGNORED, messages.REFUSED, messages.DROPPED):
        assert all(len(why) > 10 for why in told.values())
    names = {field.name for field in fields(ChatRequest)} | {"media", "reasoning"}
    assert {name.partition(".")[0].removesuffix("[]") for name in messages.DROPPED} <= names


class Weather(BaseModel):
    city: str
    degrees: int | None


def gateway(asked: httpx2.Request) -> httpx2.Response:
    """What a translated call comes to: a model that calls its first tool, then answers."""
    try:
        request = messages.read_request(orjson.loads(asked.content))
    except Refusal as refusal:
        return httpx2.Response(refusal.status, content=render(refusal, Dialect.ANTHROPIC, "req_1"))
    thought = Reasoning("Hm", "anthropic:s")
    if request.tools and request.messages[-1].role is not Role.TOOL:
        call = ToolUse("toolu_1", request.tools[0].name, '{"city":"Oslo"}')
        choice = Choice((thought, call), StopReason.TOOL_USE)
    else:
        answer = '{"city":"Oslo","degrees":12}' if request.output is not None else as_text(request.messages[0].parts)
        choice = Choice((thought, Text(answer)), StopReason.END)
    return httpx2.Response(200, json=messages.write_reply(ChatReply("msg_1", "m", (choice,), None), request))


@pytest.fixture
def sdk() -> Iterator[Anthropic]:
    with httpx2.Client(transport=httpx2.MockTransport(gateway)) as http:
        yield Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0)


def test_the_sdk_parses_an_answer_into_a_model(sdk: Anthropic) -> None:
    parsed = sdk.messages.parse(
        model="m", max_tokens=99, output_format=Weather, messages=[{"role": "user", "content": "Weather?"}]
    )
    assert parsed.parsed_output == Weather(city="Oslo", degrees=12)


def test_the_sdks_tool_runner_learns_that_it_has_to_send_the_whole_conversation(sdk: Anthropic) -> None:
    @beta_tool
    def weather(city: str) -> str:
        """The weather in `city`."""
        return f"12 degrees in {city}"

    runner = sdk.beta.messages.tool_runner(
        model="m", max_tokens=99, tools=[weather], messages=[{"role": "user", "content": "Weather?"}]
    )
    last = runner.until_done()
    assert [block.type for block in last.content] == ["thinking", "text"]
