# SPDX-License-Identifier: Apache-2.0
"""NumPy files of strangers: sizes are believed only when the bytes are there, and nothing in them is ever run.

``numpy.load`` without pickles is safe but trusting: a kilobyte of header makes it ask for a terabyte, a small zip
swells to any size, and LZMA members reserve what they declare. Here every array's shape and type is weighed against
the length of its data first, all members together have a ceiling, and memory grows only with what really arrives.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST", "MAGIC", "read_array", "read_arrays", "read_npy"]

LARGEST = 1 << 30  # bytes of all arrays of one file together: five hours of a take at 60 frames a second
MAGIC = b"\x93NUMPY"
_MOST_MEMBERS = 4096
_CHUNK = 1 << 20
_KINDS = "biufcU"  # numbers and text; no objects (pickles), records, dates or raw bytes


def read_arrays(source: str | os.PathLike[str] | BinaryIO, *, largest: int = LARGEST) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an ``.npz`` file, by name.

    Args:
        source: path, or a file open for reading bytes that can seek.
        largest: bytes that all arrays together may have.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is no such archive, is damaged, holds objects, or is larger than ``largest``.
    """
    if not isinstance(source, str | os.PathLike):
        return _read_archive(source, largest)
    if (path := Path(source)).exists() and not path.is_file():  # devices and pipes never end, or wait for ever
        raise ValueError("not a file")
    with path.open("rb") as file:
        return _read_archive(file, largest)


def _read_archive(file: BinaryIO, largest: int) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(m.file_size for m in members)
            if len(members) > _MOST_MEMBERS or total > largest:
                raise ValueError(
                    f"its {len(members)} arrays would take {total / 1e9:.1f} GB; {largest / 1e9:.1f} GB is the limit"
                )
            arrays: dict[str, npt.NDArray[Any]] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise ValueError(f"its member {member.filename!r} is not an array, or is there twice")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
                    raise ValueError(f"its member {member.filename!r} is packed in a way that NumPy never uses")
                with archive.open(member) as stream:
                    arrays[name] = read_array(stream, member.file_size)
            return arrays
    except ValueError:
        raise
    except MemoryError as error:
        raise ValueError("there is not enough memory for it") from error
    except Exception as error:  # in a damaged archive anything can go wrong: zip, zlib, struct, offsets that overflow
        raise ValueError(f"damaged archive: {error}") from error


def read_array(stream: Any, size: int) -> npt.NDArray[Any]:
    """The array of an ``.npy`` stream of ``size`` bytes, from its start to its end.

    Raises:
        ValueError: it is no array, holds objects, or its data has not the length that its header declares.
    """
    start = stream.tell() if stream.seekable() else 0
    shape, fortran, dtype, length = _header(stream, size)
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.fields or dtype.subdtype:
        raise ValueError(f"an array of type {dtype} has no place here")
    if any(n < 0 for n in shape) or len(shape) > 16:
        raise ValueError(f"no array has the shape {shape}")
    count = math.prod(shape)  # Python's integers: nothing overflows
    if count * dtype.itemsize != length or (not dtype.itemsize and count > 1):
        raise ValueError(f"an array of shape {shape} and type {dtype} does not fit {length} bytes of data")
    data = bytearray()
    while len(data) < length:
        chunk = stream.read(min(_CHUNK, length - len(data)))
        if not chunk:
            raise ValueError(f"the data ends after {len(data)} of {length} bytes")
        data += chunk
    if stream.seekable() and stream.tell() - start != size:
        raise ValueError("the array is not as long as it says")
    if not dtype.itemsize:  # empty text
        return np.zeros(shape, dtype)
    array = np.frombuffer(data, dtype, count)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(stream: Any, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, type, and how many bytes of data must follow the header.

    The dictionary in the header is short text; ``numpy.lib.format`` reads it as a literal, and refuses a long one.
    """
    head = stream.read(12)
    if len(head) < 12 or head[:6] != MAGIC or head[6] not in (1, 2, 3):
        raise ValueError("not a NumPy array")
    prefix, width = (10, 2) if head[6] == 1 else (12, 4)
    length = int.from_bytes(head[8 : 8 + width], "little")
    if length > 10_000:
        raise ValueError("the header of an array is too long")
    text = head[prefix:] + stream.read(length - (12 - prefix))
    reader = np.lib.format.read_array_header_1_0 if head[6] == 1 else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = reader(io.BytesIO(head[8:prefix] + text))
    except Exception as error:  # literal_eval alone can raise half a dozen kinds
        raise ValueError("the header of an array is damaged") from error
    if not all(type(n) is int for n in shape) or not isinstance(fortran, bool):
        raise ValueError("the header of an array is damaged")
    return shape, fortran, dtype, size - prefix - length


def read_npy(path: Path) -> npt.NDArray[Any]:
    """The array of an ``.npy`` file.

    Raises:
        OSError: the file cannot be read. ValueError: see :func:`read_array`; or it is larger than ``LARGEST``.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST:
            raise ValueError(f"{size / 1e9:.1f} GB are too much")
        return read_array(file, size)
