import stat
from pathlib import Path

import orjson
import pytest

from gateway.logsink.base import LogRow
from gateway.logsink.segment import frame
from gateway.logsink.spool import MAX_ROW_BYTES, Spool
from tests.gateway.logsink.rows import make_row


def drain(spool: Spool) -> list[LogRow]:
    """Commit everything, as the writer does; return the rows."""
    rows: list[LogRow] = []
    while not (segment := spool.oldest).is_drained:
        batch = segment.read(1 << 20)
        segment.commit(batch.end)
        spool.counts.written += batch.rows
        rows += [orjson.loads(line) for line in batch.data.split(b"\n")]
    return [{key: value for key, value in row.items() if key != "crc"} for row in rows]


def test_rows_come_back_over_many_segments_which_are_deleted_when_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=2000)
    rows = [make_row() for _ in range(20)]
    for row in rows:
        spool.append(row)
    assert len(list(tmp_path.glob("*.spool"))) > 5
    assert drain(spool) == rows
    assert len(list(tmp_path.glob("*.spool"))) == 1
    assert spool.counts.depth == 0
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").append(make_row())
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()} == {0o600}


def test_a_full_spool_drops_counts_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, max_bytes=10_000)
    for _ in range(50):
        spool.append(make_row())
    counts = spool.counts
    assert counts.accepted == 50
    assert 0 < counts.depth < 20
    assert counts.depth + counts.dropped == 50
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    assert [record.getMessage() for record in caplog.records] == [
        "log rows are being dropped: [Errno 122] no room in the spool of 10000 bytes"
    ]


def test_a_spool_that_was_full_accepts_again_once_it_is_drained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, max_bytes=10_000)
    for _ in range(50):
        spool.append(make_row())
    dropped = spool.counts.dropped
    drain(spool)
    spool.append(make_row())
    assert spool.counts.dropped == dropped
    assert caplog.messages[-1] == f"log rows are accepted again; dropped so far: {dropped}"


def test_the_limit_is_for_all_processes_together(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, max_bytes=10_000), Spool(tmp_path, max_bytes=10_000)
    for _ in range(50):
        one.append(make_row())
    other.take_stock()
    other.append(make_row())
    assert other.counts.dropped == 1


async def test_the_rows_of_a_dead_process_are_taken_over_and_of_a_living_one_are_not(tmp_path: Path) -> None:
    (tmp_path / "0-1.spool").write_bytes(frame(b"{}") * 3 + b"torn")
    living = Spool(tmp_path)
    living.append(make_row())
    spool = Spool(tmp_path)
    await spool.adopt()
    await spool.adopt()
    assert [segment.path.name for segment in spool.orphans] == ["0-1.spool"]
    assert spool.counts.adopted == spool.counts.depth == 3
    spool.close()
    assert (tmp_path / "0-1.spool").exists(), "undrained rows stay for the next process"


async def test_a_spool_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "0-1.spool").mkdir()
    (tmp_path / "0-2.spool").write_bytes(frame(b"{}"))
    spool = Spool(tmp_path)
    await spool.adopt()
    await spool.adopt()
    assert spool.counts.adopted == 1
    assert len([message for message in caplog.messages if "cannot be taken over" in message]) == 1


@pytest.mark.parametrize("value", ["\ud800", 1 << 70, object()])
def test_a_row_that_is_no_json_is_kept_as_it_can_be(tmp_path: Path, value: object) -> None:
    spool = Spool(tmp_path)
    spool.append(make_row(model=value))
    (row,) = drain(spool)
    assert row["unserialisable"].startswith("{'id':")


def test_a_row_blown_up_by_a_client_keeps_the_beginning_of_each_text(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(make_row(model="m" * 1_000_000))
    (row,) = drain(spool)
    assert row == make_row(model="m" * 500, id=row["id"])


def test_no_row_is_larger_than_the_reader_expects(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(make_row(flags=["x" * 1000] * 1000))
    (row,) = drain(spool)
    assert len(orjson.dumps(row)) < MAX_ROW_BYTES


async def test_sync_is_harmless_at_any_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    await spool.sync()
    spool.append(make_row())
    await spool.sync()
    await spool.sync()


def test_a_row_that_comes_after_the_close_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.close()
    spool.append(make_row())
    assert spool.counts.dropped == 1
