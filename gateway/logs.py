"""The process's own log: one line an event, for a person (`console`) or a machine (`json`), with nothing secret in it.

Requests are not logged here: each is a row in Postgres and a number in the metrics.
"""

import logging
import re
import sys
from datetime import UTC, datetime

import orjson

_SECRET = re.compile(r"(gf_|sk-|AIza)[A-Za-z0-9_\-]{6,}|(Bearer\s+)\S+|(?<=://)[^/\s:@]*:[^/\s@]+@")


def configure(level: str, form: str, **fields: str | int) -> None:
    """Log to standard error. `fields` (such as the worker's index) stand on every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(fields) if form == "json" else _Console(fields))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").disabled = True
    logging.getLogger("aiohttp.server").addFilter(_one_line)


def redact(text: str) -> str:
    """`text` without anything that looks like a key, a bearer token or a password in a URL."""
    return _SECRET.sub("[redacted]", text)


def _utf8(text: str) -> str:
    """Headers and paths may hold bytes that were no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _one_line(record: logging.LogRecord) -> bool:
    """A client's malformed request is no reason for a traceback of the parser."""
    if record.exc_info and record.levelno < logging.CRITICAL and "Error handling request" in record.getMessage():
        kind = record.exc_info[0]
        if kind is not None and kind.__module__.startswith("aiohttp.http_exceptions"):
            record.msg, record.args = "a client sent what is not HTTP", ()
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.exc_info = None
    return True


class _Console(logging.Formatter):
    def __init__(self, fields: dict[str, str | int]) -> None:
        self._tag = " ".join(f"{key}={value}" for key, value in fields.items())
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        # Nothing that a message quotes can pass for a line of its own.
        said = record.getMessage().replace("\r", "\\r").replace("\n", "\n    ")
        line = f"{at} {record.levelname:<7} {record.name} {said}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(f"{line} {self._tag}".rstrip())


class _Json(logging.Formatter):
    def __init__(self, fields: dict[str, str | int]) -> None:
        self._fields = fields
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _utf8(redact(record.getMessage())),
            **self._fields,
        }
        if record.exc_info:
            line["exception"] = _utf8(redact(self.formatException(record.exc_info)))
        return orjson.dumps(line).decode()
