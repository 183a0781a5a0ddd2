"""What a Responses request asks for, checked: every field either counts, is told to have been left out, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from selftaught.serve.errors import invalid, unsupported

CODE = "code_interpreter"
_OTHER_TOOLS = "expected code_interpreter, or functions, which this server's models do not call"
_MODES = ("", "hint", "no-tools")
_DIALECTS = ("", "open-webui")
_MAX_TOOLS = 512
_MAX_METADATA, _MAX_KEY, _MAX_VALUE = 16, 64, 512
_MEMORY = ("1g", "4g", "16g", "64g")
_CALLERS = ("direct", "programmatic")
_MOST = (1 << 31) - 1


@dataclass(slots=True)
class Ask:
    """One checked request. Sampling values are None where the client sent none."""

    model: str
    input: Any
    stream: bool = False
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool = True
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    parallel_tool_calls: bool = True
    reasoning: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    """As they are shown in the response."""
    tool_choice: Any = "auto"
    wants_code: bool = False
    """``code_interpreter`` is listed."""
    container_id: str | None = None
    """The container that it names."""
    mode: str | None = None
    """``hint``, ``no-tools`` or nothing, where the request and not the model's name decides."""
    dialect: str = ""
    events: bool = False
    ignored_tools: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Fields that were left out of account."""


def parse(body: Any, default_dialect: str = "") -> Ask:
    """The request. ApiError 400 names the field."""
    if not isinstance(body, Mapping):
        raise invalid("the body must be a JSON object.")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise invalid("model must be the name of a model.", "model")
    if body.get("input") is None:
        raise invalid("input must be a text or a list of items.", "input", "missing_required_parameter")
    if default_dialect not in _DIALECTS:
        raise invalid('the dialect must be "open-webui" or "".', "dialect")
    ask = Ask(model, body["input"], dialect=default_dialect)
    ask.stream = _flag(body, "stream", False)
    ask.store = _flag(body, "store", True)
    ask.parallel_tool_calls = _flag(body, "parallel_tool_calls", True)
    ask.instructions = _string(body, "instructions")
    ask.previous_response_id = _string(body, "previous_response_id")
    ask.temperature = _number(body, "temperature", 0.0, 2.0)
    ask.top_p = _number(body, "top_p", 0.0, 1.0)
    if ask.top_p == 0.0:
        raise invalid("top_p is 0; expected above 0, at most 1.", "top_p")
    ask.seed = _whole(body, "seed", -_MOST, _MOST)
    ask.max_output_tokens = _whole(body, "max_output_tokens", 1, _MOST)
    ask.max_tool_calls = _whole(body, "max_tool_calls", 0, _MOST)
    ask.metadata = _metadata(body.get("metadata"))
    _refuse_what_changes_the_answer(body)
    _text_format(body.get("text"))
    _reasoning(ask, body.get("reasoning"))
    _ours(ask, body.get("start"))
    _tools(ask, body.get("tools"))
    _tool_choice(ask, body.get("tool_choice"))
    return ask


def _refuse_what_changes_the_answer(body: Mapping[str, Any]) -> None:
    if body.get("background"):
        raise unsupported("background", "background responses are not offered; leave it out or send false.")
    if body.get("conversation") is not None:
        raise unsupported(
            "conversation", "conversations are not stored; use previous_response_id, or send the items in input."
        )
    if body.get("prompt") is not None:
        raise unsupported("prompt", "prompt templates are not stored here; send the text in input.")
    top_logprobs = _whole(body, "top_logprobs", 0, 20)
    if top_logprobs:
        raise unsupported("top_logprobs", "log probabilities are not offered; leave it out or send 0.")
    truncation = body.get("truncation")
    if truncation not in (None, "auto", "disabled"):
        raise invalid("truncation must be auto or disabled.", "truncation")
    include = body.get("include")
    if include is not None and not (isinstance(include, list) and all(isinstance(name, str) for name in include)):
        raise invalid("include must be a list of texts.", "include")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, Mapping):
        raise invalid("stream_options must be an object.", "stream_options")


def _text_format(text: Any) -> None:
    if text is None:
        return
    if not isinstance(text, Mapping):
        raise invalid("text must be an object.", "text")
    form = text.get("format")
    kind = form.get("type") if isinstance(form, Mapping) else form
    if kind not in (None, "text"):
        raise unsupported("text.format", "only text.format of type text is offered; no schema is enforced.")


def _reasoning(ask: Ask, reasoning: Any) -> None:
    if reasoning is None:
        return
    if not isinstance(reasoning, Mapping):
        raise invalid("reasoning must be an object.", "reasoning")
    ask.ignored += [
        f"reasoning.{name}" for name in ("effort", "summary", "generate_summary") if reasoning.get(name) is not None
    ]


def _ours(ask: Ask, start: Any) -> None:
    """Our own object: ``mode``, ``dialect``, ``events``."""
    if start is None:
        return
    if not isinstance(start, Mapping):
        raise invalid("start must be an object.", "start")
    mode, dialect = start.get("mode"), start.get("dialect")
    if mode is not None:
        if mode not in _MODES:
            raise invalid('start.mode must be "hint", "no-tools" or "".', "start.mode")
        ask.mode = str(mode)
    if dialect is not None:
        if dialect not in _DIALECTS:
            raise invalid('start.dialect must be "open-webui" or "".', "start.dialect")
        ask.dialect = str(dialect)
    ask.events = _flag(start, "events", False, "start.events")


# --------------------------------------------------------------------------------------------------------------- tools


def _tools(ask: Ask, tools: Any) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise invalid("tools must be a list.", "tools")
    if len(tools) > _MAX_TOOLS:
        raise invalid(f"tools has {len(tools)} entries; at most {_MAX_TOOLS} are taken.", "tools")
    others: list[tuple[int, str]] = []
    for at, tool in enumerate(tools):
        place = f"tools[{at}]"
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if not isinstance(tool, Mapping) or not isinstance(kind, str):
            raise invalid(f"{place} must be an object with a type.", place)
        if kind == CODE:
            ask.wants_code = True
            ask.tools.append(_code_tool(ask, tool, place))
        elif kind == "function":
            ask.tools.append(_function(ask, tool, place))
        else:
            others.append((at, kind))
    has_functions = any(tool["type"] == "function" for tool in ask.tools)
    if others and not has_functions:
        at, kind = others[0]
        raise unsupported(f"tools[{at}].type", f"tools[{at}].type is {kind[:60]!r}; {_OTHER_TOOLS}.")
    ask.ignored_tools += [kind[:60] for _, kind in others]


def _code_tool(ask: Ask, tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    """``code_interpreter`` as it is shown in the response."""
    container, where = tool.get("container"), f"{place}.container"
    callers = tool.get("allowed_callers")
    if callers is not None and not (isinstance(callers, list) and all(caller in _CALLERS for caller in callers)):
        raise invalid(
            f"{place}.allowed_callers must be a list of {' and '.join(_CALLERS)}.", f"{place}.allowed_callers"
        )
    if isinstance(container, str):
        ask.container_id = container
        return {"type": CODE, "container": container}
    if container is None:
        container = {"type": "auto"}
    if not isinstance(container, Mapping) or container.get("type") != "auto":
        raise invalid(f'{where} must be {{"type": "auto"}} or the id of a container.', where)
    ask.ignored += check_container(container, where)
    return {"type": CODE, "container": {"type": "auto"}}


def check_container(given: Mapping[str, Any], place: str) -> list[str]:
    """Refuse what a container here cannot have; return the fields that are left out of account."""
    network = given.get("network_policy")
    if network is not None and not (isinstance(network, Mapping) and network.get("type") == "disabled"):
        name = f"{place}.network_policy"
        raise unsupported(name, f'{name} must be {{"type": "disabled"}}: code has no network here.')
    memory = given.get("memory_limit")
    if memory is not None and memory not in _MEMORY:
        raise invalid(f"{place}.memory_limit must be one of {', '.join(_MEMORY)}.", f"{place}.memory_limit")
    for name in ("file_ids", "skills"):
        if given.get(name) is not None and not isinstance(given[name], list):
            raise invalid(f"{place}.{name} must be a list.", f"{place}.{name}")
    ignored = [f"{place}.{name}" for name in ("file_ids", "skills") if given.get(name)]
    return ignored + ([f"{place}.memory_limit"] if memory not in (None, "1g") else [])


def _function(ask: Ask, tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A function of the client's as it is shown in the response. It is never called."""
    inner = tool.get("function")
    given = inner if isinstance(inner, Mapping) else tool
    name, parameters, strict = given.get("name"), given.get("parameters"), given.get("strict")
    if not isinstance(name, str) or not name:
        raise invalid(f"{place}.name must be the name of a function.", f"{place}.name")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise invalid(f"{place}.parameters must be an object.", f"{place}.parameters")
    ask.ignored_tools.append(name[:60])
    return {
        "type": "function", "name": name, "parameters": None if parameters is None else dict(parameters),
        "strict": strict if isinstance(strict, bool) else None,
    }  # fmt: skip


def _tool_choice(ask: Ask, choice: Any) -> None:
    """Our switch where ``code_interpreter`` is listed or nothing is; a client's functions are never called."""
    if choice is None:
        return
    wanted, listed = choice, ask.wants_code
    if isinstance(choice, Mapping):
        kind = choice.get("type")
        if kind == "allowed_tools":
            wanted = choice.get("mode")
            allowed = choice.get("tools")
            if wanted not in ("auto", "required") or not isinstance(allowed, list):
                raise invalid("tool_choice of type allowed_tools needs mode (auto, required) and tools.", "tool_choice")
            listed = any(isinstance(tool, Mapping) and tool.get("type") == CODE for tool in allowed) and listed
            wanted = wanted if listed or wanted == "required" else "none"
        elif kind == CODE:
            wanted = "required"
            if not listed:
                raise invalid("tool_choice names code_interpreter, which tools does not list.", "tool_choice")
        elif isinstance(kind, str):
            raise unsupported(
                "tool_choice",
                f"tool_choice of type {kind[:60]!r} cannot be honoured: this server's models call Python alone.",
            )
        else:
            raise invalid("tool_choice must be none, auto, required or an object with a type.", "tool_choice")
    elif choice not in ("none", "auto", "required"):
        raise invalid("tool_choice must be none, auto, required or an object with a type.", "tool_choice")
    if wanted == "required" and not listed and ask.tools:
        raise unsupported(
            "tool_choice",
            "tool_choice is required, and the functions in tools cannot be called: list code_interpreter.",
        )
    ask.tool_choice = choice if not isinstance(choice, Mapping) or _is_plain(choice) else wanted
    if ask.mode is None and (listed or not ask.tools or isinstance(choice, Mapping)):
        ask.mode = {"none": "no-tools", "required": "hint"}.get(str(wanted))


def _is_plain(choice: Mapping[str, Any]) -> bool:
    return choice.get("type") == CODE


# -------------------------------------------------------------------------------------------------------------- fields


def _flag(body: Mapping[str, Any], name: str, default: bool, place: str = "") -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(f"{place or name} must be true or false.", place or name)
    return value


def _string(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a text.", name)
    return value


def _number(body: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise invalid(f"{name} must be a number from {least:g} to {most:g}.", name)
    return float(value)


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(f"{name} must be a whole number from {least} to {most}.", name)
    return value


def _metadata(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or len(given) > _MAX_METADATA:
        raise invalid(f"metadata must be an object with at most {_MAX_METADATA} keys.", "metadata")
    for key, value in given.items():
        if not isinstance(value, str) or len(value) > _MAX_VALUE or len(key) > _MAX_KEY:
            raise invalid(
                f"metadata must hold texts of at most {_MAX_VALUE} characters, with keys of at most {_MAX_KEY}.",
                "metadata",
            )
    return dict(given)
