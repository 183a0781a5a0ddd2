"""The MCP server ``python`` with its tool ``python(code)``, whatever transport carries it.

Names and texts are those that vLLM's ``--tool-server`` and gpt-oss expect: the server's *name* finds the tool, its
*instructions* become the description that the model reads, and ``_meta.include_in_prompt`` false keeps the JSON schema
out of the prompt, because gpt-oss sends its code as plain text (vLLM 0.32, ``entrypoints/mcp/tool_server.py``).

Who shares an interpreter: one connection of stdio or SSE, one session of streamable HTTP, one value of the header
``x-session-id``. Protocol 2026-07-28 has no sessions over HTTP; there the result names a ``session_id``, which the
next call may pass as an argument.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus
from selftaught.sandbox import ExecResult
from selftaught.sandbox.keeper import SessionKeeper
from selftaught.version import __version__

SERVER_NAME, TOOL_NAME, RESET_NAME = "python", "python", "reset"
_RESET_NAMES = (RESET_NAME, "cleanup_session")
"""The second is what vLLM calls when a response has ended."""
SESSION_HEADER, MCP_SESSION_HEADER = "x-session-id", "mcp-session-id"
CALLER = "selftaught.caller"
"""Key of a request's ASGI scope under which the HTTP side leaves a ``Caller``."""
_MAX_NAME_CHARS = 256
_MAX_CODE_BYTES = 1 << 20

_INSTRUCTIONS = """\
Use this tool to execute Python code in your chain of thought. The code will not be shown to the user. This tool \
should be used for internal reasoning, but not for code that is intended to be visible to the user (e.g. when creating \
plots, tables, or files).

When you send a message containing Python code to python, it will be executed in a stateful Jupyter notebook \
environment: variables persist from call to call, and the value of the last expression is shown. python will respond \
with the output of the execution or time out after {timeout_s:.1f} seconds. There is no internet access and no access \
to the user's files. {packages}"""
_PACKAGES = "These packages are installed: {names}."

_OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "description": "ok, error, timeout, memory, crash, refused"},
        "output": {"type": "string", "description": "What the code printed, then its last value or its traceback"},
        "wall_s": {"type": "number", "description": "Seconds that it ran"},
        "truncated": {"type": "boolean", "description": "Whether some output was left out"},
        "new_interpreter": {"type": "boolean", "description": "Whether variables of earlier calls were lost"},
        "session_id": {"type": "string", "description": "Where there is no other session: pass it in the next call"},
    },
    "required": ["status", "output"],
}


@dataclass(frozen=True)
class Caller:
    """What the HTTP side knows of a request: whose key it came with, and whether its connection is its session."""

    owner: str = ""
    owns_connection: bool = False


@dataclass(eq=False)
class _Connection:
    """One connection of stdio or SSE; of streamable HTTP all requests have the same."""

    keys: set[Hashable] = field(default_factory=set)
    """Interpreters that end with it."""


_Context = ServerRequestContext[_Connection, Any]


class PythonTools:
    """The tools of one server: ``server`` is to be carried by a transport, ``keeper`` runs the code.

    ``timeout_s`` is that of a call, ``packages`` what the sandbox has preloaded; both stand in the description.
    """

    def __init__(self, keeper: SessionKeeper, timeout_s: float, packages: tuple[str, ...] = ()) -> None:
        self._keeper = keeper
        self.stopping = False
        """Further calls are refused: the server is about to end."""
        names = _PACKAGES.format(names=", ".join(packages)) if packages else ""
        instructions = _INSTRUCTIONS.format(timeout_s=timeout_s, packages=names).strip()
        self._description = instructions
        self.server: Server[_Connection] = Server(
            SERVER_NAME,
            version=__version__,
            title="Python (selftaught sandbox)",
            instructions=instructions,
            lifespan=self._connected,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    @asynccontextmanager
    async def _connected(self, _: Server[_Connection]) -> AsyncIterator[_Connection]:
        """Of one connection of stdio or SSE; entered once for all of streamable HTTP."""
        connection = _Connection()
        try:
            yield connection
        finally:
            for key in connection.keys:
                await self._keeper.reset(key)

    async def end_http_session(self, caller: Caller, session_id: str) -> None:
        """Close the interpreter of a session that its client has deleted."""
        await self._keeper.reset((caller.owner, "http", session_id))

    async def _list(self, context: _Context, _: PaginatedRequestParams | None) -> ListToolsResult:
        properties: dict[str, Any] = {"code": {"type": "string", "description": "Python source code"}}
        handle: dict[str, Any] = {}
        if self._session(context) is None:
            handle = {
                "session_id": {
                    "type": "string",
                    "description": "The session_id of an earlier result: keeps its variables. Leave out to begin anew.",
                }
            }
        hidden = {"include_in_prompt": False}
        python = Tool(
            name=TOOL_NAME,
            title="Execute Python code",
            description=self._description,
            input_schema={"type": "object", "properties": properties | handle, "required": ["code"]},
            output_schema=_OUTPUT_SCHEMA,
            annotations=ToolAnnotations(
                read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
            ),
            _meta=hidden,
        )
        reset = Tool(
            name=RESET_NAME,
            title="Forget all variables",
            description="Ends the Python interpreter of this session; the next call of python finds a fresh one.",
            input_schema={"type": "object", "properties": handle, "required": list(handle)},  # fmt: skip
            annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True),
            _meta=hidden,
        )
        return ListToolsResult(tools=[python, reset])

    async def _call(self, context: _Context, params: CallToolRequestParams) -> CallToolResult:
        arguments = params.arguments or {}
        key = self._session(context)
        given = arguments.get("session_id")
        if key is None and given is not None:
            if not isinstance(given, str) or len(given) > _MAX_NAME_CHARS:
                return _mistake("session_id is to be the one of an earlier result of this server.")
            key = (_caller(context).owner, "handle", given)
        if params.name in _RESET_NAMES:
            ended = key is not None and await self._keeper.reset(key)
            return CallToolResult(content=[_text("ended" if ended else "there was no interpreter to end")])
        if params.name != TOOL_NAME:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {params.name[:100]}")
        code = arguments.get("code")
        if not isinstance(code, str):
            return _mistake(f"the argument code is to be a string of Python; it is {_kind(code)}.")
        if len(code.encode("utf-8", "surrogatepass")) > _MAX_CODE_BYTES:
            return _mistake(f"the code is longer than {_MAX_CODE_BYTES} bytes.")
        if self.stopping:
            return _mistake("not run: the server is stopping.")
        handle = ""
        if key is None:
            handle = secrets.token_urlsafe(12)
            key = (_caller(context).owner, "handle", handle)
        elif given is not None and key[1] == "handle":
            handle = str(given)
        lost = "" if not given or not handle else "the server does not know this session any more"
        try:
            result = await self._keeper.run(key, code, absent=lost)
        except SandboxError as error:
            return _mistake(str(error))
        return _answer(result, handle)

    def _session(self, context: _Context) -> tuple[str, str, Hashable] | None:
        """Key of the interpreter that the transport determines; None where it has no sessions."""
        caller = _caller(context)
        request = context.request
        if request is not None:
            name = request.headers.get(SESSION_HEADER)
            if name:
                return caller.owner, "named", name[:_MAX_NAME_CHARS]
            session_id = request.headers.get(MCP_SESSION_HEADER)
            if session_id:
                return caller.owner, "http", session_id
            if not caller.owns_connection:
                return None
        connection = context.lifespan_context
        key = (caller.owner, "connection", connection)
        connection.keys.add(key)
        return key


def _caller(context: _Context) -> Caller:
    """Of a request over HTTP what the HTTP side has left; of stdio nothing is known."""
    caller = context.request.scope.get(CALLER) if context.request is not None else None
    return caller if isinstance(caller, Caller) else Caller()


def _answer(result: ExecResult, handle: str) -> CallToolResult:
    """The first block is the output and nothing else, because vLLM reads that one only.

    An exception of the code is an output like any other. Only code that was not run at all is an error of the call.
    """
    content: list[ContentBlock] = [_text(result.output)]
    for image in result.images:
        content.append(ImageContent(type="image", data=base64.b64encode(image).decode("ascii"), mime_type="image/png"))
    structured: dict[str, Any] = {
        "status": result.status.value,
        "output": result.output,
        "wall_s": round(result.wall_s, 3),
        "truncated": result.truncated,
        "new_interpreter": result.restarted,
    }
    if handle:
        structured["session_id"] = handle
        content.append(_text(f"[session_id: {handle}; pass it in the next call to keep these variables]"))
    return CallToolResult(
        content=content, structured_content=structured, is_error=result.status is ExecStatus.REFUSED
    )  # fmt: skip


def _mistake(reason: str) -> CallToolResult:
    structured = {"status": ExecStatus.REFUSED.value, "output": reason}
    return CallToolResult(content=[_text(reason)], structured_content=structured, is_error=True)


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _kind(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
