"""Server-sent events, pure: bytes to events and back. However the bytes are cut on their way, the events are the same.

The relay asks `whole(piece)` first: a piece that starts and ends between events, and in which the provider finds
nothing that matters, is forwarded as it came. Every other piece goes through `feed`.
"""

import re

MAX_EVENT_BYTES = 1 << 20

# A line end, then an empty line. A CR that an LF follows is half a line end, never a whole one.
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LONGEST_BLANK_LINE = 4
_LINE_ENDS = (b"\n", b"\r")
_CR = 0x0D


class EventTooLarge(Exception):
    """One event is larger than we hold in memory."""


class EventSplitter:
    """Cuts a stream of bytes into raw events, each with its blank line. One per stream.

    An event that ends in a bare CR is held until the next byte shows whether an LF belongs to it.
    """

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_event_bytes

    @property
    def rest(self) -> bytes:
        """The tail that is no complete event yet. At the end of a stream: an event that lacks its blank line."""
        return bytes(self._buffer)

    def whole(self, piece: bytes) -> bool:
        """Are these complete events, with nothing held back before them? Then `feed` may be left out for them."""
        if self._buffer:
            return False
        # A line end before the blank line may have been half of another blank line: `feed` shall say.
        if piece.endswith(b"\n\n"):
            return piece[-3:-2] not in _LINE_ENDS
        return piece.endswith(b"\r\n\r\n") and piece[-5:-4] not in _LINE_ENDS

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes. Raises EventTooLarge, after which the splitter is of no more use."""
        limit = self._max_bytes
        events = self._split(data) if self._buffer or b"\r" in data else self._split_plain(data)
        if len(self._buffer) > limit or (events and max(map(len, events)) > limit):
            raise EventTooLarge(f"an event of more than {limit} bytes")
        return events

    def _split_plain(self, data: bytes) -> list[bytes]:
        """What nearly all bytes are: nothing is held back before them, and LF is their only line end."""
        *events, rest = data.split(b"\n\n")
        self._buffer += rest
        return [event + b"\n\n" for event in events]

    def _split(self, data: bytes) -> list[bytes]:
        buffer = self._buffer
        # What was there before holds no blank line but for one that the new bytes complete.
        at = max(0, len(buffer) - _LONGEST_BLANK_LINE + 1)
        buffer += data
        events, start = [], 0
        while (match := _BLANK_LINE.search(buffer, at)) is not None:
            end = match.end()
            if end == len(buffer) and buffer[-1] == _CR:
                break
            events.append(bytes(buffer[start:end]))
            start = at = end
        del match  # it holds the buffer, which could not shrink
        del buffer[:start]
        return events


def data_of(event: bytes) -> bytes:
    """The data of a raw event: its data lines joined by LF, comments and other fields left out."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2] if event.endswith(b"\n\n") else event[6:].rstrip(b"\n")
    return b"\n".join(_data_lines(event))


def every_event_ends(events: bytes, last: bytes) -> bool:
    """Do all of these raw events end with `last`? Costs two counts; errs towards False, as it does on CR line ends."""
    ends = events.count(b"\n\n")
    return 0 < ends == events.count(last + b"\n\n") and b"\r" not in events


def event(data: bytes, name: str | None = None) -> bytes:
    """Write an event. Line breaks inside the data become several data lines, as they must."""
    if name is not None and ("\n" in name or "\r" in name):
        raise ValueError("an event's name is one line")
    head = b"" if name is None else b"event: %b\n" % name.encode()
    lines = re.split(rb"\r\n|\n|\r", data)
    return b"%b%b\n" % (head, b"".join([b"data: %b\n" % line for line in lines]))


def _data_lines(event: bytes) -> list[bytes]:
    found = []
    for line in event.removeprefix(b"\xef\xbb\xbf").splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            found.append(value.removeprefix(b" "))
    return found
