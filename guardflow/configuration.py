"""Which configuration file is read, and how strictly: the same for the supervisor, the workers and `check-config`."""

from collections.abc import Iterator, Mapping

from classifiers.labels import INTENTS, OTHER
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
    config = load_config(
        settings.config_file(),
        {**environ, **settings.environ()},
        literal_keys=settings.environment != "production",  # files get committed
    )
    if faults := [*_unknown_intents(config), *_unusable_key_files(config)]:
        raise ConfigError("\n".join(faults))
    return config


def _unknown_intents(config: Config) -> Iterator[str]:
    """A condition that can't come true would be one that nobody misses."""
    for name, model in config.models.items():
        for target in model.targets:
            for intent in target.when.intents if target.when else ():
                if intent not in INTENTS and intent != OTHER:
                    yield f"models.{name}: no intent {intent!r}; there are {', '.join((*INTENTS, OTHER))}"


def _unusable_key_files(config: Config) -> Iterator[str]:
    if any(provider.key_file is not None for provider in config.providers.values()):
        from guardflow.key_files import faults_of_key_files  # brings the means to sign, which few need

        yield from faults_of_key_files(config)
