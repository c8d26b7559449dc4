"""Amazon Bedrock's Converse API, the provider's side: one dialect for every model that is sold there.

The model and whether it streams are said in the path, so `path` is part of the dialect. A stream is AWS's event stream;
`wire.eventstream.as_json` makes of each message what the reader takes.
"""

from urllib.parse import quote

from gateway.dialects.converse.read import read_reply
from gateway.dialects.converse.stream import reader
from gateway.dialects.converse.write import DROPPED, write_request

__all__ = ["DROPPED", "path", "read_reply", "reader", "write_request"]


def path(model: str, *, stream: bool) -> str:
    """Below the base URL. `model` may be an id, an inference profile or an ARN."""
    return f"/model/{quote(model, safe='')}/converse{'-stream' if stream else ''}"
