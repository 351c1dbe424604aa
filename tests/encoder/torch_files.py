# SPDX-License-Identifier: Apache-2.0
"""``.pt`` files as torch writes them, made without torch: an instruction at a time."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"


def tensor_pickle(key: str, values: np.ndarray, *, offset: int = 0, strides: tuple[int, ...] | None = None) -> bytes:
    """The instructions that make a tensor whose numbers are called ``key``."""
    steps = tuple(s // values.itemsize for s in values.strides) if strides is None else strides
    kind = KINDS[values.dtype.str[1:]]
    place = b"(" + _text("storage") + f"ctorch\n{kind}\n".encode() + _text(key) + _text("cuda:0") + _number(values.size)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + place + b"tQ" + _number(offset) + _numbers(values.shape) + _numbers(steps)
        + b"\x89ccollections\nOrderedDict\n)Rt" + b"R"
    )  # fmt: skip


def dict_pickle(entries: Mapping[str, bytes], *, ordered: bool = False) -> bytes:
    """A pickle of a dictionary from the instructions of its values; ``ordered``: as ``state_dict`` gives it."""
    start, end = (b"ccollections\nOrderedDict\n)R", b"}" + _text("_metadata") + b"}sb") if ordered else (b"}", b"")
    body = b"".join(_text(k) + v for k, v in entries.items())
    return b"\x80\x02" + start + b"(" + body + b"u" + end + b"."


def archive(pickle: bytes, numbers: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The zip around a pickle and its numbers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/byteorder", "little")
        for key, raw in numbers.items():
            file.writestr(f"archive/data/{key}", raw)
        file.writestr("archive/version", "3\n")
    return buffer.getvalue()


def zip_file(
    tensors: Mapping[str, np.ndarray], *, ordered: bool = False, extra: Mapping[str, bytes] | None = None
) -> bytes:
    """A ``.pt`` file of torch 1.6 and later."""
    keys = {name: str(i) for i, name in enumerate(tensors)}
    entries = {name: tensor_pickle(keys[name], np.asarray(v, order="C")) for name, v in tensors.items()}
    pickle = dict_pickle({**entries, **(extra or {})}, ordered=ordered)
    return archive(pickle, {keys[k]: v.tobytes() for k, v in tensors.items()})


def legacy_file(tensors: Mapping[str, np.ndarray]) -> bytes:
    """A ``.pt`` file of torch before 1.6."""
    keys = {name: str(100 + i) for i, name in enumerate(tensors)}
    magic = MAGIC.to_bytes(10, "little")
    parts: list[Any] = [
        b"\x80\x02\x8a" + bytes([len(magic)]) + magic + b".",
        b"\x80\x02" + _number(VERSION) + b".",
        b"\x80\x02}" + _text("little_endian") + b"\x88s.",
        dict_pickle({k: tensor_pickle(keys[k], v).replace(b"tQ", b"NtQ") for k, v in tensors.items()}),
        b"\x80\x02](" + b"".join(map(_text, keys.values())) + b"e.",
    ]
    for values in tensors.values():
        parts += [struct.pack("<q", values.size), values.tobytes()]
    return b"".join(parts)
