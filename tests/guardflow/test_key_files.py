"""A key file that can't be used is told before anything is taken up."""

from pathlib import Path

from gateway.config import Config, ProviderConfig
from guardflow.key_files import faults_of_key_files, read_key_file
from tests.gateway.providers.test_google_auth import key_file


def vertex(path: Path) -> ProviderConfig:
    return ProviderConfig(type="vertex", region="europe-west1", key_file=path)


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_bytes(key_file())
    assert read_key_file(path).project == "project"
    assert list(faults_of_key_files(Config(providers={"v": vertex(path), "e": ProviderConfig(type="echo")}))) == []


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_bytes(b"{}")
    config = Config(providers={"a": vertex(path), "b": vertex(tmp_path / "none.json")})
    first, second = faults_of_key_files(config)
    assert first.startswith(f"providers.a.key_file: {path}: ")
    assert second.startswith(f"providers.b.key_file: {tmp_path / 'none.json'}: ")
