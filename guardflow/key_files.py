"""The key files that the configuration names: read when they are needed, and checked before anything is taken up."""

from collections.abc import Iterator
from pathlib import Path

from gateway.config import Config, ConfigError
from gateway.providers.google_auth import ServiceAccount, read_service_account


def read_key_file(path: Path) -> ServiceAccount:
    """Raises ConfigError, naming the file."""
    try:
        return read_service_account(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error


def faults_of_key_files(config: Config) -> Iterator[str]:
    for name, provider in config.providers.items():
        if provider.key_file is not None:
            try:
                read_key_file(provider.key_file)
            except ConfigError as error:
                yield f"providers.{name}.key_file: {error}"
