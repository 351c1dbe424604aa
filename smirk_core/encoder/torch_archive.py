# SPDX-License-Identifier: Apache-2.0
"""Tensors of a ``.pt`` file without torch, and without ever running what the file says.

A ``.pt`` file is a zip (torch 1.6 and later) or a run of pickles (before) around raw numbers. A pickle is a program;
this one is read by the machine of :mod:`smirk_core.heads.pickle_machine`, which can run nothing.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.pickle_machine import Maker, RestrictedUnpickler, Unfinished
from ..heads.pickle_tensors import STORAGE_TYPES, TENSOR_GLOBALS, storage_of

__all__ = ["from_torch"]

Array = npt.NDArray[Any]
_LEGACY = b"\x80\x02\x8a\n" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."  # how the older format starts
_VERSION = 1001
_LONGEST_PICKLE = 64_000_000
_LARGEST = 500_000_000  # numbers


class _Numbers:
    """The numbers of a tensor, read when they are needed; ``read`` is filled in when their place is known."""

    __slots__ = ("count", "kind", "read")

    def __init__(self, kind: Any, count: int, read: Callable[[], bytes] | None = None) -> None:
        self.kind, self.count, self.read = kind, count, read


class _Tensor:
    """A tensor as the file describes it; :meth:`array` makes it."""

    __slots__ = ("layout", "numbers")

    def __init__(self, numbers: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> None:
        if not isinstance(numbers, _Numbers) or type(shape) is not tuple or type(stride) is not tuple:
            raise ValueError("tensor")
        self.numbers, self.layout = numbers, (offset, shape, stride)

    @property
    def count(self) -> int:
        return math.prod(self.layout[1])

    def array(self) -> Array:
        if self.numbers.read is None:
            raise ValueError("a tensor has no numbers")
        storage = storage_of(self.numbers.kind, self.numbers.read(), self.numbers.count)
        rebuild = TENSOR_GLOBALS["torch._utils._rebuild_tensor_v2"]
        assert rebuild is not None
        return rebuild(storage, *self.layout)


def _same(value: Any, *_: Any) -> Any:
    return value


# A dictionary of tensors needs no more than this.
_GLOBALS: dict[str, Maker | None] = {
    **{name: maker for name, maker in TENSOR_GLOBALS.items() if maker is None},
    "torch._utils._rebuild_tensor": _Tensor,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": _same,
    "collections.OrderedDict": lambda *_: {},
}


class _Inert(Unfinished):
    """An object of a package that is of no use here: its class is not looked up, its state is dropped."""

    def __init__(self, path: str, *_: Any) -> None:
        super().__init__()
        self.path = path

    def finish(self, state: Any) -> Any:
        return None


_Names = Mapping[str, "Maker | None"]


def _load(
    data: bytes, start: int, find: Callable[[str, Any, int], _Numbers], what: str, names: _Names
) -> tuple[Any, int]:
    """One pickle and where it ends."""

    def persistent(identifier: Any) -> _Numbers:
        word, kind, key, _place, count = identifier[:5]
        if word != "storage" or type(key) is not str or type(count) is not int or not 0 <= count < 1 << 40:
            raise ValueError("storage record")
        return find(key, kind, count)

    machine = RestrictedUnpickler(data, names, what=what, persistent=persistent, start=start)
    return machine.load(), machine.position


def _from_zip(data: bytes, what: str, allowed: _Names) -> Any:
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(pickles) != 1 or names[pickles[0]].file_size > _LONGEST_PICKLE:
        raise AssetError(f"{what} is a zip archive, but not one of torch's.")
    root = pickles[0].removesuffix("data.pkl")
    if any(info.compress_type != zipfile.ZIP_STORED for info in names.values()):
        raise AssetError(f"{what} is compressed, which torch never does; unpack or save it again with torch.")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise AssetError(f"{what} is of a big-endian machine; save it again on another.")
    found: dict[str, _Numbers] = {}

    def find(key: str, kind: Any, count: int) -> _Numbers:
        if key not in found:
            info = names[f"{root}data/{key}"]
            found[key] = _Numbers(kind, count, lambda: archive.read(info))
        return found[key]

    return _load(archive.read(pickles[0]), 0, find, what, allowed)[0]


def _item_size(kind: Any) -> int:
    code = STORAGE_TYPES[kind.path.rpartition(".")[2]]
    return 2 if code == "bfloat16" else np.dtype(code).itemsize


def _from_pickles(data: bytes, what: str, names: _Names) -> Any:
    """The older format: magic number, version, about the machine, the object, names of the numbers, the numbers."""
    found: dict[str, _Numbers] = {}

    def find(key: str, kind: Any, count: int) -> _Numbers:
        return found.setdefault(key, _Numbers(kind, count))

    if not data.startswith(_LEGACY):
        raise ValueError("magic number")
    version, at = _load(data, len(_LEGACY), find, what, names)
    if version != _VERSION:
        raise ValueError("version")
    _, at = _load(data, at, find, what, names)
    value, at = _load(data, at, find, what, names)
    keys, at = _load(data, at, find, what, names)
    for key in keys:
        numbers = found[key]
        if int.from_bytes(data[at : at + 8], "little") != numbers.count:
            raise ValueError("storage size")
        start = at + 8
        at = start + numbers.count * _item_size(numbers.kind)
        numbers.read = lambda start=start, end=at: data[start:end]
    return value


def from_torch(
    data: bytes,
    what: str,
    wanted: Callable[[str], bool] = lambda name: True,
    *,
    entry: str = "",
    inert: Sequence[str] = (),
) -> dict[str, Array]:
    """The tensors of a ``.pt`` file that holds a dictionary of tensors; entries that are none are left out.

    Args:
        data: the file.
        what: its name, for messages.
        wanted: which tensors to make arrays of.
        entry: name of the dictionary of tensors, where the file holds several things.
        inert: packages whose objects may lie in the file; they are passed over, never made.

    Raises:
        AssetError: the file is damaged, something else, or holds what a dictionary of tensors has no need of.
    """
    try:
        names = _GLOBALS | {f"{package}.*": _Inert for package in inert}
        loaded = _from_zip(data, what, names) if data[:2] == b"PK" else _from_pickles(data, what, names)
        if entry and type(loaded) is dict and type(loaded.get(entry)) is dict:
            loaded = loaded[entry]
        if type(loaded) is not dict:
            raise AssetError(f"{what} holds no dictionary of tensors.")
        tensors = {k: v for k, v in loaded.items() if type(k) is str and isinstance(v, _Tensor) and wanted(k)}
        if sum(tensor.count for tensor in tensors.values()) > _LARGEST:
            raise AssetError(f"{what} is too large.")
        return {name: tensor.array() for name, tensor in tensors.items()}
    except AssetError:
        raise
    except Exception as error:  # in a damaged file anything can go wrong: zip, structure, Unicode, memory
        raise AssetError(f"{what} is not a file of torch's, or it is damaged.") from error
