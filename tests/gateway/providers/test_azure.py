"""Azure OpenAI: where a call goes, and with which key."""

import orjson
import pytest

from gateway.exchange import Endpoint, Target
from gateway.providers.azure import AzureOpenAIProvider
from tests.gateway.media import FORM, media_call
from tests.gateway.scripted import BODIES, bearer, make_call, make_inbound

DEPLOYED = Target("azure", "my deployment/1")
VERSION = "2024-10-21"


@pytest.mark.parametrize(
    ("version", "endpoint", "path"),
    [
        (None, Endpoint.CHAT, "/openai/v1/chat/completions"),
        (None, Endpoint.EMBEDDINGS, "/openai/v1/embeddings"),
        (None, Endpoint.RESPONSES, "/openai/v1/responses"),
        (VERSION, Endpoint.CHAT, "/openai/deployments/my%20deployment%2F1/chat/completions?api-version=2024-10-21"),
        (VERSION, Endpoint.COMPLETIONS, "/openai/deployments/my%20deployment%2F1/completions?api-version=2024-10-21"),
        (VERSION, Endpoint.RESPONSES, "/openai/responses?api-version=2024-10-21"),
        ("a&b", Endpoint.RESPONSES, "/openai/responses?api-version=a%26b"),
    ],
)
def test_the_path_of_each_version(version: str | None, endpoint: Endpoint, path: str) -> None:
    provider = AzureOpenAIProvider("key", version)
    request = provider.request(make_call(endpoint), DEPLOYED, make_inbound(endpoint))
    assert request.path == path


def test_the_deployment_is_the_model_and_the_key_has_a_header_of_its_own() -> None:
    inbound = make_inbound(headers=bearer(openai_beta="x"))
    request = AzureOpenAIProvider("azure-key").request(make_call(), DEPLOYED, inbound)
    assert orjson.loads(request.body) == {**BODIES[Endpoint.CHAT], "model": "my deployment/1"}
    headers = dict(request.headers)
    assert (headers["api-key"], headers["content-type"], headers["openai-beta"]) == (
        "azure-key", "application/json", "x",
    )  # fmt: skip
    assert "authorization" not in headers
    assert "api-key" not in dict(AzureOpenAIProvider("").request(make_call(), DEPLOYED, inbound).headers)


def test_azure_has_no_moderations() -> None:
    assert Endpoint.MODERATIONS not in AzureOpenAIProvider.endpoints
    assert Endpoint.CHAT in AzureOpenAIProvider.endpoints


def test_the_filters_verdict_on_the_prompt_is_passed_on() -> None:
    """Azure's first event holds no choices, but what its content filter says."""
    provider = AzureOpenAIProvider("key")
    said = orjson.dumps({"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "model": ""})
    made = provider.event(make_call(stream=True), said)
    assert (made.forward, made.terminal, made.error) == (True, False, None)


def test_a_call_that_the_filter_refuses_is_the_clients_to_change() -> None:
    body = orjson.dumps({"error": {"message": "filtered", "code": "content_filter", "status": 400}})
    refusal = AzureOpenAIProvider("key").error(400, {}, body)
    assert (refusal.status, refusal.code, refusal.message) == (400, "content_filter", "filtered")


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/openai/v1/audio/transcriptions"),
        (VERSION, "/openai/deployments/my%20deployment%2F1/audio/transcriptions?api-version=2024-10-21"),
    ],
)
async def test_sound_is_sent_as_a_form(version: str | None, path: str) -> None:
    call = await media_call(Endpoint.TRANSCRIPTIONS)
    request = AzureOpenAIProvider("key", version).request(call, DEPLOYED, make_inbound())
    assert request.path == path
    assert dict(request.headers)["content-type"] == FORM
    assert b'name="model"\r\n\r\nmy deployment/1\r\n' in request.body
