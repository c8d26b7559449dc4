"""Alive and ready. Alive is that the process answers. Ready is that calls can be served: not while starting, not from
SIGTERM on; a part that is away makes it degraded, by name, for as long as calls can be served without it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(slots=True)
class Health:
    """`parts`: by name, whether the part works now."""

    phase: Phase = Phase.STARTING
    parts: Mapping[str, Callable[[], bool]] = field(default_factory=dict)

    def ready(self) -> tuple[int, str]:
        """HTTP status, and one line a part."""
        lines = [f"gateway: {self.phase}"]
        lines += [f"{name}: {'ok' if works() else 'degraded'}" for name, works in self.parts.items()]
        return (200 if self.phase is Phase.SERVING else 503), "\n".join(lines) + "\n"
