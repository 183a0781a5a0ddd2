"""The parent's end of one child: its socket, its pipes, and the one request that it may be working on.

Everything that arrives from a child is untrusted: a packet counts only with the nonce of the cell that is running, output
is counted before it is kept, each event costs a bounded amount of work, and the status of a child that died comes from
the zygote's ``wait4``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from selftaught.errors import SandboxError

from .inbox import Inbox
from .inside import wire
from .settings import Tier

_READ_BYTES = 1 << 16
_KILL_GRACE_S = 0.25
"""How long a caller waits for the news that its child is dead. The kill is under way; only the news may be late."""
_DONE = wire.DONE_OK + wire.DONE_ERROR + wire.DONE_MEMORY
_IMAGES = wire.IMAGE + wire.IMAGE_END
_LEAST_COUNTED = 256  # bytes that each piece of a result counts as at least: many tiny ones cost work, too


class ChildLost(Exception):
    """The child went before it was ready: never shown to a caller, another child is taken."""


class Owner(Protocol):
    """What a child's handle needs of its zygote's."""

    tier: Tier

    def end_child(self, number: int) -> None:
        """Have a child killed."""

    def forget(self, number: int) -> None:
        """No news of this child is wanted any more."""

    def allow_cpu(self, number: int, cpu_s: float, session: bool) -> None:
        """Let a child use ``cpu_s`` seconds of CPU from now on."""


class Killed(Enum):
    """Why we ended a child."""

    WALL = "wall"
    OUTPUT = "output"


@dataclass
class Request:
    """What a child is to run. ``stdin`` None gives an empty one."""

    source: str
    timeout_s: float
    max_output_bytes: int
    on_output: Callable[[bytes], None]
    on_error_output: Callable[[bytes], None] | None = None
    """Receives stderr apart; None puts it into the same pipe as stdout."""
    mode: int = wire.MODE_CELL
    number: int = 1
    last: bool = True
    """The child ends after this."""
    awaits_exit: bool = False
    """Wait until ``wait4`` has told how the child ended, not only until the child says that it has done. Costs the time in
    which the kernel takes a process apart (2 to 4 ms), so only what is graded asks for it."""
    echo: bool = True
    stdin: bytes | None = None
    call: bytes = b""
    max_images: int = 0
    """Images that are taken from it, of at most ``max_image_bytes`` each."""
    max_image_bytes: int = 0


@dataclass
class Ending:
    """How it ended, in the parent's words. ``done`` is what the child said, ``exit_status`` what the kernel said, if it has ended."""

    wall_s: float
    done: bytes | None = None
    exit_status: int | None = None
    cpu_s: float = 0.0
    limit: str = ""
    killed: Killed | None = None
    lost: str = ""
    result: bytes = b""
    images: tuple[bytes, ...] = ()
    """As the child sent them: any bytes."""
    exit_code: int | None = None
    """What the code asked for with ``sys.exit``, or 1 after an exception: said by the child itself."""
    awaited_exit: bool = False
    """The child was to end after this: ``exit_status`` decides and ``done`` proves nothing."""


@dataclass
class _Work:
    request: Request
    future: asyncio.Future[None]
    nonce: bytes
    started: float
    num_output: int = 0
    result: bytearray = field(default_factory=bytearray)
    image: bytearray = field(default_factory=bytearray)
    images: list[bytes] = field(default_factory=list)

    def take_image(self, piece: memoryview, is_last: bool) -> bool:
        """Take a piece of an image; False when there are too many or it grows too large."""
        too_long = len(self.image) + len(piece) > self.request.max_image_bytes
        if too_long or len(self.images) >= self.request.max_images or not piece:
            return False
        self.image += piece
        if is_last:
            self.images.append(bytes(self.image))
            self.image.clear()
        return True


class ChildHandle:
    """One child. ``owner``, the zygote's handle, has the wire for kills and exit reports."""

    def __init__(self, number: int, owner: Owner) -> None:
        self.number = number
        self.tier = owner.tier
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._out, out_write = os.pipe()
        self._err, err_write = os.pipe()
        self.passed_fds = [theirs.detach(), out_write, err_write]
        self._socket.setblocking(False)
        os.set_blocking(self._out, False)
        os.set_blocking(self._err, False)
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._inbox = Inbox(self._loop, self._socket, self._on_packet)
        self._work: _Work | None = None
        self._exit: dict[str, object] | None = None
        self._killed: Killed | None = None
        self._lost = ""
        self._done: bytes | None = None
        self._exit_code: int | None = None
        self.closed = False

    def after_spawn(self) -> None:
        """Close the descriptors that the child now has."""
        for fd in self.passed_fds:
            os.close(fd)
        self.passed_fds = []

    @property
    def alive(self) -> bool:
        """False once the child is known to have gone."""
        return not (self.closed or self._exit is not None or self._lost)

    async def execute(self, request: Request) -> Ending:
        """Run one request. Cancelling this kills the child."""
        work = _Work(request, self._loop.create_future(), secrets.token_bytes(wire.NONCE_BYTES), time.monotonic())
        self._work, self._killed = work, None
        timer = self._loop.call_later(request.timeout_s, self._on_deadline)
        self._loop.add_reader(self._out, self._on_output, self._out, request.on_output)
        if request.on_error_output is not None:
            self._loop.add_reader(self._err, self._on_output, self._err, request.on_error_output)
        try:
            if self.alive:
                self._inbox.ask_for(work.nonce, _DONE + wire.RESULT + (_IMAGES if request.max_images else b""))
                self._send(request, work.nonce)
                await work.future
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            timer.cancel()
            self._loop.remove_reader(self._out)
            self._loop.remove_reader(self._err)
            self._work = None
        self._drain(work)
        ending = Ending(
            time.monotonic() - work.started, killed=self._killed, lost=self._lost, result=bytes(work.result),
            images=tuple(work.images), awaited_exit=request.awaits_exit,
        )  # fmt: skip
        if self._exit is not None:
            ending.exit_status = int(str(self._exit["status"]))
            ending.cpu_s = float(str(self._exit["cpu_s"]))
            ending.limit = str(self._exit.get("limit", ""))
        ending.done, self._done = self._done, None
        ending.exit_code, self._exit_code = self._exit_code, None
        return ending

    def allow_cpu(self, cpu_s: float, session: bool) -> None:
        """Set how much CPU the next request may use, counted from now."""
        self._owner.allow_cpu(self.number, cpu_s, session)

    def kill(self, reason: Killed | None = None) -> None:
        """SIGKILL through the zygote; the exit report follows."""
        if self._killed is None:
            self._killed = reason
        if self._exit is None and not self._lost:
            self._owner.end_child(self.number)

    def close(self) -> None:
        """Let go of the child: it is killed if it still runs, and all descriptors are closed."""
        if self.closed:
            return
        self.closed = True
        self._inbox.close()
        self._loop.remove_reader(self._out)
        self._loop.remove_reader(self._err)
        self._socket.close()
        os.close(self._out)
        os.close(self._err)
        if not self.ready.done():
            self.ready.cancel()
        if self._exit is None:
            self._owner.end_child(self.number)
        self._owner.forget(self.number)

    # ---------------------------------------------------------------------------------------- news from the zygote

    def on_exit(self, report: dict[str, object]) -> None:
        """The zygote has reaped the child. What it sent before it ended comes first, though this news may overtake it."""
        if not self.closed:
            self._inbox.read_rest()
        self._exit = report
        if not self.ready.done():
            reason = str(report.get("error") or f"a child ended during its set-up, status {report['status']}")
            self.ready.set_exception(ChildLost(reason))
            self.ready.exception()  # looked at: nobody may be waiting for a spare
        self._end_work()

    def on_lost(self, reason: str) -> None:
        """The zygote has gone, and the child with it."""
        self._lost = reason
        if not self.ready.done():
            self.ready.set_exception(ChildLost(reason))
            self.ready.exception()
        self._end_work()

    # ------------------------------------------------------------------------------------------------ wire and pipes

    def _send(self, request: Request, nonce: bytes) -> None:
        source = request.source.encode("utf-8", "surrogatepass")
        flags = wire.FLAG_MERGED if request.on_error_output is None else 0
        flags |= wire.FLAG_LAST if request.last else 0
        flags |= wire.FLAG_ECHO if request.echo else 0
        flags |= wire.FLAG_IMAGES if request.max_images else 0
        fds = []
        payload = source + request.call
        if len(payload) > wire.MAX_INLINE:
            flags |= wire.FLAG_FILE
            fds.append(_memory_file(payload))
            payload = b""
        if request.stdin is not None:
            flags |= wire.FLAG_STDIN
            fds.append(_memory_file(request.stdin))
        header = wire.HEADER.pack(nonce, request.mode, flags, request.number, len(source), len(request.call))
        try:
            with contextlib.suppress(OSError):  # it has just died: its exit report is under way
                if fds:
                    socket.send_fds(self._socket, [header + payload], fds)
                else:
                    self._socket.send(header + payload)
        finally:
            for fd in fds:
                os.close(fd)

    def _on_packet(self, packet: memoryview) -> bool:
        """Take one packet of the child's; False when nobody asked for it."""
        if not self.ready.done():  # up to here the child has run none but our own code
            if packet == wire.READY:
                self.ready.set_result(None)
            elif packet[:1] == wire.BROKEN:
                text = str(packet[1:], "utf-8", "replace")
                self.ready.set_exception(SandboxError(f"a sandboxed child could not be set up: {text}"))
                self.ready.exception()
            return True
        work = self._work
        if work is None or not secrets.compare_digest(packet[: wire.NONCE_BYTES], work.nonce):
            return False
        body = packet[wire.NONCE_BYTES :]
        tag = bytes(body[:1])
        if tag == wire.RESULT:
            if self._killed is None:
                work.result += body[1:]
            self._count(work, max(len(packet), _LEAST_COUNTED))
            return True
        if tag and tag in _IMAGES:
            return work.take_image(body[1:], tag == wire.IMAGE_END)
        if tag and tag in _DONE and self._done is None and not work.future.done():
            self._done = tag
            self._inbox.ask_for(b"", b"")
            self._exit_code = body[1] if len(body) > 1 else None
            if not work.request.awaits_exit:
                self._end_work()
            return True
        return False

    def _on_output(self, fd: int, sink: Callable[[bytes], None]) -> None:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(fd)
            return
        sink(data)
        if self._work is not None:
            self._count(self._work, len(data))

    def _count(self, work: _Work, num_bytes: int) -> None:
        work.num_output += num_bytes
        if work.num_output > work.request.max_output_bytes and self._killed is None:
            self.kill(Killed.OUTPUT)
            self._inbox.ask_for(b"", b"")
            self._loop.remove_reader(self._out)  # until the kill arrives it may block, not fill our memory
            self._loop.remove_reader(self._err)

    def _drain(self, work: _Work) -> None:
        """Take what was written before the end; it is in the pipe already."""
        request = work.request
        for fd, sink in ((self._out, request.on_output), (self._err, request.on_error_output)):
            while sink is not None and work.num_output <= request.max_output_bytes + _READ_BYTES:
                try:
                    data = os.read(fd, _READ_BYTES)
                except OSError:
                    break
                if not data:
                    break
                sink(data)
                work.num_output += len(data)

    def _on_deadline(self) -> None:
        self._inbox.read_now()  # the loop may be late itself: what is done is done
        if self._work is None or self._work.future.done():
            return
        self.kill(Killed.WALL)
        self._loop.call_later(_KILL_GRACE_S, self._give_up, self._work)

    def _give_up(self, work: _Work) -> None:
        if self._work is work and not work.future.done():
            self._lost = "the zygote did not confirm the kill"
            self._end_work()

    def _end_work(self) -> None:
        if self._work is not None and not self._work.future.done():
            self._work.future.set_result(None)


def _memory_file(data: bytes) -> int:
    """A sealed memory file holding ``data``, to be read from its beginning."""
    import fcntl

    fd = os.memfd_create("in", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd
