"""What is written down beforehand is, byte for byte, what the packer would write for each call."""

import hiredis
import pytest

from gateway.exchange import Limits
from gateway.quota.base import MOST, Ask, Scope, team_scope
from gateway.quota.form import Form
from gateway.wire.redis import RedisPipe, Script

SCRIPT = Script(RedisPipe("unix:///nonexistent/redis.sock"), "return 1")
SHA = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
SCOPES = (Scope(7, None, Limits(rpm=5, daily_tokens=100)), Scope(7, 12, Limits(tpm=9)))
KEYS = ("gf:{u7}:a:x1", "gf:{u7}:u7", "gf:{u7}:t12")


def packed(*args: str) -> bytes:
    command: bytes = hiredis.pack_command(("EVALSHA", SHA, *args))  # type: ignore[arg-type]
    return command


@pytest.mark.parametrize(
    ("tokens", "least", "cost", "said"),
    [(50, 20, 3, "50 21 3"), (50, 50, 0, "50 50 0"), (5, 9, -1, "5 5 0"), (2 * MOST, -4, 1, f"{MOST} 1 1")],
)
def test_a_reservation_is_written_as_the_packer_would(tokens: int, least: int, cost: int, said: str) -> None:
    form = Form(SCOPES, SCOPES, SCRIPT, SCRIPT)
    expected = packed("3", *KEYS, f"x1 {said} check", "5,,100,,,", ",9,,,,")
    assert form.reserve(Ask("x1", SCOPES, tokens, least, cost)) == expected


def test_budgets_that_few_have_are_written_where_there_are_some() -> None:
    user, team = Scope(7, None, Limits(rpm=5, weekly_budget_micros=70)), team_scope(3, Limits(daily_budget_micros=9))
    form = Form((user, team), (user, team), SCRIPT, SCRIPT)
    keys = ("gf:{u7}:a:x1", "gf:{u7}:u7", "gf:{g3}:g3")
    expected = packed("3", *keys, "x1 5 5 0 check", "5,,,,,,70,", ",,,,,,,9")
    assert form.reserve(Ask("x1", (user, team), 5, 5)) == expected


def test_a_settle_is_written_as_the_packer_would() -> None:
    form = Form(SCOPES, SCOPES, SCRIPT, SCRIPT)
    assert form.keys("x1") == KEYS
    assert form.settle("x1", 40, 2, "charge", 1500) == packed("3", *KEYS, "x1 40 2 1500 charge")


def test_an_id_that_would_belie_its_length_is_not_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        Form(SCOPES, SCOPES, SCRIPT, SCRIPT).settle("å", 1, 0, "charge", 0)
