"""Checked access to foreign JSON: whatever shape it has, reading it gives a value of the wanted type or one exception.

`asked` reads what a client sent: what is wrong is InvalidRequest, with the path as its `param`. `answered` reads what a
provider sent: BrokenReply, whose text names the path, never the content. A field that is null counts as left out.
"""

import math
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from gateway.dialects.base import BrokenReply
from gateway.errors import InvalidRequest
from gateway.exchange import Json

SHOWN_CHARACTERS = 120
"""How much of a client's own words a message repeats."""

Complaint = Callable[[str, str], Exception]


def asked(body: object) -> "Fields":
    return Fields(body, _invalid)


def answered(body: object) -> "Fields":
    return Fields(body, _broken)


def _invalid(path: str, message: str) -> Exception:
    path = path[:SHOWN_CHARACTERS]
    return InvalidRequest(f"'{path}' {message}" if path else f"The request body {message}", param=path or None)


def _broken(path: str, message: str) -> Exception:
    return BrokenReply(f"{path or 'the reply'} {message}")


class Fields:
    """One JSON object and where it stands. The plain getters give None for what is left out; those that begin with
    `need_` insist. The path is put together only when something is wrong: streams are read here as well."""

    __slots__ = ("_complaint", "_index", "_name", "_within", "node")

    def __init__(
        self, node: object, complaint: Complaint, within: "Fields | None" = None, name: str = "", index: int = -1
    ) -> None:
        self._complaint = complaint
        self._within = within
        self._name = name
        self._index = index
        if not isinstance(node, dict):
            raise complaint(self.path, "must be an object.")
        self.node: Json = node

    @property
    def path(self) -> str:
        if self._within is None:
            return self._name
        place = self._within.at(self._name)
        return place if self._index < 0 else f"{place}[{self._index}]"

    def at(self, name: str) -> str:
        path = self.path
        return f"{path}.{name}" if path else name

    def wrong(self, name: str, message: str) -> Exception:
        """What to raise for the field `name`, or for the object itself where that is empty."""
        return self._complaint(self.at(name) if name else self.path, message)

    def refuse(self, name: str, message: str) -> NoReturn:
        raise self.wrong(name, message)

    def has(self, name: str) -> bool:
        return self.node.get(name) is not None

    def value(self, name: str) -> Any:
        return self.node.get(name)

    def text(self, name: str) -> str | None:
        value = self.node.get(name)
        if value is not None and not isinstance(value, str):
            self.refuse(name, "must be a string.")
        return value

    def need_text(self, name: str) -> str:
        value = self.text(name)
        return value if value is not None else self._missing(name)

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            self.refuse(name, f"must be one of {', '.join(sorted(allowed))}.")
        return value

    def need_one_of(self, name: str, allowed: Collection[str]) -> str:
        value = self.one_of(name, allowed)
        return value if value is not None else self._missing(name)

    def integer(self, name: str, low: int | None = None, high: int | None = None) -> int | None:
        value = self.node.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)  # some senders have only one kind of number
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(name, "must be an integer.")
        self._check_range(name, value, low, high)
        return value

    def need_integer(self, name: str, low: int | None = None, high: int | None = None) -> int:
        value = self.integer(name, low, high)
        return value if value is not None else self._missing(name)

    def number(self, name: str, low: float | None = None, high: float | None = None) -> float | None:
        value = self.node.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.refuse(name, "must be a number.")
        self._check_range(name, value, low, high)
        return value

    def need_number(self, name: str, low: float | None = None, high: float | None = None) -> float:
        value = self.number(name, low, high)
        return value if value is not None else self._missing(name)

    def flag(self, name: str) -> bool | None:
        value = self.node.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "must be true or false.")
        return value

    def mapping(self, name: str) -> Json | None:
        """A JSON object as it stands, for what is carried whole (a JSON Schema)."""
        value = self.node.get(name)
        if value is not None and not isinstance(value, dict):
            self.refuse(name, "must be an object.")
        return value

    def listing(self, name: str) -> list[Any] | None:
        """A JSON array as it stands."""
        value = self.node.get(name)
        if value is not None and not isinstance(value, list):
            self.refuse(name, "must be an array.")
        return value

    def child(self, name: str) -> "Fields | None":
        value = self.node.get(name)
        return None if value is None else Fields(value, self._complaint, self, name)

    def need_child(self, name: str) -> "Fields":
        value = self.child(name)
        return value if value is not None else self._missing(name)

    def children(self, name: str) -> list["Fields"]:
        """The objects of an array; none where it is left out."""
        return [Fields(item, self._complaint, self, name, i) for i, item in enumerate(self.listing(name) or ())]

    def texts(self, name: str) -> list[str]:
        """The strings of an array; none where it is left out."""
        values = self.listing(name) or []
        for i, value in enumerate(values):
            if not isinstance(value, str):
                self.refuse(f"{name}[{i}]", "must be a string.")
        return values

    def renamed(self, rename: Callable[[str], str]) -> "Fields":
        """The same object under other field names. One field said twice is refused: readers would differ on which."""
        named: Json = {}
        for name, value in self.node.items():
            if (known := rename(name)) in named:
                self.refuse(known, "is given twice.")
            named[known] = value
        return Fields(named, self._complaint, name=self.path)

    def only(self, known: Collection[str]) -> None:
        """Refuse the first field that says something and isn't `known`: nothing is lost in silence."""
        for name, value in self.node.items():
            if name not in known and value is not None:
                self.refuse(name, "can't be carried over to this model's provider.")

    def _check_range(self, name: str, value: float, low: float | None, high: float | None) -> None:
        if low is not None and value < low:
            self.refuse(name, f"must be at least {low}.")
        if high is not None and value > high:
            self.refuse(name, f"must be at most {high}.")

    def _missing(self, name: str) -> NoReturn:
        self.refuse(name, "is required.")
