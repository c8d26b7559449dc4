"""The matrix tells the truth: what it says is carried is there when it is read again, and what is lost has a reason."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any

import pytest

from gateway.dialects import chat, gemini, messages
from gateway.dialects.neutral import ChatRequest, Media, Message, Output, Part, Text, Thinking, ToolResult, ToolUse
from gateway.exchange import Endpoint, Json
from gateway.translation import CLIENTS
from guardflow.dialect_matrix import KINDS, Fate, Kind, bodies, carried, dialects_page, holds, reason, verdict
from guardflow.dialect_probes import PROBES, Probe

Read = Callable[[Json], ChatRequest]
# Ollama and Bedrock are providers alone, whose calls nobody here reads.
READ_AGAIN: Mapping[str, Read] = {
    "OpenAI and compatible": chat.read_request, "Anthropic": messages.read_request,
    "Gemini and Vertex": gemini.read_request,
}  # fmt: skip
CHOICE = ("toolConfig", "toolChoice")
WRITTEN: Mapping[tuple[str, str], tuple[tuple[str, ...], Any]] = {
    ("Ollama", "JSON"): (("format",), "json"),
    ("Ollama", "no tool may be called"): (("tools",), None),
    ("Bedrock", "a tool must be called"): (CHOICE, {"any": {}}),
    ("Bedrock", "this tool must be called"): (CHOICE, {"tool": {"name": "weather"}}),
    ("Bedrock", "no tool may be called"): (("toolConfig",), None),
    ("Bedrock", "one call at a time"): (
        ("additionalModelRequestFields", "tool_choice"), {"type": "auto", "disable_parallel_tool_use": True},
    ),
    ("Bedrock", "strict tools"): (("toolConfig", "tools", "0", "toolSpec", "strict"), True),
    ("Bedrock", "a tool's result that is an error"): (
        ("messages", "2", "content", "0", "toolResult", "status"), "error",
    ),
}  # fmt: skip
"""Where Ollama and Bedrock are told what has no mark, and how."""


def cells(probe: Probe, *fates: Fate) -> Iterator[tuple[Endpoint, Kind, bool]]:
    """Where `probe` has one of these fates."""
    for endpoint, kind, stream in product(CLIENTS, KINDS, (False, True)):
        if verdict(probe, endpoint, kind, stream=stream) in fates:
            yield endpoint, kind, stream


def at(document: Any, path: Sequence[str]) -> Any:
    for name in path:
        document = document[int(name)] if isinstance(document, list) else (document or {}).get(name)
    return document


def essence(value: Any) -> Any:
    """What has to come through: not the container, nor a name that a dialect wants and another has no place for."""
    match value:
        case Output(schema):
            return schema
        case [Message(), *_]:
            return {atom for message in value for part in message.parts for atom in atoms(part)}
        case Thinking():
            return {(name, said) for name, said in value._asdict().items() if said is not None}
        case list() | tuple():
            return tuple(value)
    return value


def atoms(part: Part) -> Iterator[tuple[Any, ...]]:
    match part:
        case ToolUse(call, name, arguments):
            yield "call", call, name, arguments
        case ToolResult(call, _, parts, is_error):
            yield "result", call, is_error
            for inner in parts:
                yield from atoms(inner)
        case Media(kind, _, data, url):
            yield kind, data, url
        case Text(text) if text not in ("", "{}"):
            yield "text", text


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_what_is_lost_or_changed_has_its_reason(probe: Probe) -> None:
    assert [cell for cell in cells(probe, Fate.CHANGED, Fate.DROPPED) if not reason(probe, cell[1])] == []


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_what_is_carried_is_there_when_it_is_read_again(probe: Probe) -> None:
    found = list(cells(probe, Fate.CARRIED))
    assert found, "nobody can be told this"
    for endpoint, kind, stream in found:
        without, with_it = bodies(probe, endpoint, stream=stream)
        told, not_told = carried(with_it, endpoint, kind), carried(without, endpoint, kind)
        assert told is not None
        assert all(holds(told, mark) for mark in probe.marks)
        assert not probe.marks or not holds(not_told, probe.marks[-1])
        if (read := READ_AGAIN.get(kind.name)) is not None:
            client = CLIENTS[endpoint].read_request
            came_through(client(without), client(with_it), read({**told, "model": "m", "stream": stream}))
        elif not probe.marks:
            path, how = WRITTEN[kind.name.split(",")[0], probe.name]
            assert at(told, path) == how, (endpoint, kind.name)


def came_through(before: ChatRequest, asked: ChatRequest, again: ChatRequest) -> None:
    """Is what the probe changed in `asked` still so in what the provider was told?"""
    for name in (field.name for field in fields(ChatRequest)):
        if getattr(before, name) != getattr(asked, name):
            wanted, got = essence(getattr(asked, name)), essence(getattr(again, name))
            assert wanted <= got if isinstance(wanted, set) else wanted == got, name


def test_every_cell_of_the_page_is_what_the_code_does() -> None:
    page = dialects_page()
    assert page.count("\n| a tool's call and its result |") == len(KINDS)
    assert "| several answers | yes; as a stream refused | – | – |  |" in page, "Gemini, which streams one answer"
    for kind in KINDS:
        assert f"\n## To {kind.name}\n" in page


def test_a_probe_that_its_dialect_cannot_say_is_no_cell() -> None:
    [probe] = [probe for probe in PROBES if probe.name == "stop sequences"]
    assert verdict(probe, Endpoint.RESPONSES, KINDS[0], stream=False) is Fate.UNSAYABLE


def test_a_mark_is_a_value_a_name_or_a_piece_of_text() -> None:
    assert holds({"a": [{"b": 'x "Oslo" y'}]}, "oslo")
    assert holds({"city": {}}, "city")
    assert holds([1, 0.5], 0.5)
    assert not holds([5], 5.0)
    assert not holds({"a": True}, 1)
