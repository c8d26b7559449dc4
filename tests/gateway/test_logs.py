"""One record, one event, and nothing secret in it, in both formats."""

import json
import logging
from collections.abc import Iterator

import pytest
from aiohttp.http_exceptions import BadStatusLine

from gateway.logs import configure, redact

SECRETS = [
    "gf_0123456789abcdefABCDEF", "sk-proj-abc123DEF456", "sk-ant-api03-xyz_abc-1", "AIzaSyD-1234567890",
    "Bearer eyJhbGciOi.J9.abc",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    server, access = logging.getLogger("aiohttp.server"), logging.getLogger("aiohttp.access")
    handlers, level, filters, disabled = root.handlers[:], root.level, server.filters[:], access.disabled
    yield
    root.handlers[:], root.level, server.filters[:], access.disabled = handlers, level, filters, disabled


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_taken_out_of_messages_and_exceptions(
    form: str, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info", form)
    try:
        raise ValueError(f"bad {secret}")
    except ValueError:
        logging.getLogger("guardflow.test").exception("key %s was refused", secret)
    text = said(capsys)
    assert "was refused" in text
    assert "ValueError: bad" in text
    assert text.count("[redacted]") >= 2
    assert secret.removeprefix("Bearer ") not in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://user:hunter2@db/x", "postgresql://[redacted]db/x"),
        ("redis://:hunter2@host:1", "redis://[redacted]host:1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("user@example.org", "user@example.org"),
    ],
)
def test_passwords_in_urls_are_taken_out_and_nothing_else(text: str, told: str) -> None:
    assert redact(text) == told


def test_a_json_line_is_one_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO", "json", worker=3)
    logging.getLogger("guardflow.part").warning("two\nlines of %s", "x")
    logging.getLogger("guardflow.part").debug("not this")
    (line,) = said(capsys).splitlines()
    event = json.loads(line)
    assert (event["level"], event["logger"], event["message"], event["worker"]) == (
        "warning", "guardflow.part", "two\nlines of x", 3,
    )  # fmt: skip
    assert event["at"].endswith("+00:00")


@pytest.mark.parametrize("form", ["console", "json"])
def test_bytes_that_are_no_text_are_told_all_the_same(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    logging.getLogger("guardflow.part").info("path %s", "/\udcff\ud800")
    assert "udcff" in said(capsys)


def test_nothing_that_is_quoted_passes_for_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console", worker=1)
    logging.getLogger("guardflow.part").info("asked for %r and %s", "a", "b\n12:00:00.000 ERROR   forged\rx")
    first, second = said(capsys).split("\n", 1)
    assert "INFO    guardflow.part asked for 'a' and b" in first
    assert second.startswith("    12:00:00.000 ERROR   forged\\rx worker=1")


def test_what_is_not_http_is_one_quiet_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    configure("info", "console")  # twice is once
    server = logging.getLogger("aiohttp.server")
    server.error("Error handling request", exc_info=(BadStatusLine, BadStatusLine("x"), None))
    server.error("Error handling request", exc_info=(KeyError, KeyError("ours"), None))
    lines = said(capsys).splitlines()
    assert "INFO    aiohttp.server a client sent what is not HTTP" in lines[0]
    assert "ERROR   aiohttp.server Error handling request" in lines[1]
    assert "ours" in lines[2]
    assert logging.getLogger("aiohttp.access").disabled
