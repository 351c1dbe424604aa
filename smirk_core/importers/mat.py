# SPDX-License-Identifier: Apache-2.0
"""Numeric arrays of MATLAB files (level 5, what ``scipy.io.savemat`` writes), from strangers.

A reader of its own, because the general ones trust the file: nested cells recurse in C, and declared sizes are
reserved before they are there. Here only real numeric matrices are read; cells, structures, objects, text, sparse and
complex ones are passed over. Format: MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..safe_npz import LARGEST

__all__ = ["read_mat"]

_COMPRESSED, _MATRIX = 15, 14
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# class of a matrix -> its type; the stored type may be a smaller one
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x08
_PREVIEW = 4096  # bytes of a compressed matrix that hold its name and shape


@dataclass(frozen=True)
class _Element:
    kind: int
    start: int  # of its data
    size: int
    end: int  # where the next one begins


def read_mat(data: bytes, wanted: Container[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """The real numeric matrices of a MAT file, level 5, by name.

    Args:
        data: the whole file.
        wanted: names to read; others are passed over unread. None: all.

    Raises:
        ValueError: it is no such file, of another level, damaged, or larger than 1 GB unpacked.
    """
    if data[:19] == b"MATLAB 7.3 MAT-file" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise ValueError("it is a MATLAB 7.3 file (HDF5); save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or len(data) < 136 or struct.unpack(order + "H", data[124:126])[0] != 0x0100:
        raise ValueError("it is not a MATLAB file of level 5 (-v6 or -v7)")
    arrays: dict[str, npt.NDArray[Any]] = {}
    left = LARGEST
    for element in _elements(data, 128, len(data), order):
        body = data[element.start : element.start + element.size]
        if element.kind == _COMPRESSED:
            # Its first bytes say what it is; the rest is unpacked only where it is wanted.
            matrix = _matrix(_inflate(body, _PREVIEW), order, wanted)
            if matrix is None or matrix.name in arrays:
                continue
            body = _inflate(body, min(left, matrix.bytes_needed))
            inner = _tag(body, 0, len(body), order, whole=False)
            body = body[inner.start :]
        elif element.kind == _MATRIX:
            matrix = _matrix(data[element.start - 8 : element.start + min(element.size, _PREVIEW)], order, wanted)
            if matrix is None or matrix.name in arrays:
                continue
        else:
            continue
        arrays[matrix.name] = array = matrix.read(body, order)
        left -= array.nbytes
        if left < 0:
            raise ValueError("it holds more than can be read")
    return arrays


def _inflate(body: bytes, most: int) -> bytes:
    """The first ``most`` bytes of what is packed in ``body``."""
    try:
        return zlib.decompressobj().decompress(body, most)
    except zlib.error as error:
        raise ValueError("its packed data is damaged") from error


def _tag(data: bytes, at: int, end: int, order: str, *, whole: bool = True) -> _Element:
    """The element that begins at ``at``; ``whole``: its data must be there too."""
    if at + 8 > end:
        raise ValueError("it ends too early")
    kind, size = struct.unpack(order + "II", data[at : at + 8])
    if kind >> 16:  # the short form: up to four bytes inside the tag
        kind, size = kind & 0xFFFF, kind >> 16
        element = _Element(kind, at + 4, size, at + 8)
        if size > 4:
            raise ValueError("a short element is too long")
    else:
        padded = size if kind == _COMPRESSED else size + -size % 8
        element = _Element(kind, at + 8, size, at + 8 + padded)
    if whole and element.start + element.size > end:
        raise ValueError("it ends too early")
    return element


def _elements(data: bytes, at: int, end: int, order: str) -> Iterator[_Element]:
    while at + 8 <= end:
        element = _tag(data, at, end, order)
        yield element
        at = element.end


@dataclass(frozen=True)
class _Matrix:
    """What the beginning of a matrix says: the rest is its numbers.

    Attributes:
        values: where in the body the numbers' element begins.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: int

    @property
    def bytes_needed(self) -> int:
        return self.values + 24 + 8 * math.prod(self.shape)

    def read(self, body: bytes, order: str) -> npt.NDArray[Any]:
        element = _tag(body, self.values, len(body), order)
        stored = _STORED.get(element.kind)
        if stored is None or math.prod(self.shape) * int(stored[1]) != element.size:
            raise ValueError(f"the numbers of '{self.name}' do not fit its shape {self.shape}")
        flat = np.frombuffer(body, np.dtype(order + stored), math.prod(self.shape), element.start)
        return flat.astype(self.dtype).reshape(self.shape, order="F")


def _matrix(head: bytes, order: str, wanted: Container[str] | None) -> _Matrix | None:
    """Name, shape and type from the first bytes of a matrix, its tag included; None for what is not read."""
    end = len(head)
    outer = _tag(head, 0, end, order, whole=False)
    if outer.kind != _MATRIX:
        return None
    flags = _tag(head, outer.start, end, order)
    shape = _tag(head, flags.end, end, order)
    name = _tag(head, shape.end, end, order)
    if flags.kind != 6 or flags.size != 8 or shape.kind != 5 or name.kind != 1 or not 8 <= shape.size <= 128:
        return None
    word = struct.unpack_from(order + "I", head, flags.start)[0]
    dtype = _CLASSES.get(word & 0xFF)
    text = head[name.start : name.start + name.size].decode("ascii", "replace")
    if dtype is None or word >> 8 & _COMPLEX or (wanted is not None and text not in wanted):
        return None
    sizes = struct.unpack_from(f"{order}{shape.size // 4}i", head, shape.start)
    if min(sizes) < 0 or math.prod(sizes) * 8 > LARGEST:
        raise ValueError(f"'{text}' has the impossible shape {sizes}")
    return _Matrix(text, sizes, dtype, name.end - outer.start)
