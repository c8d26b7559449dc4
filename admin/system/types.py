"""What is configured outside the database, shown as it is in force, without its secrets."""

from typing import Any

from pydantic import RootModel

from admin.schema import Noun


class Snapshot(RootModel[dict[str, Any]]):
    pass


class Reloaded(Noun):
    detail: str
