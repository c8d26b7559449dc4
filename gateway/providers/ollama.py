"""Ollama: OpenAI's dialect passes as it is by its compatible paths, other dialects are put into its own."""

import orjson

from gateway.dialects import ollama
from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target
from gateway.providers.base import Conversations, UpstreamRequest
from gateway.providers.openai import OpenAIProvider
from gateway.wire.frames import LineFrames


class OllamaProvider(OpenAIProvider):
    """The base URL is the server's: `http://127.0.0.1:11434`."""

    endpoints = frozenset((Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS))

    def __init__(self, api_key: str) -> None:
        super().__init__(api_key)
        self.conversations = Conversations(ollama, LineFrames, self._converse)

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        asked = super().request(call, target, inbound)
        return asked._replace(path="/v1" + asked.path)

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        return UpstreamRequest("/api/chat", self._headers, orjson.dumps(body))
