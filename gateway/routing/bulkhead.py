"""A bulkhead per provider: so many calls at once, in each worker, and no more. What a slow provider holds up is its own
calls; those beyond go to the next target, or are refused at once."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bulkhead:
    """Each `enter` is followed by one `leave`. No `limit` is none."""

    limit: int | None = None
    inside: int = 0

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.inside >= self.limit

    def enter(self) -> None:
        self.inside += 1

    def leave(self) -> None:
        self.inside -= 1
