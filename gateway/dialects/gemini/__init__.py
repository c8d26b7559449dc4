"""Gemini's `generateContent` and `streamGenerateContent`: both sides of the dialect in one place."""

from gateway.dialects.gemini.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.gemini.read_stream import reader
from gateway.dialects.gemini.reply import read_reply, write_reply
from gateway.dialects.gemini.write_request import DROPPED, write_request
from gateway.dialects.gemini.write_stream import writer
from gateway.dialects.gemini_error import write_error

__all__ = [
    "DROPPED", "IGNORED", "REFUSED", "read_reply", "read_request", "reader", "write_error", "write_reply",
    "write_request", "writer",
]  # fmt: skip
