"""Anthropic's messages, in any version: both sides of the dialect in one place."""

from gateway.dialects.messages.read_request import IGNORED, REFUSED, read_request
from gateway.dialects.messages.read_stream import reader
from gateway.dialects.messages.reply import read_reply, write_reply
from gateway.dialects.messages.write_request import DEFAULT_MAX_TOKENS, DROPPED, write_request
from gateway.dialects.messages.write_stream import writer

__all__ = [
    "DEFAULT_MAX_TOKENS", "DROPPED", "IGNORED", "REFUSED", "read_reply", "read_request", "reader", "write_reply",
    "write_request", "writer",
]  # fmt: skip
