"""A conversation carried over: from the client's dialect into a provider's, and the answer back.

Only for calls whose provider doesn't speak the client's dialect; all others pass as they are. What can't be carried
over is refused before the provider is asked.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.dialects import chat, gemini, messages, responses
from gateway.dialects.base import BrokenReply, ClientDialect, ProviderDialect, StreamWriter
from gateway.dialects.neutral import ChatRequest
from gateway.errors import CantBeCarried, InvalidRequest, UpstreamError
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target, Usage
from gateway.providers.base import Conversations, UpstreamRequest
from gateway.providers.gemini import asks_for_events

CLIENTS: Mapping[Endpoint, ClientDialect] = {
    Endpoint.CHAT: chat,
    Endpoint.RESPONSES: responses,
    Endpoint.MESSAGES: messages,
    Endpoint.GENERATE: gemini,
}


class Translation:
    """One call between a client's dialect and that of the provider behind `conversations`."""

    def __init__(self, call: ModelCall, inbound: Inbound, conversations: Conversations) -> None:
        """Raises InvalidRequest, naming the field, for what can't be carried over."""
        self.conversations = conversations
        self._client = CLIENTS[call.endpoint]
        self._as_array = call.endpoint is Endpoint.GENERATE and call.stream and not asks_for_events(inbound.query)
        self._call = call._replace(stream=False) if self._as_array else call
        self._inbound = inbound
        self._asked: ChatRequest = self._client.read_request(_with_path(self._call))

    @property
    def streams(self) -> bool:
        """Is the answer a stream of events? Gemini's other stream, one array of JSON, is given whole."""
        return self._call.stream

    @property
    def provider(self) -> ProviderDialect:
        return self.conversations.dialect

    def request(self, target: Target) -> UpstreamRequest:
        """What the provider is asked. Raises CantBeCarried for what its dialect can't say."""
        try:
            body = self.provider.write_request(self._asked, target.upstream_model)
            return self.conversations.request(body, target, self._call, self._inbound)
        except InvalidRequest as refusal:
            raise CantBeCarried(refusal.message, param=refusal.param) from refusal
        except orjson.JSONEncodeError as error:
            raise CantBeCarried("The call is nested too deep to be carried over.") from error

    def whole(self, said: Any) -> tuple[bytes, Usage | None]:
        """The reply for the client, and what it used."""
        try:
            reply = self.provider.read_reply(said if isinstance(said, dict) else {})
            written = orjson.dumps(self._client.write_reply(reply, self._asked))
        except (BrokenReply, orjson.JSONEncodeError) as error:
            raise broken() from error
        return b"[%b]" % written if self._as_array else written, reply.usage

    def writer(self) -> StreamWriter:
        return self._client.writer(self._asked, wants_usage=self._call.wants_usage)


def broken() -> UpstreamError:
    return UpstreamError("The model's provider answered with something that can't be read.")


def _with_path(call: ModelCall) -> Json:
    """The body with what Gemini says in the path."""
    if call.endpoint is Endpoint.GENERATE:
        return {**call.body, "model": call.model, "stream": call.stream}
    return call.body
