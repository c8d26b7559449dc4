"""The unmodified openai SDK against the gateway: what works with the provider works here, errors included."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import PROMPT_TOKENS, answers, calls_tool, says
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the sea."}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def client(shared: GatewayProcess, caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=caller.token, max_retries=0) as client:
        yield client


def test_a_chat_is_answered_and_on_record(client: openai.OpenAI, caller: Caller, ledger: LedgerReader) -> None:
    answer = client.chat.completions.create(model="echo/echo", messages=HELLO)
    assert answer.choices[0].message.content == "Say hello to the sea."
    assert answer.usage is not None
    row = ledger.row(answer._request_id)
    assert (row["user_id"], row["token_id"], row["status"]) == (caller.user_id, caller.token_id, 200)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        answer.usage.prompt_tokens, answer.usage.completion_tokens,
    )  # fmt: skip
    assert (row["model"], row["provider"], row["upstream_model"]) == ("echo/echo", "echo", "echo")
    assert row["intent"]
    assert row["misuse_score"] is not None


async def test_the_async_client_is_answered_too(shared: GatewayProcess, caller: Caller) -> None:
    async with openai.AsyncOpenAI(base_url=f"{shared.base_url}/api/v1", api_key=caller.token) as client:
        answer = await client.chat.completions.create(model="echo/echo", messages=HELLO)
        stream = await client.chat.completions.create(model="echo/echo", messages=HELLO, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert answer.choices[0].message.content == "".join(words) == "Say hello to the sea."
    assert len(words) > 3


def test_a_stream_shows_no_usage_that_was_not_asked_for_and_is_billed_all_the_same(
    client: openai.OpenAI, upstream: ScriptedUpstream, ledger: LedgerReader, model: str
) -> None:
    upstream.script(model, says("high", " and", " low", completion_tokens=17))
    raw = client.chat.completions.with_raw_response.create(model=f"up/{model}", messages=HELLO, stream=True)
    chunks = list(raw.parse())
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["high", " and", " low", None]
    assert all(chunk.usage is None for chunk in chunks)
    assert upstream.of(model)[0].received.body["stream_options"] == {"include_usage": True}
    row = ledger.row(raw.request_id)
    assert (row["prompt_tokens"], row["completion_tokens"], row["stream"]) == (PROMPT_TOKENS, 17, True)


def test_a_stream_shows_the_usage_that_was_asked_for(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says("high", " and", " low", completion_tokens=17))
    chunks = list(
        client.chat.completions.create(
            model=f"up/{model}", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 17


def test_a_tool_call_makes_its_round_trip_unchanged(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, calls_tool("weather", '{"city": "', 'Oslo"}'), says("It snows."))
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    first = client.chat.completions.create(model=f"up/{model}", messages=asked, tools=[WEATHER])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    tool_call = message.tool_calls[0]
    assert tool_call.type == "function"
    assert json.loads(tool_call.function.arguments) == {"city": "Oslo"}
    told: list[ChatCompletionMessageParam] = [
        *asked,
        {"role": "assistant", "tool_calls": [tool_call.model_dump()]},  # type: ignore[list-item]
        {"role": "tool", "tool_call_id": tool_call.id, "content": "snow, -3 degrees"},
    ]
    second = client.chat.completions.create(model=f"up/{model}", messages=told, tools=[WEATHER])
    assert second.choices[0].message.content == "It snows."
    assert upstream.of(model)[1].received.body == {"model": model, "messages": told, "tools": [WEATHER]}


def test_streamed_tool_arguments_arrive_in_order(client: openai.OpenAI, upstream: ScriptedUpstream, model: str) -> None:
    pieces = ['{"ci', 'ty": ', '"Sønder', 'borg"', "}"]
    upstream.script(model, calls_tool("weather", *pieces))
    with client.chat.completions.stream(model=f"up/{model}", messages=HELLO, tools=[WEATHER]) as stream:
        final = stream.until_done().get_final_completion()
    tool_calls = final.choices[0].message.tool_calls
    assert tool_calls is not None
    assert tool_calls[0].function.name == "weather"
    assert tool_calls[0].function.arguments == "".join(pieces)


def test_structured_output_is_parsed(client: openai.OpenAI, upstream: ScriptedUpstream, model: str) -> None:
    class Boat(BaseModel):
        name: str
        masts: int

    upstream.script(model, says('{"name": "Gorch Fock", ', '"masts": 3}'))
    parsed = client.chat.completions.parse(model=f"up/{model}", messages=HELLO, response_format=Boat)
    assert parsed.choices[0].message.parsed == Boat(name="Gorch Fock", masts=3)
    schema = upstream.of(model)[0].received.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert set(schema["schema"]["properties"]) == {"name", "masts"}


def test_embeddings_are_the_same_in_both_encodings(client: openai.OpenAI, ledger: LedgerReader) -> None:
    by_default = client.embeddings.create(model="echo/echo", input=["the sea", "the shore"])
    as_floats = client.embeddings.create(model="echo/echo", input=["the sea", "the shore"], encoding_format="float")
    assert [item.embedding for item in by_default.data] == [
        pytest.approx(item.embedding, abs=1e-6) for item in as_floats.data
    ]
    assert by_default.data[0].embedding != by_default.data[1].embedding
    row = ledger.fetch("SELECT * FROM request_logs WHERE endpoint = 'embeddings' ORDER BY at")
    assert all(one["completion_tokens"] == 0 for one in row)


def test_responses_are_answered_whole_and_streamed(client: openai.OpenAI, ledger: LedgerReader) -> None:
    whole = client.responses.create(model="echo/echo", input="Say hello to the sea.")
    assert whole.output_text == "Say hello to the sea."
    with client.responses.stream(model="echo/echo", input="Say hello to the sea.") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text == "Say hello to the sea."
    assert whole.usage is not None
    assert ledger.row(whole._request_id)["total_tokens"] == whole.usage.total_tokens


def test_legacy_completions_are_answered_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="echo/echo", prompt="ebb and flow")
    stream = client.completions.create(model="echo/echo", prompt="ebb and flow", stream=True)
    assert whole.choices[0].text == "".join(chunk.choices[0].text for chunk in stream) == "ebb and flow"


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert "up/listed-model" in [model.id for model in client.models.list()]
    found = client.models.retrieve("echo/echo")
    assert (found.id, found.owned_by) == ("echo/echo", "echo")
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("echo/nothing")
    assert refused.value.code == "model_not_found"


def test_moderations_pass_through(client: openai.OpenAI, upstream: ScriptedUpstream, model: str) -> None:
    upstream.script(model, answers({"id": "modr-1", "model": model, "results": [_unharmed()]}))
    answer = client.moderations.create(model=f"up/{model}", input="the sea is calm")
    assert answer.results[0].flagged is False
    assert upstream.of(model)[0].received.path == "/v1/moderations"


def _unharmed() -> dict[str, object]:
    names = ("harassment", "hate", "sexual", "violence")
    return {
        "flagged": False,
        "categories": dict.fromkeys(names, False),
        "category_scores": dict.fromkeys(names, 0.0),
        "category_applied_input_types": {name: ["text"] for name in names},
    }
