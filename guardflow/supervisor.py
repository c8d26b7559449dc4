"""`guardflow serve`: the parent process. It owns the state, the ports and the workers, and serves nothing itself."""

import logging
import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack

from pydantic import SecretStr

import migrations
from gateway.logs import configure
from guardflow import datadir, ports
from guardflow.bootstrap import Administrator, Started, ensure_people
from guardflow.configuration import read_configuration
from guardflow.failure import Failure
from guardflow.secrets import kept_secret
from guardflow.settings import Settings
from guardflow.signals import Signals
from guardflow.state import embedded_state, ensure_schema
from guardflow.welcome import make_welcome
from guardflow.workers import Workers

logger = logging.getLogger("guardflow.supervisor")

_STOP, _RELOAD = (signal.SIGTERM, signal.SIGINT), signal.SIGHUP
_LOOK_EVERY_S = 1.0
_LOOK_WHILE_STARTING_S = 0.02
_START_TIMEOUT_S = 120.0
_BEYOND_GRACE_S = 5.0


class StartError(Failure):
    """The gateway can't start; the message says why."""


class Stopped(BaseException):
    """Asked to stop before the workers ran. No error: whatever is open closes on its way out."""


def serve(settings: Settings, environ: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Call it from the main thread.

    `environ` is what `${NAME}` in the configuration may name.
    """
    configure(settings.log_level, settings.log_format)
    for number in _STOP:
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            return _Supervisor(stack, settings, environ).run()
    except Stopped:
        return 0


def _stop(*_: object) -> None:
    raise Stopped


class _Supervisor:
    """Takes what the gateway needs, what fails cheapest first; the stack gives it back in reverse."""

    def __init__(self, stack: ExitStack, settings: Settings, environ: Mapping[str, str]) -> None:
        self._config = read_configuration(settings, environ)
        if settings.log_content != "none":
            logger.warning("LOG_CONTENT=%s: this release stores no prompts and no answers", settings.log_content)
        stack.enter_context(datadir.held(settings.data_dir))
        self._embedded = settings.database_url is None
        self._state = stack.enter_context(embedded_state(_with_secret(_with_ports(settings, stack))))
        self._settings = self._state.settings
        self._workers = Workers(settings.workers, {**environ, **self._settings.environ()})

    def run(self) -> int:
        url = _plain(self._settings.database_url)
        ensure_schema(url, ours=self._embedded)
        started = migrations.run_alone(self._ensure_people(url))
        signals = Signals([*_STOP, _RELOAD])
        with signals.listening():
            self._workers.start()
            if self._starting(signals):
                self._announce(started)
                self._watch(signals)
            return self._shut(signals)

    async def _ensure_people(self, url: str) -> Started:
        settings = self._settings
        chosen = _plain(settings.admin_password)
        password = chosen or kept_secret(settings.data_dir, "admin_password", size=18)
        admin = Administrator(settings.admin_email, password, enforced=bool(chosen))
        return await ensure_people(url, admin, demo=settings.environment == "development")

    def _starting(self, signals: Signals) -> bool:
        """Wait until a worker listens; False when asked to stop before. One that dies instead ends it all."""
        end = time.monotonic() + _START_TIMEOUT_S
        while not ports.answers(self._settings.api_host, self._settings.api_port):
            if any(number in _STOP for number in signals.wait(_LOOK_WHILE_STARTING_S)):
                return False
            for index, code in self._workers.ended():
                self._workers.kill()
                raise StartError(f"worker {index} ended with code {code} while it started; see above")
            if time.monotonic() > end:
                self._workers.kill()
                raise StartError(f"no worker listens after {_START_TIMEOUT_S:.0f} s; LOG_LEVEL=DEBUG may say why")
        return True

    def _announce(self, started: Started) -> None:
        welcome = make_welcome(self._settings, self._config, started, embedded=bool(self._state.servers))
        print(welcome, flush=True)  # noqa: T201 - for the person who started it
        urls = _plain(self._settings.database_url), _plain(self._settings.redis_url)
        datadir.write_note(self._settings.data_dir, datadir.RunNote(os.getpid(), welcome.url, *urls))

    def _watch(self, signals: Signals) -> None:
        """Keep everything running until asked to stop."""
        while True:
            for number in signals.wait(self._workers.pause(_LOOK_EVERY_S)):
                if number in _STOP:
                    return
                if number == _RELOAD:
                    logger.info("reloading the configuration")
                    self._workers.signal(_RELOAD)
            for index, code in self._workers.ended():
                logger.error("worker %d ended with code %d", index, code)
            self._workers.restart_due()
            self._state.revive()

    def _shut(self, signals: Signals) -> int:
        """Let the workers finish; a second request to stop, or the end of the grace time, ends them."""
        logger.info("stopping")
        self._workers.signal(signal.SIGTERM)
        end = time.monotonic() + self._settings.grace_s + _BEYOND_GRACE_S
        while self._workers.any_running():
            again = any(number in _STOP for number in signals.wait(0.1))
            if again or time.monotonic() > end:
                logger.error("killing workers: %s", "asked twice" if again else "they did not finish in time")
                self._workers.kill()
                return 1
        return 0


def _with_ports(settings: Settings, stack: ExitStack) -> Settings:
    """The settings with the ports that are held for them until the stack unwinds."""
    held: dict[str, int] = {}
    for name in ("api_port", "admin_port", "metrics_port"):
        if (port := getattr(settings, name)) is not None:
            reservation: socket.socket = stack.enter_context(ports.reserve(settings.api_host, port, name.upper()))
            held[name] = ports.port_of(reservation)
    return settings.model_copy(update=held)


def _with_secret(settings: Settings) -> Settings:
    if settings.jwt_secret_key is not None:
        return settings
    secret = SecretStr(kept_secret(settings.data_dir, "jwt_secret_key"))
    return settings.model_copy(update={"jwt_secret_key": secret})


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
