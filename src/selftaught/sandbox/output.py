"""Model output on its way to a terminal, a log or back into a model: cut, decoded, made harmless.

Bytes are kept from the head and the tail, because the exception's name stands at the end. Nothing here trusts the
encoding, the line length or the control characters of what it is given.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable

from .settings import SandboxSettings

STDERR_KEEP_BYTES = 8192
"""What is kept of a program's standard error."""
MAX_PIXELS = 1 << 26
"""Largest image that is passed on: a small file may unpack to any size."""
_PNG_HEADER = 33  # bytes: the signature and the first chunk

# Texts that some model family's tokenizer reads as one special token, besides <|…|>.
_TAGS = (
    "think", "tool_calls?", "tool_responses?", "tool_results?", "tool_outputs?", "function_calls?",
    "s", "bos", "eos", "pad", "unk", "mask", "sep", "cls", "start_of_turn", "end_of_turn", "start_of_image",
    "end_of_image", "image_soft_token", "start_function_call", "end_function_call", "fim_prefix", "fim_middle",
    "fim_suffix",
)  # fmt: skip
_BRACKETED = "INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|ARGS|CALL_ID|THINK|IMG|IMG_END"
_CHAT_TOKEN = re.compile(rf"<(?=[|｜])|<(?=/?(?:{'|'.join(_TAGS)})>)|<(?=</?SYS>>)|\[(?=/?(?:{_BRACKETED})\])")
# C0 and C1, marks and overrides of direction, separators that readers of lines take for line ends, marks that show as
# nothing: the soft hyphen, the byte order mark, interlinear notes, the "tags" that spell hidden ASCII.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)


class Spectator:
    """Shows output while it is written: each piece decoded, made harmless, passed on; no more than ``max_chars`` in all."""

    def __init__(self, show: Callable[[str], None], max_chars: int, harmless: bool) -> None:
        self._show, self._left, self._harmless = show, max_chars, harmless
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, data: bytes) -> None:
        """Take ``data`` in."""
        if self._left > 0:
            text = self._decoder.decode(data)[: self._left]
            self._left -= len(text)
            if text:
                self._show(neutralise(text) if self._harmless else text)


class OutputBuffer:
    """Collects bytes, keeping the first and the last ``keep_bytes`` / 2; counts them all."""

    def __init__(self, keep_bytes: int, spectator: Spectator | None = None) -> None:
        self._keep, self._spectator = keep_bytes, spectator
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.num_bytes = 0

    def add(self, data: bytes) -> None:
        """Take ``data`` in."""
        if self._spectator is not None:
            self._spectator.add(data)
        self.num_bytes += len(data)
        room = self._keep - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail.append(data)
            self._tail_bytes += len(data)
            while self._tail_bytes - len(self._tail[0]) >= self._keep:
                self._tail_bytes -= len(self._tail.popleft())

    @property
    def truncated(self) -> bool:
        """Whether bytes were left out."""
        return self.num_bytes > self._keep

    def raw(self) -> bytes:
        """What is kept, with a line saying how much is not."""
        if not self.truncated:
            return bytes(self._head)
        half = self._keep // 2
        tail = bytes(self._head) + b"".join(self._tail) if self.num_bytes < 2 * self._keep else b"".join(self._tail)
        left_out = self.num_bytes - 2 * half
        return bytes(self._head[:half]) + f"\n… [{left_out} bytes left out] …\n".encode() + tail[-half:]


def buffer_for(settings: SandboxSettings, on_output: Callable[[str], None] | None) -> OutputBuffer:
    """A buffer for one cell's output, which ``on_output`` sees too if there is one."""
    spectator = None
    if on_output is not None:
        spectator = Spectator(on_output, settings.output_bytes, settings.neutralise)
    return OutputBuffer(settings.output_bytes, spectator)


def is_png(data: bytes) -> bool:
    """Whether ``data`` begins as a PNG does and is of a size that can be shown: the child that sent it may send anything."""
    if len(data) < _PNG_HEADER or data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return False
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return 0 < width * height <= MAX_PIXELS


def decode(data: bytes) -> str:
    """UTF-8 with every bad byte replaced."""
    return data.decode("utf-8", "replace")


def cut_lines(text: str, max_chars: int) -> tuple[str, bool]:
    """Cut the middle out of lines longer than ``max_chars``; say whether any was."""
    if len(text) <= max_chars:
        return text, False
    half = max_chars // 2
    lines = text.split("\n")
    cut = False
    for index, line in enumerate(lines):
        if len(line) > max_chars:
            lines[index] = f"{line[:half]}… [{len(line) - 2 * half} characters left out] …{line[-half:]}"
            cut = True
    return "\n".join(lines), cut


def neutralise(text: str) -> str:
    """Make ``text`` harmless: carriage returns become line ends, control, direction and invisible marks become ``\\x1b``
    and the like, and ``<|im_end|>``, ``</think>`` or ``[INST]`` gets a space so that no tokenizer reads a special token
    in it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
    return _CHAT_TOKEN.sub(lambda match: match.group() + " ", text)
