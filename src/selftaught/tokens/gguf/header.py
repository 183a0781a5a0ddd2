"""Reads the header of a GGUF file (versions 2 and 3): key-value pairs, and where each tensor lies.

Layout: magic ``GGUF``, version, number of tensors and of pairs; the pairs (key, type, value); for each tensor its name,
axes (innermost first), number type and offset; then the data, aligned. All numbers are little-endian.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.errors import EngineError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST = 1 << 32
"""Counts above this are damage."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: ``size`` has the outermost axis first, as everywhere else.

    ``offset`` counts from the file's beginning.
    """

    name: str
    kind: int
    size: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says before its data."""

    path: Path
    values: dict[str, Any]
    tensors: dict[str, GgufTensor]

    @property
    def architecture(self) -> str:
        """``general.architecture``, the prefix of the network's own keys."""
        return str(self.values.get("general.architecture"))

    def own(self, key: str, default: Any = None) -> Any:
        """The architecture's own value ``key``."""
        return self.values.get(f"{self.architecture}.{key}", default)


def read_header(path: Path) -> GgufHeader:
    """The header of ``path``. EngineError if it is no GGUF file, of an unknown version, or cut."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            return _Reader(path, memory).read()
    except (struct.error, IndexError, UnicodeDecodeError):
        raise EngineError(f"{path} is cut or damaged: its header does not end; fetch it again.") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read as GGUF ({error}); expected a whole .gguf file.") from None


class _Reader:
    """A position in the file's memory."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path, self.memory, self.at = path, memory, 0

    def read(self) -> GgufHeader:
        if self.memory[:4] != b"GGUF":
            raise ValueError(f"it begins with {self.memory[:4]!r}, not with b'GGUF'")
        self.at = 4
        version = self.scalar("I")
        if version not in (2, 3):
            raise ValueError(f"version {version}; known are 2 and 3")
        num_tensors, num_values = self.count(), self.count()
        values = {self.string(): self.value(self.scalar("I")) for _ in range(num_values)}
        found = []
        for _ in range(num_tensors):
            name = self.string()
            axes = [self.scalar("Q") for _ in range(self.scalar("I"))]
            found.append((name, tuple(reversed(axes)), self.scalar("I"), self.scalar("Q")))
        alignment = int(values.get("general.alignment", 32))
        start = -(-self.at // alignment) * alignment
        tensors = {name: GgufTensor(name, kind, size, start + offset) for name, size, kind, offset in found}
        if any(tensor.offset >= len(self.memory) for tensor in tensors.values()):
            raise ValueError("its data are missing")
        return GgufHeader(self.path, values, tensors)

    def scalar(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self.memory, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def count(self) -> int:
        value = int(self.scalar("Q"))
        if value > _MOST:
            raise ValueError(f"a count of {value}")
        return value

    def string(self) -> str:
        length = self.count()
        raw = self.memory[self.at : self.at + length]
        if len(raw) < length:
            raise IndexError
        self.at += length
        return raw.decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            of, length = self.scalar("I"), self.count()
            if of in _SCALARS:
                form = f"<{length}{_SCALARS[of]}"
                values = struct.unpack_from(form, self.memory, self.at)
                self.at += struct.calcsize(form)
                return list(values)
            return [self.value(of) for _ in range(length)]
        if kind not in _SCALARS:
            raise ValueError(f"value type {kind} is unknown")
        return self.scalar(_SCALARS[kind])
