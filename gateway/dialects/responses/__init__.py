"""OpenAI's responses: both sides of the dialect in one place."""

from gateway.dialects.responses.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.responses.read_stream import reader
from gateway.dialects.responses.reply import read_reply, write_reply
from gateway.dialects.responses.write_request import DROPPED, write_request
from gateway.dialects.responses.write_stream import writer

__all__ = [
    "DROPPED", "IGNORED", "REFUSED", "read_reply", "read_request", "reader", "write_reply", "write_request", "writer",
]  # fmt: skip
