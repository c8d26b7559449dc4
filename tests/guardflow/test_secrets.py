"""Generated secrets."""

import threading
from pathlib import Path

from guardflow.secrets import kept_secret, secret_file


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "data", "jwt")
    assert len(secret) >= 43
    assert kept_secret(tmp_path / "data", "jwt") == secret
    assert kept_secret(tmp_path / "data", "other") != secret
    file = secret_file(tmp_path / "data", "jwt")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in file.parent.iterdir()} == {"jwt", "other"}


def test_all_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    gate, found = threading.Barrier(8), []

    def make() -> None:
        gate.wait()
        found.append(kept_secret(tmp_path, "jwt"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
