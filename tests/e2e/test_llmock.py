"""An independent, faulty provider passes judgement on us: llmock breaks things as real providers do, and its verdict
on how the gateway behaved must hold no finding."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.plain_http import call
from tests.e2e.staff import Staff

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the sea."}]
IDLE_S = 1.0


class Llmock:
    def __init__(self, url: str) -> None:
        self.url = url

    def plays(self, *behaviors: dict[str, Any]) -> None:
        """From now on, and with a clean record."""
        call(self.url, "POST", "/_llmock/reset")
        reply = call(self.url, "POST", "/_llmock/scenario", json={"behaviors": list(behaviors)})
        assert reply.status == 201, reply.body

    def attempts(self) -> int:
        count: int = call(self.url, "GET", "/_llmock/requests").json()["count"]
        return count

    def findings(self) -> list[str]:
        verdict = call(self.url, "GET", "/_llmock/verdict").json()
        return [f"{finding['code']}: {finding['title']}" for finding in verdict["findings"]]


@pytest.fixture(scope="module")
def llmock() -> Iterator[Llmock]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Paced like a real model, so that faults come when the client has had something already.
    pace = ["--stream-chunk-delay-ms", "50", "--log-level", "warning"]
    command = [str(Path(sys.prefix) / "bin" / "llmock"), "serve", "--port", str(port), *pace]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}")
        yield Llmock(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert process.poll() is None
        try:
            call(url, "GET", "/health")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("llmock did not start")


@pytest.fixture(scope="module")
def behind(llmock: Llmock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in front of it, as impatient as tests are."""
    config = {
        "providers": {
            "mock": {"type": "openai", "base_url": f"{llmock.url}/v1", "api_key": "sk-any"},
            "claude": {"type": "anthropic", "base_url": f"{llmock.url}/anthropic", "api_key": "sk-any"},
        },
        "defaults": {"first_byte_timeout_s": 5, "idle_timeout_s": IDLE_S, "retries": 2},
        "policies": {"mode": "off"},
    }
    process = GatewayProcess(tmp_path_factory.mktemp("llmock"), config)
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture
def token(behind: GatewayProcess) -> str:
    return Staff(behind.base_url).caller().token


@pytest.fixture
def client(behind: GatewayProcess, token: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{behind.base_url}/v1", api_key=token, max_retries=0) as client:
        yield client


def chat(client: openai.OpenAI) -> str | None:
    return client.chat.completions.create(model="mock/gpt-4o", messages=HELLO).choices[0].message.content


def stream(client: openai.OpenAI) -> str:
    chunks = client.chat.completions.create(model="mock/gpt-4o", messages=HELLO, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_a_rate_limit_is_waited_out_as_long_as_it_asks(client: openai.OpenAI, llmock: Llmock) -> None:
    llmock.plays({"type": "fail", "status": 429, "retry_after": 1, "times": 2})
    began = time.monotonic()
    assert chat(client)
    assert time.monotonic() - began >= 2
    assert (llmock.attempts(), llmock.findings()) == (3, [])


@pytest.mark.parametrize("status", [500, 503, 529])
def test_trouble_that_passes_is_tried_again(client: openai.OpenAI, llmock: Llmock, status: int) -> None:
    llmock.plays({"type": "fail", "status": status, "times": 1})
    assert chat(client)
    assert (llmock.attempts(), llmock.findings()) == (2, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_no_repetition_can_mend_is_not_repeated(client: openai.OpenAI, llmock: Llmock, status: int) -> None:
    llmock.plays({"type": "fail", "status": status, "times": 1})
    with pytest.raises(openai.APIStatusError):
        chat(client)
    assert (llmock.attempts(), llmock.findings()) == (1, [])


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed", "stall"])
def test_a_stream_that_breaks_is_never_passed_off_as_whole(client: openai.OpenAI, llmock: Llmock, kind: str) -> None:
    """The client is told, and so can ask again; llmock sees that half an answer was not taken for a whole one."""
    fault = {"type": "stream_fault", "kind": kind, "after_chunks": 2, "times": 1}
    llmock.plays(fault)
    with pytest.raises(openai.APIError):
        stream(client)
    assert stream(client)
    assert (llmock.attempts(), llmock.findings()) == (2, [])


def test_a_slow_first_token_is_waited_for(client: openai.OpenAI, llmock: Llmock) -> None:
    llmock.plays({"type": "slow_first_token", "seconds": 0.8, "times": 1})
    assert stream(client)
    assert (llmock.attempts(), llmock.findings()) == (1, [])


def test_the_anthropic_dialect_is_treated_alike(behind: GatewayProcess, token: str, llmock: Llmock) -> None:
    llmock.plays({"type": "fail", "status": 529, "times": 1}, {"type": "fail", "status": 429, "retry_after": 0.5})
    with anthropic.Anthropic(base_url=behind.base_url, api_key=token, max_retries=0) as client:
        with client.messages.stream(
            model="claude/claude-haiku-4-5", max_tokens=64, messages=[{"role": "user", "content": "Hello."}]
        ) as running:
            assert running.get_final_text()
        assert (llmock.attempts(), llmock.findings()) == (3, [])
        llmock.plays({"type": "stream_fault", "kind": "disconnect", "after_chunks": 3, "times": 1})
        with (
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(
                model="claude/claude-haiku-4-5", max_tokens=64, messages=[{"role": "user", "content": "Hello."}]
            ) as running,
        ):
            running.until_done()


def test_tools_embeddings_and_responses_pass_unharmed(
    client: openai.OpenAI, llmock: Llmock, behind: GatewayProcess
) -> None:
    llmock.plays({"type": "reply", "tool_calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]})
    answer = client.chat.completions.create(
        model="mock/gpt-4o", messages=HELLO,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    )  # fmt: skip
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "weather"
    assert len(client.embeddings.create(model="mock/text-embedding-3-small", input="the sea").data[0].embedding) > 100
    with client.responses.stream(model="mock/gpt-4o", input="Say hello to the sea.") as running:
        running.until_done()
        final = running.get_final_response()
    assert final.output_text
    rows = LedgerReader(behind.database_url).fetch("SELECT * FROM request_logs ORDER BY at DESC LIMIT 3")
    assert all(row["total_tokens"] > 0 and row["flags"] == [] for row in rows)
