"""What a call costs: prices in whole pico-dollars a token, costs in whole micro-dollars, rounded half up once a call.

A price is a list of periods, the newest first. Where none has begun there is no price, and the cost is unknown: that
is never the same as nothing.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.exchange import Usage

_PICOS = 1_000_000
"""In a micro-dollar."""
_HALF = _PICOS // 2
_ALWAYS = datetime.min.replace(tzinfo=UTC)
MOST_FOUND = 1_000
"""Clients may make up names of models: for so many it is remembered what they cost."""

Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]


class PriceConfig(BaseModel):
    """USD per million tokens, which is micro-dollars per token, from the beginning of a UTC day. Tokens of a kind that
    has no price of its own cost what `input` or `output` says; `image` and `audio` are input."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    reasoning: Dollars | None = None
    image: Dollars | None = None
    audio: Dollars | None = None
    image_output: Dollars | None = None
    audio_output: Dollars | None = None
    since: date | None = Field(default=None, alias="from")


def _listed(said: Any) -> Any:
    return [said] if isinstance(said, dict | PriceConfig) else said


def _in_turn(periods: tuple[PriceConfig, ...]) -> tuple[PriceConfig, ...]:
    if len({period.since for period in periods}) < len(periods):
        raise ValueError("two prices begin on the same day")
    return periods


PeriodsConfig: TypeAlias = Annotated[
    tuple[PriceConfig, ...], BeforeValidator(_listed), AfterValidator(_in_turn), Field(min_length=1)
]
"""One price, or one for each period."""


class Period(NamedTuple):
    """A price from `since` on, in pico-dollars a token. All but the first two are what a kind of tokens costs more (or
    less) than the rest of its side: so kinds that cost the same, or were not used, add nothing."""

    since: datetime
    input: int
    output: int
    cached: int
    reasoning: int
    others: tuple[int, ...]
    most_input: int
    most_output: int


Prices: TypeAlias = tuple[Period, ...]
UNKNOWN: Prices = ()


def make_prices(periods: tuple[PriceConfig, ...]) -> Prices:
    return tuple(sorted(map(_period, periods), key=lambda period: period.since, reverse=True))


def cost_micros(prices: Prices, usage: Usage | None, at: datetime) -> int | None:
    """What `usage` costs at the price of `at`; None where that is unknown."""
    if usage is None:
        return None
    for since, into, out, cached_more, reasoned_more, others_more, _, _ in prices:
        if since <= at:
            prompt, completion, cached, reasoned, written, image, audio, drawn, spoken = usage
            picos = prompt * into + completion * out + cached * cached_more + reasoned * reasoned_more
            if written or image or audio or drawn or spoken:
                picos += sum(count * more for count, more in zip(usage[4:], others_more, strict=True))
            return (picos + _HALF) // _PICOS if picos > 0 else 0
    return None


def most_micros(prices: Prices, input_tokens: int, output_tokens: int, at: datetime) -> int | None:
    """What to hold for a call that may use so much, whatever comes out of a cache; None where the price is unknown."""
    for since, _, _, _, _, _, into, out in prices:
        if since <= at:
            return -(-(input_tokens * into + output_tokens * out) // _PICOS)
    return None


class PriceTable:
    """Prices by `provider/model`, or a pattern of such names with `*` and `?`: the name itself, else the first pattern
    that fits, counts."""

    def __init__(self, table: Mapping[str, tuple[PriceConfig, ...]]) -> None:
        self._names = {pattern: make_prices(periods) for pattern, periods in table.items()}
        self._found: dict[str, Prices] = {}

    def find(self, key: str) -> Prices:
        if not self._names:
            return UNKNOWN
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= MOST_FOUND:
                self._found.clear()
            found = self._found[key] = self._look_up(key)
        return found

    def _look_up(self, key: str) -> Prices:
        if (exact := self._names.get(key)) is not None:
            return exact
        return next((prices for pattern, prices in self._names.items() if fnmatchcase(key, pattern)), UNKNOWN)


def _period(said: PriceConfig) -> Period:
    def picos(dollars: Decimal | None, plain: Decimal) -> int:
        return int((plain if dollars is None else dollars) * _PICOS)

    def more(dollars: Decimal | None, plain: Decimal) -> int:
        return picos(dollars, plain) - picos(plain, plain)

    into, out = said.input, said.output
    others = (
        *(more(kind, into) for kind in (said.cache_write, said.image, said.audio)),
        *(more(kind, out) for kind in (said.image_output, said.audio_output)),
    )
    return Period(
        since=_ALWAYS if said.since is None else datetime.combine(said.since, time.min, UTC),
        input=picos(into, into),
        output=picos(out, out),
        cached=more(said.cached_input, into),
        reasoning=more(said.reasoning, out),
        others=others,
        most_input=max(picos(into, into), picos(said.cache_write, into)),
        most_output=max(picos(out, out), picos(said.reasoning, out)),
    )
