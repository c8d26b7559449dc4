"""`guardflow serve` and `guardflow check-config`."""

import sys
from pathlib import Path

import click

_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Providers, models, limits and policies.  [default: guardflow.yaml, where there is one]",
)


@click.command()
@click.option("--host", help="The address to listen on.  [API_HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any free one.  [API_PORT]")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes.  [WORKERS]")
@_CONFIG
def serve(host: str | None, port: int | None, workers: int | None, config: Path | None) -> None:
    """Run the gateway. Without DATABASE_URL and REDIS_URL it runs its own servers under DATA_DIR."""
    from guardflow.settings import load, process_environ
    from guardflow.supervisor import serve as supervise

    said = {"API_HOST": host, "API_PORT": port, "WORKERS": workers, "GUARDFLOW_CONFIG": config}
    environ = process_environ() | {name: str(value) for name, value in said.items() if value is not None}
    sys.exit(supervise(load(environ), environ))


@click.command("check-config")
@_CONFIG
def check_config(config: Path | None) -> None:
    """Say everything that `serve` would refuse in the settings and the configuration."""
    from guardflow.configuration import read_configuration
    from guardflow.settings import load, process_environ

    environ = process_environ() | ({"GUARDFLOW_CONFIG": str(config)} if config else {})
    settings = load(environ)
    checked = read_configuration(settings, environ)
    file = settings.config_file() or "no file"
    click.echo(f"{file}: fine; {len(checked.providers)} providers, {len(checked.models)} models")
