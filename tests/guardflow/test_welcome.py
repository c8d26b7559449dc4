"""What a person who started the gateway reads."""

import http.server
import socket
import threading
from pathlib import Path

import pytest

from gateway.config import parse_config
from guardflow import welcome
from guardflow.bootstrap import Started
from guardflow.secrets import kept_secret
from guardflow.settings import load
from guardflow.welcome import find_ollama, make_welcome, model_to_try

CONFIG = parse_config("{}", {})


def said(started: Started, **environ: str) -> str:
    settings = load({**environ, "OLLAMA_BASE_URL": "http://127.0.0.1:1"}, safe=False)
    return str(make_welcome(settings, CONFIG, started, embedded=True))


def test_the_first_start_shows_what_nobody_can_know(tmp_path: Path) -> None:
    password = kept_secret(tmp_path, "admin_password")
    shown = said(Started(made_administrator=True, demo_token="gf_x"), DATA_DIR=str(tmp_path))
    assert password in shown
    assert '-H "Authorization: Bearer gf_x"' in shown


def test_later_starts_say_where_the_password_is_and_how_to_get_a_token(tmp_path: Path) -> None:
    password = kept_secret(tmp_path, "admin_password")
    shown = said(Started(made_administrator=False, demo_token=None), DATA_DIR=str(tmp_path))
    assert password not in shown
    assert f"in {tmp_path}/secrets/admin_password" in shown
    assert "guardflow tokens create" in shown
    assert "Bearer $TOKEN" in shown


def test_production_never_prints_the_password(tmp_path: Path) -> None:
    password = kept_secret(tmp_path, "admin_password")
    started = Started(made_administrator=True, demo_token=None)
    assert password not in said(started, DATA_DIR=str(tmp_path), ENVIRONMENT="production")


def test_a_password_from_the_settings_is_not_repeated(tmp_path: Path) -> None:
    started = Started(made_administrator=True, demo_token=None)
    shown = said(started, DATA_DIR=str(tmp_path), ADMIN_PASSWORD="chosen-by-me", ADMIN_EMAIL="me@example.com")
    assert "me@example.com" in shown
    assert "chosen-by-me" not in shown
    assert "Password" not in shown


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("gw.example", "http://gw.example:8000")],
)
def test_the_url_is_one_that_a_browser_here_can_open(tmp_path: Path, host: str, url: str) -> None:
    settings = load({"API_HOST": host, "ADMIN_PASSWORD": "x", "DATA_DIR": str(tmp_path)})
    assert make_welcome(settings, CONFIG, Started(False, None), embedded=False).url == url


@pytest.mark.parametrize(
    ("environ", "text", "model"),
    [
        ({}, "{}", "echo"),
        ({"OPENAI_API_KEY": "k"}, "{}", "gpt-4o-mini"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, "{}", "openai/gpt-4o-mini"),
        ({}, "{providers: {e: {type: echo}}, models: {fast: {targets: [{provider: e, model: echo}]}}}", "fast"),
    ],
)
def test_the_model_to_try_is_one_that_is_served(environ: dict[str, str], text: str, model: str) -> None:
    assert model_to_try(parse_config(text, environ)) == model


class Ollama(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version":"0.9"}')

    def log_message(self, *_: object) -> None:
        pass


def test_an_ollama_on_this_machine_is_found() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Ollama) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        port = server.server_address[1]
        assert find_ollama("127.0.0.1", port) == f"http://127.0.0.1:{port}"
        thread.join()
    assert find_ollama("127.0.0.1", port) is None


def test_one_that_does_not_answer_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert find_ollama("127.0.0.1", silent.getsockname()[1]) is None
    assert welcome.PROBE_TIMEOUT_S <= 0.2
