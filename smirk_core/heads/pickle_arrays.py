# SPDX-License-Identifier: Apache-2.0
"""What pickles of NumPy, SciPy and chumpy hold, rebuilt as plain arrays from inert data; every number is checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .pickle_machine import Global, Maker, Unfinished
from .pickle_opcodes import plain_key

__all__ = ["ARRAY_GLOBALS", "PYTHON_GLOBALS", "Opaque", "SparseMatrix", "plain_array", "plain_dtype"]

_KIND = re.compile(r"[<>|=]?([biufcSUO])(\d{1,7})")
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8, 16), "c": (8, 16, 32), "O": (4, 8)}
_MAX_DENSE = 1 << 28  # numbers


def plain_dtype(code: Any, order: Any = "=") -> np.dtype[Any]:
    """A dtype from its code, such as ``f8``: numbers, booleans, fixed strings or objects, nothing structured."""
    found = _KIND.fullmatch(code) if isinstance(code, str) else None
    if found is None:
        raise ValueError("dtype")
    kind, size = found[1], int(found[2])
    if size not in _SIZES.get(kind, range(1, 1 << 20)):
        raise ValueError("dtype")
    if kind == "O":
        return np.dtype(object)
    return np.dtype(code).newbyteorder(order if order in ("<", ">") else "=")


def _shape(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, int):
        shape = (shape,)
    if type(shape) is not tuple or len(shape) > 32 or not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in shape):
        raise ValueError("shape")
    return shape


def plain_array(raw: Any, dtype: Any, shape: Any, fortran: Any = False) -> npt.NDArray[Any]:
    """An array of its own memory from raw bytes (as str where Python 2 wrote them), or from a list for objects."""
    kind = dtype.dtype if isinstance(dtype, _Dtype) else dtype
    sizes = _shape(shape)
    count = math.prod(sizes)
    if not isinstance(kind, np.dtype):
        raise ValueError("dtype")
    order = "F" if fortran else "C"
    if kind.hasobject:
        if type(raw) is not list or len(raw) != count:
            raise ValueError("objects")
        items = np.empty(count, object)
        for place, item in enumerate(raw):  # not items[:] = raw, which would unfold nested lists
            items[place] = item
        return items.reshape(sizes, order=order)
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(data, bytes) or len(data) != count * kind.itemsize:
        raise ValueError("size")
    flat: npt.NDArray[Any] = np.frombuffer(data, np.uint8 if kind.kind == "b" else kind)
    if kind.kind == "b":
        flat = flat != 0
    elif kind.kind == "U" and _wide(flat):
        raise ValueError("characters")
    return np.array(flat.reshape(sizes, order=order), order="K")


def _wide(text: npt.NDArray[Any]) -> bool:
    """Whether an array of strings holds numbers that are no characters."""
    codes = text.view(">u4" if text.dtype.str[0] == ">" else "<u4")
    return bool(len(codes) and codes.max() > 0x10FFFF)


class _Dtype(Unfinished):
    """``numpy.dtype(code)`` before its byte order is known."""

    def __init__(self, code: Any, *_: Any) -> None:
        super().__init__()
        self._code = code
        self.dtype = plain_dtype(code)

    def finish(self, state: Any) -> Any:
        if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise ValueError("dtype")
        return plain_dtype(self._code, state[1])


class _Array(Unfinished):
    """An array that ``_reconstruct`` has announced."""

    def __init__(self, kind: Any, *_: Any) -> None:
        super().__init__()
        if type(kind) is not Global or kind.path != "numpy.ndarray":
            raise ValueError("subtype")

    def finish(self, state: Any) -> Any:
        if type(state) is not tuple or len(state) not in (4, 5):
            raise ValueError("array")
        shape, dtype, fortran, raw = state[-4:]
        return plain_array(raw, dtype, shape, fortran)


def _scalar(dtype: Any, raw: Any = None) -> Any:
    kind = dtype.dtype if isinstance(dtype, _Dtype) else dtype
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise ValueError("scalar")
    return plain_array(raw, kind, ()).reshape(1)[0]


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return plain_array(buffer, dtype, shape, order == "F")


@dataclass(frozen=True)
class SparseMatrix:
    """A SciPy matrix as triplets; several at one place add up.

    Attributes:
        shape: rows, columns.
        rows, columns: (N,) intp, inside the shape. values: (N,).
    """

    shape: tuple[int, int]
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    values: npt.NDArray[Any]

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.columns.nbytes + self.values.nbytes

    def toarray(self) -> npt.NDArray[Any]:
        """The dense matrix. Raises ValueError where that would be absurdly large."""
        if self.shape[0] * self.shape[1] > _MAX_DENSE:
            raise ValueError(f"a matrix of {self.shape[0]} x {self.shape[1]} is too large")
        dense = np.zeros(self.shape, self.values.dtype)
        np.add.at(dense, (self.rows, self.columns), self.values)
        return dense


class _Sparse(Unfinished):
    """A sparse matrix before its state; the layout comes from the class's name."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self._layout = layout

    def finish(self, state: Any) -> Any:
        state = _attributes(state)
        shape = _shape(state["_shape"] if "_shape" in state else state["shape"])
        values = _numbers(state["data"], "fiub")
        if self._layout == "coo":
            rows, columns = state["coords"] if "coords" in state else (state["row"], state["col"])
            rows, columns = _indices(rows), _indices(columns)
        else:
            minor, pointers = _indices(state["indices"]), _indices(state["indptr"])
            lines = shape[1] if self._layout == "csc" else shape[0]
            steps = np.diff(pointers)
            if len(pointers) != lines + 1 or pointers[0] != 0 or (steps < 0).any() or pointers[-1] > len(minor):
                raise ValueError("sparse")
            major = np.repeat(np.arange(lines), steps)
            minor, values = minor[: len(major)], values[: len(major)]
            rows, columns = (minor, major) if self._layout == "csc" else (major, minor)
        if len(shape) != 2 or not len(rows) == len(columns) == len(values):
            raise ValueError("sparse")
        for index, size in ((rows, shape[0]), (columns, shape[1])):
            if len(index) and (index.min() < 0 or index.max() >= size):
                raise ValueError("sparse")
        return SparseMatrix((shape[0], shape[1]), rows, columns, values)


def _attributes(state: Any) -> dict[str, Any]:
    """The attributes of an object from its state, which may be a pair with the slots."""
    attributes = state[0] if type(state) is tuple and len(state) == 2 else state
    if type(attributes) is not dict:
        raise ValueError("state")
    return attributes


def _numbers(value: Any, kinds: str) -> npt.NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in kinds:
        raise ValueError("numbers")
    return value


def _indices(value: Any) -> npt.NDArray[np.intp]:
    return _numbers(value, "iu").astype(np.intp)


@dataclass(frozen=True)
class Opaque:
    """An object that holds nothing of use; ``path`` is the name of its class."""

    path: str


class _Chumpy(Unfinished):
    """Any object of chumpy: an array under ``x``, or a selection of another's entries."""

    def __init__(self, path: str, *_: Any) -> None:
        super().__init__()
        self._path = path

    def finish(self, state: Any) -> Any:
        state = _attributes(state)
        x = state.get("x")
        if isinstance(x, (int, float)):
            x = np.array(x)
        if isinstance(x, np.ndarray) and not x.dtype.hasobject:
            return x
        whole, chosen = state.get("a"), state.get("idxs")
        if self._path.endswith(".Select") and isinstance(whole, np.ndarray) and isinstance(chosen, np.ndarray):
            shape = state.get("preferred_shape")
            part = whole.ravel()[chosen.astype(np.intp).ravel()]
            return part if shape is None else part.reshape(_shape(tuple(shape)))
        return Opaque(self._path)


def _encode(text: Any, encoding: Any = "utf-8", *_: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise ValueError("text")
    return text.encode(encoding)


def _bytes(value: Any = b"", encoding: Any = None, *_: Any) -> bytes:
    if isinstance(value, str):
        return _encode(value, encoding)
    if type(value) is list and all(type(v) is int for v in value):
        return bytes(value)
    if not isinstance(value, bytes):  # never a number: bytes(10**12) would fill the memory
        raise ValueError("bytes")
    return value


def _items(values: Any = ()) -> list[Any]:
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise ValueError("items")
    return list(values)


def _keys(values: Any = ()) -> set[Any]:
    return set(map(plain_key, _items(values)))


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return dict(pairs)
    return {plain_key(key): value for key, value in _items(pairs)}


def _default_dict(*_: Any) -> dict[Any, Any]:
    return {}


def _construct(kind: Any, *arguments: Any) -> Any:
    if type(kind) is not Global or kind.maker is None:
        raise ValueError("class")
    return kind.maker(*arguments)


def _reconstructor(kind: Any, base: Any = None, state: Any = None) -> Any:
    if state is not None or type(base) is not Global or base.path.rpartition(".")[2] != "object":
        raise ValueError("class")
    return _construct(kind)


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    if not isinstance(real, (int, float)) or not isinstance(imaginary, (int, float)):
        raise ValueError("number")
    return complex(real, imaginary)


# Containers of Python 2 and 3.
PYTHON_GLOBALS: dict[str, Maker | None] = {
    "_codecs.encode": _encode,
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default_dict,
}
for _module in ("builtins", "__builtin__"):
    PYTHON_GLOBALS |= {
        f"{_module}.list": _items, f"{_module}.tuple": lambda values=(): tuple(_items(values)),
        f"{_module}.set": _keys, f"{_module}.frozenset": lambda values=(): frozenset(_keys(values)),
        f"{_module}.dict": _ordered, f"{_module}.bytes": _bytes, f"{_module}.bytearray": _bytes,
        f"{_module}.complex": _complex, f"{_module}.object": None, f"{_module}.int": None,
        f"{_module}.float": None, f"{_module}.str": None,
    }  # fmt: skip
for _module in ("copyreg", "copy_reg"):
    PYTHON_GLOBALS |= {f"{_module}._reconstructor": _reconstructor, f"{_module}.__newobj__": _construct}

# NumPy before and after 2.0, SciPy before and after 1.8, chumpy whatever its version.
ARRAY_GLOBALS: dict[str, Maker | None] = {
    "numpy.ndarray": None,
    "numpy.dtype": _Dtype,
    "chumpy.*": _Chumpy,
}
for _module in ("numpy.core", "numpy._core"):
    ARRAY_GLOBALS |= {
        f"{_module}.multiarray._reconstruct": _Array,
        f"{_module}.multiarray.scalar": _scalar,
        f"{_module}.numeric._frombuffer": _from_buffer,
    }
for _layout in ("csc", "csr", "coo"):
    for _module in (f"scipy.sparse.{_layout}", f"scipy.sparse._{_layout}"):
        for _class in ("matrix", "array"):
            ARRAY_GLOBALS[f"{_module}.{_layout}_{_class}"] = lambda *_, layout=_layout: _Sparse(layout)
