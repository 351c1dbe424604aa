# SPDX-License-Identifier: Apache-2.0
"""The protobuf wire format, as much of it as ONNX files need: writing messages, and walking over their fields.

The ``onnx`` package would do it too, with 20 MB of wheels that every artist's machine would have to carry for what
these few lines do. https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

__all__ = ["Field", "fields", "message", "varint"]

Field = tuple[int, "int | float | str | bytes | Iterable[int]"]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first; negative ones as 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*parts: Field) -> bytes:
    """A message of (field number, value) pairs; a list of numbers becomes a packed field."""
    out = []
    for number, value in parts:
        if isinstance(value, int):
            out.append(varint(number << 3 | _VARINT) + varint(value))
        elif isinstance(value, float):
            out.append(varint(number << 3 | _FIXED32) + struct.pack("<f", value))
        else:
            if isinstance(value, str):
                value = value.encode()
            elif not isinstance(value, bytes):
                value = b"".join(varint(v) for v in value)
            out.append(varint(number << 3 | _BYTES) + varint(len(value)) + value)
    return b"".join(out)


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message: whole numbers, or the bytes of everything else.

    Raises:
        ValueError: this is no protobuf message.
    """
    at, end = 0, len(data)

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= end or shift > 63:
                raise ValueError("a number is cut off")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < end:
        key = number()
        kind = key & 7
        if kind == _VARINT:
            yield key >> 3, number()
            continue
        if kind not in (_BYTES, _FIXED32, _FIXED64):
            raise ValueError(f"wire type {kind}")
        size = number() if kind == _BYTES else 4 if kind == _FIXED32 else 8
        if size > end - at:
            raise ValueError("a field is cut off")
        yield key >> 3, data[at : at + size]
        at += size
