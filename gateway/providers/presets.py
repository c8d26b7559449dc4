"""Servers of OpenAI's dialect that are known by name: where they are, what they answer, what they can't read.

Data alone. A server that isn't here is configured as `type: openai` with its base URL.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.exchange import Endpoint

_CHAT = frozenset((Endpoint.CHAT,))
_EMBEDS = _CHAT | {Endpoint.EMBEDDINGS}
_COMPLETES = _CHAT | {Endpoint.COMPLETIONS}
_CLASSIC = _EMBEDS | {Endpoint.COMPLETIONS}
_RESPONDS = _CHAT | {Endpoint.RESPONSES}
_LOCAL = _CLASSIC | {Endpoint.RESPONSES}
_HEARS = frozenset((Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS))
_DRAWS = frozenset((Endpoint.IMAGES,))
_SPEAKS = frozenset((Endpoint.SPEECH,))
_RANKS = frozenset((Endpoint.RERANK,))


class Preset(NamedTuple):
    """`left_out`: fields of a body that the server refuses and that change no answer. `renamed`: fields that it knows
    by another name. `key_name`: the environment variable that usually holds the key, empty where none is needed."""

    base_url: str
    endpoints: frozenset[Endpoint]
    key_name: str = ""
    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = {}


# Both say their usage in any case, and refuse a call that asks for it.
_NO_STREAM_OPTIONS = frozenset(("stream_options",))

PRESETS: Mapping[str, Preset] = {
    "cerebras": Preset("https://api.cerebras.ai/v1", _COMPLETES, "CEREBRAS_API_KEY"),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1", _EMBEDS, "COHERE_API_KEY", _NO_STREAM_OPTIONS),
    "deepinfra": Preset(
        "https://api.deepinfra.com/v1/openai", _CLASSIC | _DRAWS | _SPEAKS | _HEARS, "DEEPINFRA_API_KEY"
    ),
    "deepseek": Preset("https://api.deepseek.com/v1", _CHAT, "DEEPSEEK_API_KEY"),
    "fireworks": Preset(
        "https://api.fireworks.ai/inference/v1", _CLASSIC | _RANKS | {Endpoint.RESPONSES}, "FIREWORKS_API_KEY"
    ),
    "github": Preset("https://models.github.ai/inference", _EMBEDS, "GITHUB_TOKEN"),
    "groq": Preset("https://api.groq.com/openai/v1", _RESPONDS | _SPEAKS | _HEARS, "GROQ_API_KEY"),
    "huggingface": Preset("https://router.huggingface.co/v1", _CHAT, "HF_TOKEN"),
    "llamacpp": Preset("http://127.0.0.1:8080/v1", _CLASSIC | _RANKS),
    "lmstudio": Preset("http://127.0.0.1:1234/v1", _LOCAL),
    "mistral": Preset(
        "https://api.mistral.ai/v1", _EMBEDS | {Endpoint.MODERATIONS, Endpoint.TRANSCRIPTIONS}, "MISTRAL_API_KEY",
        _NO_STREAM_OPTIONS,
        {"max_completion_tokens": "max_tokens", "seed": "random_seed"},
    ),
    "moonshot": Preset("https://api.moonshot.ai/v1", _CHAT, "MOONSHOT_API_KEY"),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1", _CLASSIC, "NVIDIA_API_KEY"),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1", _CLASSIC | {Endpoint.RESPONSES}, "OPENROUTER_API_KEY"
    ),
    "perplexity": Preset("https://api.perplexity.ai", _CHAT, "PERPLEXITY_API_KEY"),
    "sambanova": Preset("https://api.sambanova.ai/v1", _EMBEDS | _HEARS, "SAMBANOVA_API_KEY"),
    "together": Preset(
        "https://api.together.xyz/v1", _CLASSIC | _DRAWS | _SPEAKS | _HEARS | _RANKS, "TOGETHER_API_KEY"
    ),
    "vllm": Preset("http://127.0.0.1:8000/v1", _LOCAL | _HEARS | _RANKS),
    "xai": Preset("https://api.x.ai/v1", _RESPONDS | _DRAWS, "XAI_API_KEY"),
}  # fmt: skip
