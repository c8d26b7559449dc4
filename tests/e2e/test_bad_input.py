"""Whatever is sent, the answer is a 4xx in the caller's dialect, a row on record, and nothing charged."""

import gzip
from typing import Any

import pytest

from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.plain_http import Reply, call
from tests.e2e.staff import Caller, quota_of

CHAT, MESSAGES, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"
ENDPOINTS = (CHAT, MESSAGES, RESPONSES, EMBEDDINGS, "/v1/completions", "/v1/moderations")
DEEP = b'{"model":"echo/echo","messages":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
HELLO = [{"role": "user", "content": "Hello."}]


def refused(reply: Reply, path: str, status: int, code: str) -> None:
    """`reply` says no in the dialect of `path`."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"].startswith("application/json")
    said = reply.json()
    if path == MESSAGES:
        assert set(said) == {"type", "error", "request_id"}
        assert said["request_id"] == reply.headers["request-id"]
        assert set(said["error"]) >= {"type", "message"}
    else:
        assert set(said) == {"error"}
        assert set(said["error"]) == {"message", "type", "param", "code"}
    assert said["error"]["code"] == code


def on_record_for_nothing(
    shared: GatewayProcess, ledger: LedgerReader, caller: Caller, reply: Reply, code: str
) -> None:
    """One row that says so; nothing used, nothing held."""
    row = ledger.row(reply.headers["x-request-id"])
    assert (row["status"], row["error_code"], row["user_id"]) == (reply.status, code, caller.user_id)
    assert (row["total_tokens"], row["attempts"]) == (0, 0)
    for window in filter(None, quota_of(shared.base_url, caller).values()):  # no team, so none of its windows
        assert (window["used"], window["reserved"]) == (0, 0)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe{}", b'{"model":"\xed\xa0\x80"}', b"null"])
def test_what_is_no_json_object_is_refused(
    shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str, body: bytes
) -> None:
    reply = call(shared.base_url, "POST", path, token=caller.token, body=body)
    refused(reply, path, 400, "invalid_request_error")
    on_record_for_nothing(shared, ledger, caller, reply, "invalid_request_error")


WRONG: list[tuple[str, Any]] = [
    (CHAT, {"messages": HELLO}),
    (CHAT, {"model": 7, "messages": HELLO}),
    (CHAT, {"model": "echo/echo"}),
    (CHAT, {"model": "echo/echo", "messages": "Hello."}),
    (CHAT, {"model": "echo/echo", "messages": ["Hello."]}),
    (CHAT, {"model": "echo/echo", "messages": [{"role": "user", "content": 7}]}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "stream": "yes"}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "max_tokens": -1}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "max_tokens": 1.5}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "n": 0}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "n": 1_000_000}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "stream": True, "stream_options": 7}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "task_id": "one"}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "task_id": 10**30}),
    (CHAT, {"model": "echo/echo", "messages": HELLO, "Messages": []}),
    (CHAT, {"model": "../admin", "messages": HELLO, "x": "\u0000"}),
    (CHAT, {"model": "echo/a?key=b", "messages": HELLO}),
    (MESSAGES, {"model": "echo/echo", "max_tokens": 5, "messages": {}}),
    (MESSAGES, {"model": "echo/echo", "max_tokens": "many", "messages": HELLO}),
    (RESPONSES, {"model": "echo/echo", "input": 7}),
    (EMBEDDINGS, {"model": "echo/echo", "input": {}}),
    ("/v1/completions", {"model": "echo/echo", "prompt": 7}),
]


@pytest.mark.parametrize(("path", "body"), WRONG)
def test_fields_of_the_wrong_kind_are_refused(
    shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str, body: Any
) -> None:
    reply = call(shared.base_url, "POST", path, token=caller.token, json=body)
    if body.get("model") == "../admin":  # a well-formed name that leads nowhere
        refused(reply, path, 404, "model_not_found")
        return on_record_for_nothing(shared, ledger, caller, reply, "model_not_found")
    refused(reply, path, 400, "invalid_request_error")
    return on_record_for_nothing(shared, ledger, caller, reply, "invalid_request_error")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_body_too_deep_is_refused(shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str) -> None:
    reply = call(shared.base_url, "POST", path, token=caller.token, body=DEEP)
    refused(reply, path, 400, "invalid_request_error")
    on_record_for_nothing(shared, ledger, caller, reply, "invalid_request_error")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_body_too_large_is_refused(shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str) -> None:
    reply = call(shared.base_url, "POST", path, token=caller.token, body=b" " * 1_000_001)
    refused(reply, path, 413, "request_too_large")
    on_record_for_nothing(shared, ledger, caller, reply, "request_too_large")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x-unknown"])
def test_a_compressed_body_is_refused(
    shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str, encoding: str
) -> None:
    reply = call(
        shared.base_url, "POST", path, token=caller.token, body=gzip.compress(b"{}"),
        headers={"content-encoding": encoding},
    )  # fmt: skip
    refused(reply, path, 415, "unsupported_media_type")
    on_record_for_nothing(shared, ledger, caller, reply, "unsupported_media_type")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_unknown_model_is_not_found(shared: GatewayProcess, ledger: LedgerReader, caller: Caller, path: str) -> None:
    body = {"model": "no-such-model", "max_tokens": 5, "messages": HELLO, "input": "Hello.", "prompt": "Hello."}
    reply = call(shared.base_url, "POST", path, token=caller.token, json=body)
    refused(reply, path, 404, "model_not_found")
    on_record_for_nothing(shared, ledger, caller, reply, "model_not_found")


def test_a_model_cannot_be_asked_for_what_its_provider_does_not_speak(
    shared: GatewayProcess, ledger: LedgerReader, caller: Caller
) -> None:
    """A conversation can be carried over to another dialect; what has no counterpart there can't."""
    body = {"model": "claude/any", "input": "Hello."}
    reply = call(shared.base_url, "POST", EMBEDDINGS, token=caller.token, json=body)
    refused(reply, EMBEDDINGS, 400, "invalid_request_error")
    on_record_for_nothing(shared, ledger, caller, reply, "invalid_request_error")


BAD_TOKENS = ["", "gf_", "gf_" + "a" * 38, "sk-proj-1234", "gf_" + "a" * 100_00, "' OR 1=1 --", "gf_\u0663".encode()]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/v1/models"])
@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_malformed_key_opens_nothing(
    shared: GatewayProcess, ledger: LedgerReader, path: str, token: str | bytes
) -> None:
    value = token.decode("latin-1") if isinstance(token, bytes) else token
    method, body = ("GET", None) if path == "/v1/models" else ("POST", {"model": "echo/echo", "messages": HELLO})
    reply = call(shared.base_url, method, path, json=body, headers={"authorization": f"Bearer {value}"})
    refused(reply, path, 401, "invalid_api_key")
    row = ledger.row(reply.headers["x-request-id"])
    assert (row["status"], row["error_code"], row["user_id"]) == (401, "invalid_api_key", None)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "a", lambda t: t.swapcase(), lambda t: t.replace("gf_", "GF_")]
)  # fmt: skip
def test_a_key_off_by_a_character_opens_nothing(shared: GatewayProcess, caller: Caller, change: Any) -> None:
    reply = call(shared.base_url, "GET", "/v1/models", token=change(caller.token))
    refused(reply, "/v1/models", 401, "invalid_api_key")


def test_another_scheme_is_no_key(shared: GatewayProcess, caller: Caller) -> None:
    headers = {"authorization": f"Basic {caller.token}", "x-api-key": caller.token}
    refused(call(shared.base_url, "GET", "/v1/models", headers=headers), "/v1/models", 401, "invalid_api_key")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_another_method_is_refused_with_the_right_one(shared: GatewayProcess, caller: Caller, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        reply = call(shared.base_url, method, path, token=caller.token)
        refused(reply, path, 405, "method_not_allowed")
        assert reply.headers["allow"] == "POST, OPTIONS"
    assert call(shared.base_url, "OPTIONS", path).status == 204


def test_a_path_that_is_not_there_is_said_so_in_json(shared: GatewayProcess) -> None:
    reply = call(shared.base_url, "POST", "/v1/chat/completion", json={})
    refused(reply, CHAT, 404, "not_found")
