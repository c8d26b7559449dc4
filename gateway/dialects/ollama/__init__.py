"""Ollama's own dialect at `/api/chat`, the provider's side: it says more than Ollama's compatible paths do.

A stream is lines of JSON.
"""

from gateway.dialects.ollama.read import read_reply, reader
from gateway.dialects.ollama.write import DROPPED, write_request

__all__ = ["DROPPED", "read_reply", "reader", "write_request"]
