"""From a client's chat to a problem: its messages as plain text, its last question as what is asked and recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from selftaught.problems import CHAT
from selftaught.records import NO_REFERENCE, Problem, ProblemKind, question_hash
from selftaught.serve.errors import invalid, unsupported

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)\s*", re.DOTALL)
MAX_MESSAGES = 2_000


def chat_of(messages: Any) -> list[dict[str, str]]:
    """The messages as the chat template takes them: role and text, systems first and joined.

    Earlier thinking (``reasoning``, ``reasoning_content``, ``<think>…</think>``) and calls of the client's functions are
    dropped. ``ApiError`` for what is no chat.
    """
    if not isinstance(messages, list) or not messages:
        raise invalid("messages must be a list with at least one message.", "messages")
    if len(messages) > MAX_MESSAGES:
        raise invalid(f"messages has {len(messages)} entries; at most {MAX_MESSAGES} are taken.", "messages")
    chat: list[dict[str, str]] = []
    systems: list[str] = []
    for at, message in enumerate(messages):
        place = f"messages[{at}]"
        if not isinstance(message, Mapping):
            raise invalid(f"{place} must be an object with role and content.", place)
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise invalid(f"{place}.role must be one of {', '.join(_ROLES)}.", f"{place}.role")
        text = text_of(message.get("content"), f"{place}.content")
        role = _ROLES[role]
        if role == "system":
            systems.append(text)
            continue
        if role == "assistant":
            text = _THOUGHT.sub("", text)
            if not text.strip():
                continue  # a call of a function of the client's, or thinking alone
        if chat and chat[-1]["role"] == role:  # many templates refuse two in a row
            chat[-1]["content"] += f"\n\n{text}"
        else:
            chat.append({"role": role, "content": text})
    if not any(message["role"] == "user" and message["content"].strip() for message in chat):
        raise invalid("messages holds no text of a user.", "messages")
    system = "\n\n".join(text for text in systems if text.strip())
    return [*([{"role": "system", "content": system}] if system else []), *chat]


def problem_of(chat: Sequence[Mapping[str, str]], problem_id: str | None = None) -> Problem:
    """The problem that a chat asks. A single question is its own text; a longer chat lies whole in the metadata, so that
    a recorded problem can be asked again as it was."""
    question = next(message["content"] for message in reversed(chat) if message["role"] == "user")
    metadata: dict[str, Any] = {"rendered": True, NO_REFERENCE: True}
    identity = question
    if len(chat) > 1:
        metadata[CHAT] = [dict(message) for message in chat]
        identity = json.dumps(metadata[CHAT], ensure_ascii=False)
    return Problem(id=problem_id or question_hash(identity), problem=question, kind=ProblemKind.MATH, metadata=metadata)


def text_of(content: Any, place: str) -> str:
    """The text of a message's content: a string, or a list of parts of text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return whole(content)
    if not isinstance(content, list):
        raise invalid(f"{place} must be a text or a list of parts.", place)
    texts = []
    for at, part in enumerate(content):
        here = f"{place}[{at}]"
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("text", "input_text", "output_text", "refusal") and isinstance(part, Mapping):
            text = part.get("refusal" if kind == "refusal" else "text")
            if not isinstance(text, str):
                raise invalid(f"{here}.text must be a text.", f"{here}.text")
            texts.append(text)
        elif kind in ("reasoning", "thinking", "reasoning_text", "summary_text"):
            continue
        elif isinstance(kind, str):
            raise unsupported(here, f"{here} is of type {kind[:60]!r}; this model reads text alone.")
        else:
            raise invalid(f"{here} must be an object with a type.", here)
    return whole("".join(texts))


def whole(text: str) -> str:
    """``text`` with halves of character pairs, which JSON can hold and UTF-8 cannot, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
