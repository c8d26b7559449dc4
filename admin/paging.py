"""Keyset pages: a cursor is the sort key of the last row shown, so a page costs the same however deep it lies."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel

from admin.errors import BadCursor
from admin.schema import BIGINT_MAX, Query

LIMIT_DEFAULT, LIMIT_MAX = 50, 500

T = TypeVar("T")

Limit = Annotated[int, AfterValidator(lambda limit: max(1, min(limit, LIMIT_MAX)))]


class PageQuery(Query):
    limit: Limit = LIMIT_DEFAULT
    cursor: str | None = None


class Page(BaseModel, Generic[T]):
    data: list[T]
    next_cursor: str | None
    has_more: bool


def make_page(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """`rows` are up to `limit` + 1: the one too many says that there is more."""
    shown, more = list(rows[:limit]), len(rows) > limit
    return Page(data=shown, next_cursor=encode(*key(shown[-1])) if more else None, has_more=more)


def encode(*key: int | datetime | UUID) -> str:
    """Opaque to clients. The driver's UUIDs are a class of their own, hence the `default`."""
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def decode(cursor: str | None, *kinds: type[Any]) -> tuple[Any, ...] | None:
    """The key behind `cursor`, of just these kinds; None without a cursor. Raises BadCursor on anything else."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError("not a key of this list")
        return tuple(_READ[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise BadCursor("The cursor is not one that this list gave out.", param="cursor") from error


def _whole(part: Any) -> int:
    if type(part) is not int or not 0 <= part <= BIGINT_MAX:
        raise ValueError("not an id")
    return int(part)


def _moment(part: Any) -> datetime:
    moment = datetime.fromisoformat(part)
    if moment.tzinfo is None or not 1970 <= moment.year < 9999:
        raise ValueError("not a moment")
    return moment.astimezone(UTC)


_READ: dict[type[Any], Callable[[Any], Any]] = {int: _whole, datetime: _moment, UUID: UUID}
