import os
import resource
from pathlib import Path

import orjson
import pytest

from gateway.logsink import segment as module
from gateway.logsink.segment import Segment


def frame(text: bytes) -> bytes:
    return module.frame(b'{"row":"%b"}' % text)


def texts(data: bytes) -> list[bytes]:
    return [orjson.loads(line)["row"].encode() for line in data.split(b"\n")] if data else []


def create(path: Path) -> Segment:
    segment = Segment.create(path)
    assert segment is not None
    return segment


def orphan(path: Path, content: bytes) -> Segment:
    """What a process left behind when it died."""
    path.write_bytes(content)
    segment = Segment.adopt(path)
    assert segment is not None
    return segment


def test_lines_come_back_in_order_and_once(tmp_path: Path) -> None:
    segment = create(tmp_path / "1.spool")
    for number in range(5):
        segment.append(frame(b"row %d" % number))
    first = segment.read(2 * len(frame(b"row 0")))
    segment.commit(first.end)
    rest = segment.read(1 << 20)
    segment.commit(rest.end)
    assert (first.rows, rest.rows) == (2, 3)
    assert texts(first.data) + texts(rest.data) == [b"row %d" % number for number in range(5)]
    assert segment.is_drained


def test_a_living_owner_is_left_alone_and_a_dead_one_is_inherited(tmp_path: Path) -> None:
    path = tmp_path / "1.spool"
    segment = create(path)
    segment.append(frame(b"row"))
    assert Segment.adopt(path) is None
    segment.close()
    heir = Segment.adopt(path)
    assert heir is not None
    assert heir.measure() == 1
    assert texts(heir.read(1 << 20).data) == [b"row"]


def test_what_was_committed_is_not_read_again_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "1.spool"
    segment = create(path)
    segment.append(frame(b"done"))
    segment.commit(segment.size)
    segment.append(frame(b"open"))
    segment.close()
    heir = Segment.adopt(path)
    assert heir is not None
    assert heir.measure() == 1
    assert texts(heir.read(1 << 20).data) == [b"open"]


@pytest.mark.parametrize("left", [b"", b"nonsense", b"99999999999999999999"])
def test_a_position_that_makes_no_sense_repeats_rows_rather_than_skip_them(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "1.position").write_bytes(left)
    heir = orphan(tmp_path / "1.spool", frame(b"row"))
    assert heir.measure() == 1


@pytest.mark.parametrize("cut", range(1, len(frame(b"torn"))))
def test_a_torn_last_line_is_left_out_wherever_it_was_cut(tmp_path: Path, cut: int) -> None:
    heir = orphan(tmp_path / "1.spool", frame(b"whole") + frame(b"torn")[:cut])
    assert heir.measure() == 1
    batch = heir.read(1 << 20)
    heir.commit(batch.end)
    assert (texts(batch.data), batch.damaged) == ([b"whole"], [])
    assert heir.is_drained


def test_a_damaged_line_is_told_apart_and_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    bad = frame(b"bad").replace(b"bad", b"bed")
    heir = orphan(tmp_path / "1.spool", frame(b"before") + bad + b"\n" + frame(b"after"))
    assert heir.measure() == 4
    batch = heir.read(1 << 20)
    assert texts(batch.data) == [b"before", b"after"]
    assert batch.damaged == [bad.rstrip(b"\n"), b""]


def test_garbage_without_an_end_is_got_past(tmp_path: Path) -> None:
    heir = orphan(tmp_path / "1.spool", b"\0" * 5000 + b"\n" + frame(b"row"))
    heir.measure()
    lines: list[bytes] = []
    while not heir.is_drained:
        batch = heir.read(1000)
        lines += texts(batch.data)
        heir.commit(batch.end)
    assert lines == [b"row"]


def test_a_line_that_the_disk_takes_in_part_leaves_nothing_behind(tmp_path: Path) -> None:
    segment = create(tmp_path / "1.spool")
    segment.append(frame(b"row"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (segment.size + 3, hard))
    try:
        with pytest.raises(OSError, match="bytes written"):
            segment.append(frame(b"too long for this disk"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert texts(segment.read(1 << 20).data) == [b"row"]
    segment.append(frame(b"next"))
    assert texts(segment.read(1 << 20).data) == [b"row", b"next"]
    segment.close()
    heir = Segment.adopt(tmp_path / "1.spool")
    assert heir is not None
    assert heir.measure() == 2


def test_a_removed_segment_cannot_be_adopted_by_one_who_opened_it_before(tmp_path: Path) -> None:
    path = tmp_path / "1.spool"
    segment = create(path)
    os.link(path, tmp_path / "2.spool")
    (tmp_path / "2.spool").unlink()
    segment.remove()
    assert Segment.adopt(path) is None
    assert list(tmp_path.iterdir()) == []
