"""The coverage matrix: every text a model would read is judged, whatever the endpoint and the shape it comes in."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.base import Author, Turn
from gateway.exchange import Endpoint
from gateway.text import turns

SYSTEM, USER, ASSISTANT, TOOL = Author.SYSTEM, Author.USER, Author.ASSISTANT, Author.TOOL
TEXT = {"type": "text", "text": "t"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}


def messages(*given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(given), **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


MATRIX: list[tuple[str, Endpoint, dict[str, Any], list[tuple[Author, str]]]] = [
    ("a string", Endpoint.CHAT, messages(user("t")), [(USER, "t")]),
    ("parts", Endpoint.CHAT, messages(user([TEXT, IMAGE, TEXT])), [(USER, "t"), (USER, "t")]),
    ("roles", Endpoint.CHAT,
     messages(*({"role": role, "content": role} for role in ("system", "developer", "user", "assistant", "tool",
                                                             "function", "model"))),
     [(SYSTEM, "system"), (SYSTEM, "developer"), (USER, "user"), (ASSISTANT, "assistant"), (TOOL, "tool"),
      (TOOL, "function"), (ASSISTANT, "model")]),
    ("an unknown role", Endpoint.CHAT, messages({"role": "System", "content": "t"}), [(USER, "t")]),
    ("a role that is no text", Endpoint.CHAT, messages({"role": 5, "content": "t"}), [(USER, "t")]),
    ("a tool's parts", Endpoint.CHAT, messages({"role": "tool", "content": [TEXT]}), [(TOOL, "t")]),
    ("nothing", Endpoint.CHAT, messages({"role": "assistant", "content": None, "tool_calls": []}), []),
    ("system as text", Endpoint.MESSAGES, messages(user("t"), system="s"), [(SYSTEM, "s"), (USER, "t")]),
    ("system in parts", Endpoint.MESSAGES, messages(user([TEXT]), system=[{"type": "text", "text": "s"}]),
     [(SYSTEM, "s"), (USER, "t")]),
    ("a tool's result", Endpoint.MESSAGES, messages(user([{"type": "tool_result", "content": "r"}, TEXT])),
     [(TOOL, "r"), (USER, "t")]),
    ("a tool's result in parts", Endpoint.MESSAGES,
     messages(user([{"type": "tool_result", "content": [{"type": "text", "text": "r"}, IMAGE]}])), [(TOOL, "r")]),
    ("a result in a result", Endpoint.MESSAGES,
     messages(user([{"type": "tool_result", "content": [{"type": "x", "content": [TEXT]}]}])), [(TOOL, "t")]),
    ("a document as text", Endpoint.MESSAGES,
     messages(user([{"type": "document", "source": {"type": "text", "data": "d"}}, TEXT])), [(TOOL, "d"), (USER, "t")]),
    ("a document in parts", Endpoint.MESSAGES,
     messages(user([{"type": "document", "source": {"type": "content", "content": [TEXT]}}])), [(TOOL, "t")]),
    ("a document in a result", Endpoint.MESSAGES,
     messages(user([{"type": "tool_result", "content": [{"type": "document", "source": {"type": "text",
                                                                                        "data": "d"}}]}])),
     [(TOOL, "d")]),
    ("a document's heading, and what is said about it", Endpoint.MESSAGES,
     messages(user([{"type": "document", "title": "h", "context": "c", "source": {"type": "text", "data": "d"}}])),
     [(TOOL, "h"), (TOOL, "c"), (TOOL, "d")]),
    ("what is called a refusal", Endpoint.CHAT, messages(user([{"type": "refusal", "refusal": "t"}])), [(USER, "t")]),
    ("a search result", Endpoint.MESSAGES,
     messages(user([{"type": "search_result", "source": "https://x", "content": [TEXT]}])), [(TOOL, "t")]),
    ("a file of bytes", Endpoint.MESSAGES,
     messages(user([{"type": "document", "source": {"type": "base64", "data": "AAAA"}}])), []),
    ("a text alone", Endpoint.GENERATE, {"contents": "t"}, [(USER, "t")]),
    ("contents", Endpoint.GENERATE,
     {"contents": [{"role": "user", "parts": [{"text": "t"}, {"inlineData": {"mimeType": "image/png", "data": "x"}}]},
                   {"role": "model", "parts": [{"text": "a"}]}, {"parts": [{"text": "u"}]}],
      "systemInstruction": {"parts": [{"text": "s"}]}},
     [(SYSTEM, "s"), (USER, "t"), (ASSISTANT, "a"), (USER, "u")]),
    ("a system text", Endpoint.GENERATE, {"contents": [], "system_instruction": "s"}, [(SYSTEM, "s")]),
    ("what a function gave back", Endpoint.GENERATE,
     {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": ["r", {"b": "q"}]}}},
                                              {"function_response": {"response": {"c": "p"}}}]}]},
     [(TOOL, "r"), (TOOL, "q"), (TOOL, "p")]),
    ("a prompt", Endpoint.COMPLETIONS, {"prompt": "t"}, [(USER, "t")]),
    ("prompts", Endpoint.COMPLETIONS, {"prompt": ["a", "b"]}, [(USER, "a"), (USER, "b")]),
    ("a suffix", Endpoint.COMPLETIONS, {"prompt": "t", "suffix": "s"}, [(USER, "t"), (USER, "s")]),
    ("token ids", Endpoint.COMPLETIONS, {"prompt": [1, 2]}, []),
    ("arrays of token ids", Endpoint.COMPLETIONS, {"prompt": [[1], [2]]}, []),
    ("an input", Endpoint.EMBEDDINGS, {"input": "t"}, [(USER, "t")]),
    ("inputs", Endpoint.EMBEDDINGS, {"input": ["a", "b"]}, [(USER, "a"), (USER, "b")]),
    ("input token ids", Endpoint.EMBEDDINGS, {"input": [[1, 2], [3]]}, []),
    ("what to moderate", Endpoint.MODERATIONS, {"input": [TEXT, IMAGE]}, [(USER, "t")]),
    ("a text", Endpoint.RESPONSES, {"input": "t", "instructions": "s"}, [(SYSTEM, "s"), (USER, "t")]),
    ("items", Endpoint.RESPONSES,
     {"input": [{"role": "developer", "content": "d"}, {"type": "message", "role": "user", "content": [
         {"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "x"}]},
         {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]},
     [(SYSTEM, "d"), (USER, "t"), (ASSISTANT, "a")]),
    ("what a function said", Endpoint.RESPONSES,
     {"input": [{"type": "function_call_output", "output": "r"}, {"type": "x", "output": [{"type": "input_text",
                                                                                          "text": "p"}]}]},
     [(TOOL, "r"), (TOOL, "p")]),
    ("a message dressed as an output", Endpoint.RESPONSES,
     {"input": [{"role": "user", "content": "t", "output": ""}]}, [(USER, "t")]),
    ("a screenshot", Endpoint.RESPONSES, {"input": [{"type": "x", "output": {"type": "computer_screenshot"}}]}, []),
    ("a stored prompt", Endpoint.RESPONSES,
     {"prompt": {"id": "p", "variables": {"a": "v", "b": {"type": "input_text", "text": "w"}}}},
     [(USER, "v"), (USER, "w")]),
    ("what to draw", Endpoint.IMAGES, {"prompt": "t"}, [(USER, "t")]),
    ("what to change", Endpoint.IMAGE_EDITS, {"prompt": "t", "images": [{"image_url": "x"}]}, [(USER, "t")]),
    ("an image to vary", Endpoint.IMAGE_VARIATIONS, {"n": 2}, []),
    ("what to say, and how", Endpoint.SPEECH, {"input": "t", "instructions": "s", "voice": "v"},
     [(SYSTEM, "s"), (USER, "t")]),
    ("what a transcript is about", Endpoint.TRANSCRIPTIONS, {"prompt": "t"}, [(USER, "t")]),
    ("what a translation is about", Endpoint.TRANSLATIONS, {"prompt": "t"}, [(USER, "t")]),
    ("texts to rank", Endpoint.RERANK, {"query": "t", "documents": ["a", "b"]},
     [(USER, "t"), (TOOL, "a"), (TOOL, "b")]),
    ("objects to rank", Endpoint.RERANK,
     {"query": "t", "documents": [{"title": "a", "text": {"x": "b"}}, {"image": "data:"}, {"image": "c"}, 5]},
     [(USER, "t"), (TOOL, "a"), (TOOL, "b"), (TOOL, "c")]),
    ("what to count", Endpoint.COUNT_TOKENS, messages(user("t"), system="s"), [(SYSTEM, "s"), (USER, "t")]),
    ("models", Endpoint.MODELS, {"input": "t"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "body", "found"), [case[1:] for case in MATRIX], ids=[f"{case[1]}: {case[0]}" for case in MATRIX]
)
def test_every_text_is_found_with_its_author(
    endpoint: Endpoint, body: dict[str, Any], found: list[tuple[Author, str]]
) -> None:
    assert turns(endpoint, body) == [Turn(author, text) for author, text in found]


def test_every_endpoint_is_in_the_matrix() -> None:
    assert {case[1] for case in MATRIX} == set(Endpoint)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("type", "text", "content", "role", "source", "output", "data", "parts")), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(list(Endpoint)), st.dictionaries(
    st.sampled_from(("messages", "system", "input", "instructions", "prompt", "suffix", "query", "documents")),
    ANYTHING, max_size=4,
))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_no_shape_breaks_the_extractor(endpoint: Endpoint, body: dict[str, Any]) -> None:
    assert all(turn.text for turn in turns(endpoint, body))
