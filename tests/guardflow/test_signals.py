"""Signals as values."""

import os
import signal
import subprocess
import time

from guardflow.signals import Signals


def test_a_signal_is_waited_for_and_handed_over_once() -> None:
    signals = Signals([signal.SIGUSR1])
    before = signal.getsignal(signal.SIGUSR1)
    with signals.listening():
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.wait(5) == [signal.SIGUSR1]
        assert signals.wait(0) == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_the_end_of_a_child_ends_the_waiting() -> None:
    signals = Signals([])
    with signals.listening():
        started = time.monotonic()
        with subprocess.Popen(["/bin/true"]):
            assert signals.wait(30) == [signal.SIGCHLD]
        assert time.monotonic() - started < 15
