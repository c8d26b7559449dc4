"""Ports are taken by the supervisor, so that a taken one is a clear line at start and not a worker that won't live.

It holds each with a socket that is bound and never listens; workers listen beside it with SO_REUSEPORT.
"""

import errno
import os
import socket
import time

from guardflow.failure import Failure

_PATIENCE_S = 2.0


class PortTaken(Failure):
    """Somebody else has the port, or we may not have it; the message says which and what to do."""


def reserve(host: str, port: int, setting: str) -> socket.socket:
    """Hold `port` of `host` (0: any free one) until the socket is closed. `setting` is named in the complaint."""
    end = time.monotonic() + _PATIENCE_S  # what a killed gateway's workers need to be gone
    while True:
        try:
            return _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < end:
                time.sleep(0.05)
                continue
            raise PortTaken(_complaint(host, port, setting, error)) from error


def port_of(reservation: socket.socket) -> int:
    port: int = reservation.getsockname()[1]
    return port


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there; one that listens on every address is asked on the loopback."""
    here = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((here, port), timeout=1.0):
            return True
    except OSError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    if port:
        # Alone first: two gateways of one user could share the port without noticing.
        with socket.socket(family, kind, protocol) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
    holding = socket.socket(family, kind, protocol)
    try:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holding.bind(address)
    except OSError:
        holding.close()
        raise
    return holding


def _complaint(host: str, port: int, setting: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program; set {setting} to a free one"
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
    return f"can't listen on {host}, port {port} ({setting}): {reason}"
