"""A server of OpenAI's dialect that is known by name: it gets what it can read, and only the calls that it answers."""

from gateway.exchange import Inbound, Json, ModelCall, Target
from gateway.providers.base import UpstreamRequest
from gateway.providers.openai import OpenAIProvider
from gateway.providers.presets import Preset


class CompatibleProvider(OpenAIProvider):
    def __init__(self, api_key: str, preset: Preset) -> None:
        super().__init__(api_key)
        self.endpoints = preset.endpoints
        self._left_out = preset.left_out
        self._renamed = preset.renamed
        self._strange = preset.left_out | preset.renamed.keys()

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        return super().request(self._readable(call), target, inbound)

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        return super()._converse(self._known(body), target, call, inbound)

    def _readable(self, call: ModelCall) -> ModelCall:
        """The client's own bytes stay, unless the server can't read them."""
        if self._strange.isdisjoint(call.body):
            return call
        return call._replace(body=self._known(call.body), raw=None)

    def _known(self, body: Json) -> Json:
        kept = {name: value for name, value in body.items() if name not in self._strange}
        for name, known in self._renamed.items():
            if name in body:
                kept.setdefault(known, body[name])
        return kept
