# SPDX-License-Identifier: Apache-2.0
"""Pickles as old programs wrote them, byte by byte: Python 2 with chumpy and an old SciPy, and torch's tensors."""

from __future__ import annotations

import io
import struct

import numpy as np


class Py2Pickle:
    """Writes protocol 2 as Python 2 did: text is raw bytes, arrays carry theirs as text."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.out.write(b"\x80\x02")

    def finish(self) -> bytes:
        self.out.write(b".")
        return self.out.getvalue()

    def name(self, module: str, name: str) -> None:
        self.out.write(f"c{module}\n{name}\n".encode())

    def text(self, raw: bytes) -> None:
        self.out.write(b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw)

    def raw(self, raw: bytes) -> None:
        self.text(raw)  # Python 2 had no other

    def number(self, value: int) -> None:
        self.out.write(b"J" + struct.pack("<i", value))

    def value(self, value: object) -> None:
        """Any of None, bool, int, str, tuple, list, dict, array, :class:`Chumpy`, :class:`OldCsc`."""
        out = self.out
        if value is None:
            out.write(b"N")
        elif isinstance(value, bool):
            out.write(b"\x88" if value else b"\x89")
        elif isinstance(value, int):
            self.number(value)
        elif isinstance(value, str):
            self.text(value.encode("latin1"))
        elif isinstance(value, tuple):
            out.write(b"(")
            for item in value:
                self.value(item)
            out.write(b"t")
        elif isinstance(value, list):
            out.write(b"](")
            for item in value:
                self.value(item)
            out.write(b"e")
        elif isinstance(value, dict):
            out.write(b"}(")
            for key, item in value.items():
                self.value(key)
                self.value(item)
            out.write(b"u")
        elif isinstance(value, np.ndarray):
            self.array(value)
        elif isinstance(value, (Chumpy, OldCsc)):
            self.name(*value.path)
            out.write(b")\x81")
            self.value(value.state())
            out.write(b"b")
        else:
            raise TypeError(type(value))

    def array(self, array: np.ndarray) -> None:
        out = self.out
        self.name("numpy.core.multiarray", "_reconstruct")
        self.name("numpy", "ndarray")
        self.value((0,))
        self.text(b"b")
        out.write(b"\x87R(")
        self.number(1)
        self.value(array.shape)
        self.name("numpy", "dtype")
        self.text(array.dtype.str[1:].encode())
        self.number(0)
        self.number(1)
        out.write(b"\x87R(")
        self.number(3)
        self.text(array.dtype.str[:1].encode())
        out.write(b"NNN")
        self.number(-1)
        self.number(-1)
        self.number(0)
        out.write(b"tb\x89")
        self.raw(np.ascontiguousarray(array).tobytes())
        out.write(b"tb")


class Chumpy:
    """An array as a chumpy object pickles itself."""

    path = ("chumpy.ch", "Ch")

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def state(self) -> dict[str, object]:
        return {"x": self.x, "_dirty_vars": [], "_itr": None, "_depends_on_deps": {}}


class OldCsc:
    """A matrix as ``csc_matrix`` pickled itself when its module was public."""

    path = ("scipy.sparse.csc", "csc_matrix")

    def __init__(self, dense: np.ndarray) -> None:
        self.dense = dense

    def state(self) -> dict[str, object]:
        columns, rows = np.nonzero(self.dense.T)
        pointers = np.searchsorted(columns, np.arange(self.dense.shape[1] + 1))
        return {
            "_shape": self.dense.shape, "maxprint": 50, "format": "csc", "data": self.dense[rows, columns],
            "indices": rows.astype(np.int32), "indptr": pointers.astype(np.int32),
        }  # fmt: skip


class Tensor:
    """An array as a torch tensor pickles itself: its storage is a stream of five more pickles and the raw numbers."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array)

    def storage(self) -> bytes:
        kind = {"<i8": "LongStorage", "<f4": "FloatStorage"}[self.array.dtype.str]
        count = self.array.size
        record = Py3Pickle()
        record.out.write(b"(")
        record.text(b"storage")
        record.name("torch", kind)
        record.text(b"94")
        record.text(b"cpu")
        record.number(count)
        record.out.write(b"NtQ")
        parts = [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03."]  # magic number, 1001
        for value in ({"protocol_version": 1001, "little_endian": True}, record, ["94"]):
            pickle = value if isinstance(value, Py3Pickle) else Py3Pickle()
            if pickle is not value:
                pickle.value(value)
            parts.append(pickle.finish())
        return b"".join(parts) + struct.pack("<q", count) + self.array.tobytes()

    def stride(self) -> tuple[int, ...]:
        return tuple(s // self.array.itemsize for s in self.array.strides)


class Py3Pickle(Py2Pickle):
    """Writes protocol 3: text is unicode, arrays carry bytes."""

    def text(self, raw: bytes) -> None:
        self.out.write(b"X" + struct.pack("<I", len(raw)) + raw)

    def raw(self, raw: bytes) -> None:
        self.out.write(b"B" + struct.pack("<I", len(raw)) + raw)

    def value(self, value: object) -> None:
        if not isinstance(value, Tensor):
            super().value(value)
            return
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.out.write(b"(")
        self.name("torch.storage", "_load_from_bytes")
        self.raw(value.storage())
        self.out.write(b"\x85R")
        for part in (0, value.array.shape, value.stride(), False):
            self.value(part)
        self.name("collections", "OrderedDict")
        self.out.write(b")RtR")


def object_npy(value: object) -> bytes:
    """A ``.npy`` file of an array of no dimensions that holds one object."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    pickle = Py3Pickle()
    out = pickle.out
    pickle.name("numpy.core.multiarray", "_reconstruct")
    pickle.name("numpy", "ndarray")
    pickle.value((0,))
    pickle.raw(b"b")
    out.write(b"\x87R(")
    pickle.number(1)
    out.write(b")")
    pickle.name("numpy", "dtype")
    pickle.text(b"O8")
    pickle.number(0)
    pickle.number(1)
    out.write(b"\x87R(")
    pickle.number(3)
    pickle.text(b"|")
    out.write(b"NNN")
    for number in (-1, -1, 63):
        pickle.number(number)
    out.write(b"tb\x89")
    pickle.value([value])
    out.write(b"tb")
    return header.getvalue() + pickle.finish()
