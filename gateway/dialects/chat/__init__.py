"""OpenAI's chat completions, which most servers speak: both sides of the dialect in one place."""

from gateway.dialects.chat.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.chat.read_stream import reader
from gateway.dialects.chat.reply import read_reply, write_reply
from gateway.dialects.chat.write_request import DROPPED, write_request
from gateway.dialects.chat.write_stream import writer

__all__ = [
    "DROPPED", "IGNORED", "REFUSED", "read_reply", "read_request", "reader", "write_reply", "write_request", "writer",
]  # fmt: skip
