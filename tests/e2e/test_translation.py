"""Unmodified SDKs of four dialects, each against providers of five: what one says, the other understands, and both
agree with the ledger on what it came to."""

import json
from collections.abc import Iterator
from itertools import product

import pytest

from tests.e2e.conftest import PLENTY
from tests.e2e.dialect_clients import CLIENTS, QUESTION, RESULT, DialectClient
from tests.e2e.dialect_providers import ENVIRON, KINDS, configured, cut
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.plain_http import call
from tests.e2e.scripted_upstream import ScriptedUpstream
from tests.e2e.staff import Caller, Staff

pytestmark = pytest.mark.xdist_group("translation")
"""One gateway is enough."""

# Ollama's compatible paths, which OpenAI's clients get, have their tests elsewhere.
PAIRS = [pair for pair in product(CLIENTS, KINDS) if pair != ("chat", "ollama")]
WORDS = ("Snow", " and", " ice.")
PIECES = ('{"city"', ': "Os', 'lo"}')


@pytest.fixture(scope="module")
def gateway_of_all(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    config = {
        "providers": configured(upstream.host),
        "defaults": {"first_byte_timeout_s": 5, "idle_timeout_s": 5, "retries": 0},
        "limits": PLENTY,
    }
    process = GatewayProcess(tmp_path_factory.mktemp("translation"), config, environ=ENVIRON)
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def staff_of_all(gateway_of_all: GatewayProcess) -> Staff:
    return Staff(gateway_of_all.base_url)


@pytest.fixture
def someone(staff_of_all: Staff) -> Caller:
    return staff_of_all.caller()


@pytest.fixture(scope="module")
def books(gateway_of_all: GatewayProcess) -> LedgerReader:
    return LedgerReader(gateway_of_all.database_url)


def client_of(name: str, gateway: GatewayProcess, caller: Caller) -> DialectClient:
    return CLIENTS[name](gateway.base_url, caller.token)


@pytest.mark.parametrize(("client", "kind"), PAIRS)
def test_what_is_said_and_what_it_cost_reach_everybody(
    gateway_of_all: GatewayProcess, books: LedgerReader, upstream: ScriptedUpstream, someone: Caller, model: str,
    client: str, kind: str,
) -> None:  # fmt: skip
    provider = KINDS[kind]
    sdk = client_of(client, gateway_of_all, someone)
    upstream.script(model, provider.says(*WORDS))
    for stream in (False, True):
        assert sdk.heard(f"{kind}/{model}", stream=stream) == ("".join(WORDS), provider.prompt_tokens, len(WORDS))
    rows = books.rows(someone.user_id, at_least=2)
    assert [(row["status"], row["provider"], row["upstream_model"], row["stream"], row["flags"]) for row in rows] == [
        (200, kind, model, False, []), (200, kind, model, True, []),
    ]  # fmt: skip
    assert {(row["prompt_tokens"], row["completion_tokens"]) for row in rows} == {(provider.prompt_tokens, len(WORDS))}
    for entry in upstream.of(model):
        assert provider.knows_us(entry.received)
        assert someone.token not in str(entry.received)
        assert QUESTION in entry.received.raw.decode()


@pytest.mark.parametrize(("client", "kind"), PAIRS)
def test_a_tool_is_called_and_its_result_told(
    gateway_of_all: GatewayProcess, books: LedgerReader, upstream: ScriptedUpstream, someone: Caller, model: str,
    client: str, kind: str,
) -> None:  # fmt: skip
    provider = KINDS[kind]
    sdk = client_of(client, gateway_of_all, someone)
    calls, says = provider.calls_tool("weather", *PIECES), provider.says(*WORDS)
    upstream.script(model, calls, says, calls, says)
    for stream in (False, True):
        called = sdk.call(f"{kind}/{model}", stream=stream)
        assert (called.name, called.arguments) == ("weather", {"city": "Oslo"})
        assert sdk.answer(f"{kind}/{model}", called) == "".join(WORDS)
    for told in (upstream.of(model)[1], upstream.of(model)[3]):
        body = json.dumps(told.received.body)
        assert RESULT in body
        assert "Oslo" in body.replace(QUESTION, ""), "the call itself went back"
    rows = books.rows(someone.user_id, at_least=4)
    spent = [(provider.prompt_tokens, provider.call_tokens), (provider.prompt_tokens, len(WORDS))]
    assert [(row["prompt_tokens"], row["completion_tokens"]) for row in rows] == [*spent, *spent]


@pytest.mark.parametrize(("client", "kind"), PAIRS)
def test_a_providers_refusal_is_the_clients_own_kind_of_error(
    gateway_of_all: GatewayProcess, books: LedgerReader, upstream: ScriptedUpstream, someone: Caller, model: str,
    client: str, kind: str,
) -> None:  # fmt: skip
    sdk, fails = client_of(client, gateway_of_all, someone), KINDS[kind].fails
    told = {429: (429, "slow down, please"), 400: (400, "slow down, please"), 500: (502, "answered with status 500")}
    for (status, (shown, why)), stream in product(told.items(), (False, True)):
        upstream.script(model, fails(status, "slow down, please"))
        failure = sdk.failure(f"{kind}/{model}", stream=stream)
        assert failure.status == shown
        assert why in failure.message
        assert failure.heard == ""
    rows = books.rows(someone.user_id, at_least=6)
    assert [row["status"] for row in rows] == [429, 429, 400, 400, 502, 502]
    assert {(row["total_tokens"], row["provider"]) for row in rows} == {(0, kind)}


@pytest.mark.parametrize(("client", "kind"), PAIRS)
def test_a_stream_that_is_cut_raises_in_the_client_and_is_paid_as_far_as_it_came(
    gateway_of_all: GatewayProcess, books: LedgerReader, upstream: ScriptedUpstream, someone: Caller, model: str,
    client: str, kind: str,
) -> None:  # fmt: skip
    words = tuple(f" word{i}" for i in range(12))
    upstream.script(model, cut(KINDS[kind].says(*words), after=6))
    failure = client_of(client, gateway_of_all, someone).failure(f"{kind}/{model}", stream=True)
    assert "broke off" in failure.message
    assert "".join(words).startswith(failure.heard)
    assert "word1" in failure.heard
    row = books.rows(someone.user_id, at_least=1)[0]
    assert (row["status"], row["error_code"]) == (200, "upstream_error")
    assert row["prompt_tokens"] > 0
    assert 2 <= row["completion_tokens"] <= 40


@pytest.mark.parametrize("client", CLIENTS)
def test_who_is_nobody_and_what_is_not_there_are_told_in_the_dialect(
    gateway_of_all: GatewayProcess, someone: Caller, client: str
) -> None:
    nobody = CLIENTS[client](gateway_of_all.base_url, someone.token[:-1] + ("a" if someone.token[-1] != "a" else "b"))
    assert nobody.failure("chat/x", stream=False).status == 401
    assert client_of(client, gateway_of_all, someone).failure("nowhere", stream=True).status == 404


def test_geminis_client_lists_models_and_finds_one(gateway_of_all: GatewayProcess, someone: Caller) -> None:
    headers = {"x-goog-api-key": someone.token}
    listed = call(gateway_of_all.base_url, "GET", "/v1beta/models", headers=headers)
    assert listed.status == 200
    assert "models/chat/listed-model" in [model["name"] for model in listed.json()["models"]]


def test_a_stream_that_is_not_asked_for_as_events_is_an_array(
    gateway_of_all: GatewayProcess, upstream: ScriptedUpstream, someone: Caller, model: str
) -> None:
    upstream.script(model, KINDS["anthropic"].says(*WORDS))
    body = {"contents": [{"parts": [{"text": QUESTION}]}]}
    path = f"/v1beta/models/anthropic/{model}:streamGenerateContent"
    reply = call(gateway_of_all.base_url, "POST", path, json=body, headers={"x-goog-api-key": someone.token})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert [part["text"] for one in reply.json() for part in one["candidates"][0]["content"]["parts"]] == [
        "".join(WORDS)
    ]


def test_what_a_provider_cant_be_told_is_refused_before_it_is_asked(
    gateway_of_all: GatewayProcess, books: LedgerReader, upstream: ScriptedUpstream, someone: Caller, model: str
) -> None:
    body = {"model": f"anthropic/{model}", "messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"1": 5}}
    reply = call(gateway_of_all.base_url, "POST", "/v1/chat/completions", json=body, token=someone.token)
    assert (reply.status, reply.json()["error"]["param"]) == (400, "logit_bias")
    assert upstream.of(model) == []
    row = books.rows(someone.user_id, at_least=1)[0]
    assert (row["status"], row["error_code"], row["total_tokens"]) == (400, "invalid_request_error", 0)
