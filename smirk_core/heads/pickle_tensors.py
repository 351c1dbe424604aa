# SPDX-License-Identifier: Apache-2.0
"""Tensors of torch inside pickles, as NumPy arrays, without torch.

A tensor is pickled as a storage (flat memory of one type) with offset, size and stride. Inside another pickle the
storage is a byte string in torch's legacy format: five pickles (magic number, version, platform, storage record, keys)
and the raw numbers behind them. In a ``.pt`` archive it is a persistent id; see :func:`storage_of`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .pickle_machine import Global, Maker, RestrictedUnpickler

__all__ = ["STORAGE_TYPES", "TENSOR_GLOBALS", "Storage", "bfloat16_to_float32", "storage_from_bytes", "storage_of"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
STORAGE_TYPES: dict[str, str] = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1",
    "BoolStorage": "|b1", "UntypedStorage": "|u1",
}  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """Flat numbers that tensors are views of; ``numbers`` (N,)."""

    numbers: npt.NDArray[Any]

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes


def bfloat16_to_float32(raw: bytes) -> npt.NDArray[np.float32]:
    """Brain floats are the upper halves of floats."""
    return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)


def storage_of(kind: Any, raw: bytes, count: int) -> Storage:
    """A storage from the type that the file names (a token such as ``torch.FloatStorage``) and its raw bytes.

    Raises:
        ValueError: an unknown type, or another number of bytes than ``count`` numbers have.
    """
    name = kind.path.rpartition(".")[2] if type(kind) is Global else ""
    code = STORAGE_TYPES.get(name)
    if code is None:
        raise ValueError("storage type")
    if code == "bfloat16":
        numbers: npt.NDArray[Any] = bfloat16_to_float32(raw)
    elif code == "|b1":
        numbers = np.frombuffer(raw, np.uint8) != 0
    else:
        numbers = np.frombuffer(raw, code)
    if len(numbers) != count:
        raise ValueError("storage size")
    return Storage(numbers)


def storage_from_bytes(data: Any) -> Storage:
    """``torch.storage._load_from_bytes`` for a single storage in torch's legacy format."""
    if not isinstance(data, bytes):
        raise ValueError("storage")
    records: list[tuple[Any, str, int]] = []

    def persistent(identifier: Any) -> Any:
        word, kind, key, _place, count, view = identifier
        if word != "storage" or view is not None or not isinstance(count, int) or not isinstance(key, str):
            raise ValueError("storage record")
        records.append((kind, key, count))
        return len(records) - 1

    position = 0
    values = []
    for _ in range(5):
        machine = RestrictedUnpickler(
            data, _STORAGE_LABELS, what="A tensor in the file", persistent=persistent, start=position
        )
        values.append(machine.load())
        position = machine.position
    magic, version, _, record, keys = values
    if magic != _MAGIC or version != _VERSION or record != 0 or len(records) != 1 or keys != [records[0][1]]:
        raise ValueError("storage layout")
    kind, _, count = records[0]
    if position + 8 > len(data) or int.from_bytes(data[position : position + 8], "little") != count:
        raise ValueError("storage size")
    return storage_of(kind, data[position + 8 :], count)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> npt.NDArray[Any]:
    """A copy of the view that a tensor is."""
    numbers = storage.numbers if isinstance(storage, Storage) else None
    if numbers is None or len(size) != len(stride) or len(size) > 32:
        raise ValueError("tensor")
    if not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in (*size, *stride, offset)):
        raise ValueError("tensor")
    count = math.prod(size)
    if count > max(len(numbers), 1):
        raise ValueError("a tensor larger than its storage")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= len(numbers):
        raise ValueError("tensor outside its storage")
    if not count:
        return np.zeros(size, numbers.dtype)
    steps = tuple(s * numbers.itemsize for s in stride)
    return np.array(np.lib.stride_tricks.as_strided(numbers[offset:], tuple(size), steps, writeable=False))


def _parameter(tensor: Any, *_: Any) -> Any:
    if not isinstance(tensor, np.ndarray):
        raise ValueError("parameter")
    return tensor


def _size(values: Any = ()) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, int) for v in values):
        raise ValueError("size")
    return tuple(values)


_STORAGE_LABELS: dict[str, Maker | None] = {
    **{f"torch.{name}": None for name in STORAGE_TYPES},
    "torch.storage.UntypedStorage": None,
}
TENSOR_GLOBALS: dict[str, Maker | None] = {
    **_STORAGE_LABELS,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.storage._load_from_bytes": storage_from_bytes,
    "torch.Size": _size,
}
