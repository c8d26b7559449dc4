"""Azure OpenAI: OpenAI's dialect under a resource's own paths, with the key in a header of Azure's.

The upstream model is the name of a deployment. Without an API version the v1 paths are used, where the deployment is
said in the body; with one, the older paths, where it stands in the path.
"""

from urllib.parse import quote

from gateway.exchange import Endpoint, Inbound, Json, ModelCall, Target
from gateway.providers.base import UpstreamRequest
from gateway.providers.openai import OpenAIProvider

ENDPOINTS = frozenset(
    (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES, Endpoint.IMAGES,
     Endpoint.IMAGE_EDITS, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS)
)  # fmt: skip


class AzureOpenAIProvider(OpenAIProvider):
    """The base URL is the resource's: `https://{resource}.openai.azure.com`."""

    endpoints = ENDPOINTS

    def __init__(self, api_key: str, api_version: str | None = None) -> None:
        super().__init__("")
        if api_key:
            self._headers = (*self._headers, ("api-key", api_key))
        self._query = f"?api-version={quote(api_version, safe='')}" if api_version else ""

    def request(self, call: ModelCall, target: Target, inbound: Inbound) -> UpstreamRequest:
        path = self._path(call.endpoint, target.upstream_model)
        return super().request(call, target, inbound)._replace(path=path)

    def _converse(self, body: Json, target: Target, call: ModelCall, inbound: Inbound) -> UpstreamRequest:
        path = self._path(Endpoint.CHAT, target.upstream_model)
        return super()._converse(body, target, call, inbound)._replace(path=path)

    def _path(self, endpoint: Endpoint, deployment: str) -> str:
        if not self._query:
            return f"/openai/v1/{endpoint}"
        if endpoint is Endpoint.RESPONSES:  # stateful, so it belongs to the resource
            return f"/openai/{endpoint}{self._query}"
        return f"/openai/deployments/{quote(deployment, safe='')}/{endpoint}{self._query}"
