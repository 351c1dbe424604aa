# SPDX-License-Identifier: Apache-2.0
"""Ways to damage a file, each from a seed: from flipped bits to archives whose checksums are right again."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

__all__ = ["mutate"]

_EXTREMES = [
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x00",
    b"\xff" * 8,
    b"\x00" * 8,
]
_NUMBERS = ["0", "-1", "1", "7", "99999999", "4294967296", "9223372036854775807", "1e9", "(1,)", "None"]


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), rng.integers(1, 9)):
        data[at] ^= 1 << rng.integers(0, 8)


def _overwrite(data: bytearray, rng: np.random.Generator) -> None:
    at, size = int(rng.integers(0, len(data))), int(rng.integers(1, 65))
    data[at : at + size] = rng.bytes(len(data[at : at + size]))


def _truncate(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(0, len(data))) :]


def _insert(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(0, len(data)))
    data[at:at] = rng.bytes(int(rng.integers(1, 33)))


def _cut_out(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(0, len(data)))
    del data[at : at + int(rng.integers(1, 257))]


def _swap(data: bytearray, rng: np.random.Generator) -> None:
    size = max(1, len(data) // 16)
    a, b = (int(n) for n in rng.integers(0, max(1, len(data) - size), 2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def _extreme(data: bytearray, rng: np.random.Generator) -> None:
    """A number of four or eight bytes becomes the smallest or the largest there is."""
    value = _EXTREMES[rng.integers(0, len(_EXTREMES))]
    at = int(rng.integers(0, max(1, len(data) - len(value))))
    data[at : at + len(value)] = value


def _header(data: bytearray, rng: np.random.Generator) -> None:
    """A number written in text (a shape, a JSON value, a pickle's text) becomes another, often an impossible one."""
    found = list(re.finditer(rb"\d+", bytes(data[:20000])))
    if not found:
        return _extreme(data, rng)
    place = found[rng.integers(0, len(found))]
    text = _NUMBERS[rng.integers(0, len(_NUMBERS))].encode()
    size = place.end() - place.start()
    keep = bool(rng.integers(0, 2))  # the length too, so that what follows stays in place
    data[place.start() : place.end()] = text[:size].ljust(size) if keep else text
    return None


def _member(data: bytearray, rng: np.random.Generator) -> None:
    """One member of an archive is damaged, renamed, doubled or dropped; sizes and checksums are right again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(i.filename, archive.read(i), i.compress_type) for i in archive.infolist()]
    except Exception:  # no archive, or one that was damaged before
        return _header(data, rng)
    at = int(rng.integers(0, len(members)))
    name, content, kind = members[at]
    what = rng.integers(0, 8)
    if what == 0:
        del members[at]
    elif what == 1:
        members[at] = (members[int(rng.integers(0, len(members)))][0], content, kind)
    elif what == 2:
        members[at] = (name, members[int(rng.integers(0, len(members)))][1], kind)
    elif content:
        changed = bytearray(content)
        (_header if what < 6 else _ANYWHERE[rng.integers(0, len(_ANYWHERE))])(changed, rng)
        members[at] = (name, bytes(changed), kind)
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w") as archive:  # a name twice is meant
        for name, content, kind in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=kind)
    data[:] = buffer.getvalue()
    return None


def _directory(data: bytearray, rng: np.random.Generator) -> None:
    """A field of an archive's directory or of a member's own header: sizes, offsets, methods, flags."""
    places = [m.start() for m in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", bytes(data))]
    if not places:
        return _extreme(data, rng)
    at = places[rng.integers(0, len(places))] + int(rng.integers(4, 46))
    data[at : at + 4] = _EXTREMES[rng.integers(0, 4)] if rng.integers(0, 2) else rng.bytes(4)
    return None


_ANYWHERE: list[Callable[[bytearray, np.random.Generator], None]] = [
    _flip, _overwrite, _truncate, _insert, _cut_out, _swap, _extreme,
]  # fmt: skip
_ALL = [*_ANYWHERE, _header, _header, _member, _member, _member, _directory]


def mutate(content: bytes, seed: int) -> bytes:
    """A damaged copy; the same seed gives the same damage."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 3))):
        if data:
            _ALL[seed % len(_ALL) if _ == 0 else rng.integers(0, len(_ALL))](data, rng)
    return bytes(data)
