"""The caller's way back, with a copy kept of what passes: up to a bound, beyond which nothing is kept."""

from collections.abc import Callable, Mapping

from gateway.downstream import Downstream
from gateway.errors import Refusal


class Recording:
    """A `Downstream` in front of another one. `on_too_large` is called once, as soon as there will be no copy."""

    def __init__(self, down: Downstream, most_bytes: int, on_too_large: Callable[[], None]) -> None:
        self._down = down
        self._room = most_bytes
        self._on_too_large = on_too_large
        self._pieces: list[bytes] | None = []
        self._tail = b""
        self.status = 0
        self.stream = False
        self.content_type = ""

    @property
    def committed(self) -> bool:
        return self._down.committed

    @property
    def copy(self) -> tuple[bytes, bytes] | None:
        """What passed and what is held; None if that was too much."""
        return None if self._pieces is None else (b"".join(self._pieces), self._tail)

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.status, self.stream, self.content_type = 200, True, headers.get("content-type", "")
        await self._down.begin(headers)

    def send(self, data: bytes) -> bool:
        self._keep(data)
        return self._down.send(data)

    async def drained(self) -> None:
        await self._down.drained()

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.content_type = status, headers.get("content-type", "")
        self._keep(body)
        self._down.answer(status, headers, body)

    def hold(self, tail: bytes) -> None:
        self._tail = tail
        self._take(len(tail))
        self._down.hold(tail)

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> None:
        self._down.refuse(refusal, headers)

    async def finish(self) -> None:
        await self._down.finish()

    def _keep(self, data: bytes) -> None:
        self._take(len(data))
        if self._pieces is not None:
            self._pieces.append(data)

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0 and self._pieces is not None:
            self._pieces = None
            self._on_too_large()
