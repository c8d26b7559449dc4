"""A multipart/form-data body, read strictly: what is accepted is framed in one way alone, so that every parser finds
the same parts in it. What has two readings (padding, preambles, folded or doubled headers, escapes) is refused.

Pure, and no part's content is copied. A body is written again with all but the fields named byte for byte as it came.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

MAX_PARTS = 128
MAX_HEAD_BYTES = 4096
MAX_TEXT_BYTES = 256 * 1024

_KIND = re.compile(
    r'multipart/form-data((?:[ \t]*;[ \t]*[\w-]+=(?:"[^"\\]*"|[^\s;"]+))*)[ \t]*', re.IGNORECASE | re.ASCII
)
_PARAMETER = re.compile(r';[ \t]*([\w-]+)=(?:"([^"\\]*)"|([^\s;"]+))', re.ASCII)
_BOUNDARY = re.compile(r"(?=.*[0-9A-Za-z])[0-9A-Za-z'()+_,./:=?-]{1,70}")
_PLAIN_BOUNDARY = re.compile(r"[0-9A-Za-z'+_.-]+")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z-]{0,39}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_DISPOSITION = re.compile(rb"""form-data((?:[ \t]*;[ \t]*[a-z]+\*?=(?:"(?:[^"\\;]|\\(?!"))*"|[^\s;"\\]+))+)[ \t]*""")
_FIELD = re.compile(rb""";[ \t]*([a-z]+\*?)=(?:"((?:[^"\\;]|\\(?!"))*)"|([^\s;"\\]+))""")
_NAME = re.compile(rb"[A-Za-z0-9_.\[\]-]{1,100}")
_PLAIN_TEXT = re.compile(rb'text/plain(?:[ \t]*;[ \t]*charset="?(?:utf-8|us-ascii)"?)?[ \t]*', re.IGNORECASE)
_AS_IT_IS = (b"7bit", b"8bit", b"binary")


class NoForm(ValueError):
    """The content type is that of something else."""


class BrokenForm(ValueError):
    """It is no form, or one that could be read in two ways; the message says what is wrong."""


class Part(NamedTuple):
    """Offsets into the body: from its delimiter at `start` to the next one at `until`; its content from `at` to `end`.
    `is_text`: no file, and in no other encoding than UTF-8."""

    name: str
    is_file: bool
    is_text: bool
    start: int
    at: int
    end: int
    until: int


class Form(NamedTuple):
    raw: bytes
    boundary: str
    parts: tuple[Part, ...]

    @property
    def content_type(self) -> str:
        quoted = self.boundary if _PLAIN_BOUNDARY.fullmatch(self.boundary) else f'"{self.boundary}"'
        return f"multipart/form-data; boundary={quoted}"

    def find(self, name: str) -> Part | None:
        """The one part of that name. Raises BrokenForm where there are more."""
        found = [part for part in self.parts if part.name == name]
        if len(found) > 1:
            raise BrokenForm(f"'{name}' is there more than once")
        return found[0] if found else None

    def text(self, part: Part) -> str:
        """What `part` says. Raises BrokenForm where it's no plain text."""
        if not part.is_text or part.end - part.at > MAX_TEXT_BYTES:
            raise BrokenForm(f"'{part.name}' must be plain text of at most {MAX_TEXT_BYTES} bytes")
        try:
            said = self.raw[part.at : part.end].decode()
        except UnicodeDecodeError as error:
            raise BrokenForm(f"'{part.name}' is not UTF-8") from error
        if "\0" in said:
            raise BrokenForm(f"'{part.name}' holds a NUL")
        return said

    def without(self, name: str) -> "Form":
        """The same form, less the part of that name."""
        part = self.find(name)
        if part is None:
            return self
        gap = part.until - part.start
        others = [other for other in self.parts if other is not part]
        parts = tuple(other if other.start < part.start else _moved(other, gap) for other in others)
        return Form(self.raw[: part.start] + self.raw[part.until :], self.boundary, parts)

    def saying(self, name: str, value: str) -> bytes:
        """The body with `value` in the part of that name, which must be there."""
        part = self.find(name)
        assert part is not None, f"no part {name!r}"
        said = value.encode()
        if self.raw[part.at : part.end] == said:
            return self.raw
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        return b"".join((self.raw[: part.start], head, said, b"\r\n", self.raw[part.until :]))


def read_form(content_type: str, raw: bytes) -> Form:
    """Raises NoForm, BrokenForm."""
    boundary = _boundary(content_type)
    delimiter = b"--" + boundary.encode()
    starts = list(_delimiters(raw, delimiter))
    if len(starts) < 2 or starts[0] != 0:
        raise BrokenForm("the body does not begin with the boundary, or holds no part")
    if raw[starts[-1] + len(delimiter) :] not in (b"--", b"--\r\n"):
        raise BrokenForm("the body does not end with the boundary")
    parts = tuple(_part(raw, start, start + len(delimiter), until) for start, until in pairwise(starts))
    return Form(raw, boundary, parts)


def _boundary(content_type: str) -> str:
    found = _KIND.fullmatch(content_type)
    if found is None:
        raise NoForm("the content type is not multipart/form-data")
    said = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(found[1])]
    boundaries: list[str] = [value for name, value in said if name == "boundary"]
    if len(boundaries) != 1 or any(name not in ("boundary", "charset") for name, _ in said):
        raise BrokenForm("the content type must name one boundary")
    if _BOUNDARY.fullmatch(boundaries[0]) is None:
        raise BrokenForm("the boundary holds what no boundary may")
    return boundaries[0]


def _delimiters(raw: bytes, delimiter: bytes) -> Iterator[int]:
    """Where the delimiters are. Anything that looks like one is one, or else the body is refused."""
    at = raw.find(delimiter)
    for _ in range(MAX_PARTS + 1):
        if at < 0:
            return
        if at and raw[at - 2 : at] != b"\r\n":
            raise BrokenForm("the boundary stands within a part")
        yield at
        at = raw.find(delimiter, at + len(delimiter))
    if at >= 0:
        raise BrokenForm(f"there are more than {MAX_PARTS} parts")


def _part(raw: bytes, start: int, after: int, until: int) -> Part:
    """The part whose delimiter ends at `after`; the next one begins at `until`."""
    end = until - 2  # the line end before the next delimiter is the delimiter's
    if raw[after : after + 2] != b"\r\n":
        raise BrokenForm("a boundary is not followed by a line end")
    blank = raw.find(b"\r\n\r\n", after, min(end, after + MAX_HEAD_BYTES))
    if blank < 0 or blank + 4 > end:
        raise BrokenForm("a part has no head, or too large a one")
    headers = _headers(raw[after + 2 : blank])
    at = blank + 4
    kind, encoding = headers.get(b"content-type"), headers.get(b"content-transfer-encoding", b"binary")
    if encoding.lower() not in _AS_IT_IS or (kind is not None and kind[:10].lower() == b"multipart/"):
        raise BrokenForm("a part is encoded, or a form itself")
    if headers.get(b"content-length", b"%d" % (end - at)) != b"%d" % (end - at):
        raise BrokenForm("a part is not as long as it says")
    name, is_file = _disposition(headers.get(b"content-disposition", b""))
    is_text = not is_file and (kind is None or _PLAIN_TEXT.fullmatch(kind) is not None)
    return Part(name, is_file, is_text, start, at, end, until)


def _headers(head: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        header = _HEADER.fullmatch(line)
        if header is None or (name := header[1].lower()) in found:
            raise BrokenForm("a part's head holds what is no header, or one twice")
        found[name] = header[2].rstrip(b" \t")
    return found


def _disposition(said: bytes) -> tuple[str, bool]:
    """The name of a part, and whether it is a file."""
    found = _DISPOSITION.fullmatch(said)
    if found is None:
        raise BrokenForm("a part's Content-Disposition is not that of a form")
    fields: dict[bytes, bytes] = {}
    for key, quoted, bare in _FIELD.findall(found[1]):
        if key in fields:
            raise BrokenForm("a part's Content-Disposition says something twice")
        fields[key] = quoted or bare
    name = fields.get(b"name", b"")
    if not fields.keys() <= {b"name", b"filename", b"filename*"}:
        raise BrokenForm("a part's Content-Disposition says more than a name and a filename")
    if _NAME.fullmatch(name) is None or name == b"_charset_":
        raise BrokenForm("a part has no plain name of letters, digits and any of _ . - [ ]")
    return name.decode(), len(fields) > 1


def _moved(part: Part, gap: int) -> Part:
    return part._replace(start=part.start - gap, at=part.at - gap, end=part.end - gap, until=part.until - gap)
