"""Five kinds of provider as one: each says the same things, in its own words, and counts its own tokens."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.providers.sigv4 import AwsCredentials, Signer
from tests.e2e import anthropic_scripts, converse_scripts, gemini_scripts, ollama_scripts, openai_scripts
from tests.e2e.scripted_upstream import Received, Script

KEY = "sk-upstream-canary-000000000000"
AWS = AwsCredentials("AKIDCANARY", "aws-secret-canary-0000")
REGION = "eu-central-1"
ENVIRON = {"UPSTREAM_KEY": KEY, "AWS_ACCESS_KEY": AWS.access_key, "AWS_SECRET_KEY": AWS.secret_key}


class Kind(NamedTuple):
    """What it says of its tokens: `prompt_tokens`, and as many more as it says words, or `call_tokens` for a call that
    comes in three pieces. `knows_us`: was this request opened with our key?"""

    config: Mapping[str, str]
    says: Callable[..., Script]
    calls_tool: Callable[..., Script]
    fails: Callable[[int, str], Script]
    prompt_tokens: int
    call_tokens: int
    knows_us: Callable[[Received], bool]


def cut(script: Script, after: int) -> Script:
    """The connection breaks after so many pieces, when these have had the time to arrive."""
    return lambda received: replace(script(received), cut_after=after, wait=lambda sent: 0.1 if sent == after else 0.0)


def _with_header(name: str, value: str = KEY) -> Callable[[Received], bool]:
    return lambda received: received.headers.get(name) == value


def _signed(received: Received) -> bool:
    """As AWS would: the signature is made again of what arrived."""
    headers = received.headers
    at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    again = Signer(AWS, REGION, now=lambda: at).sign(
        received.path, [(name, headers[name]) for name in ("host", "content-type")], received.raw
    )
    return dict(again)["authorization"] == headers["authorization"]


def _anthropic_fails(status: int, message: str) -> Script:
    kinds = {400: "invalid_request_error", 429: "rate_limit_error"}
    return anthropic_scripts.fails(status, kinds.get(status, "api_error"), message)


KINDS: Mapping[str, Kind] = {
    "chat": Kind(
        {"type": "deepseek", "base_url": "{host}/v1", "api_key": "${UPSTREAM_KEY}"}, openai_scripts.says,
        openai_scripts.calls_tool, openai_scripts.fails, openai_scripts.PROMPT_TOKENS, 5,
        _with_header("authorization", f"Bearer {KEY}"),
    ),
    "anthropic": Kind(
        {"type": "anthropic", "base_url": "{host}", "api_key": "${UPSTREAM_KEY}"}, anthropic_scripts.says,
        anthropic_scripts.calls_tool, _anthropic_fails, anthropic_scripts.INPUT_TOKENS, 3, _with_header("x-api-key"),
    ),
    "gemini": Kind(
        {"type": "gemini", "base_url": "{host}", "api_key": "${UPSTREAM_KEY}"}, gemini_scripts.says,
        gemini_scripts.calls_tool, gemini_scripts.fails, gemini_scripts.PROMPT_TOKENS, 5,
        _with_header("x-goog-api-key"),
    ),
    "ollama": Kind(
        {"type": "ollama", "base_url": "{host}", "api_key": "${UPSTREAM_KEY}"}, ollama_scripts.says,
        ollama_scripts.calls_tool, ollama_scripts.fails, ollama_scripts.PROMPT_TOKENS, 5,
        _with_header("authorization", f"Bearer {KEY}"),
    ),
    "bedrock": Kind(
        {"type": "bedrock", "base_url": "{host}", "region": REGION, "access_key": "${AWS_ACCESS_KEY}",
         "secret_key": "${AWS_SECRET_KEY}"},
        converse_scripts.says, converse_scripts.calls_tool, converse_scripts.fails, converse_scripts.INPUT_TOKENS, 5,
        _signed,
    ),
}  # fmt: skip


def configured(host: str) -> dict[str, dict[str, str]]:
    """All of them at one address, as the configuration has them."""
    return {
        name: {field: value.replace("{host}", host) for field, value in kind.config.items()}
        for name, kind in KINDS.items()
    }
