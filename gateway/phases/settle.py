"""What it came to: the reservation is replaced by what was used, on every way out.

The upstream's word counts where it is plausible. Where it is missing (a cut stream, a server that sends none) our own
count of the input and of what was relayed takes its place; that count is made off the loop.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from classifiers.base import Turn
from gateway.count import count, count_reply
from gateway.exchange import UNIT_BILLED, Endpoint, Meter, ModelCall, Usage
from gateway.prices import UNKNOWN, cost_micros
from gateway.quota.base import Ask, QuotaStore

_SLACK_TOKENS = 8_192
_UNSEEN_TOKENS = 1_000_000
"""What text alone doesn't bound: media by reference on the way in; reasoning, images and sound on the way out."""
_UNCOUNTABLE = UNIT_BILLED - {Endpoint.SPEECH, Endpoint.RERANK}
"""Nothing that passes here tells how long a file sounds, or what an image cost."""


def needs_count(call: ModelCall, meter: Meter) -> bool:
    """Is there something to pay for, and no usage to go by? A usage that can't be true is dropped here."""
    if meter.usage is not None and not _is_plausible(call, meter, meter.usage):
        meter.usage = None
        meter.flags.add("usage_implausible")
    return meter.answered and (meter.usage is None or not meter.complete)


def _is_plausible(call: ModelCall, meter: Meter, usage: Usage) -> bool:
    """A token is at least a byte of something: more tokens than that are an upstream's error, or its lie."""
    prompt, completion, _, reasoning, _, _, _, image, audio = usage
    unseen = reasoning + image + audio
    return (
        prompt <= 2 * call.body_bytes + _UNSEEN_TOKENS
        and completion - unseen <= meter.relayed_bytes + 8 * meter.counted_tokens + _SLACK_TOKENS
        and unseen <= _UNSEEN_TOKENS
    )


async def count_missing(call: ModelCall, meter: Meter) -> None:
    """Fill in the usage that the upstream didn't send. What can't be known is flagged, and stays unknown."""
    if call.endpoint in _UNCOUNTABLE or call.endpoint is Endpoint.SPEECH:
        if meter.usage is None:
            _count_media(call, meter)
        return
    counted = await asyncio.to_thread(_count, call.turns, b"".join(meter.relayed))
    prompt, completion = counted[0], counted[1] + meter.counted_tokens
    said = meter.usage or Usage(0, 0)
    meter.usage = said._replace(
        prompt_tokens=said.prompt_tokens or prompt, completion_tokens=max(said.completion_tokens, completion)
    )
    meter.flags.add("usage_counted")


def _count_media(call: ModelCall, meter: Meter) -> None:
    """Speech by the characters that are to be said."""
    if call.endpoint is Endpoint.SPEECH:
        meter.usage = Usage(len(call.body["input"]), 0)
        meter.flags |= {"usage_counted", "unit:characters"}
    else:
        meter.flags.add("usage_unknown")


def settle(ask: Ask, meter: Meter, quotas: QuotaStore) -> None:
    """Charge what was used, and give back the rest of what `ask` reserved."""
    usage = meter.usage
    if usage is None:
        quotas.settle(ask, 0, 0)
    else:
        quotas.settle(ask, usage.prompt_tokens + usage.completion_tokens, meter.cost_micros or 0)


def cost_of(meter: Meter, at: datetime) -> int | None:
    """Micro-dollars; None where nothing was used or the price is unknown."""
    return cost_micros(UNKNOWN if meter.target is None else meter.target.prices, meter.usage, at)


def _count(turns: Sequence[Turn], relayed: bytes) -> tuple[int, int]:
    return sum(count(turn.text) for turn in turns), count_reply(relayed)
