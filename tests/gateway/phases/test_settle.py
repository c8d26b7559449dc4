"""The upstream's word counts where it can be true; where it is missing or can't, our own count does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.count import count
from gateway.exchange import Endpoint, Meter, Target, Usage
from gateway.phases.settle import cost_of, count_missing, needs_count, settle
from gateway.quota.base import Ask
from tests.gateway.media import media_call
from tests.gateway.phases.test_stream import word
from tests.gateway.scripted import WatchedQuotas, make_call, priced

PRICED = Target("a", "m", priced(0.15, 0.6))
CALL = make_call()
RELAYED = word("hello world")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def meter(usage: Usage | None, **changes: Any) -> Meter:
    usual = {"answered": True, "complete": True, "relayed": [RELAYED], "relayed_bytes": len(RELAYED), "target": PRICED}
    return Meter(usage, **{**usual, **changes})


@pytest.mark.parametrize(
    ("usage", "changes", "counts"),
    [
        (Usage(9, 2), {}, False),
        (None, {}, True),
        (None, {"answered": False}, False),
        (Usage(9, 2), {"complete": False}, True),
        (Usage(0, 0), {}, False),
        (Usage(900_000, 2), {}, False),  # images cost what text doesn't say
        (Usage(9, 8_000, reasoning_tokens=0), {}, False),
        (Usage(9, 500_000, reasoning_tokens=499_000), {}, False),
        (Usage(10**9, 2), {}, True),
        (Usage(9, 10**6), {}, True),
        (Usage(9, 10**9, reasoning_tokens=10**9), {}, True),
        (Usage(9, 60_000), {"relayed_bytes": 100_000}, False),
        (Usage(9, 60_000), {"counted_tokens": 10_000}, False),  # a long stream, folded
    ],
)
def test_a_usage_that_is_missing_or_cannot_be_true_is_counted(
    usage: Usage | None, changes: dict[str, Any], counts: bool
) -> None:
    made = meter(usage, **changes)
    assert needs_count(CALL, made) is counts
    distrusted = usage is not None and made.usage is None
    assert ("usage_implausible" in made.flags) is distrusted
    assert distrusted is (counts and usage is not None and "complete" not in changes)


async def test_our_count_takes_the_place_of_the_missing_one() -> None:
    made = meter(None, counted_tokens=100)
    await count_missing(CALL, made)
    assert made.usage == Usage(count("Hello there"), 100 + count("hello world"))
    assert made.flags == {"usage_counted"}


async def test_what_was_told_of_a_cut_stream_is_kept_where_it_is_more() -> None:
    made = meter(Usage(50, 1, 7, 3), complete=False)
    await count_missing(CALL, made)
    assert made.usage == Usage(50, count("hello world"), 7, 3)
    more = meter(Usage(0, 99), complete=False)
    await count_missing(CALL, more)
    assert more.usage == Usage(count("Hello there"), 99)


async def test_a_lie_is_replaced_and_flagged() -> None:
    made = meter(Usage(9, 10**8))
    assert needs_count(CALL, made)
    await count_missing(CALL, made)
    assert made.usage == Usage(count("Hello there"), count("hello world"))
    assert made.flags == {"usage_implausible", "usage_counted"}


async def test_every_turn_is_counted() -> None:
    call = make_call(Endpoint.MESSAGES, system="one two three")
    made = meter(None, relayed=[], relayed_bytes=0)
    await count_missing(call, made)
    assert made.usage == Usage(count("one two three") + count("Hello there"), 0)


@pytest.mark.parametrize(
    ("target", "usage", "micros"),
    [
        (PRICED, Usage(1000, 500), 450),
        (PRICED, Usage(1, 0), 0),
        (PRICED, Usage(0, 1), 1),
        (PRICED, None, None),
        (None, Usage(1, 1), None),
        (Target("a", "m"), Usage(1, 1), None),
        (Target("a", "m", priced(0, 0)), Usage(1, 1), 0),
    ],
)
def test_cost_is_in_whole_micro_dollars_and_unknown_without_a_price(
    target: Target | None, usage: Usage | None, micros: int | None
) -> None:
    assert cost_of(Meter(usage, target=target), NOW) == micros


async def test_speech_without_usage_is_counted_by_its_characters() -> None:
    made = meter(None, relayed=[], relayed_bytes=70_000)
    call = await media_call(Endpoint.SPEECH, input="Grüße", instructions="slowly")
    assert needs_count(call, made)
    await count_missing(call, made)
    assert (made.usage, made.flags) == (Usage(5, 0), {"usage_counted", "unit:characters"})


@pytest.mark.parametrize("endpoint", [Endpoint.TRANSCRIPTIONS, Endpoint.IMAGES, Endpoint.IMAGE_EDITS])
async def test_what_a_file_or_an_image_cost_is_unknown_where_nobody_says_it(endpoint: Endpoint) -> None:
    made = meter(None, relayed_bytes=3_000_000)
    call = await media_call(endpoint)
    assert needs_count(call, made)
    await count_missing(call, made)
    assert (made.usage, made.flags) == (None, {"usage_unknown"})
    assert cost_of(made, NOW) is None


async def test_what_was_told_of_media_is_kept_though_it_broke_off() -> None:
    made = meter(Usage(5, 7), complete=False)
    await count_missing(await media_call(Endpoint.SPEECH), made)
    assert (made.usage, made.flags) == (Usage(5, 7), set())


async def test_ranks_without_usage_are_counted_by_what_was_read() -> None:
    made = meter(None, relayed=[], relayed_bytes=900)
    await count_missing(await media_call(Endpoint.RERANK), made)
    read = sum(map(count, ("Which is a sea?", "the North Sea", "the Alps")))
    assert (made.usage, made.flags) == (Usage(read, 0), {"usage_counted"})


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (Usage(50, 62_400, image_output_tokens=62_400), False),  # ten images by their addresses
        (Usage(50, 62_400), True),
        (Usage(50, 10**8, image_output_tokens=10**8), True),
        (Usage(50, 10**8, audio_output_tokens=10**8), True),
    ],
)
async def test_images_and_sound_are_more_tokens_than_bytes_but_not_without_end(usage: Usage, counts: bool) -> None:
    made = meter(usage, relayed=[], relayed_bytes=2_000)
    assert needs_count(await media_call(Endpoint.IMAGES), made) is counts


def test_what_was_used_is_charged_and_nothing_without_usage() -> None:
    quotas, ask = WatchedQuotas(), Ask("x", (), 100, 10)
    used = meter(Usage(1000, 500))
    used.cost_micros = cost_of(used, NOW)
    settle(ask, used, quotas)
    settle(ask, meter(None), quotas)
    assert [settled[1:] for settled in quotas.settled] == [(1500, 450), (0, 0)]
