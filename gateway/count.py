"""Our own count of tokens, for when an upstream sends none: exact in OpenAI's current encoding, an estimate elsewhere.

Offline: the encoding ships with the `bpe-openai` wheel. Never called on the loop with more than a few KB.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

import orjson

MAX_CHARS = 400_000
"""Longer texts are counted to here and scaled: 400 kB take about 20 ms of one thread."""

_TEXT_KEYS = frozenset(
    ("content", "text", "delta", "arguments", "partial_json", "thinking", "reasoning_content", "reasoning", "refusal")
)
_DATA = re.compile(rb"^data: ?(.*?)\r?$", re.MULTILINE)


@cache
def _tokenizer() -> Any:
    """The Rust tokenizer alone. The Python package around it makes tables of its own when it is imported, which nobody
    here needs: 1.6 s of CPU and 130 MB in every process."""
    package = find_spec("bpe_openai")
    assert package is not None
    spec = PathFinder.find_spec("bpe_openai._bindings", package.submodule_search_locations)
    assert spec is not None
    assert spec.loader is not None
    bindings = module_from_spec(spec)
    spec.loader.exec_module(bindings)
    return bindings.tokenizer_for_encoding("o200k_base")


def count(text: str) -> int:
    """Tokens of `text` in o200k_base."""
    if not text:
        return 0
    head = text[:MAX_CHARS].encode("utf-8", "replace").decode()
    tokens: int = _tokenizer().count(head)
    return tokens if len(text) <= MAX_CHARS else tokens * len(text) // MAX_CHARS


def count_reply(relayed: bytes) -> int:
    """Output tokens in a reply as it was relayed: a JSON body, or the events of a stream."""
    return count("".join(reply_texts(relayed)))


def reply_texts(relayed: bytes) -> Iterator[str]:
    """Every piece of model output in `relayed`, whatever the dialect: they all use the same few names for it."""
    for document in [relayed] if relayed.lstrip().startswith((b"{", b"[")) else _DATA.findall(relayed):
        try:
            yield from _texts(orjson.loads(document))
        except orjson.JSONDecodeError:
            continue  # [DONE], or the event at which the stream was cut


def _texts(document: Any) -> Iterator[str]:
    """In order, and without recursion: the nesting is the upstream's to choose."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, node = waiting.pop()
        if isinstance(node, str):
            if key in _TEXT_KEYS:
                yield node
        elif isinstance(node, dict):
            if not str(node.get("type", "")).endswith(".done"):  # the Responses stream says everything twice
                waiting += reversed(node.items())
        elif isinstance(node, list):
            waiting += [(key, value) for value in reversed(node)]
