"""Which models do the providers have? Asked in the background; a provider that doesn't answer is left as it was known.

Only needed without `models:` in the configuration: then the list is what clients see, and how a bare name finds its
provider.
"""

import asyncio
import logging
from collections.abc import Mapping

import aiohttp

from gateway.config import ProviderConfig
from gateway.providers import echo

logger = logging.getLogger("guardflow.discovery")

TIMEOUT_S = 5.0
MAX_MODELS = 2_000
_PATHS = {"anthropic": "/v1/models", "gemini": "/v1beta/openai/models", "ollama": "/v1/models"}
_GEMINI_FOLDER = "models/"
_UNLISTED = ("azure", "bedrock", "vertex")
"""What they list is not what may be asked for: deployments and access are granted one by one."""


async def discover(
    providers: Mapping[str, ProviderConfig], before: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Model names by provider; those of `before` where a provider can't be asked."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = await asyncio.gather(*(_models(session, name, p) for name, p in providers.items()))
    return {
        name: models if models is not None else before.get(name, ())
        for name, models in zip(providers, found, strict=True)
    }


async def _models(session: aiohttp.ClientSession, name: str, provider: ProviderConfig) -> tuple[str, ...] | None:
    if provider.type == "echo":
        return echo.MODELS
    if provider.type in _UNLISTED:
        return ()
    url, headers = provider.url + _PATHS.get(provider.type, "/models"), {"authorization": f"Bearer {provider.keys[0]}"}
    if provider.type == "anthropic":
        headers = {"x-api-key": provider.keys[0], "anthropic-version": "2023-06-01"}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as reply:
            listed = (await reply.json()).get("data") if reply.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError, RecursionError) as error:
        logger.info("provider %s does not list its models: %s", name, type(error).__name__)
        return None
    if not isinstance(listed, list):
        return None
    ids = [item.get("id") for item in listed if isinstance(item, dict)]
    return tuple(one.removeprefix(_GEMINI_FOLDER) for one in ids if isinstance(one, str))[:MAX_MODELS]
