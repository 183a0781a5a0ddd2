"""The forward pass of the slot engine: rows of different lengths, each at its own position, over a preallocated cache.

The cache is two tensors a layer: keys ``[slot, kv head, D, N]`` (transposed, so that scores are one plain batched
product) and values ``[slot, kv head, N, D]``. ``step`` feeds one token to each of B slots and a run of tokens to
any others, in one pass: the linear layers see only tokens that are wanted. Query heads that share a key head are folded
into the query axis. Attention of the decoding slots goes by bands of neighbouring slots, each as far as its longest row
(`selftaught.engines.bands`). Shapes: see `selftaught.engines.shape`.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional

from selftaught.engines.bands import Band
from selftaught.engines.shape import ModelShape
from selftaught.engines.weights import LayerWeights, load_weights

_GROW_COLUMNS = 256
_APART_COLUMNS = 16


def _zeros(size: tuple[int, ...], dtype: torch.dtype, device: str) -> torch.Tensor:
    """A tensor of zeros. On a CPU in pages of its own: they take memory when they are written, and go when it goes.

    What the C library gives has often been used before: then it is filled with zeros, every page of it, and what is freed
    stays with the process.
    """
    if device != "cpu":
        return torch.zeros(size, dtype=dtype, device=device)
    count = math.prod(size)
    pages = mmap.mmap(-1, count * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=dtype, count=count).view(size)


class Prefill(NamedTuple):
    """Ids that go to positions ``start``… of one slot."""

    slot: int
    start: int
    ids: Sequence[int]


class _BandViews(NamedTuple):
    """One band's part of the queries (``low:high``), its mask, and its keys and values by layer."""

    low: int
    high: int
    mask: torch.Tensor
    keys_L: Sequence[torch.Tensor]
    values_L: Sequence[torch.Tensor]


class _Decoding(NamedTuple):
    """What attention of the decoding rows needs in every layer."""

    num_rows: int
    num_slots: int
    """Slots of the window: those up to the last one that decodes."""
    rows_B: torch.Tensor
    pos_B: torch.Tensor
    bands: list[_BandViews]


class SlotModel:
    """Weights plus KV slots. Pure tensor code: it knows no tokens, no stops, no requests."""

    def __init__(
        self,
        folder: Path,
        num_slots: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        share: str | None = None,
    ) -> None:
        self.shape = ModelShape.read(folder)
        self.weights = load_weights(folder, self.shape, dtype, device, share)
        self.dtype, self.device, self.num_slots = dtype, device, num_slots
        self.capacity = 0
        size = (num_slots, self.shape.num_kv_heads, self.shape.head_dim, 0)
        self._keys_SKDN = [torch.empty(size, dtype=dtype, device=device) for _ in range(self.shape.num_layers)]
        self._values_SKND = [keys.transpose(2, 3) for keys in self._keys_SKDN]
        self.reserve(min(_GROW_COLUMNS, self.shape.max_context))
        self._slots_B = torch.arange(num_slots, device=device)
        self._scale = self.shape.head_dim**-0.5

    # ---------------------------------------------------------------------------------------------------------- cache

    @torch.inference_mode()
    def reserve(self, num_columns: int) -> None:
        """Make room for rows of ``num_columns`` tokens; what is cached stays.

        The cache grows with the longest row, not to the model's context. On a CPU even that is address space alone: a page
        takes memory when something is written to it, so short rows and empty slots cost little. Layers grow one after
        another, so that old and new lie side by side for one layer only. A CPU grows in small steps: a copy costs about
        three times what attention of one decoding step reads, once in 256 steps. A GPU's allocator keeps what is freed in
        pieces of the old size, so there steps are large.
        """
        if num_columns <= self.capacity:
            return
        shape, old = self.shape, self.capacity
        if self.device == "cpu":
            # Columns behind a whole number of steps: at a distance of a power of two, a column's numbers share cache lines.
            steps = -(-max(num_columns - _APART_COLUMNS, old + 1 - _APART_COLUMNS) // _GROW_COLUMNS)
            new = min(shape.max_context, max(num_columns, steps * _GROW_COLUMNS + _APART_COLUMNS))
        else:
            new = min(shape.max_context, max(num_columns, old + max(_GROW_COLUMNS, old // 2)))
        size = (self.num_slots, shape.num_kv_heads)
        for index in range(shape.num_layers):
            keys = _zeros((*size, shape.head_dim, new), self.dtype, self.device)
            keys[..., :old] = self._keys_SKDN[index]
            self._keys_SKDN[index] = keys
            values = _zeros((*size, new, shape.head_dim), self.dtype, self.device)
            values[..., :old, :] = self._values_SKND[index]
            self._values_SKND[index] = values
        self.capacity = new
        positions = torch.arange(new, dtype=torch.float32)
        angles = torch.outer(positions, torch.tensor(shape.inv_freq, dtype=torch.float32))
        table = torch.cat([angles, angles], dim=-1)
        self._cos_PD = table.cos().to(device=self.device, dtype=self.dtype)
        self._sin_PD = table.sin().to(device=self.device, dtype=self.dtype)
        half = shape.head_dim // 2
        self._sin_PD[:, :half] *= -1  # rotate_half's sign, folded into the table
        self._columns_N = torch.arange(new, device=self.device)

    @torch.inference_mode()
    def copy_slot(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` columns of one slot into another."""
        for keys, values in zip(self._keys_SKDN, self._values_SKND, strict=True):
            keys[target, :, :, :length] = keys[source, :, :, :length]
            values[target, :, :length] = values[source, :, :length]

    @torch.inference_mode()
    def swap_slots(self, one: int, other: int, length: int) -> None:
        """Exchange the first ``length`` columns of two slots."""
        for keys, values in zip(self._keys_SKDN, self._values_SKND, strict=True):
            for cached in (keys[..., :length], values[:, :, :length]):
                kept = cached[one].clone()
                cached[one] = cached[other]
                cached[other] = kept

    # -------------------------------------------------------------------------------------------------------- forward

    @torch.inference_mode()
    def step(
        self,
        slots: Sequence[int],
        ids: Sequence[int],
        positions: Sequence[int],
        bands: Sequence[Band],
        prefills: Sequence[Prefill] = (),
        all_logits: bool = False,
    ) -> torch.Tensor:
        """Decode one token of each of ``slots`` (ascending) and feed ``prefills``, in one pass.

        ``ids[i]`` goes to ``positions[i]`` of ``slots[i]``. ``bands`` cover these slots in ascending order; slots in them
        that do not decode cost attention, not linear layers. Returns float32 logits of the decoded tokens, then of each
        prefill's last one ``[B + prefills, V]``, or with ``all_logits`` of all tokens, prefills last.
        """
        num_rows = len(slots)
        flat_ids, flat_positions = list(ids), list(positions)
        bounds: list[tuple[int, int]] = []
        for _, start, new in prefills:
            bounds.append((len(flat_ids), len(flat_ids) + len(new)))
            flat_ids.extend(new)
            flat_positions.extend(range(start, start + len(new)))
        pos_T = torch.tensor(flat_positions, device=self.device)
        cos, sin = self._cos_PD[pos_T][:, None], self._sin_PD[pos_T][:, None]
        decoding = self._decoding(slots, pos_T[:num_rows], bands)
        prefill_views = [
            _BandViews(
                low,
                high,
                self._mask(pos_T[low:high], flat_positions[high - 1] + 1),
                [keys[slot, :, :, : start + high - low] for keys in self._keys_SKDN],
                [values[slot, :, : start + high - low] for values in self._values_SKND],
            )
            for (slot, start, _), (low, high) in zip(prefills, bounds, strict=True)
        ]
        x_TC = functional.embedding(torch.tensor(flat_ids, device=self.device), self.weights.embed_VC).to(self.dtype)
        width = self.shape.num_heads * self.shape.head_dim
        for index, layer in enumerate(self.weights.layers):
            q, k, v = self._project(layer, x_TC, cos, sin)
            mixed = torch.empty(len(flat_ids), width, dtype=self.dtype, device=self.device)
            if num_rows:
                self._attend_rows(index, decoding, q, k, v, mixed)
            for views in prefill_views:
                self._attend_prefill(index, views, q, k, v, mixed)
            x_TC = self._finish(layer, x_TC, mixed)
        if all_logits or not prefills:
            return self._logits(x_TC)
        last = [*range(num_rows), *(high - 1 for _, high in bounds)]
        return self._logits(x_TC[torch.tensor(last, device=self.device)])

    def prefill(self, prefills: Sequence[Prefill]) -> torch.Tensor:
        """Logits of all tokens of ``prefills``, nothing else being decoded."""
        return self.step([], [], [], [], prefills, all_logits=True)

    # ------------------------------------------------------------------------------------------------------ attention

    def _decoding(self, slots: Sequence[int], pos_B: torch.Tensor, bands: Sequence[Band]) -> _Decoding:
        """Views of the cache, cut once for all layers: cutting costs as much as a small product."""
        kv = self.shape.num_kv_heads
        window = bands[-1].high if bands else 0
        if len(slots) == window:  # every slot of the window decodes, so row i is slot i
            rows_B, pos_W = self._slots_B[:window], pos_B
        else:
            rows_B = torch.tensor(slots, device=self.device)
            pos_W = pos_B.new_zeros(window).index_copy_(0, rows_B, pos_B)
        keys_L = [keys.flatten(0, 1) for keys in self._keys_SKDN]
        values_L = [values.flatten(0, 1) for values in self._values_SKND]
        views = [
            _BandViews(
                low * kv,
                high * kv,
                self._mask(pos_W[low:high].repeat_interleave(kv), columns)[:, None],
                [keys[low * kv : high * kv, :, :columns] for keys in keys_L],
                [values[low * kv : high * kv, :columns] for values in values_L],
            )
            for low, high, columns in bands
        ]
        return _Decoding(len(slots), window, rows_B, pos_B, views)

    def _attend_rows(
        self, index: int, decoding: _Decoding, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mixed: torch.Tensor
    ) -> None:
        """Cache one token of each decoding row, and write what its heads attend to into the first rows of ``mixed``."""
        kv, dim = self.shape.num_kv_heads, self.shape.head_dim
        num_rows, window, rows_B, pos_B, bands = decoding
        group = self.shape.num_heads // kv
        self._keys_SKDN[index][rows_B, :, :, pos_B] = k[:num_rows]
        self._values_SKND[index][rows_B, :, pos_B] = v[:num_rows]
        query = q[:num_rows].view(num_rows, kv, group, dim)
        found = mixed[:num_rows].view(num_rows, kv, group, dim)
        dense = num_rows == window
        if not dense:
            query = query.new_zeros(window, kv, group, dim).index_copy_(0, rows_B, query)
            found = torch.empty_like(query)
        query, found = query.flatten(0, 1), found.flatten(0, 1)
        for low, high, mask, keys_L, values_L in bands:
            scores = torch.baddbmm(mask, query[low:high], keys_L[index])
            torch.bmm(torch.softmax(scores, dim=-1), values_L[index], out=found[low:high])
        if not dense:
            mixed[:num_rows] = found.view(window, -1)[rows_B]

    def _attend_prefill(
        self, index: int, views: _BandViews, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mixed: torch.Tensor
    ) -> None:
        """Cache the tokens ``low:high`` of one slot, and write what their heads attend to into the same rows of ``mixed``."""
        kv, dim = self.shape.num_kv_heads, self.shape.head_dim
        group = self.shape.num_heads // kv
        low, high, mask, keys_L, values_L = views
        length, keys, values = high - low, keys_L[index], values_L[index]
        end = keys.shape[-1]
        keys[:, :, end - length :] = k[low:high].permute(1, 2, 0)
        values[:, end - length :] = v[low:high].transpose(0, 1)
        query = q[low:high].view(length, kv, group, dim).permute(1, 2, 0, 3)
        scores = torch.bmm(query.reshape(kv, group * length, dim), keys)
        scores = scores.view(kv, group, length, end).add_(mask)
        found = torch.bmm(torch.softmax(scores, dim=-1).view(kv, group * length, end), values)
        mixed[low:high].view(length, kv, group, dim).copy_(found.view(kv, group, length, dim).permute(2, 0, 1, 3))

    # ---------------------------------------------------------------------------------------------------------- layers

    def _mask(self, pos_T: torch.Tensor, num_columns: int) -> torch.Tensor:
        """0 where a column is at or before the position, -inf after it."""
        mask_TN = torch.zeros(len(pos_T), num_columns, dtype=self.dtype, device=self.device)
        return mask_TN.masked_fill_(self._columns_N[:num_columns] > pos_T[:, None], float("-inf"))

    def _project(
        self, layer: LayerWeights, x_TC: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalised input to rotated q [T,H,D] (scaled), rotated k [T,K,D] and v [T,K,D]."""
        shape = self.shape
        heads, kv, dim = shape.num_heads, shape.num_kv_heads, shape.head_dim
        qkv = layer.qkv(self._norm(x_TC, layer.norm1_C)).view(-1, heads + 2 * kv, dim)
        qk, v = qkv[:, : heads + kv], qkv[:, heads + kv :]
        if layer.q_norm_D is not None and layer.k_norm_D is not None:
            qk = torch.cat(
                [self._norm(qk[:, :heads], layer.q_norm_D), self._norm(qk[:, heads:], layer.k_norm_D)], dim=1
            )
        half = dim // 2
        turned = torch.cat([qk[..., half:], qk[..., :half]], dim=-1)
        qk = torch.addcmul(qk * cos, turned, sin)
        return qk[:, :heads] * self._scale, qk[:, heads:], v

    def _finish(self, layer: LayerWeights, x_TC: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """The output projection, the residual and the MLP."""
        x_TC = x_TC + layer.out(mixed)
        gate_up = layer.gate_up(self._norm(x_TC, layer.norm2_C))
        half = gate_up.shape[-1] // 2
        return x_TC + layer.down(functional.silu(gate_up[:, :half]) * gate_up[:, half:])

    def _norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x, (x.shape[-1],), weight, self.shape.norm_eps)

    def _logits(self, x_TC: torch.Tensor) -> torch.Tensor:
        return self.weights.head(self._norm(x_TC, self.weights.norm_C)).float()
