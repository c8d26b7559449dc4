"""The log seam: one row for every request, whatever became of it."""

from typing import Any, Protocol

LogRow = dict[str, Any]
"""Keys are the columns of `request_logs`; values are JSON types, but for `at`: a datetime, or its text once it has been
written down. The `id` is a string."""

COLUMNS = (
    "id",
    "at",
    "request_id",
    "user_id",
    "token_id",
    "task_id",
    "team_id",
    "endpoint",
    "model",
    "upstream_model",
    "provider",
    "status",
    "error_code",
    "stream",
    "intent",
    "intent_confidence",
    "deviation_score",
    "misuse_score",
    "misuse_label",
    "action",
    "flags",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_micros",
    "ttfb_ms",
    "total_ms",
    "overhead_ms",
    "attempts",
)


class LogSink(Protocol):
    """Takes rows.

    `write` MUST NOT block on anything but a local write, MUST NOT raise, and when it returns the row MUST survive
    kill -9 of this process. `depth` is the number of rows accepted and not yet in their final place.
    """

    def write(self, row: LogRow) -> None: ...

    @property
    def depth(self) -> int: ...

    async def flush(self) -> None: ...

    async def close(self) -> None: ...
