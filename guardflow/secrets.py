"""Secrets that nobody chose: made once, kept under the data folder for its owner's eyes."""

import os
import secrets
import tempfile
from pathlib import Path


def secret_file(data: Path, name: str) -> Path:
    return data / "secrets" / name


def kept_secret(data: Path, name: str, *, size: int = 32) -> str:
    """The secret called `name`, made of `size` random bytes where there is none yet."""
    path = secret_file(data, name)
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return _make(path, secrets.token_urlsafe(size))


def _make(path: Path, secret: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:  # mode 0600
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    # Linked, not renamed: of two that make it at once the first wins, and both return what is kept.
    try:
        path.hardlink_to(file.name)
    except FileExistsError:
        secret = path.read_text("utf-8").strip()
    finally:
        Path(file.name).unlink()
    return secret
