"""The form between dialects, written as a call of Bedrock's Converse.

What is Claude's own on Bedrock (thinking, `top_k`, one tool at a time) goes past Converse, in the fields that it hands
to the model; other makers' models get what Converse itself knows.
"""

import re
from collections.abc import Mapping

from gateway.dialects.arguments import as_json
from gateway.dialects.converse.claude import Settings, claude_settings, is_claude
from gateway.dialects.converse.turns import uses_tools, write_system, write_turns
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest
from gateway.exchange import Json

DROPPED: Mapping[str, str] = {
    "temperature": "above 1 it is written as 1, where Converse's scale ends; Claudes get all sampling as at Anthropic",
    "top_k": "only Claude's models take it on Bedrock",
    "frequency_penalty": "Converse has none",
    "presence_penalty": "Converse has none",
    "seed": "Converse has none; a seed is a best effort everywhere",
    "user": "Converse has no field for it",
    "metadata": "AWS logs 16 pairs of up to 256 plain ASCII characters; other pairs are left out",
    "messages[].name": "Converse's turns have roles, not names",
    "messages[].place": "what the system says in mid-conversation is said before it",
    "media.detail": "Converse has no levels of detail",
    "media.name": "a document's name keeps its letters, digits and spaces, and is numbered where it comes twice",
    "assistant.media": "Converse takes images from the user alone",
    "reasoning": "thoughts go back only to a Claude that thinks, with their signature",
    "output": "without a schema it becomes a sentence of the system: Converse has no free JSON mode",
    "output.strict": "Converse always holds the model to the schema",
    "thinking": "a budget is Claude's alone, other models get an effort; `none` is the default and is not said",
    "thinking.summary": "Converse shows what the model shows",
}
_JSON_ALONE = "Answer with one JSON object and nothing else: no code fence, no words around it."
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}
_LOGGED = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_LOGGED_MAX = 16


def write_request(request: ChatRequest, model: str) -> Json:
    _refuse_what_changes_the_answer(request, model)
    settings = claude_settings(request, model) if is_claude(model) else _settings(request)
    turns, system = write_turns(request.messages, think=settings.thinks), write_system(request.messages)
    if not turns:  # Converse wants a turn to answer: the system is asked in the user's name
        turns, system = [{"role": "user", "content": system}], []
    if not turns[0]["content"]:
        raise InvalidRequest("There is no message to answer.", param="messages")
    if request.output is not None and request.output.schema is None:
        system.append({"text": _JSON_ALONE})
    inference = settings.inference | ({"stopSequences": list(request.stop)} if request.stop else {})
    said: Json = {
        "system": system,
        "inferenceConfig": inference,
        "toolConfig": _tool_config(request),
        "outputConfig": _output_config(request.output, settings),
        "additionalModelRequestFields": settings.fields,
        "additionalModelResponseFieldPaths": ["/stop_sequence"] if request.stop and is_claude(model) else [],
        "requestMetadata": _logged(request.metadata),
    }
    return {"messages": turns} | {name: value for name, value in said.items() if value}


def _refuse_what_changes_the_answer(request: ChatRequest, model: str) -> None:
    if request.choices > 1:
        raise InvalidRequest("This model's provider gives one answer to a call.", param="choices")
    if request.logprobs:
        raise InvalidRequest("This model's provider gives no log probabilities.", param="logprobs")
    if request.parallel_tools is False and request.tools and not is_claude(model):
        raise InvalidRequest("This model's provider can't forbid parallel tool calls.", param="parallel_tools")


def _settings(request: ChatRequest) -> Settings:
    said = {
        "maxTokens": request.max_tokens,
        "temperature": None if request.temperature is None else min(request.temperature, 1),
        "topP": request.top_p,
    }
    inference = {name: value for name, value in said.items() if value is not None}
    return Settings(inference, {}, _effort(request.thinking), _schema(request.output), thinks=False)


def _effort(thinking: Thinking | None) -> str | None:
    return None if thinking is None else _EFFORTS.get(thinking.effort or "")


def _schema(output: Output | None) -> Json | None:
    return None if output is None else output.schema


def _output_config(output: Output | None, settings: Settings) -> Json:
    config: Json = {} if settings.effort is None else {"effort": settings.effort}
    if output is not None and settings.schema is not None:
        schema = as_json(settings.schema)
        if schema is None:
            raise InvalidRequest("The schema is nested too deeply.", param="output")
        named = {"schema": schema, "name": output.name or "answer", "description": output.description}
        structure = {"jsonSchema": {key: value for key, value in named.items() if value}}
        config["textFormat"] = {"type": "json_schema", "structure": structure}
    return config


def _tool_config(request: ChatRequest) -> Json:
    """Converse has no word for no tool, and wants the tools of a conversation in which some were called."""
    choice = request.tool_choice
    if not request.tools or (choice is not None and choice.mode is ToolMode.NONE):
        if uses_tools(request.messages):
            param = "tool_choice" if request.tools else "tools"
            raise InvalidRequest("This model's provider wants the tools that were called, to choose from.", param=param)
        return {}
    config: Json = {"tools": [{"toolSpec": _tool(tool)} for tool in request.tools]}
    return config if choice is None else {**config, "toolChoice": _tool_choice(choice)}


def _tool(tool: Tool) -> Json:
    schema = {"type": "object", **(tool.schema or {"properties": {}})}
    described: Json = {"description": tool.description} if tool.description else {}
    strict: Json = {} if tool.strict is None else {"strict": tool.strict}
    return {"name": tool.name, **described, "inputSchema": {"json": schema}, **strict}


def _tool_choice(choice: ToolChoice) -> Json:
    match choice.mode:
        case ToolMode.REQUIRED:
            return {"any": {}}
        case ToolMode.NAMED:
            return {"tool": {"name": choice.name}}
    return {"auto": {}}


def _logged(metadata: Mapping[str, str]) -> Json:
    fit = [
        (key, value) for key, value in metadata.items() if key and _LOGGED.fullmatch(key) and _LOGGED.fullmatch(value)
    ]
    return dict(fit[:_LOGGED_MAX])
