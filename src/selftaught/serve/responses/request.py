"""What a Responses request asks for, checked: every field either counts, is told to have been left out, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from selftaught.serve.errors import ApiError, invalid, unsupported
from selftaught.serve.options import Dialect
from selftaught.serve.requests import Sampled, StartOptions
from selftaught.serve.requests import parse as parse_fields

CODE = "code_interpreter"
_OTHER_TOOLS = "expected code_interpreter, or functions, which this server's models do not call"
_MAX_METADATA, _MAX_KEY, _MAX_VALUE = 16, 64, 512
_MEMORY = ("1g", "4g", "16g", "64g")
_CALLERS = ("direct", "programmatic")
_MOST = 1 << 31
_MAX_NAME = 1_000


class ResponsesStart(StartOptions):
    """Our own object ``start``."""

    dialect: Dialect | None = None
    """Items that a certain page draws, instead of OpenAI's."""


class ResponsesRequest(Sampled):
    """The fields of a request that count."""

    input: Any = None
    instructions: str | None = None
    previous_response_id: str | None = Field(default=None, max_length=_MAX_NAME)
    store: bool = True
    max_output_tokens: int | None = Field(default=None, ge=1)
    max_tool_calls: int | None = Field(default=None, ge=0, lt=_MOST)
    parallel_tool_calls: bool = True
    background: bool = False
    conversation: Any = None
    prompt: Any = None
    top_logprobs: int | None = None
    truncation: Literal["auto", "disabled"] = "disabled"
    include: list[str] | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    start: ResponsesStart = ResponsesStart()


@dataclass(slots=True)
class Ask:
    """One checked request."""

    request: ResponsesRequest
    metadata: dict[str, str] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    """As they are shown in the response."""
    wants_code: bool = False
    """``code_interpreter`` is listed."""
    container_id: str | None = None
    """The container that it names."""
    dialect: str = ""
    ignored_tools: list[str] = field(default_factory=list)
    """Types of tools that were left out of account; the client's functions are told by `Asked`."""
    ignored: list[str] = field(default_factory=list)
    """Fields that were left out of account."""


def parse(body: Mapping[str, Any], dialect: str = "") -> Ask:
    """The request; ``dialect`` is that of one that names none. ApiError 400 names the field."""
    request = parse_fields(ResponsesRequest, body)
    if request.input is None:
        raise ApiError(400, "input is missing.", param="input", code="missing_required_parameter")
    if dialect not in ("", "open-webui"):
        raise invalid(f'the dialect is {dialect[:60]!r}; expected "open-webui".', "start.dialect")
    ask = Ask(request, _metadata(request.metadata), dialect=dialect)
    if request.start.dialect is not None:
        ask.dialect = request.start.dialect
    _refuse_what_changes_the_answer(request)
    form = (request.text or {}).get("format")
    kind = form.get("type") if isinstance(form, Mapping) else form
    if kind not in (None, "text"):
        raise unsupported("text.format", "only text.format of type text is offered; no schema is enforced.")
    named = ("effort", "summary", "generate_summary")
    ask.ignored += [f"reasoning.{name}" for name in named if (request.reasoning or {}).get(name) is not None]
    if request.truncation == "auto":
        ask.ignored.append("truncation")
    _tools(ask, request.tools or [])
    return ask


def _refuse_what_changes_the_answer(request: ResponsesRequest) -> None:
    if request.background:
        raise unsupported("background", "background responses are not offered; leave it out or send false.")
    if request.conversation is not None:
        raise unsupported(
            "conversation", "conversations are not stored; use previous_response_id, or send the items in input."
        )
    if request.prompt is not None:
        raise unsupported("prompt", "prompt templates are not stored here; send the text in input.")
    if request.top_logprobs:
        raise unsupported("top_logprobs", "log probabilities are not offered; leave it out or send 0.")


# --------------------------------------------------------------------------------------------------------------- tools


def _tools(ask: Ask, tools: list[dict[str, Any]]) -> None:
    others: list[tuple[int, str]] = []
    for at, tool in enumerate(tools):
        place = f"tools[{at}]"
        kind = tool.get("type")
        if not isinstance(kind, str):
            raise invalid(f"{place} must be an object with a type.", place)
        if kind == CODE:
            ask.wants_code = True
            ask.tools.append(_code_tool(ask, tool, place))
        elif kind == "function":
            ask.tools.append(_function(tool, place))
        else:
            others.append((at, kind))
    has_functions = any(tool["type"] == "function" for tool in ask.tools)
    if others and not has_functions:
        at, kind = others[0]
        raise unsupported(f"tools[{at}].type", f"tools[{at}].type is {kind[:60]!r}; {_OTHER_TOOLS}.")
    ask.ignored_tools += [kind[:60] for _, kind in others if kind != "custom"]


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
        return {"type": CODE, "container": container[:_MAX_NAME]}
    if container is None:
        container = {"type": "auto"}
    if not isinstance(container, Mapping) or container.get("type") != "auto":
        raise invalid(f'{where} must be {{"type": "auto"}} or the id of a container.', where)
    ask.ignored += check_container(container, f"{where}.")
    return {"type": CODE, "container": {"type": "auto"}}


def check_container(given: Mapping[str, Any], place: str = "") -> list[str]:
    """Refuse what a container here cannot have; return the fields that are left out of account, ``place`` before each."""
    network = given.get("network_policy")
    if network is not None and not (isinstance(network, Mapping) and network.get("type") == "disabled"):
        name = f"{place}network_policy"
        raise unsupported(name, f'{name} must be {{"type": "disabled"}}: code has no network here.')
    memory = given.get("memory_limit")
    if memory is not None and memory not in _MEMORY:
        raise invalid(f"{place}memory_limit must be one of {', '.join(_MEMORY)}.", f"{place}memory_limit")
    for name in ("file_ids", "skills"):
        if given.get(name) is not None and not isinstance(given[name], list):
            raise invalid(f"{place}{name} must be a list.", f"{place}{name}")
    ignored = [f"{place}{name}" for name in ("file_ids", "skills") if given.get(name)]
    return ignored + ([f"{place}memory_limit"] if memory not in (None, "1g") else [])


def _function(tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A function of the client's as it is shown in the response. It is never called."""
    inner = tool.get("function")
    given = inner if isinstance(inner, Mapping) else tool
    name, parameters, strict = given.get("name"), given.get("parameters"), given.get("strict")
    if not isinstance(name, str) or not name:
        raise invalid(f"{place}.name must be the name of a function.", f"{place}.name")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise invalid(f"{place}.parameters must be an object.", f"{place}.parameters")
    return {
        "type": "function", "name": name, "parameters": None if parameters is None else dict(parameters),
        "strict": strict if isinstance(strict, bool) else None,
    }  # fmt: skip


def shown_choice(choice: Any) -> Any:
    """``tool_choice`` as the response shows it."""
    if isinstance(choice, Mapping):
        return {"type": CODE} if choice.get("type") == CODE else "auto"
    return choice or "auto"


def _metadata(given: dict[str, Any] | None) -> dict[str, str]:
    if given is None:
        return {}
    if len(given) > _MAX_METADATA:
        raise invalid(f"metadata must be an object with at most {_MAX_METADATA} keys.", "metadata")
    for key, value in given.items():
        if not isinstance(value, str) or len(value) > _MAX_VALUE or len(key) > _MAX_KEY:
            raise invalid(
                f"metadata must hold texts of at most {_MAX_VALUE} characters, with keys of at most {_MAX_KEY}.",
                "metadata",
            )
    return dict(given)
