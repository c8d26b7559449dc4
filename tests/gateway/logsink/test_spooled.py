"""The whole way of a row: spool to Postgres, through crashes and outages, none lost and none doubled."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

import migrations
from gateway.logsink.base import LogRow
from gateway.logsink.postgres import PostgresRows
from gateway.logsink.spool import Spool
from gateway.logsink.spooled import SpooledLogSink
from guardflow.embedded import EmbeddedPostgres
from tests.gateway.logsink.rows import assert_rollups_match, fetch, make_row, running_sink, stored_ids, until

KILL_BACKENDS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'guardflow-logsink' AND datname = current_database()"""


async def test_flush_returns_when_every_row_is_in_postgres(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        rows = [make_row() for _ in range(1500)]
        for row in rows:
            sink.write(row)
        assert sink.depth == 1500
        await sink.flush()
        assert Counter(await stored_ids(postgres_url)) == Counter(row["id"] for row in rows)
        assert sink.depth == 0
        await assert_rollups_match(postgres_url)


async def test_rows_are_visible_soon_without_a_flush(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        sink.write(make_row())
        await until(lambda: sink.depth == 0, within_s=2)
    assert len(await stored_ids(postgres_url)) == 1


async def test_close_drains_and_leaves_no_file(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        for _ in range(100):
            sink.write(make_row())
    assert len(await stored_ids(postgres_url)) == 100
    assert list(tmp_path.iterdir()) == []


async def test_what_close_cannot_deliver_waits_for_the_next_process(tmp_path: Path, postgres_url: str) -> None:
    nowhere = f"postgresql://postgres@/none?host={tmp_path}"
    sink = SpooledLogSink(Spool(tmp_path / "spool"), PostgresRows(nowhere), interval_s=0.01)
    await sink.start()
    sink.write(make_row())
    await sink.close(timeout_s=0.1)
    async with running_sink(tmp_path / "spool", postgres_url) as heir:
        await until(lambda: heir.counts.adopted == 1 and heir.depth == 0)
    assert len(await stored_ids(postgres_url)) == 1


async def test_poison_is_counted_and_blocks_nothing(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        sink.write(make_row(status=1 << 40))
        sink.write(make_row())
        await sink.flush()
        assert (sink.counts.written, sink.counts.rejected, sink.depth) == (1, 1, 0)


async def test_rows_left_by_the_dead_are_told_once_they_are_in(tmp_path: Path, postgres_url: str) -> None:
    dead = Spool(tmp_path)
    rows = [make_row(user_id=user_id) for user_id in (7, 8, 8, None)]
    for row in rows:
        dead.append(row)
    for segment in dead._segments:
        segment.close()
    told: list[list[LogRow]] = []
    async with running_sink(tmp_path, postgres_url, on_recovered=told.append):
        await until(lambda: bool(told))
        assert len(await stored_ids(postgres_url)) == 4
    (batch,) = told
    assert [{**row, "crc": None} for row in batch] == [{**row, "crc": None} for row in rows]


async def test_an_outage_is_waited_out_by_the_spool_and_logged_once(
    tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = await asyncpg.connect(postgres_url)
    await backend.execute("ALTER TABLE request_logs RENAME TO away")
    async with running_sink(tmp_path, postgres_url) as sink:
        for _ in range(10):
            sink.write(make_row())
        await until(lambda: sink.trouble is not None)
        await asyncio.sleep(0.3)
        assert sink.depth == 10
        await backend.execute("ALTER TABLE away RENAME TO request_logs")
        await sink.flush()
        assert sink.trouble is None
    await backend.close()
    said = [message for message in caplog.messages if "log rows" in message]
    assert said[0].startswith("log rows stay in the spool:")
    assert said[1:] == ["log rows reach the database again; 10 are waiting"]


@pytest.mark.slow
async def test_connections_killed_at_any_moment_lose_and_double_nothing(tmp_path: Path, postgres_url: str) -> None:
    killer = await asyncpg.connect(postgres_url)
    written: list[str] = []
    async with running_sink(tmp_path, postgres_url) as sink:
        for _ in range(60):
            for _ in range(random.randrange(60)):
                row = make_row(user_id=random.randrange(4))
                sink.write(row)
                written.append(row["id"])
            await asyncio.sleep(random.random() * 0.03)
            await killer.execute(KILL_BACKENDS)
        await sink.flush()
    await killer.close()
    assert Counter(await stored_ids(postgres_url)) == Counter(written)
    await assert_rollups_match(postgres_url)


async def test_a_database_that_hangs_delays_no_write(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        sink.write(make_row())
        await sink.flush()
        (backend,) = await fetch(
            postgres_url,
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'guardflow-logsink' AND datname = current_database()",
        )
        os.kill(backend["pid"], signal.SIGSTOP)
        try:
            started = time.monotonic()
            for _ in range(2000):
                sink.write(make_row())
                if random.random() < 0.01:
                    await asyncio.sleep(0)
            assert time.monotonic() - started < 5
            assert sink.depth == 2000
        finally:
            os.kill(backend["pid"], signal.SIGCONT)
        await sink.flush()
    assert len(await stored_ids(postgres_url)) == 2001


@pytest.mark.slow
async def test_a_server_that_is_stopped_and_started_gets_every_row_once(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", durable=False)
    server.start()
    try:
        await asyncio.to_thread(migrations.upgrade, server.url)
        written = []
        async with running_sink(tmp_path / "spool", server.url) as sink:
            for is_up in (True, False, True):
                for _ in range(200):
                    row = make_row()
                    sink.write(row)
                    written.append(row["id"])
                    await asyncio.sleep(0.001)
                server.stop() if is_up else server.start()
                if not is_up:
                    await sink.flush()
            server.start()
            await sink.flush()
        assert Counter(await stored_ids(server.url)) == Counter(written)
        await assert_rollups_match(server.url)
    finally:
        server.stop()


@pytest.mark.slow
async def test_kill_9_loses_no_row_whose_write_returned(tmp_path: Path, postgres_url: str) -> None:
    """Two processes at a time on one spool folder, killed at random moments, eight times."""
    written: list[str] = []
    for _ in range(4):
        command = [sys.executable, "-m", "tests.gateway.logsink.writer_process", str(tmp_path), postgres_url]
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        said = [asyncio.create_task(asyncio.to_thread(writer.communicate)) for writer in writers]
        await until(lambda: any(tmp_path.glob("*.spool")))
        for writer in writers:
            await asyncio.sleep(0.2 + random.random() * 0.5)
            writer.send_signal(signal.SIGKILL)
        for output, _ in await asyncio.gather(*said):
            written += output.decode().split()
    async with running_sink(tmp_path, postgres_url) as heir:
        # A write that was under way when its process was killed may be there too: its id was not said any more.
        await until(lambda: heir.depth == 0 and len(list(tmp_path.glob("*.spool"))) == 1)
        assert heir.counts.rejected == heir.counts.dropped == 0
    stored = Counter(await stored_ids(postgres_url))
    assert len(written) > 200
    assert set(written) - set(stored) == set()
    assert max(stored.values()) == 1
    assert len(stored) - len(written) <= 8
    await assert_rollups_match(postgres_url)


async def test_memory_stays_flat_while_postgres_is_away(tmp_path: Path) -> None:

    nowhere = f"postgresql://postgres@/none?host={tmp_path}"
    async with running_sink(tmp_path / "spool", nowhere, close_s=0.01) as sink:
        for _ in range(2000):
            sink.write(make_row())
        await asyncio.sleep(0.05)
        tracemalloc.start()
        for _ in range(100):
            for _ in range(100):
                sink.write(make_row())
            await asyncio.sleep(0)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sink.depth == 12_000
        assert grown < 500_000


class StumblingRows:
    """A store with a fault in it: the first batches end in an error that nobody foresaw."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.rows = b""

    async def insert(self, rows: bytes, damaged: Sequence[bytes]) -> int:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("a bug")
        self.rows += rows
        return 0

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_fault_of_our_own_does_not_end_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.logsink.spooled._LONGEST_BACKOFF_S", 0.01)
    rows = StumblingRows(faults=3)
    sink = SpooledLogSink(Spool(tmp_path), rows, interval_s=0.01)
    await sink.start()
    row = make_row()
    sink.write(row)
    await sink.flush()
    assert row["id"].encode() in rows.rows
    assert sink.trouble is None
    await sink.close()


async def test_closing_twice_is_as_good_as_once(tmp_path: Path, postgres_url: str) -> None:
    async with running_sink(tmp_path, postgres_url) as sink:
        sink.write(make_row())
        await sink.close()
    assert len(await stored_ids(postgres_url)) == 1
