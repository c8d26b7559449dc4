"""Amazon Bedrock by its Converse API: every request is signed, every stream comes in AWS's own framing."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.dialects import converse
from gateway.errors import Refusal
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers.base import Conversations, StreamEvent, UpstreamRequest
from gateway.providers.rejection import rejection
from gateway.providers.sigv4 import Signer
from gateway.wire.frames import MessageFrames


class BedrockProvider:
    """Speaks no dialect of our clients, so every call is carried over. `host` is what the connection will name, and
    `prefix` the path of its base URL: both are signed."""

    endpoints: frozenset[Endpoint] = frozenset()

    def __init__(self, signer: Signer, host: str, prefix: str = "") -> None:
        self._signer = signer
        self._prefix = prefix
        self._signed = (("host", host), ("content-type", "application/json"))
        self.conversations: Conversations | None = Conversations(converse, MessageFrames, self._converse)

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        path, written = converse.path(target.upstream_model, stream=call.stream), orjson.dumps(body)
        proof = self._signer.sign(self._prefix + path, self._signed, written)
        return UpstreamRequest(path, (*self._signed[1:], *proof), written)

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        raise NotImplementedError("there is no endpoint that Bedrock shares with our clients")

    def usage(self, endpoint: Endpoint, reply: Any) -> Usage | None:
        raise NotImplementedError

    def event(self, call: ModelCall, data: bytes) -> StreamEvent:
        raise NotImplementedError

    def matters(self, event: bytes) -> bool:
        raise NotImplementedError

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
        return rejection(status, headers, body)
