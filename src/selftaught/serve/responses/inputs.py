"""From the ``input`` of a Responses request to chat messages: pure, and the only place that knows the item types.

What earlier turns ran is shown to the model as it writes it itself: a Python block and its output block in the assistant's
turn, in front of what was answered. Earlier thinking is left out, as chat templates leave it out. Calls of the client's
own functions become one line of text each, since the model has no other manner for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selftaught.records import ExecStatus
from selftaught.rollouts.text import output_block, shorten
from selftaught.serve.errors import ApiError, invalid
from selftaught.serve.messages import text_of, whole

MAX_ITEMS = 4_000
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_OPEN_WEBUI = "open_webui:"
OPEN_WEBUI_CODE = "open_webui:code_interpreter"
_MAX_LINE = 4_000
"""Characters of a function's arguments or result."""

# Items of OpenAI's other tools, which a chat that began elsewhere may hold: they say nothing to this model.
_IGNORED = frozenset({
    "web_search_call", "file_search_call", "computer_call", "computer_call_output", "image_generation_call",
    "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
    "apply_patch_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response",
    "custom_tool_call", "custom_tool_call_output", "tool_search_call", "tool_search_output", "additional_tools",
    "compaction", "compaction_trigger", "program", "program_output",
})  # fmt: skip
_KNOWN = (
    "message, reasoning, code_interpreter_call, function_call, function_call_output, item_reference or open_webui:*"
)


@dataclass(slots=True)
class Conversation:
    """What the model is asked with."""

    chat: list[dict[str, str]]
    """Messages as the chat template takes them: a system message at most once and first, then turns of changing roles."""
    container_id: str | None = None
    """Of the last code that an earlier turn ran."""
    num_calls: int = 0
    """Code calls of earlier turns."""
    ignored: list[str] = field(default_factory=list)
    """Types of items that were left out, each once."""


def conversation_of(
    given: Any,
    instructions: str | None = None,
    *,
    before: Sequence[Mapping[str, Any]] = (),
    max_output_chars: int = 4_000,
    lookup: Callable[[str], Mapping[str, Any] | None] = lambda _: None,
) -> Conversation:
    """Messages from ``input``: a text, or a list of items.

    ``before`` are the items of a conversation that it goes on with; ``lookup`` gives the item that an ``item_reference`` names. ApiError for what is no input.
    """
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise invalid("input must be a text or a list with at least one item.", "input")
    if len(given) > MAX_ITEMS:
        raise invalid(f"input has {len(given)} items; at most {MAX_ITEMS} are taken.", "input")
    reader = _Reader(max_output_chars, lookup)
    if instructions and instructions.strip():
        reader.systems.append(whole(instructions))
    for item in before:
        reader.take(item, "previous_response_id")
    for at, item in enumerate(given):
        reader.take(item, f"input[{at}]")
    return reader.finish()


class _Reader:
    """Takes items in order."""

    def __init__(self, max_output_chars: int, lookup: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._max_output_chars, self._lookup = max_output_chars, lookup
        self.systems: list[str] = []
        self._found = Conversation([])
        self._functions: dict[str, str] = {}

    def take(self, item: Any, place: str) -> None:
        """One item."""
        if not isinstance(item, Mapping):
            raise invalid(f"{place} must be an object.", place)
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else "item_reference" if "id" in item else None
        if not isinstance(kind, str):
            raise invalid(f"{place}.type must be one of {_KNOWN}.", f"{place}.type")
        if kind == "message":
            self._message(item, place)
        elif kind == "code_interpreter_call":
            self._call(_text(item.get("code"), f"{place}.code"), _logs(item.get("outputs"), f"{place}.outputs"))
            container_id = item.get("container_id")
            self._found.container_id = container_id if isinstance(container_id, str) else None
        elif kind == OPEN_WEBUI_CODE:
            self._call(_text(item.get("code"), f"{place}.code"), _streams(item.get("output")))
            self._found.container_id = None
        elif kind == "function_call":
            self._function(item, place)
        elif kind == "function_call_output":
            self._function_output(item, place)
        elif kind == "item_reference":
            self._reference(item, place)
        elif kind == "reasoning":
            pass  # as a chat template leaves out earlier thinking
        elif kind in _IGNORED or kind.startswith(_OPEN_WEBUI):
            if kind not in self._found.ignored:
                self._found.ignored.append(kind)
        else:
            raise invalid(f"{place}.type is {kind[:60]!r}; expected {_KNOWN}.", f"{place}.type")

    def finish(self) -> Conversation:
        """The conversation. ApiError when nobody asks anything."""
        chat = [message for message in self._found.chat if message["content"].strip()]
        if not any(message["role"] == "user" for message in chat):
            raise invalid("input holds no text of a user.", "input")
        merged: list[dict[str, str]] = []
        for message in chat:
            if merged and merged[-1]["role"] == message["role"]:  # many templates refuse two in a row
                merged[-1]["content"] += _joint(merged[-1]["content"], message["role"]) + message["content"]
            else:
                merged.append(message)
        system = "\n\n".join(text for text in self.systems if text.strip())
        self._found.chat = [*([{"role": "system", "content": system}] if system else []), *merged]
        return self._found

    # ---------------------------------------------------------------------------------------------------------- items

    def _message(self, item: Mapping[str, Any], place: str) -> None:
        role = item.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise invalid(f"{place}.role must be one of {', '.join(_ROLES)}.", f"{place}.role")
        text = text_of(item.get("content"), f"{place}.content")
        if _ROLES[role] == "system":
            self.systems.append(text)
        else:
            self._say(_ROLES[role], text)

    def _call(self, code: str, logs: str) -> None:
        """A block and its output, as the model and the runner write them."""
        self._found.num_calls += 1
        body = code if not code or code.endswith("\n") else f"{code}\n"
        shown = output_block(whole(logs), ExecStatus.OK, max_chars=self._max_output_chars)
        self._say("assistant", f"```python\n{body}```\n{shown}")

    def _function(self, item: Mapping[str, Any], place: str) -> None:
        name = _text(item.get("name"), f"{place}.name")
        arguments = _text(item.get("arguments"), f"{place}.arguments")
        call_id = item.get("call_id")
        if isinstance(call_id, str):
            self._functions[call_id] = name
        self._say(
            "assistant", f"(The function {shorten(name, 200)} was called with {shorten(arguments, _MAX_LINE)}.)\n"
        )

    def _function_output(self, item: Mapping[str, Any], place: str) -> None:
        output = item.get("output")
        text = output if isinstance(output, str) else _parts(output)
        call_id = item.get("call_id")
        name = self._functions.get(call_id, "") if isinstance(call_id, str) else ""
        subject = f"The function {shorten(name, 200)}" if name else "A function"
        self._say("assistant", f"({subject} returned: {shorten(whole(text), _MAX_LINE)})\n")

    def _reference(self, item: Mapping[str, Any], place: str) -> None:
        name = item.get("id")
        found = self._lookup(name) if isinstance(name, str) else None
        if found is None or found.get("type") == "item_reference":
            raise ApiError(
                404, f"{place}: no stored item {str(name)[:80]!r}; send the item itself.", param=place,
                code="item_not_found",
            )  # fmt: skip
        self.take(found, place)

    def _say(self, role: str, text: str) -> None:
        self._found.chat.append({"role": role, "content": text})


def _joint(before: str, role: str) -> str:
    if role == "assistant":
        return "" if before.endswith("\n") else "\n"
    return "\n\n"


def _text(value: Any, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"{place} must be a text.", place)
    return whole(value)


def _logs(outputs: Any, place: str) -> str:
    """The text of a call's outputs; an image leaves a line."""
    if outputs is None:
        return ""
    if not isinstance(outputs, list):
        raise invalid(f"{place} must be a list.", place)
    texts = []
    for output in outputs:
        if isinstance(output, Mapping) and isinstance(output.get("logs"), str):
            texts.append(output["logs"])
    return "".join(texts)


def _streams(output: Any) -> str:
    """The text of Open WebUI's output: ``stdout``, ``stderr``, ``result``."""
    if isinstance(output, str):
        return output
    if not isinstance(output, Mapping):
        return ""
    found = [output.get(name) for name in ("stdout", "stderr", "result")]
    return "".join(
        text if text.endswith("\n") else f"{text}\n" for text in found if isinstance(text, str) and text.strip()
    )


def _parts(output: Any) -> str:
    """A function's output that is no text: the texts of its parts, else its JSON."""
    if isinstance(output, list):
        texts = [part["text"] for part in output if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
        if texts:
            return "".join(texts)
    try:
        return json.dumps(output, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""
