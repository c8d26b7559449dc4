"""By what an answer is found again: everything that the answer depends on, and whose it is, in one SHA-256.

Two calls share an answer only if the provider would have been sent the same. Nothing is normalised but JSON's white
space and escapes: the order of keys stays, since models read schemas in the order they are written.
"""

import hashlib
from collections.abc import Collection
from typing import Any

import orjson

from gateway.cache.rule import Among
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Principal, Target

MAX_BODY_BYTES = 1024 * 1024
"""Of a larger body neither a copy nor a hash is made on the loop."""

ENDPOINTS = frozenset(
    (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES, Endpoint.MODERATIONS,
     Endpoint.MESSAGES, Endpoint.GENERATE)
)  # fmt: skip
"""Those whose whole question is the JSON of their body: a form's files are not in it. Images and sound are drawn anew
each time."""

_VERSION = 1
_HEADERS = ("anthropic-version", "anthropic-beta", "openai-beta")
_ABOUT_THE_CALLER = frozenset(
    ("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
)  # fmt: skip
"""Said about a call, not asked by it. The replies of `responses` repeat these, so there they count."""
_REPEATS_THEM = Endpoint.RESPONSES
_DEEDS = ("store", "background", "conversation", "container", "mcp_servers", "web_search_options")
"""Ask for more than an answer, or depend on more than the call: what the provider keeps, or finds."""
_CLIENT_TOOLS = ("function", "custom")
_GEMINI_CLIENT_TOOLS = frozenset(("functionDeclarations", "function_declarations"))


def key_of(call: ModelCall, inbound: Inbound, who: Principal, target: Target, scope: Among) -> str | None:
    """The key of a call's answer, should it go to `target`; None for a call whose answer is not to be reused.

    Starts with the tenant, so that one tenant's answers are not within another's reach by any hash."""
    body = call.body
    if call.endpoint not in ENDPOINTS or call.body_bytes > MAX_BODY_BYTES or _is_a_deed(call.endpoint, body):
        return None
    if call.endpoint is not _REPEATS_THEM and not _ABOUT_THE_CALLER.isdisjoint(body):
        body = {name: value for name, value in body.items() if name not in _ABOUT_THE_CALLER}
    tenant = _tenant(who, scope)
    headers = [inbound.headers.get(name) for name in _HEADERS]
    form = call.stream, call.wants_usage, "alt=sse" in inbound.query.split("&")
    about = orjson.dumps([_VERSION, tenant, call.endpoint, call.model, target.key, form, headers])
    said = hashlib.sha256(about + b"\n" + orjson.dumps(body)).hexdigest()
    return f"gf:{{{tenant}}}:c:{said}"


def _tenant(who: Principal, scope: Among) -> str:
    """Who has no team is one of their own."""
    if scope == "organisation":
        return "all"
    return f"u{who.user_id}" if scope == "user" or who.team_id is None else f"g{who.team_id}"


def _is_a_deed(endpoint: Endpoint, body: Json) -> bool:
    if any(body.get(name) for name in _DEEDS):
        return True
    tools = body.get("tools")
    return bool(tools) and not _are_the_clients_own(endpoint, tools)


def _are_the_clients_own(endpoint: Endpoint, tools: Any) -> bool:
    """Tools that the client runs. All others act at the provider, or look something up there."""
    if not isinstance(tools, list):
        return False
    if endpoint is Endpoint.GENERATE:
        return all(_has_only(tool, _GEMINI_CLIENT_TOOLS) for tool in tools)
    return all(isinstance(tool, dict) and tool.get("type", "custom") in _CLIENT_TOOLS for tool in tools)


def _has_only(tool: Any, names: Collection[str]) -> bool:
    return isinstance(tool, dict) and all(name in names for name in tool)
