"""`guardflow users` and `guardflow tokens`: for the first user, and for whoever has lost every other way in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

T = TypeVar("T")
_COUNT = click.IntRange(min=0)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def users() -> None:
    """Users."""


@users.command("create")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(["admin", "ml_engineer", "risk_officer", "user", "service"]), default="user")
@click.option(
    "--password",
    default=None,
    help="For staff, who sign in; asked for where the value is left out.",
    prompt=True,
    prompt_required=False,
    hide_input=True,
    confirmation_prompt=True,
)
@click.option("--daily-quota", type=_COUNT, help="Tokens a day.")
@click.option("--monthly-quota", type=_COUNT, help="Tokens a month.")
@click.option("--rpm", type=_COUNT, help="Requests a minute.")
@click.option("--tpm", type=_COUNT, help="Tokens a minute.")
@_JSON
def create_user(as_json: bool, **said: Any) -> None:
    """Make a user and print the API token, which is shown this once."""
    from pydantic import ValidationError

    from admin.accounts.types import CreateUser
    from guardflow import people

    try:
        new = CreateUser.model_validate(said, strict=False)
    except ValidationError as error:
        raise click.UsageError("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from error
    made = _with_database(lambda url: people.create_user(url, new))
    click.echo(made.model_dump_json() if as_json else f"user {made.id}: {made.email}\n{made.api_token}")


@click.group()
def tokens() -> None:
    """API tokens."""


@tokens.command("create")
@click.option("--user", "owner", required=True, help="The user's number or e-mail address.")
@click.option("--name", default="", help="What it is for.")
@_JSON
def create_token(owner: str, name: str, as_json: bool) -> None:
    """Make a token and print it, this once."""
    from guardflow import people

    made = _with_database(lambda url: people.create_token(url, owner, name))
    click.echo(made.model_dump_json() if as_json else f"token {made.id}\n{made.api_token}")


@tokens.command("revoke")
@click.argument("token_id", type=click.IntRange(min=1))
def revoke_token(token_id: int) -> None:
    """End a token at once, on all workers."""
    from guardflow import people

    _with_database(lambda url: people.revoke_token(url, token_id))
    click.echo(f"token {token_id} is revoked")


@tokens.command("rotate")
@click.argument("token_id", type=click.IntRange(min=1))
@click.option(
    "--overlap-minutes", type=click.IntRange(0, 43200), default=60, show_default=True, help="The old one's rest."
)
@_JSON
def rotate_token(token_id: int, overlap_minutes: int, as_json: bool) -> None:
    """Make a token with the rights of an old one, which works on for a while."""
    from guardflow import people

    made = _with_database(lambda url: people.rotate_token(url, token_id, overlap_minutes))
    click.echo(made.model_dump_json() if as_json else f"token {made.id}, for {token_id}\n{made.api_token}")


def _with_database(work: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    from guardflow.settings import load, process_environ
    from guardflow.state import database

    with database(load(process_environ(), safe=False)) as url:
        return asyncio.run(work(url))
