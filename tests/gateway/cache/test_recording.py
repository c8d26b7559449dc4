"""The caller gets what it would have got; the copy is exact or there is none."""

import pytest

from gateway.cache.recording import Recording
from gateway.errors import ClientGone, UpstreamError
from tests.gateway.scripted import JSON, SSE, ListDownstream


def recorded(most: int = 100, **changes: int) -> tuple[Recording, ListDownstream, list[str]]:
    told: list[str] = []
    down = ListDownstream(leaves_after=changes.get("leaves_after"), congested=True)
    return Recording(down, most, lambda: told.append("too large")), down, told


async def test_a_stream_is_passed_on_and_kept() -> None:
    recording, down, told = recorded()
    await recording.begin(SSE)
    assert recording.send(b"one ")
    await recording.drained()
    recording.send(b"two ")
    recording.hold(b"end")
    await recording.finish()
    assert down.sent == b"one two end"
    assert down.drains == 1
    assert recording.committed
    assert recording.copy == (b"one two ", b"end")
    assert (recording.status, recording.stream, recording.content_type) == (200, True, SSE["content-type"])
    assert told == []


async def test_a_whole_answer_is_passed_on_and_kept() -> None:
    recording, down, _ = recorded()
    recording.answer(201, JSON, b"{}")
    assert (down.status, down.body) == (201, b"{}")
    assert recording.copy == (b"{}", b"")
    assert (recording.status, recording.stream) == (201, False)
    assert not recording.committed


@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 6, b"x" * 5, b"x"]])
async def test_beyond_the_bound_nothing_is_kept_and_everything_passed_on(pieces: list[bytes]) -> None:
    recording, down, told = recorded(10)
    await recording.begin(SSE)
    for piece in pieces:
        recording.send(piece)
    recording.hold(b"end")
    await recording.finish()
    assert down.sent == b"".join(pieces) + b"end"
    assert recording.copy is None
    assert told == ["too large"]


async def test_the_end_counts_as_well() -> None:
    recording, _, told = recorded(10)
    await recording.begin(SSE)
    recording.send(b"x" * 8)
    recording.hold(b"end")
    assert (recording.copy, told) == (None, ["too large"])


async def test_a_client_that_leaves_is_felt() -> None:
    recording, _, _ = recorded(leaves_after=3)
    await recording.begin(SSE)
    with pytest.raises(ClientGone):
        recording.send(b"four")


async def test_a_refusal_is_passed_on() -> None:
    recording, down, _ = recorded()
    recording.refuse(UpstreamError("no"), {})
    assert down.refusal is not None
