"""`guardflow db`: the schema."""

import click


@click.group("db")
def database() -> None:
    """The database's schema."""


@database.command()
def upgrade() -> None:
    """Bring the schema to what this release needs. Do it before the new release starts."""
    import migrations
    from guardflow.settings import load, process_environ
    from guardflow.state import database as opened

    with opened(load(process_environ(), safe=False), migrate=False) as url:
        before = migrations.current_revision(url)
        migrations.upgrade(url)
        after = migrations.current_revision(url)
    click.echo(f"at revision {after}" + ("" if before != after else " already"))
