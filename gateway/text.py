"""One extractor of the texts to judge, for every dialect: who wrote what, in order.

Only text is taken; images, audio and token-id arrays hold none. Anything of an unexpected shape is skipped here: the
upstream will refuse it in its own words.
"""

from collections.abc import Callable
from typing import Any

from classifiers.base import Author, Turn
from gateway.exchange import Endpoint, Json

# By names of our own: in Python 3.11 `Author.USER` costs as much as a call.
_SYSTEM, _USER, _ASSISTANT, _TOOL = Author.SYSTEM, Author.USER, Author.ASSISTANT, Author.TOOL
_AUTHORS = {
    "system": _SYSTEM, "developer": _SYSTEM, "user": _USER, "assistant": _ASSISTANT, "model": _ASSISTANT,
    "tool": _TOOL, "function": _TOOL,
}  # fmt: skip
_FROM_ELSEWHERE = ("tool_result", "document", "search_result")
"""Parts of a user's message that the user did not write."""
_SAID_IN = ("title", "context", "text", "content", "refusal")
"""Fields of a part that a model reads: a document's heading and what is said about it among them."""
_IMAGES = ("image", "image_url")


def turns(endpoint: Endpoint, body: Json) -> list[Turn]:
    """The turns of a call, oldest first."""
    found: list[Turn] = []
    for name, take in _FIELDS[endpoint]:
        take(body.get(name), found)
    return found


def _messages(given: Any, found: list[Turn]) -> None:
    for message in given if isinstance(given, list) else ():
        if isinstance(message, dict):
            role = message.get("role", "user")
            author = _AUTHORS.get(role, _USER) if isinstance(role, str) else _USER
            content = message.get("content")
            if isinstance(content, str) and content:  # as nearly all are
                found.append(Turn(author, content))
            else:
                _take(author, content, found)


def _input_items(given: Any, found: list[Turn]) -> None:
    """A text, or messages and what tools said between them: function_call_output and its kin."""
    if isinstance(given, str):
        _take(_USER, given, found)
    for item in given if isinstance(given, list) else ():
        if isinstance(item, dict):
            _messages([item], found)
            _take(_TOOL, item.get("output"), found)


def _variables(prompt: Any, found: list[Turn]) -> None:
    """What is filled into a stored prompt."""
    variables = prompt.get("variables") if isinstance(prompt, dict) else None
    if isinstance(variables, dict):
        _take(_USER, list(variables.values()), found)


def _documents(given: Any, found: list[Turn]) -> None:
    """What is to be ranked was written elsewhere: texts, or objects of texts. An image's address holds none."""
    for document in given if isinstance(given, list) else ():
        if isinstance(document, dict):
            document = [value for name, value in document.items() if not _is_image(name, value)]
        _texts_in(document, found)


def _is_image(name: str, value: Any) -> bool:
    return name in _IMAGES and isinstance(value, str) and value.startswith(("data:", "http:", "https:"))


def _by_system(given: Any, found: list[Turn]) -> None:
    _take(_SYSTEM, given, found)


def _by_user(given: Any, found: list[Turn]) -> None:
    _take(_USER, given, found)


def _gemini_system(given: Any, found: list[Turn]) -> None:
    _gemini_parts(_SYSTEM, given, found)


def _gemini_contents(given: Any, found: list[Turn]) -> None:
    """A list of contents; SDKs also send one alone, or a bare text."""
    for content in given if isinstance(given, list) else [given]:
        role = content.get("role", "user") if isinstance(content, dict) else "user"
        _gemini_parts(_AUTHORS.get(role, _USER) if isinstance(role, str) else _USER, content, found)


def _gemini_parts(author: Author, content: Any, found: list[Turn]) -> None:
    """The texts of a content's parts; what a function gave back is a tool's word, every text in it."""
    if isinstance(content, str):
        _take(author, content, found)
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, dict):
            _take(author, part.get("text"), found)
            given = part.get("functionResponse") or part.get("function_response")
            _texts_in(given.get("response") if isinstance(given, dict) else None, found)
        else:
            _take(author, part, found)


def _texts_in(document: Any, found: list[Turn]) -> None:
    """Every text of a document, without recursion: the nesting is the client's to choose."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            _take(_TOOL, node, found)
        elif isinstance(node, dict):
            waiting += reversed(node.values())
        elif isinstance(node, list):
            waiting += reversed(node)


def _take(author: Author, content: Any, found: list[Turn]) -> None:
    """A string, a list of strings, or a list of parts with `text` (or a tool result's nested `content`, or a document,
    whose `source` is text). Nobody's words are judged less for being called a refusal."""
    if isinstance(content, str):
        if content:
            found.append(Turn(author, content))
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                _take(author, part, found)
            elif isinstance(part, dict):
                whose = _TOOL if part.get("type") in _FROM_ELSEWHERE else author
                source = part.get("source")
                for name in _SAID_IN:
                    if name in part:
                        _take(whose, part[name], found)
                if isinstance(source, dict) and source.get("type") in ("text", "content"):
                    _take(whose, source.get("data"), found)
                    _take(whose, source.get("content"), found)


_FIELDS: dict[Endpoint, tuple[tuple[str, Callable[[Any, list[Turn]], None]], ...]] = {
    Endpoint.CHAT: (("messages", _messages),),
    Endpoint.MESSAGES: (("system", _by_system), ("messages", _messages)),
    Endpoint.RESPONSES: (("instructions", _by_system), ("prompt", _variables), ("input", _input_items)),
    Endpoint.GENERATE: (
        ("systemInstruction", _gemini_system),
        ("system_instruction", _gemini_system),
        ("contents", _gemini_contents),
    ),
    Endpoint.COMPLETIONS: (("prompt", _by_user), ("suffix", _by_user)),
    Endpoint.EMBEDDINGS: (("input", _by_user),),
    Endpoint.MODERATIONS: (("input", _by_user),),
    Endpoint.IMAGES: (("prompt", _by_user),),
    Endpoint.IMAGE_EDITS: (("prompt", _by_user),),
    Endpoint.IMAGE_VARIATIONS: (),
    Endpoint.SPEECH: (("instructions", _by_system), ("input", _by_user)),
    Endpoint.TRANSCRIPTIONS: (("prompt", _by_user),),
    Endpoint.TRANSLATIONS: (("prompt", _by_user),),
    Endpoint.RERANK: (("query", _by_user), ("documents", _documents)),
    Endpoint.COUNT_TOKENS: (("system", _by_system), ("messages", _messages)),
    Endpoint.MODELS: (),
}
"""Where an endpoint's texts are, in the order in which a model reads them."""
