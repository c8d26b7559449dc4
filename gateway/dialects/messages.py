"""Anthropic's messages, in any version: both sides of the dialect in one place."""

from gateway.dialects.messages_read_request import IGNORED, REFUSED, read_request
from gateway.dialects.messages_read_stream import reader
from gateway.dialects.messages_reply import read_reply, write_reply
from gateway.dialects.messages_write_request import DEFAULT_MAX_TOKENS, DROPPED, write_request
from gateway.dialects.messages_write_stream import writer

__all__ = [
    "DEFAULT_MAX_TOKENS", "DROPPED", "IGNORED", "REFUSED", "read_reply", "read_request", "reader", "write_reply",
    "write_request", "writer",
]  # fmt: skip
