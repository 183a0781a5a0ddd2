"""A filter in the kernel for one control socket: packets that do not begin as asked are dropped before anybody reads them.

Reading a packet costs this process two microseconds; a child sends a million a second. With the filter the sender pays
alone, and what it sends takes no room in the queue. It is classic BPF, which any process may put on a socket of its own;
the kernel applies it in ``sendmsg`` of the other side and tells the sender nothing. Where it is refused (gVisor, old
kernels) the reader's own bounds stand.
"""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_LOAD_WORD, _LOAD_BYTE, _EQUAL, _RETURN = 0x20, 0x30, 0x15, 0x06  # at a fixed offset; against a constant
_WHOLE_PACKET = 0xFFFFFFFF
_INSTRUCTION = struct.Struct("=HBBI")


def only(source: socket.socket, start: bytes, tags: bytes) -> bool:
    """Let only packets into ``source`` that begin with ``start`` and one byte of ``tags``; none when ``tags`` is empty.

    What is queued already stays. False where the kernel does not want it. ``start`` is a multiple of four bytes.
    """
    words = [word for (word,) in struct.iter_unpack(">I", start)]
    code: list[tuple[int, int, int, int]] = []
    num_left = 2 * len(words) + len(tags)  # instructions from the first comparison to the refusal, loads included
    for number, word in enumerate(words):
        code.append((_LOAD_WORD, 0, 0, 4 * number))
        code.append((_EQUAL, 0, num_left - 2 * number - 1, word))
    code.append((_LOAD_BYTE, 0, 0, len(start)))
    for number, tag in enumerate(tags):
        code.append((_EQUAL, len(tags) - number, 0, tag))
    code.append((_RETURN, 0, 0, 0))
    code.append((_RETURN, 0, 0, _WHOLE_PACKET))
    program = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*one) for one in code))
    try:
        source.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(code), ctypes.addressof(program))
        )
    except OSError:
        return False
    return True
