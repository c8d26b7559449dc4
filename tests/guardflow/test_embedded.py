"""What the embedded servers are: durable, in Unicode, never half made."""

from pathlib import Path

import pytest
import redis

from guardflow.embedded import postgres, valkey
from tests.guardflow.holder import ask

pytestmark = pytest.mark.slow


def test_both_keep_what_they_were_given_over_a_restart(data: Path) -> None:
    with postgres(data) as database, valkey(data) as store:
        assert ask(database, "SELECT current_setting('fsync')") == "on"
        assert ask(database, "SELECT lower('ÄÉ')") == "äé"
        ask(database, "CREATE TABLE kept AS SELECT 7 AS seven")
        with redis.Redis.from_url(store) as client:
            assert client.config_get("append*")["appendonly"] == "yes"
            client.set("kept", "7")
    assert not (data / "postgres" / "postmaster.pid").exists()
    with postgres(data) as database, valkey(data) as store:
        assert ask(database, "SELECT seven FROM kept") == 7
        with redis.Redis.from_url(store) as client:
            assert client.get("kept") == b"7"


def test_a_cluster_half_made_when_the_power_went_is_made_again(data: Path) -> None:
    (data / "postgres.new" / "base").mkdir(parents=True)
    with postgres(data, durable=False) as database:
        assert ask(database, "SELECT 7") == 7
    assert not (data / "postgres.new").exists()
