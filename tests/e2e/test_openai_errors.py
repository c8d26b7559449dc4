"""The openai SDK meets the gateway's refusals: each is the class that the provider's own would be, and tells the SDK
whether to try again."""

from collections.abc import Callable

import openai
import pytest

from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import EVENT_STREAM, event, fails, says
from tests.e2e.scripted_upstream import Answer, Script, ScriptedUpstream
from tests.e2e.staff import Caller, Staff

Ask = Callable[..., openai.types.chat.ChatCompletion]


def asker(shared: GatewayProcess, token: str, *, max_retries: int = 0) -> Ask:
    def ask(model: str = "echo/echo", **options: object) -> openai.types.chat.ChatCompletion:
        asked = {"messages": [{"role": "user", "content": "Hello."}], **options}
        with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=token, max_retries=max_retries) as client:
            return client.chat.completions.create(model=model, **asked)  # type: ignore[call-overload,no-any-return]

    return ask


def test_an_unknown_key_is_an_authentication_error(shared: GatewayProcess, caller: Caller) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        asker(shared, caller.token[:-1] + ("a" if caller.token[-1] != "a" else "b"))()
    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id is not None


def test_a_model_that_the_key_may_not_use_is_a_permission_error(shared: GatewayProcess, staff: Staff) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        asker(shared, staff.caller(allowed_models=["echo/echo"]).token)("up/forbidden")
    assert refused.value.code == "model_not_allowed"


def test_an_unknown_model_is_not_found(shared: GatewayProcess, caller: Caller) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        asker(shared, caller.token)("no-such-model")
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_a_call_that_makes_no_sense_is_a_bad_request(shared: GatewayProcess, caller: Caller) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        asker(shared, caller.token)(messages=[])
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (422, openai.UnprocessableEntityError),
     (429, openai.RateLimitError)],
)  # fmt: skip
def test_the_providers_word_on_the_call_reaches_the_client(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, model: str, status: int, raised: type[Exception]
) -> None:
    upstream.script(model, fails(status, "the context is too long", code="context_length_exceeded"))
    with pytest.raises(raised, match="the context is too long") as refused:
        asker(shared, caller.token)(f"up/{model}")
    assert isinstance(refused.value, openai.APIStatusError)
    assert refused.value.code == "context_length_exceeded"


def silent() -> Script:
    return lambda _: Answer([b"{}"], wait=lambda _: 3.0)


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (fails(500), 502, "upstream_error"),
        (fails(529), 502, "upstream_error"),
        (fails(401, "sk-upstream-canary-000000000000 is no key"), 502, "upstream_error"),
        (lambda _: Answer([b"<html>down</html>"]), 502, "upstream_error"),
        (silent(), 504, "upstream_timeout"),
    ],
)
def test_the_providers_own_trouble_is_a_server_error_that_the_sdk_does_not_repeat(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, ledger: LedgerReader, model: str,
    script: Script, status: int, code: str,
) -> None:  # fmt: skip
    upstream.script(model, script)
    with pytest.raises(openai.InternalServerError) as refused:
        asker(shared, caller.token, max_retries=2)(f"up/{model}")
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert "canary" not in str(refused.value)
    rows = ledger.rows(caller.user_id, at_least=1)
    assert [(row["status"], row["error_code"], row["total_tokens"]) for row in rows] == [(status, code, 0)]


def test_a_provider_that_is_not_there_is_a_bad_gateway(shared: GatewayProcess, caller: Caller) -> None:
    with pytest.raises(openai.InternalServerError, match="can't be reached") as refused:
        asker(shared, caller.token)("gone/model")
    assert refused.value.status_code == 502


def test_the_rate_limit_says_when_to_come_back(shared: GatewayProcess, staff: Staff) -> None:
    ask = asker(shared, staff.caller(rpm=2).token)
    for _ in range(2):
        ask()
    with pytest.raises(openai.RateLimitError) as refused:
        ask()
    assert refused.value.code == "rate_limit_exceeded"
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-guardflow-limit"] == "rpm"
    assert "x-should-retry" not in headers


def test_a_used_up_quota_is_not_tried_again(shared: GatewayProcess, staff: Staff, ledger: LedgerReader) -> None:
    poor = staff.caller(daily_quota=3)
    with pytest.raises(openai.RateLimitError) as refused:
        asker(shared, poor.token, max_retries=2)(max_tokens=5)
    assert refused.value.code == "insufficient_quota"
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert int(refused.value.response.headers["retry-after"]) > 0
    assert [row["error_code"] for row in ledger.rows(poor.user_id, at_least=1)] == ["insufficient_quota"]


def test_a_stream_that_breaks_raises_in_the_client(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, ledger: LedgerReader, model: str
) -> None:
    upstream.script(model, says("one", " two", " three", cut_after=2, wait=lambda sent: 0.3 * (sent == 2)))
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=caller.token, max_retries=0) as client:
        stream = client.chat.completions.create(
            model=f"up/{model}", messages=[{"role": "user", "content": "Count."}], stream=True
        )
        heard = []
        with pytest.raises(openai.APIError, match="broke off"):
            heard += [chunk.choices[0].delta.content for chunk in stream]
    row = ledger.rows(caller.user_id, at_least=1)[0]
    assert (row["status"], row["error_code"], row["flags"]) == (200, "upstream_error", ["usage_counted"])
    assert row["completion_tokens"] == 2


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_broken_event_in_the_midst_of_good_ones_is_never_passed_on(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, model: str, line_end: str
) -> None:
    good = [event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]})
            for word in ("one", " two")]  # fmt: skip
    together = b"".join([good[0], b'data: {"object": "chat.comple\n\n', good[1]])
    upstream.script(
        model,
        lambda _: Answer([together.replace(b"\n", line_end.encode())], headers=EVENT_STREAM, streamed=True),
    )
    with pytest.raises(openai.InternalServerError, match="broken stream"):
        asker(shared, caller.token)(f"up/{model}", stream=True)
