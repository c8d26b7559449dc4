"""docs/dialects.md: what becomes of a conversation on its way from each client's dialect to each kind of provider.

No table is believed: each cell is what the dialects do with a probe. Invariant (a test holds it): what is lost or
changed has its reason in the provider's `DROPPED`.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.dialects import chat, converse, gemini, messages, ollama, responses
from gateway.dialects.base import ProviderDialect
from gateway.errors import InvalidRequest
from gateway.exchange import Endpoint, Json
from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.gemini import GeminiProvider
from gateway.providers.ollama import OllamaProvider
from gateway.providers.presets import PRESETS
from gateway.translation import CLIENTS
from guardflow.dialect_probes import PLAIN, PROBES, TOOLS_ARE_ALLOWED, Probe


class Fate(StrEnum):
    """What becomes of one thing that is asked. Also what the page shows."""

    CARRIED = "yes"
    CHANGED = "changed"
    DROPPED = "dropped"
    REFUSED = "refused"
    UNSAYABLE = "–"


class Kind(NamedTuple):
    """A kind of provider that conversations are carried over to: its dialect, a model that is typical of it, and whose
    calls it takes as they are."""

    name: str
    dialect: ProviderDialect
    model: str
    native: frozenset[Endpoint] = frozenset()


KINDS = (
    Kind("OpenAI and compatible", chat, "gpt-5", frozenset((Endpoint.CHAT,))),
    Kind("Anthropic", messages, "claude-sonnet-4-6", AnthropicProvider.endpoints),
    Kind("Gemini and Vertex", gemini, "gemini-3-pro", GeminiProvider.endpoints),
    Kind("Ollama", ollama, "llama3", OllamaProvider.endpoints),
    Kind("Bedrock, Claude", converse, "anthropic.claude-sonnet-4-6-v1:0"),
    Kind("Bedrock, others", converse, "amazon.nova-pro-v1:0"),
)
_NAMES: Mapping[Endpoint, str] = {
    Endpoint.CHAT: "chat", Endpoint.RESPONSES: "responses", Endpoint.MESSAGES: "messages",
    Endpoint.GENERATE: "generateContent",
}  # fmt: skip
_BY_NAME = {probe.name: probe for probe in (*PROBES, TOOLS_ARE_ALLOWED)}
_TITLES = {
    Endpoint.CHAT: "Chat completions (OpenAI)", Endpoint.RESPONSES: "Responses (OpenAI)",
    Endpoint.MESSAGES: "Messages (Anthropic)", Endpoint.GENERATE: "generateContent (Gemini)",
}  # fmt: skip
_STAYS: Mapping[Endpoint, tuple[Mapping[str, str], Mapping[str, str]]] = {
    Endpoint.CHAT: (chat.REFUSED, chat.IGNORED), Endpoint.RESPONSES: (responses.REFUSED, responses.IGNORED),
    Endpoint.MESSAGES: (messages.REFUSED, messages.IGNORED), Endpoint.GENERATE: (gemini.REFUSED, gemini.IGNORED),
}  # fmt: skip
_INTRODUCTION = f"""\
# Dialects

Printed by `make docs`: each cell is what the code does with a probe.

A client speaks one of four dialects, whatever the provider speaks: chat completions or responses (OpenAI's SDK),
messages (Anthropic's), generateContent (Google's). Where the provider takes the client's own, the call passes as it is
and nothing of this applies: chat at OpenAI, Azure, Ollama and whoever is compatible, responses at those of them that
have it, messages at Anthropic, generateContent at Gemini and Vertex. Everything else is carried over:

- **yes**: the provider is told the same. **changed**: it is told what comes nearest. **dropped**: it isn't told.
  **refused**: 400 before anyone is asked, naming the field. **–**: the client's dialect has no word for it.
- A model with several providers goes on to one that can be told. Without one that can, the call is refused.
- Whole answers and streams are carried alike: text, thoughts, calls, refusals, usage and errors, in the client's words.
- A field that is in no list is refused: nothing is lost in silence.

Compatible by name, besides `openai` and `azure`: {", ".join(f"`{name}`" for name in PRESETS)}.
"""


def verdict(probe: Probe, endpoint: Endpoint, kind: Kind, *, stream: bool) -> Fate:
    """What becomes of `probe` when a client of `endpoint` says it to a provider of `kind`."""
    if endpoint not in probe.said:
        return Fate.UNSAYABLE
    without, with_it = (carried(body, endpoint, kind) for body in bodies(probe, endpoint, stream=stream))
    assert without is not None, "what a probe stands beside is refused by nobody who takes the probe"
    if with_it is None:
        return Fate.REFUSED
    if with_it == without:
        return Fate.DROPPED
    if probe.marks:
        return Fate.CARRIED if all(holds(with_it, mark) for mark in probe.marks) else Fate.CHANGED
    return Fate.CHANGED if reason(probe, kind) else Fate.CARRIED


def bodies(probe: Probe, endpoint: Endpoint, *, stream: bool) -> tuple[Json, Json]:
    """A client's call without what is probed, and with it."""
    plain: Json = {**PLAIN[endpoint], "stream": stream}
    beside = _BY_NAME.get(probe.beside or "")
    while beside is not None:
        plain = _merged(beside.said.get(endpoint, {}), plain)
        beside = _BY_NAME.get(beside.beside or "")
    return plain, _merged(plain, probe.said[endpoint])


def carried(body: Json, endpoint: Endpoint, kind: Kind) -> Json | None:
    """What the provider is asked; None where the call is refused."""
    try:
        return kind.dialect.write_request(CLIENTS[endpoint].read_request(body), kind.model)
    except InvalidRequest:
        return None


def reason(probe: Probe, kind: Kind) -> str | None:
    """Why a provider of this kind loses or changes it."""
    return next((kind.dialect.DROPPED[name] for name in probe.reasons if name in kind.dialect.DROPPED), None)


def holds(document: Any, mark: str | int | float) -> bool:
    """Is `mark` one of the values, or in the text of one?"""
    if isinstance(document, dict):
        return any(holds(value, mark) for value in document.values()) or mark in document
    if isinstance(document, list | tuple):
        return any(holds(value, mark) for value in document)
    if isinstance(mark, str):
        return isinstance(document, str) and mark.lower() in document.lower()
    return type(document) is type(mark) and document == mark


def dialects_page() -> str:
    """docs/dialects.md."""
    lines = [_INTRODUCTION]
    for kind in KINDS:
        lines += _table(kind)
    lines.append("\n## What stays with a dialect's own provider\n")
    for endpoint, (refused, ignored) in _STAYS.items():
        lines.append(f"\n### {_TITLES[endpoint]}\n\nRefused:\n\n")
        lines += [f"- `{name}`: {why}\n" for name, why in refused.items()]
        lines.append("\nLeft out:\n\n")
        lines += [f"- `{name}`: {why}\n" for name, why in ignored.items()]
    return "".join(lines)


def _table(kind: Kind) -> Iterator[str]:
    endpoints = [endpoint for endpoint in _NAMES if endpoint not in kind.native]
    heads = " | ".join(_NAMES[endpoint] for endpoint in endpoints)
    yield f"\n## To {kind.name}\n\n| | {heads} | |\n|---|{'---|' * len(endpoints)}---|\n"
    for probe in PROBES:
        cells = [_cell(probe, endpoint, kind) for endpoint in endpoints]
        if any(cell != Fate.UNSAYABLE for cell in cells):
            lost = any(word in cell for cell in cells for word in (Fate.CHANGED, Fate.DROPPED))
            why = reason(probe, kind) if lost else None
            yield f"| {probe.name} | {' | '.join(cells)} | {why or ''} |\n"


def _cell(probe: Probe, endpoint: Endpoint, kind: Kind) -> str:
    whole, streamed = (verdict(probe, endpoint, kind, stream=stream) for stream in (False, True))
    return str(whole) if whole is streamed else f"{whole}; as a stream {streamed}"


def _merged(one: Json, other: Json) -> Json:
    """`other` over `one`, objects field by field."""
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        merged[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
