"""Output items of a Responses answer, each able to say what it is while it grows: pure."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from selftaught.records import ExecStatus, ToolInfo
from selftaught.rollouts.text import output_block
from selftaught.serve.responses.inputs import OPEN_WEBUI_CODE

_FENCE_OPEN, _FENCE_CLOSE = "```output\n", "```\n"
_NO_CUT = 1 << 30


def new_id(prefix: str) -> str:
    """A fresh identifier as OpenAI's look: ``rs_``, ``ci_``, ``msg_`` or ``resp_`` and 32 hexadecimal digits."""
    return f"{prefix}_{secrets.token_hex(16)}"


@dataclass(slots=True)
class TextItem:
    """A stretch of reasoning, or the message: one content part of text."""

    is_message: bool
    id: str = ""
    text: list[str] = field(default_factory=list)
    status: str = "in_progress"

    def __post_init__(self) -> None:
        self.id = self.id or new_id("msg" if self.is_message else "rs")

    @property
    def whole(self) -> str:
        """The text so far."""
        return "".join(self.text)

    def part(self, text: str) -> dict[str, Any]:
        """Its content part with ``text`` in it."""
        if self.is_message:
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {"type": "reasoning_text", "text": text}

    def item(self) -> dict[str, Any]:
        """As it stands in ``output``."""
        content = [] if self.status == "in_progress" else [self.part(self.whole)]
        if self.is_message:
            return {"type": "message", "id": self.id, "role": "assistant", "status": self.status, "content": content}
        return {"type": "reasoning", "id": self.id, "summary": [], "content": content, "status": self.status}


@dataclass(slots=True)
class CodeItem:
    """A call of the interpreter."""

    container_id: str
    dialect: str = ""
    id: str = field(default_factory=lambda: new_id("ci"))
    code: str = ""
    outputs: list[dict[str, Any]] | None = None
    status: str = "in_progress"
    logs: str = ""
    is_error: bool = False
    wall_s: float = 0.0
    start: dict[str, Any] | None = None
    """Our own marks: whether the interpreter's state had been lost, say."""

    def finish(self, tool: ToolInfo, images: tuple[bytes, ...], timeout_s: float) -> None:
        """The call has been run."""
        self.logs = logs_of(tool, timeout_s)
        self.outputs = [{"type": "logs", "logs": self.logs}, *map(image_output, images)]
        self.is_error = tool.status is not ExecStatus.OK
        self.status = "completed" if tool.status in (ExecStatus.OK, ExecStatus.ERROR) else "failed"
        self.wall_s = tool.wall_s

    def give_up(self) -> None:
        """The block is not run."""
        self.outputs, self.status = [], "incomplete"

    def item(self) -> dict[str, Any]:
        """As it stands in ``output``."""
        marks = {"start": self.start} if self.start else {}
        if self.dialect == "open-webui":
            streams = {"stdout": "" if self.is_error else self.logs, "stderr": self.logs if self.is_error else ""}
            images = [output["url"] for output in self.outputs or [] if output["type"] == "image"]
            result = "".join(f"![figure]({url})\n" for url in images)
            return {
                "type": OPEN_WEBUI_CODE, "id": self.id, "status": self.status, "code": self.code, "lang": "python",
                "output": None if self.outputs is None else {**streams, "result": result},
                "duration": round(self.wall_s, 3), **marks,
            }  # fmt: skip
        return {
            "type": "code_interpreter_call", "id": self.id, "code": self.code, "container_id": self.container_id,
            "outputs": self.outputs, "status": self.status, **marks,
        }  # fmt: skip


def logs_of(tool: ToolInfo, timeout_s: float) -> str:
    """Everything that a call printed, and why it was stopped, if it was."""
    block = output_block(tool.output, tool.status, max_chars=_NO_CUT, timeout_s=timeout_s)
    return block.removeprefix(_FENCE_OPEN).removesuffix(_FENCE_CLOSE)


def image_output(image: bytes) -> dict[str, str]:
    """A figure as an output with a data URL."""
    return {"type": "image", "url": f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"}
