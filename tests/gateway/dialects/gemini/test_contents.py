"""Gemini's contents become messages; calls get ids, signatures keep their place."""

from typing import Any

import pytest

from gateway.dialects.fields import asked
from gateway.dialects.gemini.contents import read_contents, read_system
from gateway.dialects.neutral import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolResult, ToolUse
from gateway.errors import InvalidRequest

FOREIGN = "YW50aHJvcGljOnM="  # anthropic:s


def read(*contents: Any) -> list[Message]:
    return read_contents(asked({"contents": list(contents)}))


def parts(*given: Any, role: str = "model") -> tuple[Part, ...]:
    (message,) = read({"role": role, "parts": list(given)})
    return tuple(message.parts)


def called(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {"x": 1}, **more}}


def answered(name: str, response: Any, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **more}}


def refused(*contents: Any) -> str | None:
    with pytest.raises(InvalidRequest) as refusal:
        read(*contents)
    return refusal.value.param


def test_text_and_roles() -> None:
    assert read({"parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Yes?"}]}) == [
        Message(Role.USER, (Text("Hi"),)),
        Message(Role.ASSISTANT, (Text("Yes?"),)),
    ]
    assert read_system(asked({"systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]}})) == [
        Message(Role.SYSTEM, (Text("Be brief."),))
    ]
    assert read_system(asked({})) == []


@pytest.mark.parametrize(
    ("part", "media"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "-_8="}}, Media(MediaKind.IMAGE, "image/png", "+/8=")),
        ({"inline_data": {"mime_type": "audio/wav", "data": "AA"}}, Media(MediaKind.AUDIO, "audio/wav", "AA==")),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}},
         Media(MediaKind.FILE, "application/pdf", "AA==", name="a.pdf")),
        ({"fileData": {"fileUri": "https://a.b/c.png", "mimeType": "image/png"}},
         Media(MediaKind.IMAGE, "image/png", url="https://a.b/c.png")),
        ({"fileData": {"file_uri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
         Media(MediaKind.FILE, file_id="https://generativelanguage.googleapis.com/v1beta/files/x")),
    ],
)  # fmt: skip
def test_media_are_told_apart_by_their_type(part: Any, media: Media) -> None:
    assert parts({**part, "mediaResolution": {}}, role="user") == (media,)


def test_calls_and_responses_without_ids_are_matched_by_name_in_order() -> None:
    messages = read(
        {"role": "model", "parts": [called("f"), called("g"), called("f")]},
        {"role": "function", "parts": [answered("g", {"result": 3}), answered("f", {"output": "one"}),
                                       answered("f", {"error": "no"})]},
        {"role": "model", "parts": [called("f")]},
        {"role": "user", "parts": [answered("f", {"a": 1, "b": 2}), {"text": "So?"}]},
    )  # fmt: skip
    assert messages == [
        Message(Role.ASSISTANT, (
            ToolUse("call_0", "f", '{"x":1}'), ToolUse("call_1", "g", '{"x":1}'), ToolUse("call_2", "f", '{"x":1}'),
        )),
        Message(Role.TOOL, (ToolResult("call_1", "g", (Text("3"),)),)),
        Message(Role.TOOL, (ToolResult("call_0", "f", (Text("one"),)),)),
        Message(Role.TOOL, (ToolResult("call_2", "f", (Text("no"),), is_error=True),)),
        Message(Role.ASSISTANT, (ToolUse("call_3", "f", '{"x":1}'),)),
        Message(Role.TOOL, (ToolResult("call_3", "f", (Text('{"a":1,"b":2}'),)),)),
        Message(Role.USER, (Text("So?"),)),
    ]  # fmt: skip


def test_ids_that_are_given_are_kept() -> None:
    messages = read(
        {"role": "model", "parts": [called("f", id="a"), called("f", id="b")]},
        {"parts": [answered("f", {}, id="b", parts=[{"inlineData": {"mimeType": "image/png", "data": "AA=="}}])]},
    )
    (result,) = messages[1].parts
    assert result == ToolResult("b", "f", (Text("{}"), Media(MediaKind.IMAGE, "image/png", "AA==")))


def test_geminis_signature_stays_with_its_call_and_before_other_parts() -> None:
    assert parts({"text": "Hm", "thought": True}, {**called("f"), "thoughtSignature": "c2ln"}) == (
        Reasoning("Hm"), ToolUse("call_0", "f", '{"x":1}', "gemini:c2ln"),
    )  # fmt: skip
    assert parts({"text": "Hi", "thought_signature": "c2ln"}) == (Reasoning("", "gemini:c2ln"), Text("Hi"))
    assert parts({"text": "", "thoughtSignature": "c2ln"}) == (Reasoning("", "gemini:c2ln"),)
    assert parts({"thoughtSignature": "c2ln"}) == (Reasoning("", "gemini:c2ln"),)


def test_anothers_signature_ends_the_thought_that_streamed_in_pieces() -> None:
    thought = [{"text": "H", "thought": True}, {"text": "m", "thought": True}]
    assert parts(*thought, {**called("f"), "thoughtSignature": FOREIGN}) == (
        Reasoning("Hm", "anthropic:s"), ToolUse("call_0", "f", '{"x":1}'),
    )  # fmt: skip
    assert parts(*thought, {"text": "Hi", "thoughtSignature": FOREIGN}, *thought) == (
        Reasoning("Hm", "anthropic:s"), Text("Hi"), Reasoning("Hm"),
    )  # fmt: skip


def test_a_turn_that_streamed_in_pieces_is_one_message() -> None:
    pieces = [{"text": "H", "thought": True}, {"text": "m", "thought": True},
              {"text": "Hel", "thoughtSignature": FOREIGN}, {"text": "lo"}, {"text": ""}]  # fmt: skip
    messages = read(*({"role": "model", "parts": [piece]} for piece in pieces), {"parts": [{"text": "So?"}]})
    assert messages == [
        Message(Role.ASSISTANT, (Reasoning("Hm", "anthropic:s"), Text("Hel"), Text("lo"))),
        Message(Role.USER, (Text("So?"),)),
    ]


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ({"parts": [{"executableCode": {}}]}, "contents[0].parts[0].executableCode"),
        ({"parts": [{"text": "a", "videoMetadata": {}}]}, "contents[0].parts[0].videoMetadata"),
        ({"parts": [{}]}, "contents[0].parts[0]"),
        ({"parts": [{"text": "a", "inlineData": {}}]}, "contents[0].parts[0]"),
        ({"parts": [called("f")]}, "contents[0].parts[0].functionCall"),
        ({"role": "model", "parts": [answered("f", {})]}, "contents[0].parts[0].functionResponse"),
        ({"parts": [answered("f", {})]}, "contents[0].parts[0].functionResponse.name"),
        ({"parts": [answered("f", {}, id="a", willContinue=True)]},
         "contents[0].parts[0].functionResponse.willContinue"),
        ({"parts": [{"inlineData": {"mimeType": "image/png", "data": "", "surprise": 1}}]},
         "contents[0].parts[0].inlineData.surprise"),
        ({"role": "system", "parts": []}, "contents[0].role"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_by_name(content: Any, param: str) -> None:
    assert refused(content) == param


def test_there_must_be_something_to_answer() -> None:
    assert refused() == "contents"


def test_arguments_and_responses_too_deep_to_be_written_are_refused() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    assert refused({"role": "model", "parts": [called("f", args=deep)]}) == "contents[0].parts[0].functionCall.args"
    assert refused({"parts": [answered("f", deep, id="a")]}) == "contents[0].parts[0].functionResponse.response"
