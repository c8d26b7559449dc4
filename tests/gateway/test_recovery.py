"""From the rows of the dead to what is to be charged for them."""

from datetime import UTC, datetime

from gateway.quota.base import Left
from gateway.recovery import what_is_left
from tests.gateway.logsink.rows import make_row

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_an_admitted_call_is_left_with_what_it_used_and_since_when_it_is_over() -> None:
    row = make_row(
        at="2026-11-20T11:59:50+00:00", user_id=3, token_id=4, attempts=1, total_tokens=12, cost_micros=None,
        total_ms=4_000.0, team_id=5,
    )  # fmt: skip
    assert list(what_is_left([row], NOON)) == [Left(row["id"], 3, 4, 12, 0, age_s=6.0, team_id=5, task_id=1)]
    del row["team_id"]  # as the release before wrote it
    assert [left.team_id for left in what_is_left([row], NOON)] == [None]


def test_calls_that_were_never_admitted_leave_nothing() -> None:
    strangers = make_row(user_id=None, token_id=None, attempts=0)
    refused = make_row(user_id=3, token_id=4, attempts=0)
    assert list(what_is_left([strangers, refused], NOON)) == []


def test_a_clock_that_runs_behind_makes_no_call_of_the_future() -> None:
    (left,) = what_is_left([make_row(at="2026-11-20T12:00:05+00:00", user_id=3, token_id=4, attempts=1)], NOON)
    assert left.age_s == 0.0
