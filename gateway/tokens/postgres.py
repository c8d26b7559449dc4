"""Tokens in Postgres: who they belong to, in one query; the push of changes; when they were last used."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import asyncpg
import orjson

from gateway.db import Connection, DatabaseDown, Pool, acquired, connect, translated
from gateway.exchange import UNLIMITED, Limits, Principal, Task
from gateway.tasks import spawn
from gateway.tokens.base import TokensUnavailable

logger = logging.getLogger("guardflow.tokens")

CHANNEL = "guardflow_principals"
_PING_EVERY_S = 5.0
_PING_TIMEOUT_S = 2.0
_LONGEST_BACKOFF_S = 2.0
_LIMITS = tuple(field.name for field in fields(Limits))
_BUDGETS = tuple(name for name in _LIMITS if name.endswith("_budget_micros"))

# A user to whom tasks were assigned has those that are active, be it none; everyone else has every active one.
_FIND = f"""
SELECT u.id AS user_id, t.id AS token_id, u.email, u.name, u.role, u.is_active, u.blocked_until, u.block_reason,
    t.expires_at, u.allowed_models AS user_models, t.allowed_models AS token_models, g.allowed_models AS team_models,
    g.id AS team_id,
    {", ".join(f"q.{name} AS user_{name}, t.{name} AS token_{name}, g.{name} AS team_{name}" for name in _LIMITS)},
    (SELECT json_agg(json_build_object('id', k.id, 'name', k.name, 'allowed_intents', k.allowed_intents,
        'budgets', json_strip_nulls(json_build_object({", ".join(f"'{name}', k.{name}" for name in _BUDGETS)}))
        ) ORDER BY k.id)
     FROM tasks k WHERE k.is_active AND (
        NOT EXISTS (SELECT FROM user_tasks WHERE user_id = u.id)
        OR EXISTS (SELECT FROM user_tasks WHERE user_id = u.id AND task_id = k.id))) AS tasks
FROM api_tokens t JOIN users u ON u.id = t.user_id LEFT JOIN quotas q ON q.user_id = u.id
    LEFT JOIN team_members m ON m.user_id = u.id LEFT JOIN teams g ON g.id = m.team_id
WHERE t.token_hash = $1 AND t.revoked_at IS NULL
"""  # noqa: S608 - names of our own

# Rows are locked in order, so that two workers cannot deadlock.
_TOUCH = """
WITH used AS (SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) AS used (id, at)),
locked AS (SELECT id FROM api_tokens WHERE id IN (SELECT id FROM used) ORDER BY id FOR NO KEY UPDATE)
UPDATE api_tokens t SET last_used_at = greatest(t.last_used_at, used.at)
FROM used JOIN locked USING (id) WHERE t.id = used.id
"""


class PostgresTokenStore:
    """`defaults` are the limits of users without their own, limit by limit."""

    def __init__(self, pool: Pool, defaults: Limits) -> None:
        self._pool = pool
        self._defaults = defaults

    def set_defaults(self, defaults: Limits) -> None:
        """New limits for users without their own, for whoever is looked up from now on."""
        self._defaults = defaults

    async def find(self, token_hash: bytes) -> Principal | None:
        try:
            async with acquired(self._pool, timeout_s=2.0) as connection:
                record = await connection.fetchrow(_FIND, token_hash, timeout=2.0)
        except DatabaseDown as error:
            raise TokensUnavailable(str(error)) from error
        return None if record is None else self._principal(record)

    def _principal(self, record: asyncpg.Record) -> Principal:
        return Principal(
            user_id=record["user_id"],
            token_id=record["token_id"],
            email=record["email"],
            name=record["name"],
            role=record["role"],
            is_active=record["is_active"],
            blocked_until=record["blocked_until"],
            block_reason=record["block_reason"],
            token_expires_at=record["expires_at"],
            allowed_models=_common(record["user_models"], record["token_models"], record["team_models"]),
            tasks=_tasks(record["tasks"]),
            user_limits=_limits(record, "user", self._defaults),
            token_limits=_limits(record, "token", UNLIMITED),
            team_id=record["team_id"],
            team_limits=_limits(record, "team", UNLIMITED),
        )


class PrincipalPush:
    """Listens for changes of users and tokens on a connection of its own.

    `on_change` gets the user's id, or None where anybody may be meant; `on_connected` whether changes arrive."""

    def __init__(
        self, url: str, *, on_change: Callable[[int | None], None], on_connected: Callable[[bool], None]
    ) -> None:
        self._url = url
        self._on_change = on_change
        self._on_connected = on_connected
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = spawn(self._listen_for_ever(), name="principal-push")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (DatabaseDown, asyncpg.PostgresError) as error:
                if self._failures == 0:
                    logger.warning("changes of tokens are not pushed: %s", error)
            self._failures += 1
            backoff_s = min(0.05 * 2**self._failures, _LONGEST_BACKOFF_S)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    async def _listen(self) -> None:
        """Until the connection is lost, which raises."""
        connection = await connect(self._url, name="guardflow-push")
        lost = asyncio.Event()
        try:
            with translated():
                connection.add_termination_listener(lambda _: lost.set())
                await connection.add_listener(CHANNEL, self._notified)
                self._connected()
                while True:
                    await _up_to(_PING_EVERY_S, lost)
                    await connection.execute("SELECT 1", timeout=_PING_TIMEOUT_S)
        finally:
            self._on_connected(False)
            connection.terminate()

    def _connected(self) -> None:
        if self._failures:
            logger.warning("changes of tokens are pushed again")
        self._failures = 0
        self._on_connected(True)

    def _notified(self, _connection: Connection, _pid: int, _channel: str, payload: str) -> None:
        self._on_change(int(payload) if payload.isdigit() else None)


class TokenUse:
    """Collects when tokens were last used, and writes it down every `interval_s`. An outage costs only the times."""

    def __init__(self, pool: Pool, *, interval_s: float = 30.0, clock: Callable[[], float] = time.time) -> None:
        self._pool = pool
        self._interval_s = interval_s
        self._clock = clock
        self._used: dict[int, float] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, token_id: int) -> None:
        self._used[token_id] = self._clock()

    async def start(self) -> None:
        self._task = spawn(self._write_for_ever(), name="token-use")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self.write()

    async def write(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        times = [datetime.fromtimestamp(at, UTC) for at in used.values()]
        try:
            async with acquired(self._pool) as connection:
                await connection.execute(_TOUCH, list(used), times)
        except DatabaseDown as error:
            logger.info("the last use of %d tokens was not noted: %s", len(used), error)

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.write()


async def _up_to(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _common(*lists: list[str] | None) -> frozenset[str] | None:
    """What all allow; None allows everything."""
    said = [frozenset(models) for models in lists if models is not None]
    return frozenset.intersection(*said) if said else None


def _limits(record: asyncpg.Record, whose: str, defaults: Limits) -> Limits:
    own = {name: record[f"{whose}_{name}"] for name in _LIMITS}
    return Limits(**{name: getattr(defaults, name) if value is None else value for name, value in own.items()})


@lru_cache(maxsize=1024)
def _tasks(text: str | None) -> Mapping[int, Task]:
    """Most users share theirs, so they share the mapping too."""
    rows: list[dict[str, Any]] = orjson.loads(text) if text else []
    tasks = {
        row["id"]: Task(row["id"], row["name"], frozenset(row["allowed_intents"]), Limits(**row["budgets"]))
        for row in rows
    }
    return MappingProxyType(tasks)
