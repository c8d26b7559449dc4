"""What travels beside the bodies: the headers of a reply, and what never reaches the provider."""

import socket
import struct
from urllib.parse import urlsplit

import openai
import pytest

from tests.e2e.conftest import UPSTREAM_KEY
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.openai_scripts import says
from tests.e2e.plain_http import call
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff

MESSAGES = [{"role": "user", "content": "Say hello to the sea."}]


def test_a_reply_says_what_is_left_what_it_was_for_and_who_served_it(
    shared: GatewayProcess, staff: Staff, ledger: LedgerReader
) -> None:
    token = staff.caller(rpm=10, tpm=100_000).token
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=token) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="echo/echo", messages=[{"role": "user", "content": "Say hello to the sea."}]
        )
    headers = raw.headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("10", "9")
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 100_000
    assert headers["x-ratelimit-reset-requests"]
    assert headers["x-guardflow-model"] == "echo/echo"
    row = ledger.row(raw.request_id)
    assert headers["x-guardflow-intent"] == row["intent"]
    assert headers["x-request-id"] == row["request_id"]
    assert headers["server"] == "guardflow"
    assert "server-timing" not in headers


def test_the_phases_are_timed_for_whoever_asks(shared: GatewayProcess, caller: Caller) -> None:
    body = {"model": "echo/echo", "messages": MESSAGES}
    reply = call(
        shared.base_url, "POST", "/v1/chat/completions", token=caller.token, json=body,
        headers={"x-guardflow-debug": "1"},
    )  # fmt: skip
    phases = [part.partition(";")[0] for part in reply.headers["server-timing"].split(", ")]
    assert phases == ["authenticate", "parse", "route", "classify", "choose", "admit"]


def test_the_provider_sees_our_key_and_nothing_of_the_clients(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, model: str
) -> None:
    upstream.script(model, says("ahoy"))
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=caller.token) as client:
        client.chat.completions.create(
            model=f"up/{model}",
            messages=[{"role": "user", "content": "Hello."}],
            extra_body={"task_id": 1, "seed": 7},
            extra_headers={
                "x-guardflow-intent": "trusted", "x-guardflow-user": "1", "x-api-key": caller.token,
                "x-goog-api-key": caller.token, "cookie": "session=1", "x-forwarded-for": "10.0.0.1",
                "proxy-authorization": "Basic Zm9v", "openai-organization": "org-theirs",
            },
        )  # fmt: skip
    received = upstream.of(model)[0].received
    assert received.body == {"model": model, "messages": [{"role": "user", "content": "Hello."}], "seed": 7}
    assert received.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert set(received.headers) <= {
        "host", "authorization", "content-type", "content-length", "user-agent", "accept", "accept-encoding",
        "connection",
    }  # fmt: skip
    assert caller.token not in str(received)


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key"])
def test_a_body_cannot_send_the_call_elsewhere(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, model: str, field: str
) -> None:
    upstream.script(model, says("ahoy"))
    body = {"model": f"up/{model}", "messages": MESSAGES, field: "http://127.0.0.1:1/v1"}
    reply = call(shared.base_url, "POST", "/v1/chat/completions", token=caller.token, json=body)
    assert reply.status == 200
    assert upstream.of(model)[0].received.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


def test_a_client_that_closes_at_the_end_of_a_stream_did_not_leave(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, ledger: LedgerReader, model: str
) -> None:
    upstream.script(model, says("one", " two"))
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=caller.token) as client:
        for _ in range(5):
            stream = client.chat.completions.create(
                model=f"up/{model}", messages=[{"role": "user", "content": "Count."}], stream=True
            )
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "one two"
    for _ in range(5):
        _read_to_done_and_reset(shared, caller, model)
    rows = ledger.rows(caller.user_id, at_least=10)
    assert [(row["status"], row["error_code"], row["completion_tokens"]) for row in rows] == [(200, None, 2)] * 10


def _read_to_done_and_reset(shared: GatewayProcess, caller: Caller, model: str) -> None:
    """Hang up with the last event in hand, as rudely as TCP can."""
    address = urlsplit(shared.base_url)
    body = b'{"model":"up/%b","stream":true,"messages":[{"role":"user","content":"Count."}]}' % model.encode()
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (caller.token.encode(), len(body), body)
        )
        got = b""
        while b"[DONE]" not in got:
            piece = connection.recv(65536)
            assert piece, got
            got += piece
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_whoever_leaves_in_mid_stream_left_and_pays_for_what_was_sent(
    shared: GatewayProcess, caller: Caller, upstream: ScriptedUpstream, ledger: LedgerReader, model: str
) -> None:
    upstream.script(model, says(*[" word"] * 400, wait=lambda sent: 0.01 if sent else 0.0))
    with openai.OpenAI(base_url=f"{shared.base_url}/v1", api_key=caller.token) as client:
        stream = client.chat.completions.create(
            model=f"up/{model}", messages=[{"role": "user", "content": "Count."}], stream=True
        )
        heard = [next(stream) for _ in range(5)]
        stream.close()
    row = ledger.rows(caller.user_id, at_least=1)[0]
    assert (row["status"], row["error_code"]) == (499, "client_closed_request")
    assert len(heard) <= row["completion_tokens"] <= upstream.of(model)[0].sent < 400
