"""Ports are held before anything serves on them."""

import socket

import pytest

from guardflow import ports


def test_a_held_port_can_be_listened_on_by_workers_and_is_nobody_elses() -> None:
    with ports.reserve("127.0.0.1", 0, "API_PORT") as reservation:
        port = ports.port_of(reservation)
        assert not ports.answers("127.0.0.1", port)
        for _ in range(2):
            with socket.socket() as worker:
                worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                worker.bind(("127.0.0.1", port))
                worker.listen()
                assert ports.answers("127.0.0.1", port)
                assert ports.answers("0.0.0.0", port)
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))


@pytest.mark.slow
def test_a_taken_port_is_said_in_one_line_that_names_the_setting() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as another Guardflow would
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ports.PortTaken, match=f"port {port} on 127.0.0.1 is taken.*API_PORT"):
            ports.reserve("127.0.0.1", port, "API_PORT")


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ports.PortTaken, match=r"can.t listen on 192.0.2.1, port 1234 \(METRICS_PORT\)"):
        ports.reserve("192.0.2.1", 1234, "METRICS_PORT")
