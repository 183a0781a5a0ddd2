"""Reads the packets that a child sends on its control socket, so many a turn and no more.

The sender is untrusted: it may send as fast as 32 native threads can, packets of no bytes, packets that mean nothing. A
reader that goes on until the socket is empty would never come back to the event loop. So a turn takes a bounded number
of packets and bytes; packets that nobody asked for make the reader pause, and the sender then blocks in the kernel, in
whose queue there is room for a few hundred packets. From a child that has sent many of them the kernel takes only those
that were asked for (`packet_filter`), where it knows how. Nothing here kills a child: the limits of time and output do.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import select
import socket
import termios
from collections.abc import Callable

from . import packet_filter
from .inside import wire

PACKETS_PER_TURN = 128
BYTES_PER_TURN = 1 << 20
PAUSE_S = 0.003
"""After a turn that was full of packets that nobody asked for."""
LONG_PAUSE_S = 0.1
FILTER_AFTER = 1_000
"""Packets that nobody asked for, from one child, after which the kernel is to drop further ones."""
NUM_TOLERATED = 30_000
"""Packets that nobody asked for, from one child, after which the pauses are long: 0.5 % of a core for each flooder."""
_MOST_QUEUED = 4096  # the kernel's queue holds fewer, whatever their size


class Inbox:
    """One child's control socket. ``on_packet`` is given each packet and says whether it meant something."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, source: socket.socket, on_packet: Callable[[memoryview], bool]
    ) -> None:
        self._loop = loop
        self._socket = source
        self._on_packet = on_packet
        self._timer: asyncio.TimerHandle | None = None
        self._open = True
        self.num_unasked = 0
        """Packets that meant nothing, so far."""
        self._asked_for = (b"", b"")
        loop.add_reader(source, self._turn)

    def ask_for(self, start: bytes, tags: bytes) -> None:
        """From now on only packets that begin with ``start`` and one byte of ``tags`` mean anything; none if there are no tags."""
        self._asked_for = (start, tags)
        if self.num_unasked >= FILTER_AFTER:
            packet_filter.only(self._socket, start, tags)

    def close(self) -> None:
        """Read no more. The socket stays the caller's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket)

    def read_now(self) -> None:
        """One turn at once: what a late loop has not looked at yet may be the result."""
        if self._open:
            self._read(PACKETS_PER_TURN)

    def read_rest(self) -> None:
        """What a child that has ended left in the queue. Nobody can add to it any more."""
        if self._open:
            self._read(_MOST_QUEUED)

    def _turn(self) -> None:
        num_before = self.num_unasked
        if self._read(PACKETS_PER_TURN):
            self.close()
        elif self.num_unasked - num_before >= PACKETS_PER_TURN // 2:
            self._pause()

    def _pause(self) -> None:
        if self._open and self._timer is None:
            self._loop.remove_reader(self._socket)
            pause_s = PAUSE_S if self.num_unasked < NUM_TOLERATED else LONG_PAUSE_S
            self._timer = self._loop.call_later(pause_s, self._resume)

    def _resume(self) -> None:
        self._timer = None
        if self._open:
            self._loop.add_reader(self._socket, self._turn)

    def _read(self, max_packets: int) -> bool:
        """Take up to ``max_packets``; True when the child has closed its end and nothing is left."""
        num_bytes = 0
        for _ in range(max_packets):
            try:
                size = self._socket.recv_into(_buffer)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                continue  # it ended without reading our last packet; what it sent before is still in the queue
            except OSError:
                return True
            if size == 0 and self._at_end():
                return True
            num_bytes += size
            if not self._on_packet(_buffer[:size]):
                self.num_unasked += 1
                if self.num_unasked == FILTER_AFTER:
                    packet_filter.only(self._socket, *self._asked_for)
            if num_bytes >= BYTES_PER_TURN or not self._open:
                return False
        return False

    def _at_end(self) -> bool:
        """Whether a read of no bytes was the end and not an empty packet, which reads just the same.

        It is the end only if the other side has hung up; empty packets may still be queued then, but mean nothing.
        """
        queued = array.array("i", [0])
        fcntl.ioctl(self._socket, termios.FIONREAD, queued)
        if queued[0]:
            return False
        poll = select.poll()
        poll.register(self._socket, 0)
        return bool(poll.poll(0))  # POLLHUP and POLLERR need not be asked for


_buffer = memoryview(bytearray(wire.MAX_PACKET))
"""One for all: an event loop's callbacks run one after another, and packets are copied before the next is read."""
