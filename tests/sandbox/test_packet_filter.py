"""The kernel's filter: exactly the packets that were asked for come through."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from selftaught.sandbox.packet_filter import only

NONCE = bytes(range(16))
PACKETS = [
    b"", b"x", NONCE, NONCE + b"x", NONCE[:15] + b"?o", b"?" + NONCE[1:] + b"o", NONCE[:4] + bytes(12) + b"o", NONCE[1:] + b"oo",
    NONCE + b"o", NONCE + b"mabc", NONCE + b"e" * 60_000, NONCE + b"j[]", NONCE + b"\x00o",
]  # fmt: skip


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("start", [b"", NONCE[:4], NONCE])
@pytest.mark.parametrize("tags", [b"", b"o", b"oem", b"oemj", b"\x00"])
def test_only_what_begins_so_comes(pair: tuple[socket.socket, socket.socket], start: bytes, tags: bytes) -> None:
    ours, theirs = pair
    if not only(ours, start, tags):
        pytest.skip("this kernel filters no packets of Unix sockets")
    come = []
    for packet in PACKETS:
        theirs.send(packet)
        try:
            come.append(ours.recv(65536))
        except BlockingIOError:
            continue
    at = len(start)
    assert come == [one for one in PACKETS if one[:at] == start and one[at : at + 1] and one[at] in tags]


def test_a_new_filter_replaces_the_old_one(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    if not (only(ours, b"", b"") and only(ours, b"", b"a")):
        pytest.skip("this kernel filters no packets of Unix sockets")
    theirs.send(b"b")
    theirs.send(b"a")
    assert ours.recv(10) == b"a"


def test_what_can_be_no_socket_is_a_no(tmp_path: object) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    ours.close()
    assert only(ours, NONCE, b"o") is False
