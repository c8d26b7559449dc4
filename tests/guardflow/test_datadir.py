"""One gateway a data folder, and a note for the commands."""

import subprocess
import sys
from pathlib import Path

import pytest

from guardflow import datadir

HOLD = """
import sys, time
from pathlib import Path
from guardflow.datadir import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
NOTE = datadir.RunNote(pid=1, api_url="http://127.0.0.1:8000", database_url="postgresql://", redis_url="unix://")


def test_a_second_gateway_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "d"], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        assert datadir.is_held(tmp_path / "d")
        with pytest.raises(datadir.DataDirError, match=f"process {first.pid}"), datadir.held(tmp_path / "d"):
            pass
        first.kill()
    with datadir.held(tmp_path / "d"):
        pass


def test_the_note_is_read_only_while_its_gateway_runs(tmp_path: Path) -> None:
    data = tmp_path / "d"
    assert datadir.read_note(data) is None
    assert not data.exists()
    with datadir.held(data):
        datadir.write_note(data, NOTE)
        assert datadir.read_note(data) == NOTE
        assert (data / "gateway.json").stat().st_mode & 0o777 == 0o600
        left_by_a_crash = (data / "gateway.json").read_text()
    assert datadir.read_note(data) is None
    (data / "gateway.json").write_text(left_by_a_crash)
    assert datadir.read_note(data) is None


def test_a_folder_that_can_not_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(datadir.DataDirError, match="can't be used"), datadir.held(tmp_path / "file" / "data"):
        pass
