"""Ollama: its compatible paths for OpenAI's clients, its own for all others."""

import orjson

from gateway.dialects import ollama
from gateway.exchange import Endpoint, Target
from gateway.providers.ollama import OllamaProvider
from gateway.wire.frames import LineFrames
from tests.gateway.scripted import make_call, make_inbound

TARGET = Target("ollama", "llama3:8b")


def test_openais_clients_are_passed_on_by_the_compatible_paths() -> None:
    request = OllamaProvider("").request(make_call(), TARGET, make_inbound())
    assert request.path == "/v1/chat/completions"
    assert orjson.loads(request.body)["model"] == "llama3:8b"
    assert "authorization" not in dict(request.headers)
    assert dict(OllamaProvider("k").request(make_call(), TARGET, make_inbound()).headers)["authorization"] == "Bearer k"


def test_it_has_no_responses_and_no_moderations_of_its_own() -> None:
    assert OllamaProvider.endpoints == {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS}


def test_other_dialects_are_put_into_its_own() -> None:
    conversations = OllamaProvider("k").conversations
    assert conversations is not None
    assert conversations.dialect is ollama
    assert isinstance(conversations.frames(), LineFrames)
    request = conversations.request({"stream": True}, TARGET, make_call(Endpoint.MESSAGES), make_inbound())
    assert (request.path, request.body) == ("/api/chat", b'{"stream":true}')
    assert dict(request.headers)["authorization"] == "Bearer k"


def test_an_error_is_a_text_alone() -> None:
    refusal = OllamaProvider("").error(404, {}, b'{"error":"model \'x\' not found"}')
    assert (refusal.status, refusal.code, refusal.message) == (404, "model_not_found", "model 'x' not found")
