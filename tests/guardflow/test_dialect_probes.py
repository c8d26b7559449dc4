"""Each probe is one thing, said in every dialect that has a word for it."""

import re
from collections.abc import Iterator, Mapping

import pytest

from gateway.dialects.neutral import ChatRequest, Decline, Part, Text, ToolResult
from gateway.exchange import Endpoint, Json
from gateway.text import turns
from gateway.translation import CLIENTS
from guardflow.dialect_matrix import bodies
from guardflow.dialect_probes import PLAIN, PROBES, TOOLS_ARE_ALLOWED, Probe


def fields(request: ChatRequest) -> dict[str, object]:
    return {name: getattr(request, name) for name in ChatRequest.__dataclass_fields__}


@pytest.mark.parametrize("probe", [TOOLS_ARE_ALLOWED, *PROBES], ids=lambda probe: probe.name)
def test_a_probe_changes_what_is_asked(probe: Probe) -> None:
    assert probe.said
    for endpoint in probe.said:
        without, with_it = (CLIENTS[endpoint].read_request(body) for body in bodies(probe, endpoint, stream=False))
        assert fields(without) != fields(with_it), endpoint


def test_what_a_probe_stands_beside_comes_before_it() -> None:
    everything = (TOOLS_ARE_ALLOWED, *PROBES)
    places = {probe.name: place for place, probe in enumerate(everything)}
    assert len(places) == len(everything)
    assert all(places[probe.beside] < places[probe.name] for probe in PROBES if probe.beside is not None)


def test_no_mark_stands_in_the_plain_call() -> None:
    for probe in PROBES:
        assert not any(str(mark) in str(PLAIN) for mark in probe.marks), probe.name


def documents(*blocks: Mapping[str, object]) -> Json:
    return {**PLAIN[Endpoint.MESSAGES], "messages": [{"role": "user", "content": list(blocks)}]}


TITLED = {"type": "document", "title": "Heading", "context": "Aside", "source": {"type": "text", "data": "Inside"}}
ODD: list[tuple[Endpoint, Json]] = [
    (Endpoint.MESSAGES, documents(TITLED)),
    (Endpoint.MESSAGES, documents({"type": "tool_result", "tool_use_id": "t", "content": [TITLED]})),
    (Endpoint.MESSAGES, {**PLAIN[Endpoint.MESSAGES], "system": [{"type": "text", "text": "Behave"}]}),
    (Endpoint.CHAT, {**PLAIN[Endpoint.CHAT], "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Behave"}]}]}),
    (Endpoint.CHAT, {**PLAIN[Endpoint.CHAT], "messages": [
        {"role": "user", "content": [{"type": "refusal", "refusal": "Never"}]}]}),
    (Endpoint.RESPONSES, {"model": "m", "input": [{"role": "user", "content": [
        {"type": "input_text", "text": "Said"}, {"type": "refusal", "refusal": "Never"}]}]}),
    (Endpoint.GENERATE, {"model": "m", "system_instruction": {"parts": [{"text": "Behave"}]}, "contents": [
        {"parts": [{"text": "Thought", "thought": True}, {"text": "Said"}]}]}),
    (Endpoint.GENERATE, {"model": "m", "contents": [
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {}}}]},
        {"role": "function", "parts": [{"function_response": {"name": "f", "response": {"a": [{"b": "Deep"}]}}}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [*ODD, *((endpoint, bodies(probe, endpoint, stream=False)[1]) for probe in PROBES for endpoint in probe.said)],
)
def test_every_text_that_is_carried_over_was_judged(endpoint: Endpoint, body: Json) -> None:
    """Nobody gets past the classifiers in a place that only a dialect's reader looks at."""
    judged = " ".join(turn.text for turn in turns(endpoint, body))
    carried = list(texts_of(CLIENTS[endpoint].read_request(body)))
    assert [text for text in carried if any(word not in judged for word in re.findall(r"\w{3,}", text))] == []


def texts_of(request: ChatRequest) -> Iterator[str]:
    """What the model will read as somebody's words, its own calls and thoughts left out."""
    parts: list[Part] = [part for message in request.messages for part in message.parts]
    parts += [inner for part in parts if isinstance(part, ToolResult) for inner in part.parts]
    for part in parts:
        if isinstance(part, Text | Decline):
            yield re.sub(r'"\w+":', "", part.text)  # a tool's answer in JSON: names of fields are the tool's
