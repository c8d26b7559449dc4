"""The seam of the response cache: bytes by key, for a while. What the bytes mean is `entry.py`'s business."""

from asyncio import Future
from typing import Protocol


class CacheStore(Protocol):
    """Keeps answers. A cache that is away is an empty one.

    `find` MUST NOT block or raise, and its future MUST hold bytes or None, never an exception, within 200 ms; who lets
    go of it unread MUST leave nothing behind. What it finds MUST be the very bytes that were put last.
    `put` MUST NOT block or raise, and may come to nothing. What was put MUST be gone after `ttl_s`; what one process
    has put MUST NOT exceed the bytes that are allowed: its oldest entries go first.
    """

    def find(self, key: str) -> "Future[bytes | None]": ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None: ...
