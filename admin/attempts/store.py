"""The counts of tries in Postgres, shared by all workers, by the database's clock."""

from typing import Any

from admin.attempts.types import FORGET_S, KNOWN_S, Bucket, Buckets
from admin.errors import TooManyAttempts
from gateway.db import Connection

# The delay that is due after so many failures: none within the free tries, then 2^n seconds up to the most.
_DELAY = (
    "make_interval(secs => CASE WHEN a.failures < $2 THEN 0 ELSE least($3, 2 ^ least(a.failures - $2 + 1, 20)) END)"
)
_CHARGE = f"""
INSERT INTO login_attempts AS a (subject, failures) VALUES ($1, 1)
ON CONFLICT (subject) DO UPDATE SET
    failures = CASE WHEN a.last_at < now() - make_interval(secs => $4) THEN 1 ELSE a.failures + 1 END,
    last_at = now()
WHERE a.last_at + {_DELAY} <= now()
RETURNING succeeded_at > now() - make_interval(secs => $5) AS known
"""  # noqa: S608 - both parts are constants
_WAIT = f"SELECT extract(epoch FROM a.last_at + {_DELAY} - now()) FROM login_attempts a WHERE subject = $1"  # noqa: S608
_SWEEP = """
DELETE FROM login_attempts WHERE subject IN (
    SELECT subject FROM login_attempts
    WHERE last_at < now() - make_interval(secs => $1)
      AND (succeeded_at IS NULL OR succeeded_at < now() - make_interval(secs => $2)) ORDER BY last_at LIMIT 20)
"""


async def charge(conn: Connection, who: Buckets) -> None:
    """Count one try. Raises TooManyAttempts, and then counts nothing: run it in a transaction of its own."""
    known = await _charge(conn, who.pair)
    if not known:
        await _charge(conn, who.account)
    await _charge(conn, who.address)
    await conn.execute(_SWEEP, FORGET_S, KNOWN_S)


async def forgive(conn: Connection, who: Buckets) -> None:
    """The try was right: it does not count, and its address is the owner's from now on."""
    await conn.execute(
        "UPDATE login_attempts SET failures = 0, succeeded_at = now() WHERE subject = $1", who.pair.subject
    )
    await conn.execute(
        "UPDATE login_attempts SET failures = greatest(failures - 1, 0) WHERE subject = ANY($1)",
        [who.account.subject, who.address.subject],
    )


async def _charge(conn: Connection, bucket: Bucket) -> Any:
    subject, free, most = bucket.subject, bucket.free, bucket.delay_max_s
    row = await conn.fetchrow(_CHARGE, subject, free, most, FORGET_S, KNOWN_S)
    if row is None:
        wait_s = await conn.fetchval(_WAIT, subject, free, most)
        raise TooManyAttempts("Too many attempts to sign in. Try again later.", retry_after_s=max(1.0, float(wait_s)))
    return row["known"]
