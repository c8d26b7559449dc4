"""Both halves of Ollama's dialect agree: what it answers can be said to it again."""

from gateway.dialects import ollama
from gateway.dialects.base import ProviderDialect
from gateway.dialects.neutral import ChatRequest, Message, Role, Text, ToolResult, ToolUse

DIALECT: ProviderDialect = ollama


def test_an_answer_with_a_tool_call_goes_back_as_it_came() -> None:
    message = {
        "role": "assistant",
        "content": "Let me look.",
        "thinking": "They want the weather.",
        "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
    }
    reply = DIALECT.read_reply({"model": "m", "message": message, "done": True, "done_reason": "stop"})
    [call] = [part for part in reply.choices[0].parts if isinstance(part, ToolUse)]
    messages = [
        Message(Role.USER, [Text("Weather?")]),
        Message(Role.ASSISTANT, reply.choices[0].parts),
        Message(Role.TOOL, [ToolResult(call.id, None, [Text("rain")])]),
    ]
    body = DIALECT.write_request(ChatRequest("x", messages), "m")
    assert body["messages"][1] == message
    assert body["messages"][2] == {
        "role": "tool", "content": "rain", "tool_call_id": "call_1", "tool_name": "weather",
    }  # fmt: skip


def test_every_rule_of_what_is_dropped_has_a_reason() -> None:
    assert all(name.strip() and len(reason) > 10 for name, reason in DIALECT.DROPPED.items())
