"""The data folder belongs to one gateway at a time; a note in it tells commands where the running one keeps its state.

The lock is the truth and the note is only read while somebody holds it, so a note left by a crash misleads nobody.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from guardflow.failure import Failure

_NOTE_TIMEOUT_S = 30.0


class DataDirError(Failure):
    """The data folder can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class RunNote:
    """How to reach a running gateway and its state."""

    pid: int
    api_url: str
    database_url: str
    redis_url: str


@contextlib.contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold `data` for as long as the block runs; raise DataDirError where another gateway does."""
    lock = _try_lock(data)
    if lock is None:
        raise DataDirError(
            f"another Guardflow{_holder(data)} runs on {data}; stop it, or set DATA_DIR to another folder"
        )
    try:
        _note_file(data).unlink(missing_ok=True)
        _lock_file(data).write_text(f"{os.getpid()}\n")
        yield
    finally:
        _note_file(data).unlink(missing_ok=True)
        os.close(lock)


def is_held(data: Path) -> bool:
    if not data.is_dir():
        return False
    lock = _try_lock(data)
    if lock is not None:
        os.close(lock)
    return lock is None


def write_note(data: Path, note: RunNote) -> None:
    draft = data / "gateway.json.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(note), file)
    draft.replace(_note_file(data))


def read_note(data: Path) -> RunNote | None:
    """The note of the gateway that runs on `data`, waiting for one that is starting; None where none runs."""
    end = time.monotonic() + _NOTE_TIMEOUT_S
    while is_held(data):
        with contextlib.suppress(FileNotFoundError):
            return RunNote(**json.loads(_note_file(data).read_text()))
        if time.monotonic() > end:
            raise DataDirError(f"the Guardflow{_holder(data)} on {data} has not finished starting")
        time.sleep(0.05)
    return None


def _try_lock(data: Path) -> int | None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(_lock_file(data), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(f"DATA_DIR {data} can't be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _holder(data: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f" (process {int(_lock_file(data).read_text())})"
    return ""


def _lock_file(data: Path) -> Path:
    return data / "gateway.lock"


def _note_file(data: Path) -> Path:
    return data / "gateway.json"
