"""How a weight matrix is laid out for the products of decoding, and where it is kept.

A decoding step multiplies few rows (one a sequence) by large matrices. Plain `linear` rearranges the whole matrix in every
call, which costs as much as the product itself when there are few rows. So the matrices of a large model are kept in the
order in which they are read:

- `halved`, in FBGEMM's own order in half precision, where the files hold 16 bits a weight: the products are float32, and
  half the memory is read;
- `packed`, in oneDNN's own order, in a process that has the model for itself;
- `transposed`, where several processes share one copy: the other two orders cannot be shared.

Small models keep the plain order: there nothing is gained, and the embedded reasoner's tokens stay what they are.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn import functional

LARGE_BYTES = 64 << 20
"""Weight files above this make a large model."""

Make = Callable[[], torch.Tensor]


class Matrix(Protocol):
    """A linear layer: rows [T, in] → [T, out]."""

    def __call__(self, x_TI: torch.Tensor) -> torch.Tensor:
        """The product, with the bias if there is one."""


class Store(Protocol):
    """Where the tensors of a model go. Every process that shares a model asks for the same ones in the same order."""

    def put(self, make: Make) -> torch.Tensor:
        """The tensor that ``make`` makes, or the same one made by another process."""

    def matrix(self, make: Make, bias: Make | None = None) -> Matrix:
        """The linear layer of the weight [out, in] that ``make`` makes."""

    def close(self) -> None:
        """All tensors are there."""


class _Plain:
    """The order of the files."""

    __slots__ = ("bias", "weight")

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x_TI: torch.Tensor) -> torch.Tensor:
        return functional.linear(x_TI, self.weight, self.bias)


class _Transposed:
    """[in, out]: rows of the product are read one after another."""

    __slots__ = ("bias", "weight_IO")

    def __init__(self, weight_IO: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight_IO, self.bias = weight_IO, bias

    def __call__(self, x_TI: torch.Tensor) -> torch.Tensor:
        return x_TI @ self.weight_IO if self.bias is None else torch.addmm(self.bias, x_TI, self.weight_IO)


class _Packed:
    """oneDNN's own order for the products of up to a few dozen rows."""

    __slots__ = ("bias", "weight")

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weight, self.bias = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 32), bias

    def __call__(self, x_TI: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x_TI, self.weight, self.bias, "none", [], "")
        return product


_HALF_ROWS = 4096
"""Rows of a weight that are packed together: a product of this width stays in the processor's cache."""
_HALF_SPACING = 2.0**-24
"""The distance of two half-precision numbers near zero; all others have eleven bits, bfloat16 has eight."""


class _Halved:
    """FBGEMM's own order, in half precision: it reads half the memory, and multiplies and adds in float32."""

    __slots__ = ("bias", "parts")

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        pack = torch.ops.quantized.linear_prepack_fp16
        width = len(weight) if len(weight) < 4 * _HALF_ROWS else _HALF_ROWS
        self.parts = [pack(rows.contiguous(), None) for rows in weight.split(width)]
        self.bias = bias

    def __call__(self, x_TI: torch.Tensor) -> torch.Tensor:
        multiply = torch.ops.quantized.linear_dynamic_fp16
        product: torch.Tensor
        if len(self.parts) == 1:
            product = multiply(x_TI, self.parts[0])
        else:
            product = torch.cat([multiply(x_TI, part) for part in self.parts], dim=-1)
        return product if self.bias is None else product.add_(self.bias)


def survives_half(weight: torch.Tensor) -> bool:
    """Whether half precision holds every weight: none is too large, and only numbers near zero are rounded."""
    return bool(((weight.half().float() - weight).abs() < _HALF_SPACING).all())


class PrivateStore:
    """Memory of this process. ``packed`` and ``halved`` say which orders are of use; plain otherwise."""

    def __init__(self, packed: bool, halved: bool = False) -> None:
        self._kind: type[_Plain] | type[_Packed] = _Packed if packed else _Plain
        self._halved = halved

    def put(self, make: Make) -> torch.Tensor:
        """Made here."""
        return make()

    def matrix(self, make: Make, bias: Make | None = None) -> Matrix:
        """Halved or packed if the processor can; plain otherwise."""
        weight, offset = make(), bias() if bias is not None else None
        if self._halved and survives_half(weight):
            try:
                return _Halved(weight, offset)
            except (RuntimeError, AttributeError):  # no FBGEMM in this torch, or not on this processor
                self._halved = False
        if self._kind is _Packed:
            try:
                return _Packed(weight, offset)
            except (RuntimeError, AttributeError):  # no oneDNN in this torch, or not for this type on this processor
                self._kind = _Plain
        return _Plain(weight, offset)

    def close(self) -> None:
        """Nothing to do."""


_HEAD = 4096
_DONE = b"whole\0\0\0"
_TYPES = (torch.float32, torch.bfloat16, torch.float16)
_RECORD = struct.Struct("<8q")


class SharedStore:
    """Memory that all processes map which open ``path`` (a memory file of their parent): the weights are there once.

    The first one to come holds a lock, reads the weights and writes them; the others wait, then only map them. If it dies,
    the lock is free and the next one starts again. The memory goes when the last process that uses it goes.
    """

    def __init__(self, path: str, max_bytes: int, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._file = os.open(path, os.O_RDWR)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._is_first = os.pread(self._file, len(_DONE), 0) != _DONE
        if self._is_first:
            os.ftruncate(self._file, max_bytes)  # no memory is taken before something is written
        self._memory = mmap.mmap(self._file, 0)
        self._at = _HEAD

    def put(self, make: Make) -> torch.Tensor:
        """Made by the first process, found by the others."""
        if self._is_first:
            made = make()
            size = made.shape
            record = (_TYPES.index(made.dtype), made.dim(), *size, *[0] * (6 - made.dim()))
            _RECORD.pack_into(self._memory, self._at, *record)
            tensor = self._next(made.dtype, *size)
            tensor.copy_(made)
            return tensor
        kind, num_axes, *axes = _RECORD.unpack_from(self._memory, self._at)
        return self._next(_TYPES[kind], *axes[:num_axes])

    def matrix(self, make: Make, bias: Make | None = None) -> Matrix:
        """Transposed in float32; bfloat16 keeps the order that its instructions are tuned for."""
        if self._dtype is torch.float32:
            return _Transposed(self.put(lambda: make().t()), self.put(bias) if bias is not None else None)
        return _Plain(self.put(make), self.put(bias) if bias is not None else None)

    def close(self) -> None:
        """Tell the others that all is there."""
        if self._is_first:
            self._memory[: len(_DONE)] = _DONE
        fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)

    def _next(self, dtype: torch.dtype, *size: int) -> torch.Tensor:
        start = self._at + 64
        count = 1
        for axis in size:
            count *= axis
        self._at = -(-(start + count * dtype.itemsize) // 64) * 64
        return torch.frombuffer(self._memory, dtype=dtype, count=count, offset=start).view(size)
