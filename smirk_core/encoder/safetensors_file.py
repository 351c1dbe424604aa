# SPDX-License-Identifier: Apache-2.0
"""``.safetensors`` files in NumPy: a length, a JSON table, the numbers. https://github.com/huggingface/safetensors"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.pickle_tensors import bfloat16_to_float32

__all__ = [
    "from_safetensors",
    "to_safetensors",
]

Array = npt.NDArray[Any]
_KINDS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "BOOL": "?",
}  # fmt: skip
_NAMES = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u1": "U8"}
_LONGEST_TABLE = 16_000_000


def from_safetensors(data: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors (views of ``data`` where they can be) and the words that the file carries.

    Raises:
        ValueError: the file is damaged or something else.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _LONGEST_TABLE):
        raise ValueError("its table is cut off")
    try:
        table = json.loads(data[8 : 8 + length].decode())
    except RecursionError as error:
        raise ValueError("its table is too deep") from error
    if not isinstance(table, dict):
        raise ValueError("its table is no table")
    words = table.pop("__metadata__", {})
    body = memoryview(data)[8 + length :]
    arrays: dict[str, Array] = {}
    for name, entry in table.items():
        try:
            kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            numbers = [*shape, start, end]
            if kind not in _KINDS or not all(isinstance(n, int) and n >= 0 for n in numbers):
                raise ValueError
            dtype = np.dtype(_KINDS[kind])
            if end > len(body) or end - start != math.prod(shape) * dtype.itemsize:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"the entry of '{name}' is wrong") from None
        values = np.frombuffer(body[start:end], dtype).reshape(shape)
        arrays[name] = bfloat16_to_float32(values.tobytes()).reshape(shape) if kind == "BF16" else values
    if not isinstance(words, dict):
        words = {}
    return arrays, {str(k): v for k, v in words.items() if isinstance(v, str)}


def to_safetensors(arrays: Mapping[str, Array], words: Mapping[str, str]) -> bytes:
    """The bytes of a ``.safetensors`` file."""
    table: dict[str, Any] = {"__metadata__": dict(words)}
    parts, at = [], 0
    for name, values in arrays.items():
        raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        table[name] = {
            "dtype": _NAMES[values.dtype.str[1:]],
            "shape": list(values.shape),
            "data_offsets": [at, at + len(raw)],
        }
        parts.append(raw)
        at += len(raw)
    header = json.dumps(table, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # the numbers start at a multiple of 8
    return b"".join([len(header).to_bytes(8, "little"), header, *parts])
