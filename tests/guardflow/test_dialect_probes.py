"""Each probe is one thing, said in every dialect that has a word for it."""

import pytest

from gateway.dialects.neutral import ChatRequest
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
