"""Worker processes, with programs that end as a worker might."""

import signal
import time
from collections.abc import Callable

from guardflow.workers import Worker, Workers

SLEEPS = ("/bin/sleep", "600")
CRASHES = ("/bin/sh", "-c", "exit 3")


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_each_worker_knows_its_number_and_the_settings() -> None:
    program = ("/bin/sh", "-c", 'test "$WORKER_INDEX$API_PORT" = 180; exit $?')
    workers = Workers(2, {"API_PORT": "80", "PATH": "/bin"}, program)
    workers.start()
    until(lambda: not workers.any_running())
    assert workers.ended() == [(0, 1), (1, 0)]
    assert workers.ended() == []


def test_one_that_crashes_is_due_again_after_a_pause_that_grows() -> None:
    worker = Worker(0, {}, CRASHES)
    pauses = []
    for _ in range(3):
        worker.start()
        until(lambda: not worker.running())
        assert worker.exit_code() == 3
        due = worker.seconds_until_due()
        assert due is not None
        pauses.append(due)
    assert 0.1 < pauses[0] <= 0.2 < pauses[1] <= 0.4 < pauses[2] <= 0.8


def test_the_loop_sleeps_no_longer_than_until_the_next_start() -> None:
    workers = Workers(1, {}, CRASHES)
    workers.start()
    assert workers.pause(5.0) == 5.0
    until(lambda: not workers.any_running())
    workers.ended()
    assert workers.pause(5.0) <= 0.2
    until(lambda: workers.pause(5.0) == 0)
    workers.restart_due()
    assert [worker.pid is not None for worker in workers] == [True]
    workers.kill()


def test_what_is_killed_has_ended_when_that_is_said() -> None:
    workers = Workers(2, {}, ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    workers.start()
    workers.kill()
    assert not workers.any_running()
    assert [code for _, code in workers.ended()] == [-signal.SIGKILL] * 2


def test_a_signal_goes_to_all_and_dead_ones_are_no_obstacle() -> None:
    workers = Workers(3, {}, SLEEPS)
    workers.start()
    next(iter(workers)).signal(signal.SIGKILL)
    until(lambda: workers.ended() == [(0, -signal.SIGKILL)])
    workers.signal(signal.SIGTERM)
    until(lambda: not workers.any_running())
    assert workers.ended() == [(1, -signal.SIGTERM), (2, -signal.SIGTERM)]
