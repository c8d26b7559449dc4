"""One extractor of the texts to judge, for every dialect: who wrote what, in order.

Only text is taken; images, audio and token-id arrays hold none. Anything of an unexpected shape is skipped here: the
upstream will refuse it in its own words.
"""

from collections.abc import Iterator
from typing import Any

from classifiers.base import Author, Turn
from gateway.exchange import Endpoint, Json

_AUTHORS = {
    "system": Author.SYSTEM, "developer": Author.SYSTEM, "user": Author.USER, "assistant": Author.ASSISTANT,
    "model": Author.ASSISTANT, "tool": Author.TOOL, "function": Author.TOOL,
}  # fmt: skip
_FROM_ELSEWHERE = ("tool_result", "document", "search_result")
"""Parts of a user's message that the user did not write."""


def turns(endpoint: Endpoint, body: Json) -> list[Turn]:
    """The turns of a call, oldest first."""
    match endpoint:
        case Endpoint.CHAT:
            return list(_messages(body.get("messages")))
        case Endpoint.MESSAGES:
            return [*_of(Author.SYSTEM, body.get("system")), *_messages(body.get("messages"))]
        case Endpoint.RESPONSES:
            return [
                *_of(Author.SYSTEM, body.get("instructions")),
                *_variables(body.get("prompt")),
                *_responses_input(body.get("input")),
            ]
        case Endpoint.COMPLETIONS:
            return [*_of(Author.USER, body.get("prompt")), *_of(Author.USER, body.get("suffix"))]
        case Endpoint.EMBEDDINGS | Endpoint.MODERATIONS:
            return list(_of(Author.USER, body.get("input")))
        case Endpoint.MODELS:
            return []


def _messages(messages: Any) -> Iterator[Turn]:
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            yield from _of(_author(message), message.get("content"))


def _responses_input(given: Any) -> Iterator[Turn]:
    if isinstance(given, str):
        yield Turn(Author.USER, given)
    for item in given if isinstance(given, list) else ():
        if not isinstance(item, dict):
            continue
        yield from _of(_author(item), item.get("content"))
        yield from _of(Author.TOOL, item.get("output"))  # function_call_output and its kin: what a tool said


def _variables(prompt: Any) -> Iterator[Turn]:
    """What is filled into a stored prompt."""
    variables = prompt.get("variables") if isinstance(prompt, dict) else None
    yield from _of(Author.USER, list(variables.values()) if isinstance(variables, dict) else None)


def _author(message: Json) -> Author:
    role = message.get("role", "user")
    return _AUTHORS.get(role, Author.USER) if isinstance(role, str) else Author.USER


def _of(author: Author, content: Any) -> Iterator[Turn]:
    """A string, a list of strings, or a list of parts with `text` (or a tool result's nested `content`, or a document,
    whose `source` is text)."""
    if isinstance(content, str):
        if content:
            yield Turn(author, content)
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield from _of(author, part)
            elif isinstance(part, dict):
                whose = Author.TOOL if part.get("type") in _FROM_ELSEWHERE else author
                source = part.get("source")
                yield from _of(whose, part.get("text"))
                yield from _of(whose, part.get("content"))
                if isinstance(source, dict) and source.get("type") in ("text", "content"):
                    yield from _of(whose, source.get("data"))
                    yield from _of(whose, source.get("content"))
