"""OpenAI's own models are known by their names."""

import pytest

from gateway.dialects.openai.models import is_openais


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5-mini", "o1", "o3-mini", "chatgpt-4o-latest", "openai/gpt-5",
                                   "ft:gpt-4o-mini:acme", "codex-mini-latest"])  # fmt: skip
def test_openais_own(model: str) -> None:
    assert is_openais(model)


@pytest.mark.parametrize("model", ["gpt-oss-20b", "openai/gpt-oss-120b", "llama-3", "olmo-2", "deepseek-chat", "gpt2"])
def test_of_others(model: str) -> None:
    assert not is_openais(model)
