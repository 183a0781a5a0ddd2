"""The two wires and their messages: parent ↔ zygote (trusted both ways) and parent ↔ child (trusted one way only).

Parent → zygote and back: one JSON object per packet, descriptors beside it. Parent → child: a fixed header, then the
source and the call as UTF-8, either in the packet or, when long, in a sealed memory file. Child → parent: a nonce of
the cell's, a tag of one byte, and either the exit code in one byte, a piece of a program's JSON result, or a piece of
an image (the last piece of each has a tag of its own); the parent ignores anything else.

Packets (``SOCK_SEQPACKET``) and not a stream, so that no length that an untrusted side sends has to be believed. The
nonce is there because a session's socket outlives its cells: what a thread of an earlier cell sends is not the end of
this one. It is no secret from the cell itself, which can lie about itself in simpler ways.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("<16sBBIQQ")
"""nonce, mode, flags, cell number, bytes of source, bytes of call."""

NONCE_BYTES = 16
MODE_CELL, MODE_PROGRAM = 0, 1
FLAG_MERGED, FLAG_STDIN, FLAG_FILE, FLAG_LAST, FLAG_ECHO, FLAG_IMAGES = 1, 2, 4, 8, 16, 32

READY = b"R"
BROKEN = b"E"
DONE_OK, DONE_ERROR, DONE_MEMORY = b"o", b"e", b"m"
RESULT = b"j"
IMAGE, IMAGE_END = b"p", b"P"

MAX_INLINE = 32 * 1024
MAX_PACKET = 64 * 1024
RESULT_PIECE = 32 * 1024

EXIT_ERROR, EXIT_SETUP = 1, 78
"""Exit code after an exception, and of a child that could not put up its walls. Neither proves anything: a cell may
leave with any code that it likes."""
