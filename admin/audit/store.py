"""Audit rows are written in the transaction of what they tell about: neither exists without the other."""

from typing import Any

import orjson

from admin.audit.types import Actor, AuditEntry, AuditQuery
from admin.paging import decode
from admin.schema import Noun
from admin.store import Where
from gateway.db import Connection

_INSERT = """
INSERT INTO audit_log (actor_id, actor_kind, action, object_type, object_id, before, after, reason, ip)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9)
"""
_SELECT = """
SELECT id, at, actor_id, actor_kind, action, object_type, object_id, before::text AS before, after::text AS after,
       reason, ip
FROM audit_log
"""


async def record(
    conn: Connection,
    actor: Actor,
    action: str,
    object_id: int | str,
    *,
    before: Noun | None = None,
    after: Noun | None = None,
    reason: str | None = None,
) -> None:
    """`action` is `<objects>:<verb>`. Of two states only what differs is kept."""
    old, new = _changes(before, after)
    kind = action.partition(":")[0]
    await conn.execute(_INSERT, actor.user_id, actor.kind, action, kind, str(object_id), old, new, reason, actor.ip)


async def find(conn: Connection, query: AuditQuery) -> list[AuditEntry]:
    where = Where()
    where.add("actor_id = {}", query.actor_id)
    where.add("action = {}", query.action)
    where.add("object_type = {}", query.object_type)
    where.add("object_id = {}", query.object_id)
    where.add("at >= {}", query.since)
    where.add("at < {}", query.until)
    if key := decode(query.cursor, int):
        where.add("id < {}", *key)
    tail = f" ORDER BY id DESC LIMIT {query.limit + 1}"
    rows = await conn.fetch(_SELECT + where.sql() + tail, *where.values)
    return [AuditEntry(**{**row, "before": _loads(row["before"]), "after": _loads(row["after"])}) for row in rows]


def _changes(before: Noun | None, after: Noun | None) -> tuple[str | None, str | None]:
    old = before.model_dump(mode="json") if before else None
    new = after.model_dump(mode="json") if after else None
    if old is not None and new is not None:
        changed = [name for name in new if old.get(name) != new[name]]
        old, new = {name: old.get(name) for name in changed}, {name: new[name] for name in changed}
    return _dumps(old), _dumps(new)


def _dumps(state: dict[str, Any] | None) -> str | None:
    return None if state is None else orjson.dumps(state).decode()


def _loads(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
