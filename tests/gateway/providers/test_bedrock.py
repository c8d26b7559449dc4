"""Bedrock: every request is signed as it is sent."""

from datetime import UTC, datetime

import pytest

from gateway.errors import UpstreamDenied, UpstreamError
from gateway.exchange import CONVERSATIONS, Endpoint, Target
from gateway.providers.bedrock import BedrockProvider
from gateway.providers.sigv4 import AwsCredentials, Signer
from gateway.services import Connection
from gateway.wire.frames import MessageFrames
from gateway.wire.request import RequestWriter
from gateway.wire.upstream import UpstreamPool
from tests.gateway.scripted import make_call, make_inbound

URL = "https://bedrock-runtime.eu-central-1.amazonaws.com"
CREDENTIALS = AwsCredentials("AKIDEXAMPLE", "secret", "session")
TARGET = Target("aws", "eu.anthropic.claude-x-v1:0")


def signer() -> Signer:
    return Signer(CREDENTIALS, "eu-central-1", now=lambda: datetime(2026, 1, 2, tzinfo=UTC))


def provider(prefix: str = "") -> BedrockProvider:
    return BedrockProvider(signer(), RequestWriter(URL).origin, prefix)


@pytest.mark.parametrize("prefix", ["", "/behind/a/proxy"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_signed_is_what_is_sent(stream: bool, prefix: str) -> None:
    conversations = provider(prefix).conversations
    assert conversations is not None
    request = conversations.request({"messages": []}, TARGET, make_call(stream=stream), make_inbound())
    assert request.path == f"/model/eu.anthropic.claude-x-v1%3A0/converse{'-stream' if stream else ''}"
    sent, _, body = RequestWriter(URL + prefix).write(request).partition(b"\r\n\r\n")
    first, *lines = sent.decode().split("\r\n")
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    path = first.split(" ")[1]
    again = signer().sign(path, [(name, headers[name]) for name in ("host", "content-type")], body)
    assert headers["authorization"] == dict(again)["authorization"]
    assert headers["x-amz-security-token"] == "session"
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in headers["authorization"]
    assert isinstance(conversations.frames(), MessageFrames)


def test_only_conversations_reach_it() -> None:
    connection = Connection(provider(), UpstreamPool(URL))
    assert {endpoint for endpoint in Endpoint if connection.serves(endpoint)} == CONVERSATIONS


def test_nothing_passes_as_it_is() -> None:
    with pytest.raises(NotImplementedError):
        provider().request(make_call(), TARGET, make_inbound())


def test_errors_say_what_they_mean_in_the_body() -> None:
    refusal = provider().error(429, {"x-amzn-errortype": "ThrottlingException"}, b'{"message":"Too many requests"}')
    assert (refusal.status, refusal.code, refusal.message) == (429, "rate_limit_exceeded", "Too many requests")
    assert isinstance(provider().error(403, {}, b'{"message":"The security token is invalid"}'), UpstreamDenied)
    assert type(provider().error(503, {}, b'{"Message":"later"}')) is UpstreamError
