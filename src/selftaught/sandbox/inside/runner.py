"""Runs model code in a child, with notebook manners: names persist, the last expression is shown, errors are cut.

By the time anything here runs, the process can do no more than compute and write to its scratch directory. This file
protects the *answer*, not the machine: it keeps its own copy of the builtins and its own references, so that a cell
that patches ``print``, ``len`` or ``sys.settrace`` harms only itself. It cannot stop a cell from lying about its own
status; a cell that wants to look well can catch its own exceptions anyway.
"""

from __future__ import annotations

import builtins

__builtins__ = dict(vars(builtins))  # functions below keep these, whatever the model's code does to the module

import __future__

import ast
import io
import json
import linecache
import mmap
import os
import socket
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from . import show, system, wire

_FUTURE_FLAGS = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})
_BALLAST_BYTES = 2 << 20
_MAX_ECHO_SOURCE = 100_000  # characters: the syntax tree of more costs seconds
_PROGRAM_NAME = "<program>"
_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=True, default=lambda value: _plain(value)).encode
_os_exit, _write = os._exit, os.write
_settrace, _setprofile = sys.settrace, sys.setprofile
_MemoryError = MemoryError


def _plain(value: Any) -> Any:
    """Turn numpy arrays and scalars into lists and numbers for JSON; anything else is the program's mistake."""
    convert = getattr(value, "tolist", None)
    if callable(convert):
        return convert()
    raise TypeError(f"the function returned a {type(value).__name__}, which is not a JSON value")


class Runner:
    """One interpreter: a ``__main__`` module, the standard streams and the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._send = control.send
        self._receive = control.recvmsg
        self._main = types.ModuleType("__main__")
        self._names = vars(self._main)
        self._names["__builtins__"] = builtins
        sys.modules["__main__"] = self._main
        self._sources: dict[str, list[str]] = {}
        self._flags = 0
        self._ballast: mmap.mmap | None = _reserve()
        self._stdin = _text_reader(0)
        self._stdout = _text_writer(1)
        self._stderr = _text_writer(2)

    def serve(self) -> None:
        """Answer cells until told that one was the last, or until the parent hangs up. Never returns."""
        code = 0
        try:
            self._send(wire.READY)
            while True:
                packet, ancillary, _, _ = self._receive(wire.MAX_PACKET, socket.CMSG_SPACE(2 * 4))
                if not packet:
                    break
                status, nonce, last = self._answer(packet, ancillary)
                code = {wire.DONE_OK: 0, wire.DONE_ERROR: wire.EXIT_ERROR}.get(status, wire.EXIT_MEMORY)
                try:
                    self._send(nonce + status)
                except OSError:
                    break  # the cell closed the socket: the exit code says it
                if last:
                    break
        except _MemoryError:
            code = wire.EXIT_MEMORY
        except BaseException:
            code = code or wire.EXIT_ERROR
        _os_exit(code)

    def _answer(self, packet: bytes, ancillary: list[tuple[int, int, bytes]]) -> tuple[bytes, bytes, bool]:
        nonce, mode, flags, number, source_bytes, call_bytes = wire.HEADER.unpack_from(packet)
        fds = memoryview(b"".join(data for _, _, data in ancillary)).cast("i").tolist() if ancillary else []
        payload = packet[wire.HEADER.size :]
        if flags & wire.FLAG_FILE:
            with open(fds.pop(0), "rb") as file:
                payload = file.read()
        if flags & wire.FLAG_STDIN:
            os.dup2(fds[0], 0)
            os.close(fds[0])
        if flags & wire.FLAG_MERGED:
            os.dup2(1, 2)
        source = payload[:source_bytes].decode("utf-8", "surrogatepass").removeprefix("\ufeff")
        call = payload[source_bytes : source_bytes + call_bytes]
        last = bool(flags & wire.FLAG_LAST)
        self._open_streams()
        if mode == wire.MODE_PROGRAM:
            self._stdout.reconfigure(line_buffering=False)
            status = self._guard(lambda: self._program(source, call, nonce))
        else:
            status = self._guard(lambda: self._cell(source, number, bool(flags & wire.FLAG_ECHO)))
        self._finish(join_threads=last)
        return status, nonce, last

    def _open_streams(self) -> None:
        """Every cell begins with working standard streams, whatever the one before did to them."""
        if not _usable(self._stdin):
            self._stdin = _text_reader(0)
        if not _usable(self._stdout):
            self._stdout = _text_writer(1)
        if not _usable(self._stderr):
            self._stderr = _text_writer(2)
        sys.stdin = sys.__stdin__ = self._stdin
        sys.stdout = sys.__stdout__ = self._stdout
        sys.stderr = sys.__stderr__ = self._stderr

    # ------------------------------------------------------------------------------------------------ running code

    def _cell(self, source: str, number: int, echo: bool) -> None:
        name = f"<cell {number}>"
        self._remember(name, source)
        if not echo or len(source) > _MAX_ECHO_SOURCE:
            exec(self._compile(source, name), self._names)
            return
        tree = compile(source, name, "exec", self._flags | ast.PyCF_ONLY_AST, True)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            exec(self._compile(tree, name), self._names)
            return
        del tree.body[-1]
        first = self._compile(tree, name) if tree.body else None
        final = compile(ast.Expression(last.value), name, "eval", self._flags, True)
        if first is not None:
            exec(first, self._names)
        value = eval(final, self._names)
        if value is not None:
            builtins._ = value  # type: ignore[attr-defined]
            text = repr(value)
            try:
                self._stdout.write(text + "\n")
            except (OSError, ValueError):
                self._say(text + "\n", 1)

    def _compile(self, source: str | ast.Module, name: str) -> types.CodeType:
        """Compile with the ``__future__`` features of this and earlier cells, none of ours."""
        code = compile(source, name, "exec", self._flags, True)
        self._flags |= code.co_flags & _FUTURE_FLAGS
        return code

    def _program(self, source: str, call: bytes, nonce: bytes) -> None:
        self._remember(_PROGRAM_NAME, source)
        exec(compile(source, _PROGRAM_NAME, "exec", 0, True), self._names)
        if not call:
            return
        request = json.loads(call)
        function = self._find(request["name"])
        text = _dumps(function(*[json.loads(line) for line in request["arguments"]])).encode()
        for start in range(0, len(text), wire.RESULT_PIECE):
            self._send(nonce + wire.RESULT + text[start : start + wire.RESULT_PIECE])

    def _find(self, name: str) -> Callable[..., Any]:
        """The function ``name`` of the program, or the method of its ``Solution``."""
        holder = self._names.get("Solution")
        if isinstance(holder, type) and hasattr(holder, name):
            return getattr(holder(), name)  # type: ignore[no-any-return]
        if name not in self._names:
            raise NameError(f"the program defines no function {name!r}")
        return self._names[name]  # type: ignore[no-any-return]

    def _remember(self, name: str, source: str) -> None:
        lines = source.splitlines(keepends=True)
        self._sources[name] = lines
        linecache.cache[name] = (len(source), None, lines, name)
        self._names["__file__"] = name

    # -------------------------------------------------------------------------------------------- ending in one piece

    def _guard(self, action: Callable[[], None]) -> bytes:
        """Run ``action``, show what it raised, return the status byte."""
        try:
            try:
                action()
            finally:
                self._untrace()
            return wire.DONE_OK
        except SystemExit as stop:
            return self._exit_status(stop)
        except _MemoryError as error:
            if self._ballast is not None:
                self._ballast.close()
            self._show(error, "MemoryError\n")
            error.__traceback__ = None
            self._ballast = _reserve()
            return wire.DONE_MEMORY
        except BaseException as error:
            self._show(error, "error\n")
            error.__traceback__ = None
            return wire.DONE_ERROR

    def _exit_status(self, stop: SystemExit) -> bytes:
        if stop.code is None or (isinstance(stop.code, int) and stop.code == 0):
            return wire.DONE_OK
        self._say("" if isinstance(stop.code, int) else f"{stop.code}\n")
        return wire.DONE_ERROR

    def _untrace(self) -> None:
        for _ in range(3):
            try:
                _settrace(None)
                _setprofile(None)
                threading.settrace(None)  # type: ignore[arg-type]
                threading.setprofile(None)
                return
            except BaseException:
                continue

    def _show(self, error: BaseException, otherwise: str) -> None:
        try:
            text = show.format_error(error, self._sources.get)
        except BaseException:
            text = otherwise
        self._say(text)

    def _say(self, text: str, fd: int = 2) -> None:
        """Write to a descriptor past whatever has become of ``sys.stderr``, after all that was printed before."""
        self._flush()
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[_write(fd, data) :]
        except OSError:
            pass

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr, self._stdout, self._stderr):
            try:
                stream.flush()
            except BaseException:
                continue
        try:
            system.flush_c_streams()
        except BaseException:
            pass

    def _finish(self, join_threads: bool) -> None:
        """After the cell: let a script's threads and exit handlers end as they would at the end of a script."""
        if join_threads:
            try:
                threading._shutdown()  # type: ignore[attr-defined]
                atexit = sys.modules.get("atexit")
                if atexit is not None:
                    atexit._run_exitfuncs()  # type: ignore[attr-defined]
            except BaseException:
                pass
        self._flush()


def _reserve() -> mmap.mmap | None:
    """Address space to give back when memory runs out, so that there is room to say so. Its pages are never touched."""
    try:
        return mmap.mmap(-1, _BALLAST_BYTES)
    except (OSError, ValueError):
        return None


def _usable(stream: io.TextIOWrapper) -> bool:
    """False for a stream that a cell closed or took apart."""
    try:
        return not stream.closed
    except ValueError:
        return False


def _text_reader(fd: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(io.FileIO(fd, closefd=False)), "utf-8", "replace")


def _text_writer(fd: int) -> io.TextIOWrapper:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw, 1 << 16), "utf-8", "backslashreplace", "\n", line_buffering=True)
