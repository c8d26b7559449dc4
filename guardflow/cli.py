"""The `guardflow` program. Exit codes: 0 done, 1 failed with one clear line on stderr, 2 wrong usage."""

from typing import Any

import click

from guardflow import __version__
from guardflow.commands.classifiers import classify, evaluate, train
from guardflow.commands.database import database
from guardflow.commands.people import tokens, users
from guardflow.commands.serve import check_config, serve


class Program(click.Group):
    """Turns what commands fail with into a line for a person; anything else is a bug and shows itself whole."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _failures() as failure:
            raise click.ClickException(str(failure)) from failure


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="guardflow")
def main() -> None:
    """The governed LLM gateway: one door for every model call."""


def _failures() -> tuple[type[Exception], ...]:
    """Evaluated only once something failed: these imports are no part of `--help`."""
    from classifiers.artifacts import ArtifactError
    from classifiers.dataset import DataError
    from gateway.db import DatabaseDown
    from gateway.errors import Refusal
    from guardflow.failure import Failure

    return Failure, DatabaseDown, Refusal, DataError, ArtifactError, OSError


for command in (serve, check_config, database, users, tokens, classify, train, evaluate):
    main.add_command(command)
