"""The calls of a user's token to Redis, written down but for what differs from one to the next.

Everything else about them (keys, limits, lengths) is worked out once for all calls of the same scopes.
"""

from collections.abc import Sequence

from gateway.exchange import Limits
from gateway.quota.base import MOST, Ask, Scope, bounded
from gateway.wire.redis import Script, bulk

PREFIX = "gf"


class Form:
    """`counted` are those of `scopes` that there is something to count for, `bases` their keys."""

    __slots__ = ("_bases", "_key", "_key_room", "_limits", "_reserve", "_settle", "bases", "counted", "scopes")

    def __init__(self, scopes: Sequence[Scope], counted: Sequence[Scope], reserve: Script, settle: Script) -> None:
        self.scopes = scopes
        self.counted = counted
        self.bases = tuple(base_of(scope) for scope in counted)
        keys = len(self.bases) + 1
        self._reserve = reserve.head(2 * keys + 1) + bulk(str(keys))
        self._settle = settle.head(keys + 2) + bulk(str(keys))
        self._key = f"{PREFIX}:{{{scopes[0].slot}}}:a:" if scopes else ""
        self._key_room = len(self._key)
        self._bases = "".join(map(bulk, self.bases))
        self._limits = "".join(bulk(_packed(scope.limits)) for scope in counted)

    def keys(self, ask_id: str) -> tuple[str, ...]:
        """The record of the ask, then the base of each scope."""
        return (self._key + ask_id, *self.bases)

    def reserve(self, ask: Ask, mode: str = "check") -> bytes:
        ask_id, _, tokens, least, cost = ask
        if 0 <= least <= tokens <= MOST and 0 <= cost <= MOST:
            least += least < tokens
        else:
            tokens, cost = bounded(tokens), bounded(cost)
            least = min(tokens, bounded(least) + 1)
        said = f"{ask_id} {tokens} {least} {cost} {mode}"
        return (
            f"{self._reserve}${self._key_room + len(ask_id)}\r\n{self._key}{ask_id}\r\n"
            f"{self._bases}${len(said)}\r\n{said}\r\n{self._limits}"
        ).encode("ascii")

    def settle(self, ask_id: str, tokens: int, cost_micros: int, mode: str, age_micros: int) -> bytes:
        said = f"{ask_id} {tokens} {cost_micros} {age_micros} {mode}"
        return (
            f"{self._settle}${self._key_room + len(ask_id)}\r\n{self._key}{ask_id}\r\n"
            f"{self._bases}${len(said)}\r\n{said}\r\n"
        ).encode("ascii")


def base_of(scope: Scope) -> str:
    return f"{PREFIX}:{{{scope.slot}}}:{scope.name}"


def _packed(limits: Limits) -> str:
    minute = (limits.rpm, limits.tpm)
    calendar = (limits.daily_tokens, limits.monthly_tokens)
    rest = (limits.concurrent, limits.monthly_budget_micros)
    seldom = (limits.weekly_budget_micros, limits.daily_budget_micros)
    said = (*minute, *calendar, *rest, *(seldom if seldom != (None, None) else ()))
    return ",".join("" if limit is None else str(limit) for limit in said)
