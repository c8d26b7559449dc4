"""Single flight: of identical calls at the same time one goes to the provider, and the others wait for its answer.

Within a worker only. A call that nobody can wait for any more, because it failed or was left by its client, says so,
and the next one takes its place.
"""

import asyncio
from asyncio import Future
from enum import Enum
from typing import TypeAlias

from gateway.cache.entry import Entry


class Without(Enum):
    """Why a flight ended without an answer to share."""

    NEXT = "it failed, or its client left: somebody else's turn"
    ALONE = "its answer, or its refusal, is nothing to wait for"


Outcome: TypeAlias = Entry | Without
Flight: TypeAlias = Future[Outcome]


class Flights:
    """The calls under way that others may wait for, by key."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}

    def __len__(self) -> int:
        return len(self._open)

    def find(self, key: str) -> Flight | None:
        return self._open.get(key)

    def begin(self, key: str) -> Flight:
        """A flight of one's own; others find it unless there was one before it."""
        flight: Flight = asyncio.get_running_loop().create_future()
        if key not in self._open:
            self._open[key] = flight
        return flight

    def end(self, key: str, flight: Flight, outcome: Outcome) -> None:
        """Tell who waits; only the first word counts."""
        if self._open.get(key) is flight:
            del self._open[key]
        if not flight.done():
            flight.set_result(outcome)
