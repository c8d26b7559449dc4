"""What a process that died leaves to be charged: the calls in its log that had been admitted. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from gateway.logsink.base import LogRow
from gateway.quota.base import Left


def what_is_left(rows: Iterable[LogRow], now: datetime) -> Iterator[Left]:
    """The calls in `rows` that may hold a reservation or be uncharged. One that no provider was asked for held nothing
    that its lease doesn't end."""
    for row in rows:
        if row["user_id"] is None or row["token_id"] is None or not row["attempts"]:
            continue
        ended = datetime.fromisoformat(row["at"]) + timedelta(milliseconds=row["total_ms"])
        yield Left(
            ask_id=row["id"],
            user_id=row["user_id"],
            token_id=row["token_id"],
            tokens=row["total_tokens"],
            cost_micros=row["cost_micros"] or 0,
            team_id=row.get("team_id"),
            task_id=row["task_id"],
            age_s=max(0.0, (now - ended).total_seconds()),
        )
