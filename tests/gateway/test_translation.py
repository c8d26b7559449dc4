"""A call of one dialect put to a provider of another, and what comes back."""

from typing import Any

import orjson
import pytest

from gateway.dialects import chat, converse, gemini, messages, ollama, responses
from gateway.errors import CantBeCarried, InvalidRequest, UpstreamError
from gateway.exchange import CONVERSATIONS, Endpoint, ModelCall, Target, Usage
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Conversations, Provider
from gateway.providers.bedrock import BedrockProvider
from gateway.providers.gemini import GeminiProvider
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.providers.sigv4 import AwsCredentials, Signer
from gateway.translation import CLIENTS, Translation
from tests.gateway.scripted import BODIES, make_call, make_generate, make_inbound

TARGET = Target("there", "their-model")

REPLIES: dict[str, dict[str, Any]] = {
    "openai": {"id": "c", "model": "their-model", "created": 1, "object": "chat.completion",
               "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ahoy"}, "finish_reason": "stop"}],
               "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}},
    "anthropic": {"id": "m", "type": "message", "role": "assistant", "model": "their-model", "stop_reason": "end_turn",
                  "content": [{"type": "text", "text": "Ahoy"}], "usage": {"input_tokens": 7, "output_tokens": 2}},
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Ahoy"}]}, "finishReason": "STOP"}],
               "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2}, "modelVersion": "their-model"},
    "ollama": {"model": "their-model", "message": {"role": "assistant", "content": "Ahoy"}, "done": True,
               "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 2},
    "bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "Ahoy"}]}}, "stopReason": "end_turn",
                "usage": {"inputTokens": 7, "outputTokens": 2, "totalTokens": 9}},
}  # fmt: skip
PROVIDERS: dict[str, Provider] = {
    "openai": OpenAIProvider("k"), "anthropic": AnthropicProvider("k"), "gemini": GeminiProvider("k"),
    "ollama": OllamaProvider("k"),
    "bedrock": BedrockProvider(Signer(AwsCredentials("a", "s"), "eu-west-1"), "bedrock.example"),
}  # fmt: skip


def call_of(endpoint: Endpoint, *, stream: bool = False, **changes: Any) -> ModelCall:
    if endpoint is Endpoint.GENERATE:
        return make_generate(stream=stream, **changes)
    return make_call(endpoint, stream=stream, **changes)


def spoken(name: str) -> Conversations:
    conversations = PROVIDERS[name].conversations
    assert conversations is not None
    return conversations


def translate(call: ModelCall, name: str, query: str = "") -> Translation:
    inbound = make_inbound(call.endpoint)._replace(query=query, stream=call.stream)
    return Translation(call, inbound, spoken(name))


def said_in(endpoint: Endpoint, reply: Any) -> str:
    match endpoint:
        case Endpoint.CHAT:
            return str(reply["choices"][0]["message"]["content"])
        case Endpoint.RESPONSES:
            return str(reply["output"][0]["content"][0]["text"])
        case Endpoint.MESSAGES:
            return str(reply["content"][0]["text"])
    return str(reply["candidates"][0]["content"]["parts"][0]["text"])


def test_every_conversation_has_its_clients_dialect() -> None:
    assert CLIENTS.keys() == CONVERSATIONS
    assert {spoken(name).dialect for name in PROVIDERS} == {chat, messages, gemini, ollama, converse}
    assert set(CLIENTS.values()) == {chat, responses, messages, gemini}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize("endpoint", sorted(CONVERSATIONS))
def test_a_call_reaches_every_provider_and_its_answer_comes_back(endpoint: Endpoint, provider: str) -> None:
    translation = translate(call_of(endpoint), provider)
    request = translation.request(TARGET)
    assert b"Hello there" in request.body
    assert "their-model" in request.path or b"their-model" in request.body
    body, usage = translation.whole(REPLIES[provider])
    assert said_in(endpoint, orjson.loads(body)) == "Ahoy"
    assert usage == Usage(7, 2)


def test_the_model_of_the_path_is_known_and_no_model_of_the_body_is_believed() -> None:
    call = call_of(Endpoint.GENERATE, model="another")
    reply = {**REPLIES["openai"], "model": ""}
    body, _ = translate(call, "openai").whole(reply)
    assert orjson.loads(body)["modelVersion"] == "m"


def test_a_stream_is_asked_for_as_one() -> None:
    for endpoint in sorted(CONVERSATIONS):
        translation = translate(call_of(endpoint, stream=True), "openai", query="alt=sse")
        assert translation.streams
        assert orjson.loads(translation.request(TARGET).body)["stream"] is True


def test_geminis_stream_that_is_no_stream_of_events_is_one_array_given_whole() -> None:
    translation = translate(call_of(Endpoint.GENERATE, stream=True), "gemini", query="key=x")
    assert not translation.streams
    assert translation.request(TARGET).path.endswith("their-model:generateContent")
    [reply] = orjson.loads(translation.whole(REPLIES["gemini"])[0])
    assert said_in(Endpoint.GENERATE, reply) == "Ahoy"


def test_what_no_dialect_can_carry_is_refused_before_anyone_is_asked() -> None:
    with pytest.raises(InvalidRequest) as refused:
        translate(call_of(Endpoint.CHAT, logit_bias={"1": 2}), "anthropic")
    assert refused.value.param == "logit_bias"
    assert not isinstance(refused.value, CantBeCarried), "no other provider could help"


def test_what_one_provider_cant_say_another_may() -> None:
    call = call_of(Endpoint.CHAT, n=2)
    with pytest.raises(CantBeCarried) as refused:
        translate(call, "anthropic").request(TARGET)
    assert (refused.value.status, refused.value.param) == (400, "choices")
    assert translate(call, "gemini").request(TARGET)


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(depth):
        node = {"a": node}
    return node


def test_a_call_that_is_too_deep_once_it_is_carried_over_is_the_clients_fault() -> None:
    schema = {"type": "function", "function": {"name": "f", "parameters": nested(252)}}
    call = call_of(Endpoint.CHAT)._replace(body={**BODIES[Endpoint.CHAT], "tools": [schema]})
    with pytest.raises(CantBeCarried, match="too deep"):
        translate(call, "anthropic").request(TARGET)


def test_a_reply_that_is_too_deep_once_it_is_carried_over_is_broken() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": orjson.dumps(nested(252)).decode()}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reply = {**REPLIES["openai"], "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    with pytest.raises(UpstreamError, match="can't be read"):
        translate(call_of(Endpoint.MESSAGES), "openai").whole(reply)


@pytest.mark.parametrize("said", [None, [], "x", {}, {"choices": "x"}, {"choices": [{"message": 5}]}])
def test_a_reply_that_is_none_is_broken(said: Any) -> None:
    with pytest.raises(UpstreamError, match="can't be read"):
        translate(call_of(Endpoint.MESSAGES), "openai").whole(said)


def test_usage_that_is_missing_is_none_and_not_zero() -> None:
    reply = {name: value for name, value in REPLIES["openai"].items() if name != "usage"}
    assert translate(call_of(Endpoint.MESSAGES), "openai").whole(reply)[1] is None
