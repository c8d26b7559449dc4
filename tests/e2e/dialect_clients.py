"""Four unmodified clients as one: each asks the same things, in its own words."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import anthropic
import openai
from google import genai
from google.genai import errors, types

QUESTION = "What is the weather in Oslo?"
RESULT = "snow, -3 degrees"
TOOL = "weather"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Heard(NamedTuple):
    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Called(NamedTuple):
    """A tool that the model wants called. `said` is what of its answer comes back with the result."""

    name: str
    arguments: Any
    said: Any


class Failure(NamedTuple):
    """How the SDK puts it. `status`: None where an error came in the midst of a stream that has none; `heard`: the text
    that had come by then."""

    status: int | None
    message: str
    heard: str


class DialectClient(ABC):
    """`listen` yields pieces of text and, at last, what was heard in all."""

    errors: tuple[type[Exception], ...]

    @abstractmethod
    def ask(self, model: str) -> Heard: ...

    @abstractmethod
    def listen(self, model: str) -> Iterator[str | Heard]: ...

    @abstractmethod
    def call(self, model: str, *, stream: bool) -> Called: ...

    @abstractmethod
    def answer(self, model: str, called: Called) -> str:
        """What the model says to the tool's result."""

    def heard(self, model: str, *, stream: bool) -> Heard:
        if not stream:
            return self.ask(model)
        last = list(self.listen(model))[-1]
        assert isinstance(last, Heard)
        return last

    def failure(self, model: str, *, stream: bool) -> Failure:
        heard = ""
        try:
            if not stream:
                self.ask(model)
            else:
                for piece in self.listen(model):
                    heard += piece if isinstance(piece, str) else ""
        except self.errors as error:
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            return Failure(status if isinstance(status, int) else None, str(error), heard)
        raise AssertionError("nothing failed")


class ChatClient(DialectClient):
    errors = (openai.APIError,)

    def __init__(self, base_url: str, token: str) -> None:
        self._sdk = openai.OpenAI(base_url=f"{base_url}/v1", api_key=token, max_retries=0)
        self._tools: Any = [{"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}]

    def ask(self, model: str) -> Heard:
        reply = self._sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
        assert reply.usage is not None
        return Heard(reply.choices[0].message.content or "", reply.usage.prompt_tokens, reply.usage.completion_tokens)

    def listen(self, model: str) -> Iterator[str | Heard]:
        text, usage = "", None
        with self._sdk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": QUESTION}], stream=True,
            stream_options={"include_usage": True},
        ) as stream:  # fmt: skip
            for chunk in stream:
                usage = chunk.usage or usage
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    text += piece
                    yield piece
        yield Heard(text, usage and usage.prompt_tokens, usage and usage.completion_tokens)

    def call(self, model: str, *, stream: bool) -> Called:
        asked: Any = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "tools": self._tools}
        if stream:
            with self._sdk.chat.completions.stream(**asked) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = self._sdk.chat.completions.create(**asked).choices[0].message
        assert message.tool_calls is not None
        function = message.tool_calls[0].function
        return Called(function.name, json.loads(function.arguments), message.model_dump(exclude_none=True))

    def answer(self, model: str, called: Called) -> str:
        call_id = called.said["tool_calls"][0]["id"]
        said = {name: called.said[name] for name in ("role", "content", "tool_calls") if name in called.said}
        for call in said["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        messages: Any = [
            {"role": "user", "content": QUESTION}, said, {"role": "tool", "tool_call_id": call_id, "content": RESULT},
        ]  # fmt: skip
        reply = self._sdk.chat.completions.create(model=model, messages=messages, tools=self._tools)
        return reply.choices[0].message.content or ""


class ResponsesClient(DialectClient):
    errors = (openai.APIError,)

    def __init__(self, base_url: str, token: str) -> None:
        self._sdk = openai.OpenAI(base_url=f"{base_url}/v1", api_key=token, max_retries=0)
        self._tools: Any = [{"type": "function", "name": TOOL, "parameters": SCHEMA, "strict": False}]

    def ask(self, model: str) -> Heard:
        return _of_response(self._sdk.responses.create(model=model, input=QUESTION))

    def listen(self, model: str) -> Iterator[str | Heard]:
        last: Any = None
        with self._sdk.responses.create(model=model, input=QUESTION, stream=True) as stream:
            for event in stream:
                last = event
                if event.type == "response.output_text.delta":
                    yield event.delta
        assert last.type == "response.completed"
        yield _of_response(last.response)

    def call(self, model: str, *, stream: bool) -> Called:
        asked: Any = {"model": model, "input": QUESTION, "tools": self._tools}
        if stream:
            with self._sdk.responses.stream(**asked) as events:
                response: Any = events.get_final_response()
        else:
            response = self._sdk.responses.create(**asked)
        [call] = [item for item in response.output if item.type == "function_call"]
        said = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        return Called(call.name, json.loads(call.arguments), said)

    def answer(self, model: str, called: Called) -> str:
        call_id = next(item["call_id"] for item in called.said if item["type"] == "function_call")
        given: Any = [
            {"role": "user", "content": QUESTION}, *called.said,
            {"type": "function_call_output", "call_id": call_id, "output": RESULT},
        ]  # fmt: skip
        return self._sdk.responses.create(model=model, input=given, tools=self._tools).output_text


def _of_response(response: Any) -> Heard:
    return Heard(response.output_text, response.usage.input_tokens, response.usage.output_tokens)


class MessagesClient(DialectClient):
    errors = (anthropic.APIError,)

    def __init__(self, base_url: str, token: str) -> None:
        self._sdk = anthropic.Anthropic(base_url=base_url, api_key=token, max_retries=0)
        self._tools: Any = [{"name": TOOL, "input_schema": SCHEMA}]

    def _asked(self, model: str, *more: Any, **fields: Any) -> Any:
        return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}, *more], **fields}

    def ask(self, model: str) -> Heard:
        return _of_message(self._sdk.messages.create(**self._asked(model)))

    def listen(self, model: str) -> Iterator[str | Heard]:
        with self._sdk.messages.stream(**self._asked(model)) as stream:
            yield from stream.text_stream
            yield _of_message(stream.get_final_message())

    def call(self, model: str, *, stream: bool) -> Called:
        asked = self._asked(model, tools=self._tools)
        if stream:
            with self._sdk.messages.stream(**asked) as events:
                message: Any = events.get_final_message()
        else:
            message = self._sdk.messages.create(**asked)
        assert message.stop_reason == "tool_use"
        [call] = [block for block in message.content if block.type == "tool_use"]
        said = [block.model_dump(include={"type", "id", "name", "input", "text"}) for block in message.content]
        return Called(call.name, call.input, said)

    def answer(self, model: str, called: Called) -> str:
        call_id = next(block["id"] for block in called.said if block["type"] == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call_id, "content": RESULT}
        more = ({"role": "assistant", "content": called.said}, {"role": "user", "content": [result]})
        return _of_message(self._sdk.messages.create(**self._asked(model, *more, tools=self._tools))).text


def _of_message(message: Any) -> Heard:
    text = "".join(block.text for block in message.content if block.type == "text")
    return Heard(text, message.usage.input_tokens, message.usage.output_tokens)


class GenerateClient(DialectClient):
    errors = (errors.APIError,)

    def __init__(self, base_url: str, token: str) -> None:
        self._sdk = genai.Client(api_key=token, http_options=types.HttpOptions(base_url=base_url))
        function = types.FunctionDeclaration(name=TOOL, parameters_json_schema=SCHEMA)
        self._config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[function])])

    def ask(self, model: str) -> Heard:
        return _of_generated(self._sdk.models.generate_content(model=model, contents=QUESTION))

    def listen(self, model: str) -> Iterator[str | Heard]:
        text, last = "", None
        with closing(self._sdk.models.generate_content_stream(model=model, contents=QUESTION)) as stream:  # type: ignore[type-var]
            for last in stream:
                if last.text:
                    text += last.text
                    yield last.text
        assert last is not None
        yield _of_generated(last)._replace(text=text)

    def call(self, model: str, *, stream: bool) -> Called:
        asked: Any = {"model": model, "contents": QUESTION, "config": self._config}
        if stream:
            replies = list(self._sdk.models.generate_content_stream(**asked))
        else:
            replies = [self._sdk.models.generate_content(**asked)]
        contents: Any = [reply.candidates[0].content for reply in replies if reply.candidates]
        parts = [part for content in contents if content is not None for part in content.parts or ()]
        [call] = [part.function_call for part in parts if part.function_call]
        return Called(call.name, dict(call.args), types.Content(role="model", parts=parts))

    def answer(self, model: str, called: Called) -> str:
        [call] = [part.function_call for part in called.said.parts if part.function_call]
        response = types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULT})
        told = types.Content(role="user", parts=[types.Part(function_response=response)])
        asked = types.Content(role="user", parts=[types.Part(text=QUESTION)])
        reply = self._sdk.models.generate_content(model=model, contents=[asked, called.said, told], config=self._config)
        return reply.text or ""


def _of_generated(reply: types.GenerateContentResponse) -> Heard:
    usage = reply.usage_metadata
    assert usage is not None
    return Heard(reply.text or "", usage.prompt_token_count, usage.candidates_token_count)


CLIENTS: Mapping[str, Callable[[str, str], DialectClient]] = {
    "chat": ChatClient, "responses": ResponsesClient, "messages": MessagesClient, "generate": GenerateClient,
}  # fmt: skip
