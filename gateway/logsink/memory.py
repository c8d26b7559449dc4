"""The honest fake of the log: rows as the database would hold them, once per id."""

from gateway.logsink.base import LogRow


class MemoryLogSink:
    def __init__(self) -> None:
        self._rows: dict[str, LogRow] = {}

    @property
    def rows(self) -> list[LogRow]:
        return list(self._rows.values())

    def write(self, row: LogRow) -> None:
        self._rows.setdefault(str(row["id"]), dict(row))

    @property
    def depth(self) -> int:
        return 0

    async def flush(self) -> None:
        """Nothing waits."""

    async def close(self) -> None:
        """Nothing is held."""
