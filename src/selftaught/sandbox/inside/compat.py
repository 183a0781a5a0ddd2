"""What makes the interpreter in here look like any other, where a wall would else break innocent code.

Nothing here is a wall, and none relies on it: code that undoes it loses a convenience.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import importlib.abc
import importlib.machinery
import io
import mmap
import os
import resource
import struct
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_STREAMS = {
    "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/0": 0, "/dev/fd/1": 1, "/dev/fd/2": 2,
    "/proc/self/fd/0": 0, "/proc/self/fd/1": 1, "/proc/self/fd/2": 2,
}  # fmt: skip
_LOOP_MODULE = "asyncio.selector_events"
_open, _dup, _fspath = io.open, os.dup, os.fspath
_MAP_TYPE = 0x0F
_MAX_RECORD_LOCKS = 4096
_UNLOCK = struct.pack("h", fcntl.F_UNLCK)  # the type comes first in ``struct flock``


def set_up_interpreter() -> None:
    """In the zygote, before any library: our own arguments are not the code's, and no memory is shared."""
    sys.argv = [""]
    sys.orig_argv = [sys.executable]
    mmap.mmap = PrivateMmap  # type: ignore[misc]
    _LockCount()


class PrivateMmap(mmap.mmap):
    """``mmap.mmap`` whose anonymous mappings are private: shared ones, Python's default, are denied by the filter.

    To a process that cannot fork the two are the same, but for one thing that is left out: a shared mapping that shrinks
    keeps its pages.
    """

    _anonymous = False

    def __new__(cls, fileno: int, length: int, *args: Any, **options: Any) -> PrivateMmap:
        """As ``mmap.mmap``."""
        if fileno == -1:
            if options.get("access") in (mmap.ACCESS_READ, mmap.ACCESS_WRITE):
                options["access"] = mmap.ACCESS_COPY
            elif "access" not in options:
                flags = args[0] if args else options.pop("flags", mmap.MAP_SHARED)
                args = ((flags & ~_MAP_TYPE) | mmap.MAP_PRIVATE, *args[1:])
        made = super().__new__(cls, fileno, length, *args, **options)
        made._anonymous = fileno == -1
        return made

    def resize(self, newsize: int) -> None:
        """As ``mmap.resize``, for the mapping of a file."""
        if self._anonymous:
            raise SystemError("mmap: resizing not available for memory without a file")
        super().resize(newsize)


PrivateMmap.__name__ = PrivateMmap.__qualname__ = "mmap"
PrivateMmap.__module__ = "mmap"


class _LockCount:
    """Refuses record locks beyond a number, with the error that the kernel has for that.

    The filter takes none of them, so this bounds no memory: it says so to code that takes one after another.
    """

    def __init__(self) -> None:
        self._num_held = 0
        self._fcntl, self._lockf = fcntl.fcntl, fcntl.lockf
        fcntl.fcntl, fcntl.lockf = self.fcntl, self.lockf

    def _count(self, is_release: bool) -> None:
        if is_release:
            self._num_held = 0
        elif self._num_held >= _MAX_RECORD_LOCKS:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        else:
            self._num_held += 1

    def fcntl(self, fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        """As ``fcntl.fcntl``."""
        if cmd in (fcntl.F_SETLK, fcntl.F_SETLKW):
            self._count(bytes(arg)[:2] == _UNLOCK if isinstance(arg, bytes | bytearray) else False)
        return self._fcntl(fd, cmd, arg)

    def lockf(self, fd: Any, cmd: int, /, *place: Any) -> Any:
        """As ``fcntl.lockf``, whose arguments are all positional."""
        self._count(bool(cmd & fcntl.LOCK_UN))
        return self._lockf(fd, cmd, *place)


def set_up_program() -> None:
    """For a program that is graded: the names of its standard streams, an event loop, limits that it asks for."""
    builtins.open = io.open = _open_stream  # type: ignore[assignment]
    sys.meta_path.insert(0, _LoopFinder())
    resource.setrlimit = _set_no_limit


def _set_no_limit(kind: int, limits: tuple[int, int], /) -> None:
    """In place of ``resource.setrlimit``: accepts what Python would accept, and changes nothing.

    Programs ask for a larger stack before they recurse; Python's own frames do not lie on it, and the walls' limits stay.
    """
    resource.getrlimit(kind)  # raises for a kind that there is not
    soft, hard = limits
    if -1 != hard < soft or (soft == -1 and hard != -1):
        raise ValueError("not allowed to raise maximum limit")


def _open_stream(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
    """``open``, for which ``/dev/stdin`` and the like are the descriptors that they stand for: there is no /proc."""
    try:
        number = _STREAMS.get(_fspath(file))
    except TypeError:  # a descriptor, or a mistake
        number = None
    return _open(file if number is None else _dup(number), mode, *args, **options)


_open_stream.__name__ = _open_stream.__qualname__ = "open"
_open_stream.__module__ = "io"


class _LoopFinder(importlib.abc.MetaPathFinder):
    """Has asyncio's loop wake itself through a pipe, since there are no sockets, from the moment that it is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The usual one, but for asyncio's loop."""
        if fullname != _LOOP_MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            module.BaseSelectorEventLoop._make_self_pipe = _make_self_pipe

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


class _PipeEnd:
    """As much of a socket as asyncio's loop needs to wake itself."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    def fileno(self) -> int:
        """Its descriptor."""
        return self._fd

    def recv(self, num_bytes: int) -> bytes:
        """Read."""
        return os.read(self._fd, num_bytes)

    def send(self, data: bytes) -> int:
        """Write."""
        return os.write(self._fd, data)

    def close(self) -> None:
        """Close."""
        os.close(self._fd)


def _make_self_pipe(loop: Any) -> None:
    """In place of ``BaseSelectorEventLoop._make_self_pipe`` (Python 3.11 to 3.14)."""
    read_fd, write_fd = os.pipe()
    loop._ssock, loop._csock = _PipeEnd(read_fd), _PipeEnd(write_fd)
    loop._internal_fds += 1
    loop._add_reader(read_fd, loop._read_from_self)
