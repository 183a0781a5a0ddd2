"""Runs model code in a child, with notebook manners: names persist, the last expression is shown, errors are cut.

By the time anything here runs, the process can do no more than compute and write to its scratch directory. This file
protects the *answer*, not the machine: it keeps its own copy of the builtins and its own references, so that a cell
that patches ``print``, ``os.dup2`` or ``ast.Expr`` harms only itself. It cannot stop a cell from lying about its own
status; a cell that wants to look well can catch its own exceptions anyway.

Two rules. What a cell can replace is fetched once, before any cell, and used by that reference. And whatever can run code
of the cell's (``str`` of its exception, an attribute of it, ``flush`` of its stream, a signal handler) stands under a
guard that catches everything: the session outlives whatever it raises.
"""

from __future__ import annotations

import builtins

__builtins__ = dict(vars(builtins))  # functions below keep these, whatever the model's code does to the module

import __future__

import ast
import atexit
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

from . import compat, figures, seccomp, show, streams, system, wire

_FUTURE_FLAGS = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})
_BALLAST_BYTES = 2 << 20
_MAX_ECHO_SOURCE = 100_000  # characters: the syntax tree of more costs seconds
_MAX_BROKEN_READS = 100
_figures = figures.FIGURES
_packet = bytearray(wire.MAX_PACKET)  # made in the zygote, so that a child touches only the pages that it fills
_NO_NONCE = bytes(wire.NONCE_BYTES)
_PROGRAM_NAME = "<program>"
_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=True, default=lambda value: _plain(value)).encode
_loads = json.JSONDecoder().decode
_os_exit, _write, _dup2, _close, _fstat, _open = os._exit, os.write, os.dup2, os.close, os.fstat, open
_set_blocking = os.set_blocking
_settrace, _setprofile, _thread_trace, _thread_profile = (
    sys.settrace, sys.setprofile, threading.settrace, threading.setprofile)  # fmt: skip
_shutdown, _run_exit_functions = threading._shutdown, atexit._run_exitfuncs  # type: ignore[attr-defined]
_monitoring = getattr(sys, "monitoring", None)
_set_events = _monitoring.set_events if _monitoring is not None else None
_MemoryError = MemoryError
_Expr, _Expression, _ONLY_AST = ast.Expr, ast.Expression, ast.PyCF_ONLY_AST
_ANCILLARY_BYTES = socket.CMSG_SPACE(2 * 4)
# Past attributes of the same name that an exception's class may define; ``error.__traceback__ = None`` may run its code.
_set_traceback = BaseException.__dict__["__traceback__"].__set__
_stop_code = SystemExit.__dict__["code"].__get__
_mmap, _PRIVATE = mmap.mmap, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


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
        self._receive_into = control.recvmsg_into
        self._packet = _packet
        self._main = types.ModuleType("__main__")
        self._names = vars(self._main)
        self._names["__builtins__"] = builtins
        sys.modules["__main__"] = self._main
        self._sources: dict[str, list[str]] = {}
        self._flags = 0
        self._ballast: mmap.mmap | None = _reserve()
        self._streams = streams.Streams()
        self._is_first = True
        self._pipe = _fstat(1).st_ino

    def serve(self) -> None:
        """Answer cells until told that one was the last, or until the parent hangs up. Never returns."""
        code = 0
        try:
            self._send(wire.READY)
            while (message := self._next()) is not None:
                packet, ancillary = message
                nonce, last = packet[: wire.NONCE_BYTES], bool(packet[wire.NONCE_BYTES + 1] & wire.FLAG_LAST)
                status, code = self._answer(packet, ancillary)
                if _figures.max_images and packet[wire.NONCE_BYTES + 1] & wire.FLAG_IMAGES:
                    self._send_images(nonce)
                self._finish(join_threads=last)
                if not self._reply(nonce + status + bytes((code,))) or last or not self._can_show():
                    break  # what is not said on the socket the exit code says
        except BaseException:
            code = code or wire.EXIT_ERROR
        _os_exit(code)

    def _next(self) -> tuple[bytes, list[tuple[int, int, bytes]]] | None:
        """The next request; None when there is none to come.

        A signal handler of an earlier cell's may run in here and raise, or a thread may have sent an exception: it then
        strikes on the way out of the read, with the packet taken. So the packet is read to where it can be found again.
        """
        num_broken = 0
        while num_broken < _MAX_BROKEN_READS:
            self._packet[: wire.NONCE_BYTES] = _NO_NONCE
            try:
                size, ancillary, _, _ = self._receive_into([self._packet], _ANCILLARY_BYTES)
                return (bytes(self._packet[:size]), ancillary) if size else None
            except OSError:
                num_broken += 1
                _wait_for(seccomp.CONTROL_FD)
            except BaseException:
                if self._packet[: wire.NONCE_BYTES] != _NO_NONCE:
                    return self._found_again()
        return None

    def _reply(self, message: bytes) -> bool:
        """Tell the parent; False when the cell has closed the socket."""
        for _ in range(2):
            try:
                self._send(message)
                return True
            except OSError:
                _wait_for(seccomp.CONTROL_FD)
        return False

    def _can_show(self) -> bool:
        """Whether descriptor 1 still is the parent's pipe: without it no later cell could show anything."""
        try:
            return _fstat(1).st_ino == self._pipe
        except OSError:
            return False

    def _found_again(self) -> tuple[bytes, list[tuple[int, int, bytes]]] | None:
        """A packet whose reading was interrupted; None if it came with descriptors, which are lost."""
        _, _, flags, _, source_bytes, call_bytes = wire.HEADER.unpack_from(self._packet)
        if flags & (wire.FLAG_FILE | wire.FLAG_STDIN):
            return None
        return bytes(self._packet[: wire.HEADER.size + source_bytes + call_bytes]), []

    def _answer(self, packet: bytes, ancillary: list[tuple[int, int, bytes]]) -> tuple[bytes, int]:
        """Run what is asked for; the status byte and the exit code."""
        nonce, mode, flags, number, source_bytes, call_bytes = wire.HEADER.unpack_from(packet)

        def run() -> None:
            payload = self._take_descriptors(packet[wire.HEADER.size :], flags, ancillary)
            source = payload[:source_bytes].decode("utf-8", "surrogatepass").removeprefix("\ufeff")
            self._streams.open(buffered=mode == wire.MODE_PROGRAM)
            is_first, self._is_first = self._is_first, False
            if mode == wire.MODE_PROGRAM:
                if is_first:
                    sys.argv = [_PROGRAM_NAME]
                    compat.set_up_program()
                self._program(source, payload[source_bytes : source_bytes + call_bytes], nonce)
            else:
                self._cell(source, number, bool(flags & wire.FLAG_ECHO))

        try:
            return self._guard(run)
        except BaseException:  # raised by code of the cell's, while we looked at what the cell had raised
            return wire.DONE_ERROR, wire.EXIT_ERROR

    def _take_descriptors(self, payload: bytes, flags: int, ancillary: list[tuple[int, int, bytes]]) -> bytes:
        """Put the standard input in its place; the source and the call, if they came in a file."""
        fds = memoryview(b"".join(data for _, _, data in ancillary)).cast("i").tolist() if ancillary else []
        if len(fds) < bool(flags & wire.FLAG_FILE) + bool(flags & wire.FLAG_STDIN):
            for fd in fds:
                _close(fd)
            raise OSError(
                "no descriptor is left for this cell's source or input: earlier cells have too many files open"
            )
        if flags & wire.FLAG_FILE:
            with _open(fds.pop(0), "rb") as file:
                payload = file.read()
        if flags & wire.FLAG_STDIN:
            _dup2(fds[0], 0)
            _close(fds[0])
            self._streams.renew_stdin()
        if flags & wire.FLAG_MERGED:
            _dup2(1, 2)
        return payload

    # ------------------------------------------------------------------------------------------------ running code

    def _cell(self, source: str, number: int, echo: bool) -> None:
        name = f"<cell {number}>"
        self._remember(name, source)
        if not echo or len(source) > _MAX_ECHO_SOURCE:
            exec(self._compile(source, name), self._names)
            return
        tree = compile(source, name, "exec", self._flags | _ONLY_AST, True)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, _Expr):
            exec(self._compile(tree, name), self._names)
            return
        del tree.body[-1]
        first = self._compile(tree, name) if tree.body else None
        final = compile(_Expression(last.value), name, "eval", self._flags, True)
        if first is not None:
            exec(first, self._names)
        value = eval(final, self._names)
        if value is not None:
            builtins._ = value  # type: ignore[attr-defined]
            text = repr(value)
            try:
                self._streams.stdout.write(text + "\n")
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
        request = _loads(call.decode())
        function = self._find(request["name"])
        text = _dumps(function(*[_loads(line) for line in request["arguments"]])).encode()
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
        self._names["__file__"] = name
        try:
            linecache.cache[name] = (len(source), None, lines, name)  # for ``inspect`` and ``traceback``
        except BaseException:
            pass  # a cell has put something else there

    def _send_images(self, nonce: bytes) -> None:
        """The cell's figures, beside its output. They are not worth an error of their own."""
        try:
            for image in _figures.finish(lambda text: self._say(text, 1)):
                for start in range(0, len(image), wire.RESULT_PIECE):
                    tag = wire.IMAGE_END if start + wire.RESULT_PIECE >= len(image) else wire.IMAGE
                    self._send(nonce + tag + image[start : start + wire.RESULT_PIECE])
        except BaseException:
            pass  # a cell has taken pyplot apart, or a handler of the cell's has raised

    # -------------------------------------------------------------------------------------------- ending in one piece

    def _guard(self, action: Callable[[], None]) -> tuple[bytes, int]:
        """Run ``action``, show what it raised; the status byte and the exit code."""
        try:
            try:
                action()
            finally:
                self._untrace()
            return wire.DONE_OK, 0
        except SystemExit as stop:
            return self._exit_status(stop)
        except _MemoryError as error:
            if self._ballast is not None:
                self._ballast.close()
            self._show(error, "MemoryError\n")
            _set_traceback(error, None)
            self._ballast = _reserve()
            return wire.DONE_MEMORY, wire.EXIT_ERROR
        except BaseException as error:
            self._show(error, "error\n")
            _set_traceback(error, None)  # its frames hold the cell's objects
            return wire.DONE_ERROR, wire.EXIT_ERROR

    def _exit_status(self, stop: SystemExit) -> tuple[bytes, int]:
        """As Python ends a process on ``SystemExit``: nothing or a number is the code, all else is said and is 1."""
        try:
            code = stop.code
        except BaseException:
            code = _stop_code(stop)
        if code is None:
            return wire.DONE_OK, 0
        if issubclass(type(code), int):
            number = int.__and__(code, 0xFF)  # type: ignore[operator]
            return wire.DONE_ERROR if number else wire.DONE_OK, number
        try:
            text = f"{code}\n"
        except BaseException:
            text = ""
        self._say(text)
        return wire.DONE_ERROR, wire.EXIT_ERROR

    def _untrace(self) -> None:
        """Take the cell's trace and profile functions off: they would run in here."""
        for _ in range(3):  # one that raises is called once more before it is off
            try:
                _settrace(None)
                _setprofile(None)
                _thread_trace(None)  # type: ignore[arg-type]
                _thread_profile(None)
                if _monitoring is not None and _set_events is not None:
                    for tool in range(6):
                        if _monitoring.get_tool(tool) is not None:
                            _set_events(tool, 0)
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
        for name in ("stdout", "stderr"):
            try:
                getattr(sys, name).flush()
            except BaseException:
                continue
        self._streams.flush()
        try:
            _flush_c_streams()
        except BaseException:
            pass

    def _finish(self, join_threads: bool) -> None:
        """After the cell: let a script's threads and exit handlers end as they would at the end of a script."""
        if join_threads:
            try:
                _shutdown()
                _run_exit_functions()
            except BaseException:
                pass
        try:
            self._flush()
        except BaseException:
            pass


_flush_c_streams = system.flush_c_streams


def _wait_for(fd: int) -> None:
    """A cell may have set the socket not to wait. That holds for the open file, so it is undone there."""
    try:
        _set_blocking(fd, True)
    except BaseException:
        pass  # it is closed


def _reserve() -> mmap.mmap | None:
    """Address space to give back when memory runs out, so that there is room to say so. Its pages are never touched."""
    try:
        return _mmap(-1, _BALLAST_BYTES, _PRIVATE)
    except (OSError, ValueError):
        return None
