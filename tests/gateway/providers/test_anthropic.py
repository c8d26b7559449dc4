"""Anthropic's dialect: what is sent, and what is made of what comes back."""

from typing import Any

import orjson
import pytest

from gateway.exchange import Endpoint, Target, Usage
from gateway.providers.anthropic import DEFAULT_VERSION, AnthropicProvider
from tests.gateway.media import MEDIA, media_call
from tests.gateway.scripted import BODIES, bearer, make_call, make_inbound

provider = AnthropicProvider("sk-ant-key")
CALL = make_call(Endpoint.MESSAGES, stream=True)
SAME = Target("c", "m")


def data(**said: Any) -> bytes:
    return orjson.dumps(said)


def test_a_call_is_sent_with_our_key_and_the_clients_version() -> None:
    inbound = make_inbound(
        Endpoint.MESSAGES, headers=bearer(x_api_key="gf_client", anthropic_version="2024-01-01", anthropic_beta="x")
    )
    request = provider.request(CALL, SAME, inbound)
    headers = dict(request.headers)
    assert request.path == "/v1/messages"
    assert orjson.loads(request.body) == {**BODIES[Endpoint.MESSAGES], "stream": True}
    assert (headers["x-api-key"], headers["anthropic-version"], headers["anthropic-beta"]) == (
        "sk-ant-key", "2024-01-01", "x",
    )  # fmt: skip
    assert "authorization" not in headers
    plain = dict(AnthropicProvider("").request(CALL, SAME, make_inbound()).headers)
    assert plain["anthropic-version"] == DEFAULT_VERSION
    assert not {"x-api-key", "anthropic-beta"} & set(plain)


def test_cached_input_is_input() -> None:
    usage = {
        "input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 4,
    }  # fmt: skip
    assert provider.usage(Endpoint.MESSAGES, {"usage": usage}) == Usage(33, 4, cached_tokens=20, cache_write_tokens=10)
    replies: list[Any] = [None, [], {}, {"usage": None}, {"usage": {"output_tokens": 5}}]
    for reply in replies:
        assert provider.usage(Endpoint.MESSAGES, reply) is None


@pytest.mark.parametrize(
    ("event", "judged"),
    [
        (data(type="message_start", message={"usage": {"input_tokens": 5}}), (True, False, False, Usage(5, 0))),
        (data(type="message_start", message=None), (True, False, False, None)),
        (data(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}),
         (True, True, False, Usage(0, 9))),
        (data(type="message_delta", delta={"stop_reason": None}, usage={"output_tokens": 9, "input_tokens": None}),
         (True, False, False, Usage(0, 9))),
        (data(type="message_delta", delta=None, usage=None), (True, False, False, None)),
        (data(type="message_delta", delta={}, usage={"output_tokens": -9}), (True, False, False, None)),
        (data(type="message_stop"), (True, True, True, None)),
        (data(type="ping"), (True, False, False, None)),
        (data(type=None), (True, False, False, None)),
        (b"[]", (True, False, False, None)),
    ],
)  # fmt: skip
def test_every_event_is_judged(event: bytes, judged: tuple[bool, bool, bool, Usage | None]) -> None:
    made = provider.event(CALL, event)
    assert made.error is None
    assert (made.forward, made.finish, made.terminal, made.usage) == judged


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (data(type="error", error={"message": "key sk-ant-12345678 overloaded"}), "key [redacted] overloaded"),
        (data(type="error"), "The model's provider failed."),
        (b"{broken", "The model's provider sent a broken stream."),
    ],
)
def test_a_failure_in_the_stream_is_told_without_secrets(event: bytes, message: str) -> None:
    made = provider.event(CALL, event)
    assert made.error is not None
    assert (made.forward, made.error.status, made.error.message) == (False, 502, message)


@pytest.mark.parametrize(
    ("said", "matters"),
    [
        (data(type="message_start", message={"usage": {"input_tokens": 1}}), True),
        (data(type="message_delta", delta={}), True),
        (b'{"type" : "message_stop"}', True),
        (data(type="error", error={}), True),
        (b"{broken", True),
        (data(type="content_block_delta", delta={"text": '"type":"message_stop"'}), False),
        (data(type="ping"), False),
    ],
)
def test_only_what_may_matter_is_parsed(said: bytes, matters: bool) -> None:
    assert provider.matters(b"event: x\ndata: " + said + b"\n\n") is matters


async def test_to_count_tokens_has_a_path_of_its_own_and_costs_nothing() -> None:
    call = await media_call(Endpoint.COUNT_TOKENS)
    request = provider.request(call, Target("a", "claude"), make_inbound(Endpoint.COUNT_TOKENS))
    assert request.path == "/v1/messages/count_tokens"
    assert orjson.loads(request.body) == {**MEDIA[Endpoint.COUNT_TOKENS], "model": "claude"}
    assert provider.usage(Endpoint.COUNT_TOKENS, {"input_tokens": 9_000}) == Usage(0, 0)
