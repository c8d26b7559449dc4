"""Gemini's own paths: where a call goes, with which key, and what its replies and streams say."""

from typing import Any

import orjson
import pytest

from gateway.errors import UpstreamDenied, UpstreamError
from gateway.exchange import Endpoint, Target, Usage
from gateway.providers.base import UpstreamRequest
from gateway.providers.gemini import GeminiProvider
from tests.gateway.scripted import bearer, make_call, make_generate, make_inbound

TARGET = Target("gemini", "gemini-x")
PROVIDER = GeminiProvider("google-key")


def asked(*, stream: bool = False, query: str = "", target: Target = TARGET, **changes: Any) -> UpstreamRequest:
    call = make_generate(stream=stream, **changes)
    return PROVIDER.request(call, target, make_inbound(Endpoint.GENERATE)._replace(query=query))


def event(**said: Any) -> bytes:
    return orjson.dumps(said)


def candidate(stop: str | None = None) -> dict[str, Any]:
    return {"content": {"parts": [{"text": "a"}]}, **({"finishReason": stop} if stop else {})}


@pytest.mark.parametrize(
    ("stream", "query", "path"),
    [
        (False, "", "/v1beta/models/gemini-x:generateContent"),
        (True, "alt=sse", "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"),
        (True, "key=gf_secret&alt=sse", "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"),
        (True, "", "/v1beta/models/gemini-x:streamGenerateContent"),
        (False, "key=gf_secret", "/v1beta/models/gemini-x:generateContent"),
    ],
)
def test_of_the_query_only_the_form_of_the_stream_goes_along(stream: bool, query: str, path: str) -> None:
    assert asked(stream=stream, query=query).path == path


@pytest.mark.parametrize(
    ("model", "shown"), [("models/gemini-x", "gemini-x"), ("a/b?c", "a%2Fb%3Fc"), ("../x", "..%2Fx")]
)
def test_a_model_is_one_segment_of_the_path(model: str, shown: str) -> None:
    assert asked(target=Target("gemini", model)).path == f"/v1beta/models/{shown}:generateContent"


def test_the_clients_own_bytes_go_with_our_key() -> None:
    request = asked()
    assert request.body == b'{"contents":[{"role":"user","parts":[{"text":"Hello there"}]}]}'
    headers = dict(request.headers)
    assert headers["x-goog-api-key"] == "google-key"
    assert "authorization" not in headers
    assert "x-goog-api-key" not in dict(GeminiProvider("").request(make_generate(), TARGET, make_inbound()).headers)


def test_embeddings_go_by_the_compatible_path() -> None:
    inbound = make_inbound(Endpoint.EMBEDDINGS, headers=bearer())
    request = PROVIDER.request(make_call(Endpoint.EMBEDDINGS), TARGET, inbound)
    assert request.path == "/v1beta/openai/embeddings"
    assert dict(request.headers)["authorization"] == "Bearer google-key"
    assert orjson.loads(request.body)["model"] == "gemini-x"
    usage = {"usage": {"prompt_tokens": 5, "total_tokens": 5}}
    assert PROVIDER.usage(Endpoint.EMBEDDINGS, usage) == Usage(5, 0)


def test_thoughts_are_output_and_what_tools_added_is_input() -> None:
    said = {"promptTokenCount": 10, "toolUsePromptTokenCount": 3, "cachedContentTokenCount": 4,
            "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "totalTokenCount": 25}  # fmt: skip
    assert PROVIDER.usage(Endpoint.GENERATE, {"usageMetadata": said}) == Usage(13, 12, 4, 7)
    assert PROVIDER.usage(Endpoint.GENERATE, {}) is None
    assert PROVIDER.usage(Endpoint.GENERATE, "x") is None
    odd = {"promptTokenCount": "9", "candidatesTokenCount": -1, "thoughtsTokenCount": True}
    assert PROVIDER.usage(Endpoint.GENERATE, {"usageMetadata": odd}) == Usage(0, 0)


def test_of_an_array_the_last_word_counts() -> None:
    array = [{"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": n}} for n in (1, 2)] + [{}]
    assert PROVIDER.usage(Endpoint.GENERATE, array) == Usage(3, 2)
    assert PROVIDER.usage(Endpoint.GENERATE, []) is None


def test_the_event_that_says_why_the_model_stops_is_the_last() -> None:
    call = make_generate(stream=True)
    assert PROVIDER.matters(event())
    going_on = PROVIDER.event(call, event(candidates=[candidate()], usageMetadata={"promptTokenCount": 2}))
    assert (going_on.terminal, going_on.finish, going_on.usage, going_on.forward) == (False, False, Usage(2, 0), True)
    last = PROVIDER.event(call, event(candidates=[candidate("STOP")]))
    assert (last.terminal, last.finish) == (True, True)
    several = make_generate(stream=True, generationConfig={"candidateCount": 2})
    one_of_two = PROVIDER.event(several, event(candidates=[candidate("STOP")]))
    assert (one_of_two.terminal, one_of_two.finish) == (False, True)


def test_a_blocked_prompt_ends_the_stream() -> None:
    made = PROVIDER.event(make_generate(stream=True), event(promptFeedback={"blockReason": "SAFETY"}))
    assert made.terminal


@pytest.mark.parametrize("data", [b"{", b'{"error": {"code": 503, "message": "overloaded AIzaSyD-1234567"}}'])
def test_a_broken_event_and_an_error_end_in_a_refusal(data: bytes) -> None:
    made = PROVIDER.event(make_generate(stream=True), data)
    assert isinstance(made.error, UpstreamError)
    assert not made.forward
    assert "AIza" not in made.error.message


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"candidates": "x", "promptFeedback": 5}'])
def test_an_odd_event_is_passed_on(data: bytes) -> None:
    made = PROVIDER.event(make_generate(stream=True), data)
    assert (made.forward, made.terminal, made.finish, made.error) == (True, False, False, None)


def error(status: int, code: str, message: str = "no", **more: Any) -> bytes:
    return orjson.dumps(
        {"error": {"code": status, "message": message, "status": code, **more}}, option=orjson.OPT_INDENT_2
    )


def test_an_error_for_the_client_is_passed_on() -> None:
    refusal = PROVIDER.error(429, {"retry-after": "7"}, error(429, "RESOURCE_EXHAUSTED", "slow down"))
    assert (refusal.status, refusal.code, refusal.message, refusal.retry_after_s) == (
        429, "rate_limit_exceeded", "slow down", 7,
    )  # fmt: skip
    in_array = PROVIDER.error(400, {}, b"[" + error(400, "INVALID_ARGUMENT", "too long") + b"\n]\n")
    assert (in_array.status, in_array.message) == (400, "too long")


def test_when_to_come_back_is_read_from_the_body_where_no_header_says_it() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37.5s"}]
    body = error(429, "RESOURCE_EXHAUSTED", "slow down", details=details)
    assert PROVIDER.error(429, {}, body).retry_after_s == 37.5
    assert PROVIDER.error(429, {"retry-after": "2"}, body).retry_after_s == 2


def test_a_bad_key_is_ours_though_google_says_bad_request() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    refusal = PROVIDER.error(400, {}, error(400, "INVALID_ARGUMENT", "API key not valid.", details=details))
    assert isinstance(refusal, UpstreamDenied)
    assert (refusal.status, refusal.message) == (502, "The model's provider refused the gateway's credentials.")


def test_a_conversation_of_another_dialect_goes_as_a_stream_of_events() -> None:
    conversations = PROVIDER.conversations
    assert conversations is not None
    for stream, path in ((True, "streamGenerateContent?alt=sse"), (False, "generateContent")):
        request = conversations.request({"contents": []}, TARGET, make_call(stream=stream), make_inbound())
        assert request == UpstreamRequest(
            f"/v1beta/models/gemini-x:{path}",
            (*PROVIDER._headers, ("x-goog-api-key", "google-key")),
            b'{"contents":[]}',
        )
