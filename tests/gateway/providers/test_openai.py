"""OpenAI's dialect: what is sent, and what is made of what comes back."""

from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamError
from gateway.exchange import Endpoint, ModelCall, Target, Usage
from gateway.phases.parse import parse_body
from gateway.providers.openai import OpenAIProvider
from tests.gateway.media import FORM, media_call
from tests.gateway.scripted import BODIES, bearer, make_call, make_inbound

provider = OpenAIProvider("sk-key")
SAME, OTHER = Target("a", "m"), Target("a", "gpt-4o")


def data(**said: Any) -> bytes:
    return orjson.dumps(said)


@pytest.mark.parametrize("endpoint", [e for e in BODIES if e is not Endpoint.MESSAGES])
def test_a_call_goes_to_the_path_of_its_endpoint(endpoint: Endpoint) -> None:
    request = provider.request(make_call(endpoint), SAME, make_inbound(endpoint))
    assert request.path == f"/{endpoint.value}"
    assert orjson.loads(request.body) == BODIES[endpoint]


def test_the_clients_own_bytes_are_sent_where_nothing_changes() -> None:
    raw = b'{ "model" : "m", "prompt":"x", "seed": 1e0 }'
    call = parse_body(Endpoint.COMPLETIONS, raw)
    assert provider.request(call, SAME, make_inbound()).body is raw


def test_only_the_model_is_rewritten() -> None:
    call = parse_body(Endpoint.COMPLETIONS, b'{ "model" : "m", "prompt":"x", "extra": [1.5] }')
    sent = provider.request(call, OTHER, make_inbound()).body
    assert orjson.loads(sent) == {"model": "gpt-4o", "prompt": "x", "extra": [1.5]}
    assert call.body["model"] == "m"


def test_our_key_is_sent_and_never_the_clients() -> None:
    inbound = make_inbound(headers=bearer(openai_beta="assistants=v2", x_api_key="secret", openai_organization="org"))
    headers = dict(provider.request(make_call(), SAME, inbound).headers)
    assert headers["authorization"] == "Bearer sk-key"
    assert headers["openai-beta"] == "assistants=v2"
    assert not {"x-api-key", "openai-organization"} & set(headers)
    assert "authorization" not in dict(OpenAIProvider("").request(make_call(), SAME, inbound).headers)


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(3, 0)),
        (
            {
                "prompt_tokens": 3, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(3, 9, 2, 5),
        ),
    ],
)  # fmt: skip
def test_usage_is_read_from_a_whole_reply(usage: dict[str, Any], read: Usage) -> None:
    assert provider.usage(Endpoint.CHAT, {"usage": usage}) == read


@pytest.mark.parametrize("reply", [None, [], 5, "x", {}, {"usage": None}, {"usage": []}, {"usage": {"total": 5}}])
def test_a_reply_of_any_shape_has_no_usage(reply: Any) -> None:
    assert provider.usage(Endpoint.CHAT, reply) is None


@pytest.mark.parametrize(
    "event",
    [
        data(usage={"prompt_tokens": 1}), data(choices=[{"finish_reason": "stop"}]), b"[DONE]", data(error={"a": 1}),
        data(error="text"), b"{broken", data(type="error"), data(type="response.completed"), b'{"usage" : {"a":1}}',
    ],
)  # fmt: skip
def test_an_event_that_may_matter_is_never_passed_over(event: bytes) -> None:
    assert provider.matters(b"data: " + event + b"\n\n")
    assert provider.matters(b"data: " + data(choices=[]) + b"\n\ndata: " + event + b"\n\n")


@pytest.mark.parametrize(
    "event",
    [
        data(choices=[{"delta": {"content": 'said "usage":{ and "error": {'}, "finish_reason": None}], usage=None),
        data(type="response.output_text.delta", delta="[DONE"),
    ],
)
def test_plain_content_is_passed_over(event: bytes) -> None:
    assert not provider.matters(b"data: " + event + b"\n\n")


def test_a_message_about_the_end_is_not_the_end() -> None:
    event = data(choices=[{"delta": {"content": "the stream ends with [DONE]"}}])
    assert provider.matters(event)  # it may err towards yes
    judged = provider.event(make_call(stream=True), event)
    assert (judged.forward, judged.finish, judged.terminal) == (True, False, False)


def judge(call: ModelCall, event: bytes) -> tuple[bool, bool, bool, Usage | None, bool]:
    judged = provider.event(call, event)
    return judged.forward, judged.finish, judged.terminal, judged.usage, judged.error is not None


CHAT = make_call(stream=True)
RESPONSES = make_call(Endpoint.RESPONSES, stream=True)
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("call", "event", "judged"),
    [
        (CHAT, b" [DONE] ", (True, True, True, None, False)),
        (CHAT, data(choices=[{"finish_reason": "length"}]), (True, True, False, None, False)),
        (CHAT, data(choices=[{"finish_reason": None}, {"finish_reason": "stop"}]), (True, True, False, None, False)),
        (CHAT, data(choices=[], usage=USAGE), (False, False, False, Usage(1, 2), False)),
        (CHAT, data(choices=[{}], usage=USAGE), (True, False, False, Usage(1, 2), False)),
        (CHAT, data(error={"message": "x"}), (False, False, False, None, True)),
        (CHAT, b"{broken", (False, False, False, None, True)),
        (CHAT, b"[1]", (True, False, False, None, False)),
        (CHAT, data(choices=7), (True, False, False, None, False)),
        (RESPONSES, data(type="response.completed", response={"usage": USAGE}), (True, True, True, Usage(1, 2), False)),
        (RESPONSES, data(type="response.failed", response=None), (True, True, True, None, False)),
        (RESPONSES, data(type="error", message="x"), (False, False, False, None, True)),
        (RESPONSES, data(type=["x"], error=None), (True, False, False, None, False)),
    ],
)
def test_every_event_is_judged(call: ModelCall, event: bytes, judged: tuple[Any, ...]) -> None:
    assert judge(call, event) == judged


def test_an_error_in_a_stream_tells_no_secrets() -> None:
    error = provider.event(CHAT, data(error={"message": "bad key sk-abcdefgh"})).error
    assert isinstance(error, UpstreamError)
    assert error.message == "bad key [redacted]"
    for unreadable in ({"message": 5}, [1], 5):
        unsaid = provider.event(CHAT, data(error=unreadable)).error
        assert unsaid is not None
        assert unsaid.message == "The model's provider failed."


async def test_a_form_keeps_its_bytes_but_for_the_models_name() -> None:
    call = await media_call(Endpoint.TRANSCRIPTIONS)
    inbound = make_inbound(headers=bearer(openai_beta="x"))
    same = provider.request(call, Target("a", "m"), inbound)
    other = provider.request(call, Target("a", "whisper"), inbound)
    assert call.form is not None
    assert same.body is call.form.raw
    assert other.body == same.body.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nwhisper\r\n")
    kinds = [value for name, value in same.headers if name == "content-type"]
    assert (kinds, dict(same.headers)["openai-beta"]) == ([FORM], "x")
