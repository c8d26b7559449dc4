"""The dialect as a whole: it fits the seam, what it drops is told, and a conversation survives a change of provider."""

from dataclasses import fields

from gateway.dialects import gemini, messages
from gateway.dialects.base import ClientDialect, ProviderDialect
from gateway.dialects.neutral import ChatReply, ChatRequest, Choice, Reasoning, StopReason, Text, ToolUse
from gateway.exchange import Json

ASKED = ChatRequest("m", ())


def test_the_module_is_both_sides_of_the_seam() -> None:
    client: ClientDialect = gemini
    provider: ProviderDialect = gemini
    assert client.writer is gemini.writer
    assert provider.reader is gemini.reader


def test_every_reason_is_a_sentence_and_every_dropped_field_exists() -> None:
    for told in (gemini.IGNORED, gemini.REFUSED, gemini.DROPPED):
        assert all(len(why) > 10 for why in told.values())
    names = {field.name for field in fields(ChatRequest)} | {"media", "reasoning"}
    assert {name.partition(".")[0].removesuffix("[]") for name in gemini.DROPPED} <= names


def test_geminis_signature_goes_through_an_anthropic_client_and_back() -> None:
    call = {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    reply = gemini.read_reply({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]})
    content = messages.write_reply(reply, ASKED)["content"]
    asked: Json = {"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
    ]}  # fmt: skip
    request = messages.read_request(asked)
    assert gemini.write_request(request, "gemini-3-pro")["contents"][1]["parts"] == [call]
    assert [block["type"] for block in messages.write_request(request, "claude-opus-5")["messages"][1]["content"]] == [
        "tool_use"
    ], "Anthropic never sees it"


def test_anthropics_signature_goes_through_a_gemini_client_and_back() -> None:
    parts = (Reasoning("Hm", "anthropic:s"), Text("So:"), ToolUse("a", "f", "{}"))
    reply = ChatReply("r", "m", (Choice(parts, StopReason.TOOL_USE),), None)
    content = gemini.write_reply(reply, ASKED)["candidates"][0]["content"]
    response = {"functionResponse": {"id": "a", "name": "f", "response": {"output": "1"}}}
    asked: Json = {"model": "m", "contents": [{"parts": [{"text": "Hi"}]}, content, {"parts": [response]}]}
    request = gemini.read_request(asked)
    assert messages.write_request(request, "claude-opus-5")["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "text", "text": "So:"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]
    assert "thoughtSignature" not in str(gemini.write_request(request, "gemini-2.5-pro"))
