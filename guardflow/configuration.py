"""Which configuration file is read, and how strictly: the same for the supervisor, the workers and `check-config`."""

from collections.abc import Mapping

from gateway.config import Config, ConfigError, load_config
from guardflow.failure import Failure
from guardflow.settings import Settings


def read_configuration(settings: Settings, environ: Mapping[str, str]) -> Config:
    """`environ` is what `${NAME}` may name besides the settings. Raises Failure, naming the file."""
    try:
        return configured(settings, environ)
    except ConfigError as error:
        faults = "\n".join(f"  - {line}" for line in str(error).splitlines())
        raise Failure(f"{settings.config_file() or 'the configuration'} can't be used:\n{faults}") from error


def configured(settings: Settings, environ: Mapping[str, str]) -> Config:
    """The same for a running worker, which keeps what it has on a ConfigError."""
    return load_config(
        settings.config_file(),
        {**environ, **settings.environ()},
        literal_keys=settings.environment != "production",  # files get committed
    )
