"""The headers a reply carries. Nothing of the upstream's passes but what is named here."""

from collections.abc import Mapping
from functools import lru_cache

from gateway.errors import Refusal
from gateway.exchange import Dialect, Exchange, Inbound

SERVER = "guardflow"
"""Without it aiohttp would name its version and Python's."""
_FROM_UPSTREAM = ("openai-processing-ms", "openai-version")


def names_of(inbound: Inbound) -> dict[str, str]:
    """What every reply says: which request this was, and who answers."""
    headers = {"x-request-id": inbound.request_id, "server": SERVER}
    if inbound.dialect is Dialect.ANTHROPIC:
        headers["request-id"] = inbound.request_id
    return headers


def reply_headers(ex: Exchange) -> dict[str, str]:
    """Request id, limits, intent and, when asked for by `x-guardflow-debug: 1`, our own phases' times."""
    inbound, grant = ex.inbound, ex.grant
    headers = names_of(inbound)
    if ex.verdict is not None:
        headers["x-guardflow-intent"] = ex.verdict.judgement.intent.label
    if grant is not None and grant.limit_requests is not None:
        headers["x-ratelimit-limit-requests"] = str(grant.limit_requests)
        headers["x-ratelimit-remaining-requests"] = str(grant.remaining_requests)
        headers["x-ratelimit-reset-requests"] = duration(grant.reset_requests_s)
    if grant is not None and grant.limit_tokens is not None:
        headers["x-ratelimit-limit-tokens"] = str(grant.limit_tokens)
        headers["x-ratelimit-remaining-tokens"] = str(grant.remaining_tokens)
        headers["x-ratelimit-reset-tokens"] = duration(grant.reset_tokens_s)
    if inbound.headers.get("x-guardflow-debug") == "1":
        headers["server-timing"] = ", ".join(f"{name};dur={s * 1000:.3f}" for name, s in ex.seconds.items())
    return headers


def served_by(headers: Mapping[str, str], target: str, upstream: Mapping[str, str]) -> dict[str, str]:
    """`headers` and what is known once an upstream has answered."""
    told = {**headers, "x-guardflow-model": target}
    for name in _FROM_UPSTREAM:
        if name in upstream:
            told[name] = upstream[name]
    return told


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """When to come back, and whether an SDK should try by itself."""
    headers = {"content-type": "application/json"}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(max(1, -int(-refusal.retry_after_s // 1)))
    if refusal.client_should_retry is not None:
        headers["x-should-retry"] = "true" if refusal.client_should_retry else "false"
    if refusal.param is not None and refusal.status == 429:
        headers["x-guardflow-limit"] = refusal.param
    return headers


@lru_cache(maxsize=1024)
def duration(seconds: float) -> str:
    """As OpenAI writes it: `12ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    if seconds < 60:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s"
