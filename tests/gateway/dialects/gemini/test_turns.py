"""Messages become Gemini's contents."""

from typing import Any

import pytest

from gateway.dialects.gemini.turns import UNSIGNED, all_from_the_system, write_contents, write_system
from gateway.dialects.neutral import (
    Decline,
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolResult,
    ToolUse,
)
from gateway.errors import InvalidRequest

CALL = ToolUse("call_1", "weather", '{"city": "Oslo"}')
RESULT = ToolResult("call_1", "weather", (Text("12"),))
IMAGE = Media(MediaKind.IMAGE, "image/png", "AA==")
WRITTEN_CALL = {"name": "weather", "args": {"city": "Oslo"}}


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def assistant(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def parts(message: Message, *, signed: bool = False) -> Any:
    (content,) = write_contents([message], signed=signed)
    return content["parts"]


def test_neighbours_of_one_role_are_one_content_and_responses_one_of_their_own() -> None:
    messages = [
        Message(Role.SYSTEM, (Text("Be brief."),)), user(Text("Hi")), user(Text("there")), assistant(Text("Yes?")),
        assistant(CALL, CALL), Message(Role.TOOL, (RESULT,)), Message(Role.TOOL, (RESULT,)), user(Text("So?")),
        assistant(Text("")), Message(Role.DEVELOPER, (Text("And kind."),)),
    ]  # fmt: skip
    contents = write_contents(messages, signed=False)
    assert [(content["role"], [*map(next, map(iter, content["parts"]))]) for content in contents] == [
        ("user", ["text", "text"]),
        ("model", ["text", "functionCall", "functionCall"]),
        ("user", ["functionResponse", "functionResponse"]),
        ("user", ["text"]),
    ]
    assert write_system(messages) == [{"text": "Be brief."}, {"text": "And kind."}]


def test_early_models_take_no_ids_and_media_beside_the_response() -> None:
    result = Message(Role.TOOL, (RESULT._replace(parts=(Text("1"), IMAGE, Text("2"))),))
    image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    response = {"name": "weather", "response": {"output": "12"}}
    assert parts(result) == [{"functionResponse": response}, image]
    assert parts(result, signed=True) == [{"functionResponse": {**response, "id": "call_1", "parts": [image]}}]
    assert parts(assistant(CALL)) == [{"functionCall": WRITTEN_CALL}]


def test_a_result_without_a_name_has_its_calls() -> None:
    _, response = write_contents([assistant(CALL), Message(Role.TOOL, (RESULT._replace(name=None),))], signed=False)
    assert response["parts"][0]["functionResponse"]["name"] == "weather"


def test_an_error_is_one_and_a_nameless_result_has_its_id() -> None:
    (part,) = parts(Message(Role.TOOL, (ToolResult("c", None, (Text("no"),), is_error=True),)))
    assert part == {"functionResponse": {"name": "c", "response": {"error": "no"}}}


def test_a_signature_goes_back_on_the_part_after_it() -> None:
    thought = Reasoning("Hm", "gemini:s")
    assert parts(assistant(thought, Text("Hi"), Text("there"))) == [
        {"text": "Hi", "thoughtSignature": "s"},
        {"text": "there"},
    ]
    assert parts(assistant(thought, CALL)) == [{"functionCall": WRITTEN_CALL, "thoughtSignature": "s"}]
    assert parts(assistant(Text("Hi"), thought)) == [{"text": "Hi"}, {"text": "", "thoughtSignature": "s"}]
    assert parts(assistant(CALL._replace(signature="gemini:s"))) == [
        {"functionCall": WRITTEN_CALL, "thoughtSignature": "s"}
    ]
    assert parts(assistant(CALL._replace(signature="s")))[0]["thoughtSignature"] == "s", "a bare one is Gemini's"


def test_anothers_thoughts_stay_here_and_their_call_is_marked_where_that_is_needed() -> None:
    message = assistant(Reasoning("Hm", "anthropic:s"), Reasoning("", redacted="anthropic:r"), CALL, CALL)
    call = {"functionCall": WRITTEN_CALL}
    known = {"functionCall": {"id": "call_1", **WRITTEN_CALL}}
    assert parts(message) == [call, call]
    assert parts(message, signed=True) == [{**known, "thoughtSignature": UNSIGNED}, known]


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Media(MediaKind.IMAGE, url="https://a.b/c.png?x=1"),
         {"fileData": {"fileUri": "https://a.b/c.png?x=1", "mimeType": "image/png"}}),
        (Media(MediaKind.FILE, url="https://a.b/c"), {"fileData": {"fileUri": "https://a.b/c"}}),
        (Media(MediaKind.FILE, file_id="files/x", mime="video/mp4"),
         {"fileData": {"fileUri": "files/x", "mimeType": "video/mp4"}}),
        (Media(MediaKind.FILE, "application/pdf", "AA==", name="a.pdf"),
         {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}}),
        (Decline("No."), {"text": "No."}),
    ],
)  # fmt: skip
def test_media_and_refusals_have_parts(part: Part, written: Any) -> None:
    assert parts(user(part)) == [written]


@pytest.mark.parametrize("arguments", ["[1]", "{", "12"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        write_contents([user(Text("a")), assistant(CALL._replace(arguments=arguments))], signed=False)
    assert refusal.value.param == "messages[1]"


def test_a_call_of_system_messages_alone_is_asked_by_the_user() -> None:
    assert all_from_the_system([Message(Role.SYSTEM, (Text("Joke."),))]) == [
        {"role": "user", "parts": [{"text": "Joke."}]}
    ]
    with pytest.raises(InvalidRequest):
        all_from_the_system([user(Text(""))])
