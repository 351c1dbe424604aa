# SPDX-License-Identifier: Apache-2.0
"""Model files from strangers, read without running anything: ``.pkl``, ``.npy`` and ``.npz``.

A pickle is a program. These functions read it as data (see :mod:`.pickle_machine`): plain Python containers, NumPy
arrays, SciPy's sparse matrices, chumpy's objects as arrays, torch's tensors as arrays. Any other name in a file is an
error that says which.

To read another kind of pickle, hand :class:`RestrictedUnpickler` a table of its own, usually ``SAFE_GLOBALS`` with more
entries, and a function for persistent ids.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..safe_npz import read_arrays
from .pickle_arrays import ARRAY_GLOBALS, PYTHON_GLOBALS, Opaque, SparseMatrix
from .pickle_machine import Global, Maker, RestrictedUnpickler, Unfinished
from .pickle_tensors import TENSOR_GLOBALS

__all__ = [
    "MAX_FILE",
    "SAFE_GLOBALS",
    "Global",
    "Maker",
    "Opaque",
    "RestrictedUnpickler",
    "SparseMatrix",
    "Unfinished",
    "load_npy",
    "load_npz",
    "load_pickle",
    "read_bytes",
]

MAX_FILE = 1 << 30  # bytes; the largest FLAME file has a tenth of that
SAFE_GLOBALS: Mapping[str, Maker | None] = MappingProxyType({**PYTHON_GLOBALS, **ARRAY_GLOBALS, **TENSOR_GLOBALS})
_PathLike = str | os.PathLike[str]


def read_bytes(path: _PathLike) -> bytes:
    """The whole file.

    Raises:
        AssetError: it is missing, unreadable, or larger than :data:`MAX_FILE`.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise AssetError(f"{path} is a folder, not a file.")
        if path.exists() and not path.is_file():  # these never end, or wait for ever
            raise AssetError(f"{path} is a device or a pipe, not a file.")
        if path.stat().st_size > MAX_FILE:
            raise AssetError(f"{path} has {path.stat().st_size / 1e9:.1f} GB, which is too large for a model file.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise AssetError(f"There is no file {path}.") from error
    except OSError as error:
        raise AssetError(f"Cannot read {path}: {error.strerror or error}.") from error


def load_pickle(source: _PathLike | bytes, *, what: str = "") -> Any:
    """The value in a pickle file (or its bytes): containers, numbers, text and arrays.

    Chumpy objects come as arrays, sparse matrices as :class:`SparseMatrix`, tensors as arrays.

    Args:
        source: path or content.
        what: the file's name in messages, where ``source`` is content.

    Raises:
        AssetError: missing, damaged, no pickle, or one that asks for anything else; the message names it. Nothing of
            the file is ever run.
    """
    if isinstance(source, bytes):
        data, what = source, what or "The file"
    else:
        data, what = read_bytes(source), str(source)
    _refuse_other_kinds(data, what)
    return RestrictedUnpickler(data, SAFE_GLOBALS, what=what).load()


def _refuse_other_kinds(data: bytes, what: str) -> None:
    """What people hand over by mistake, told by its first bytes."""
    for start, kind in (
        (b"PK\x03\x04", "a zip archive; unpack it first"),
        (b"\x1f\x8b", "a gzip archive; unpack it first"),
        (b"version https://git-lfs", "a placeholder of Git LFS, not the file itself; fetch it with git lfs pull"),
        (b"<", "a web page; the download went wrong"),
        (b"\x93NUMPY", "a NumPy array file, not a pickle"),
    ):
        if data.startswith(start):
            raise AssetError(f"{what} is {kind}.")


def load_npy(source: _PathLike | bytes, *, what: str = "") -> npt.NDArray[Any]:
    """The array in a ``.npy`` file; arrays of objects go through the restricted loader.

    Raises:
        AssetError: missing, damaged, no array file, or one that asks for a name that is not allowed.
    """
    if isinstance(source, bytes):
        data, what = source, what or "The file"
    else:
        data, what = read_bytes(source), str(source)
    try:
        if b"\\" in data[: data.find(b"\n") + 1]:
            raise ValueError("header")  # no header has escapes, and Python warns of wrong ones
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError("version")
        if dtype.hasobject:
            value = RestrictedUnpickler(data, SAFE_GLOBALS, what=what, start=file.tell()).load()
            if not isinstance(value, np.ndarray) or value.shape != shape:
                raise ValueError("objects")
            return value
        count = int(np.prod(shape, dtype=object)) if shape else 1
        if dtype.itemsize == 0 or count < 0 or count * dtype.itemsize != len(data) - file.tell():
            raise ValueError("size")
        flat = np.frombuffer(data, dtype, offset=file.tell())
        return np.array(flat.reshape(shape, order="F" if fortran else "C"), order="K")
    except AssetError:
        raise
    except Exception as error:  # whatever a damaged header leads to
        raise AssetError(f"{what} is not a NumPy array file, or it is damaged.") from error


def load_npz(path: _PathLike) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a ``.npz`` file; arrays of objects are refused.

    Raises:
        AssetError: missing, damaged, or unfolds to more than any model file does.
    """
    what = str(path)
    try:
        return read_arrays(path)
    except FileNotFoundError as error:
        raise AssetError(f"There is no file {what}.") from error
    except OSError as error:
        raise AssetError(f"Cannot read {what}: {error.strerror or error}.") from error
    except ValueError as error:
        raise AssetError(f"{what} is not a .npz file of arrays, or it is damaged: {error}.") from error
