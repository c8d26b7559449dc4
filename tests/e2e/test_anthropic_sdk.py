"""The unmodified anthropic SDK against the gateway, in its dialect from the first header to the last event."""

import json
from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import ToolParam, ToolResultBlockParam

from tests.e2e.anthropic_scripts import INPUT_TOKENS, breaks_off, calls_tool, fails, says
from tests.e2e.conftest import UPSTREAM_KEY
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.plain_http import call
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff

WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
def client(shared: GatewayProcess, caller: Caller) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=shared.base_url, api_key=caller.token, max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, model: str) -> anthropic.types.Message:
    return client.messages.create(
        model=model, max_tokens=100, messages=[{"role": "user", "content": "Say hello to the sea."}]
    )


def test_a_message_is_answered_and_on_record(
    client: anthropic.Anthropic, upstream: ScriptedUpstream, ledger: LedgerReader, model: str
) -> None:
    upstream.script(model, says("Hello", ", sea."))
    answer = ask(client, f"claude/{model}")
    assert [block.text for block in answer.content if block.type == "text"] == ["Hello, sea."]
    row = ledger.row(answer._request_id)
    assert (row["status"], row["provider"], row["endpoint"]) == (200, "claude", "messages")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (INPUT_TOKENS, 2)


async def test_the_async_client_is_answered_too(shared: GatewayProcess, caller: Caller) -> None:
    async with anthropic.AsyncAnthropic(base_url=shared.base_url, api_key=caller.token) as client:
        answer = await client.messages.create(
            model="echo/echo", max_tokens=100, messages=[{"role": "user", "content": "Ahoy."}]
        )
    assert [block.text for block in answer.content if block.type == "text"] == ["Ahoy."]


def test_a_stream_arrives_event_by_event(
    client: anthropic.Anthropic, upstream: ScriptedUpstream, ledger: LedgerReader, caller: Caller, model: str
) -> None:
    upstream.script(model, says("Hello", ",", " sea."))
    with client.messages.stream(
        model=f"claude/{model}", max_tokens=100, messages=[{"role": "user", "content": "Say hello to the sea."}]
    ) as stream:
        heard = list(stream.text_stream)
        final = stream.get_final_message()
    assert heard == ["Hello", ",", " sea."]
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", INPUT_TOKENS, 3)
    row = ledger.rows(caller.user_id, at_least=1)[0]
    assert (row["status"], row["prompt_tokens"], row["completion_tokens"]) == (200, INPUT_TOKENS, 3)


def test_a_tools_input_is_put_together_from_its_pieces(
    client: anthropic.Anthropic, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, calls_tool("weather", '{"city"', ': "Os', 'lo"}'), says("It snows."))
    with client.messages.stream(
        model=f"claude/{model}", max_tokens=100, tools=[WEATHER],
        messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
    ) as stream:  # fmt: skip
        asked = stream.get_final_message().content[0]
    assert asked.type == "tool_use"
    assert asked.input == {"city": "Oslo"}
    told: ToolResultBlockParam = {"type": "tool_result", "tool_use_id": asked.id, "content": "snow, -3 degrees"}
    answer = client.messages.create(
        model=f"claude/{model}", max_tokens=100, tools=[WEATHER],
        messages=[
            {"role": "user", "content": "What is the weather in Oslo?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": asked.id, "name": "weather",
                                               "input": asked.input}]},
            {"role": "user", "content": [told]},
        ],
    )  # fmt: skip
    assert [block.text for block in answer.content if block.type == "text"] == ["It snows."]
    assert upstream.of(model)[1].received.body["messages"][2]["content"] == [told]


def test_models_are_listed_in_the_dialect(client: anthropic.Anthropic) -> None:
    listed = client.models.list()
    assert "echo/echo" in [model.id for model in listed]
    assert listed.data[0].type == "model"


def test_the_provider_sees_our_key_and_the_clients_version(
    client: anthropic.Anthropic, upstream: ScriptedUpstream, caller: Caller, model: str
) -> None:
    upstream.script(model, says("Ahoy"))
    client.beta.messages.create(
        model=f"claude/{model}", max_tokens=10, betas=["interleaved-thinking-2025-05-14"],
        messages=[{"role": "user", "content": "Hello."}],
    )  # fmt: skip
    received = upstream.of(model)[0].received
    assert received.path == "/v1/messages"
    assert received.headers["x-api-key"] == UPSTREAM_KEY
    assert received.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"
    assert received.headers["anthropic-version"]
    assert caller.token not in str(received)


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_the_key_is_taken_in_either_header(shared: GatewayProcess, caller: Caller, header: str) -> None:
    value = caller.token if header == "x-api-key" else f"Bearer {caller.token}"
    body = {"model": "echo/echo", "max_tokens": 5, "messages": [{"role": "user", "content": "Ahoy."}]}
    headers = {header: value, "anthropic-version": "2023-06-01"}
    reply = call(shared.base_url, "POST", "/v1/messages", json=body, headers=headers)
    assert (reply.status, reply.json()["content"][0]["text"]) == (200, "Ahoy.")
    assert reply.headers["request-id"] == reply.headers["x-request-id"]


def test_an_unknown_key_is_an_authentication_error(shared: GatewayProcess) -> None:
    with (
        anthropic.Anthropic(base_url=shared.base_url, api_key="gf_nobody", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as refused,
    ):
        ask(client, "echo/echo")
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert refused.value.request_id is not None


def test_refusals_are_the_sdks_own_classes(
    shared: GatewayProcess, staff: Staff, client: anthropic.Anthropic, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, fails(429, "rate_limit_error"), fails(400, "invalid_request_error", "too many tokens"))
    with pytest.raises(anthropic.RateLimitError):
        ask(client, f"claude/{model}")
    with pytest.raises(anthropic.BadRequestError, match="too many tokens"):
        ask(client, f"claude/{model}")
    with pytest.raises(anthropic.NotFoundError):
        ask(client, "no-such-model")
    narrow = staff.caller(allowed_models=["echo/echo"], rpm=1).token
    with anthropic.Anthropic(base_url=shared.base_url, api_key=narrow, max_retries=0) as other:
        with pytest.raises(anthropic.PermissionDeniedError):
            ask(other, f"claude/{model}")
        ask(other, "echo/echo")
        with pytest.raises(anthropic.RateLimitError) as refused:
            ask(other, "echo/echo")
        assert int(refused.value.response.headers["retry-after"]) > 0


def test_the_providers_overload_is_an_error_that_the_sdk_does_not_repeat(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, fails(529, "overloaded_error"))
    with (
        anthropic.Anthropic(base_url=shared.base_url, api_key=caller.token) as client,
        pytest.raises(anthropic.InternalServerError) as refused,
    ):
        ask(client, f"claude/{model}")
    assert refused.value.status_code == 502
    assert json.loads(refused.value.response.text)["error"]["type"] == "api_error"
    assert len(upstream.of(model)) == 1


def test_an_overload_in_mid_stream_raises_in_the_client(
    client: anthropic.Anthropic, upstream: ScriptedUpstream, ledger: LedgerReader, caller: Caller, model: str
) -> None:
    upstream.script(model, breaks_off("Hello", ", sea"))
    heard: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(
            model=f"claude/{model}", max_tokens=100, messages=[{"role": "user", "content": "Hello."}]
        ) as stream,
    ):
        heard += stream.text_stream
    row = ledger.rows(caller.user_id, at_least=1)[0]
    assert (row["status"], row["error_code"], row["prompt_tokens"]) == (200, "upstream_error", INPUT_TOKENS)
