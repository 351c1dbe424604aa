# SPDX-License-Identifier: Apache-2.0
"""Hostile files made by hand: what would run code, reserve the machine's memory, or read past an end."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from old_pickles import Py3Pickle

from .samples import HEAD, zipped_tensors

__all__ = ["write_made"]

_MB = bytes(1 << 20)
Files = dict[str, tuple[str, bytes]]  # file name -> (kind, content)


def _npy(shape: str, descr: str = "'<f8'", data: bytes = b"", version: int = 1) -> bytes:
    """An array file whose header says what it likes."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def _array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _zip(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _rezip(good: Path, **members: bytes | None) -> bytes:
    """A good archive with some members replaced, added, or (None) left out."""
    with zipfile.ZipFile(good) as archive:
        content: dict[str, bytes | None] = {n: archive.read(n) for n in archive.namelist()}
    content |= {f"{k}.npy": v for k, v in members.items()}
    return _zip({n: c for n, c in content.items() if c is not None})


def _header(good: Path, change: Callable[[str], str]) -> bytes:
    with np.load(good) as file:
        text = str(file["header"])
    return _rezip(good, header=_array(np.array(change(text))))


def _with(text: str, **values: object) -> str:
    return json.dumps({**json.loads(text), **values})


def _archives(good: dict[str, Path]) -> Files:
    """Zip bombs and archives that lie."""
    zeros = _npy("(8388608,)", data=bytes(64 << 20))
    swollen = _zip({f"raw/{i}.npy": zeros for i in range(1)})
    many = bytearray(swollen)
    end = many.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", many, end + 16)[0]
    entry = bytes(many[start:end])
    crowd = many[:start] + entry * 1600 + many[end:]
    struct.pack_into("<HHII", crowd, len(crowd) - 14, 1600, 1600, 1600 * len(entry), start)
    lies = bytearray(swollen)
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", lies, lies.index(mark) + place, 2000)
    locked = bytearray(good["take"].read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    far = bytearray(good["take"].read_bytes())
    struct.pack_into("<I", far, far.rindex(b"PK\x05\x06") + 16, 0xFFFFFFF0)
    take = good["take"].read_bytes()
    return {
        "crowd.take.npz": ("take", bytes(crowd)),  # 100 GB in a few kilobytes of directory
        "liar.take.npz": ("take", bytes(lies)),
        "locked.take.npz": ("take", bytes(locked)),
        "far.take.npz": ("take", bytes(far)),
        "lzma.take.npz": ("take", _zip({"header.npy": _array(np.array("{}"))}, zipfile.ZIP_LZMA)),
        "bzip.npz": ("head", _zip({"header.npy": _array(np.array("{}"))}, zipfile.ZIP_BZIP2)),
        "crowd.npz": ("npz", bytes(crowd)),
        "names.take.npz": ("take", _rezip(good["take"], **{"../../canary": _array(np.zeros(3))})),
        "thousands.take.npz": ("take", _zip({f"raw/{i}.npy": b"" for i in range(5000)})),
        "twice.take.npz": ("take", take + take[: len(take) // 2]),
    }


def _arrays(good: dict[str, Path], trap: bytes) -> Files:
    """Headers that promise what is not there, or that are programs."""
    take = good["take"]
    objects = {
        "vast": _npy("(1000000000000,)", data=bytes(64)),
        "minus": _npy("(-1,)", data=bytes(64)),
        "overflow": _npy("(4294967296, 4294967296)", data=bytes(64)),
        "wrapped": _npy("(2305843009213693953,)", data=bytes(8)),  # times 8 is 8 in 64 bits
        "sub": _npy("(1,)", "('<f8', (1000000000,))", bytes(64)),
        "text": _npy("()", "'<U500000000'", bytes(64)),
        "record": _npy("(1,)", "[('a', '<f8'), ('b', '|O')]", bytes(16)),
        "object": _npy("(1,)", "'|O'", trap),
        "code": _npy("(__import__('os').system('true'),)", data=bytes(8)),
        "deep": _npy("(" * 4000 + ")" * 4000, data=bytes(8)),
        "long": _npy("(" + "1," * 40000 + ")", data=bytes(8), version=2),
        "too far": _array(np.linspace(0, 1e300, 6)),
        "empty text": _npy("(99999999999,)", "'<U0'"),
        "axes": _npy("(" + "1," * 200 + ")", data=bytes(8)),
        "wide": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
    }
    files: Files = {f"{n}.take.npz": ("take", _rezip(take, times=c)) for n, c in objects.items()}
    files |= {f"{n}.npz": ("npz", _rezip(good["npz"], exp=c)) for n, c in objects.items()}
    files |= {f"{n}.npy": ("npy", c) for n, c in objects.items()}
    return files


def _headers(good: dict[str, Path]) -> Files:
    """JSON that is too deep, too large or not a number."""
    nested = "[" * 800 + "]" * 800
    changes: dict[str, Callable[[str], str]] = {
        "abyss": lambda text: "[" * 200_000,
        "nested": lambda text: text.replace('"solve": {}', f'"solve": {{"a": {nested}}}'),
        "infinite": lambda text: text.replace('"rate": 25.0', '"rate": 1e999'),
        "nan": lambda text: text.replace('"start": 0.0', '"start": NaN'),
        "huge": lambda text: text.replace('"width": 640', '"width": 1' + "0" * 4000),
        "digits": lambda text: text.replace('"width": 640', '"width": 1' + "0" * 40000),
        "negative": lambda text: _with(text, schema=-5, rate=-1e300),
        "types": lambda text: _with(text, filters=[1, 2], solve="x"),
        "list": lambda text: "[1, 2, 3]",
        "null": lambda text: "null",
    }
    files: Files = {f"{n}-header.take.npz": ("take", _header(good["take"], c)) for n, c in changes.items()}
    for name, change in {
        "words": lambda text: _with(text, expression_names=[1, [2]], name=3),
        "parents": lambda text: _with(text, joint_parents=[4, 3, 2, 1, 0]),
        "angles": lambda text: _with(text, angles={"jawOpen": "wide"}),
        "abyss": lambda text: "[" * 200_000,
    }.items():
        files[f"{name}-header.npz"] = ("head", _header(good["head"], change))
    vertices = len(HEAD.template)
    for name, arrays in {
        "past": {"polygons": HEAD.polygons + 1000},
        "before": {"polygons": HEAD.polygons - 5},
        "landmark": {"landmark/ibug_68/triangles": np.full(68, 10**6)},
        "feature": {"corrective_features": np.array([99, 1, 2])},
        "not numbers": {"template": np.full((vertices, 3), np.nan)},
        "too far": {"template": np.full((vertices, 3), 1e30)},
        "zero weights": {"skinning_weights": np.zeros((vertices, 5))},
        "thin": {"template": np.zeros((vertices, 0))},
        "flat": {"joint_regressor": np.zeros(5)},
        "letters": {"template": np.array([["a"] * 3] * vertices)},
    }.items():
        files[f"{name}.npz"] = ("head", _rezip(good["head"], **{k: _array(v) for k, v in arrays.items()}))
    return files


def _pickles(trap_path: Path) -> Files:
    """Programs in every way that the format knows, and streams that grow without end."""
    command = f"touch {trap_path}".encode()
    call = b"(S'" + command + b"'\n"

    class Build:
        def __reduce__(self):
            return (eval, (f"open({str(trap_path)!r}, 'w').close()",))

    programs = {
        "reduce": pickle.dumps(Build()),
        "global": b"cos\nsystem\n" + call + b"tR.",
        "posix": b"cposix\nsystem\n" + call + b"tR.",
        "inst": call + b"ios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + command + b"'\no.",
        "newobj": b"\x80\x02csubprocess\nPopen\n(S'" + command + b"'\nt\x81.",
        "stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(command)]) + command + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0eos.path.system\x93" + call + b"tR.",
        "numpy": b"cnumpy\nload\n(S'" + str(trap_path).encode() + b"'\ntR.",
        "numpy exec": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\ntR.",
        "build": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(K\x00tU\x01btR.",
        "extension": b"\x80\x02\x82\x01.",
        "persistent": b"Pos.system\n.",
        "next": b"\x80\x05\x97.",
    }
    laughs: list[object] = []
    for _ in range(60):
        laughs = [laughs] * 10
    table: dict[str, object] = {"a": 1}
    for _ in range(60):
        table = {f"{i}": table for i in range(10)}
    growth = {
        "laughs": pickle.dumps(laughs, protocol=2),
        "tables": pickle.dumps(table, protocol=2),
        "binary": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
        "unicode": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
        "number": b"\x80\x02\x8b" + struct.pack("<i", 0x7FFFFFFF) + b"\xff" * 64 + b".",
        "digits": b"L" + b"9" * 500_000 + b"L\n.",
        "memo": b"\x80\x02Nr\xff\xff\xff\xff.",
        "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
        "lists": b"\x80\x02" + b"]" * 300_000 + b".",
        "nested": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        "marks": b"(" * 200_000,
        "protocol": b"\x80\xff.",
        "self": b"\x80\x02]q\x00h\x00a.",
        "dup": b"\x80\x02" + b"N" + b"2" * 200_000 + b".",
    }
    array = Py3Pickle()
    array.array(np.zeros(8))
    plain = array.finish()
    crafted = {
        "vast array": plain.replace(b"J\x08\x00\x00\x00", b"J\xff\xff\xff\x7f", 1),
        "object array": plain.replace(b"f8", b"O8"),
        "wide text": plain.replace(b"f8", b"U9"),
        "flags": plain.replace(b"J\xff\xff\xff\xff", b"J\x3f\x00\x00\x00"),
        "chumpy": b"\x80\x02cchumpy.ch\nCh\n)\x81}(U\x01xcos\nsystem\nub.",
        "sparse": b"\x80\x02cscipy.sparse.csc\ncsc_matrix\n)\x81}(U\x06_shapeJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86ub.",
    }
    files: Files = {}
    for name, content in (programs | growth | crafted).items():
        files[f"{name}.pkl"] = ("flame", content)
        files[f"{name} alone.pkl"] = ("pkl", content)
        files[f"{name} parameters.pkl"] = (
            "pkl",
            b"\x80\x02}(U\x03exp" + content.removeprefix(b"\x80\x02")[:-1] + b"u.",
        )
        files[f"{name}.pt"] = ("pt", content)
        files[f"{name} zipped.pt"] = ("pt", _zip({"m/data.pkl": content}, zipfile.ZIP_STORED))
    return files


def _tensors(folder: Path) -> Files:
    """Tensors that reach past their numbers, and tables that lie."""
    good = zipped_tensors(folder / "tensors.pt", {"smirk_encoder.a": np.zeros((2, 3), np.float32)})
    content = good.read_bytes()
    good.unlink()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    record = members["model/data.pkl"]
    three, two = struct.pack("<i", 3), struct.pack("<i", 2)
    edits = {
        "stride": record.replace(b"(J" + three + b"J\x01", b"(J" + struct.pack("<i", 1 << 30) + b"J\x01"),
        "shape": record.replace(b"(J" + two + b"J" + three, b"(J" + struct.pack("<i", 1 << 30) + b"J" + three),
        "negative": record.replace(b"(J" + two, b"(J" + struct.pack("<i", -2)),
        "offset": record.replace(b"QJ" + bytes(4), b"QJ" + struct.pack("<i", 1 << 29)),
        "count": record.replace(struct.pack("<i", 6), struct.pack("<i", 1 << 29)),
    }
    assert all(edit != record for edit in edits.values())
    files: Files = {
        f"{n}.pt": ("pt", _zip({**members, "model/data.pkl": c}, zipfile.ZIP_STORED)) for n, c in edits.items()
    }
    files["packed.pt"] = ("pt", _zip({**members, "model/data/0": _MB * 64}))

    def table(value: object, body: bytes = bytes(64), length: int | None = None) -> bytes:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + body

    entry = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}
    for name, content in {
        "length": table({}, length=1 << 62),
        "past": table({"a": {**entry, "data_offsets": [64, 128]}}),
        "backwards": table({"a": {**entry, "data_offsets": [64, 0]}}),
        "vast": table({"a": {**entry, "shape": [1 << 40, 1 << 40]}}),
        "minus": table({"a": {**entry, "shape": [-4, -4]}}),
        "kind": table({"a": {**entry, "dtype": "O"}}),
        "abyss": table(b"[" * 100_000),
        "list": table([1, 2]),
        "words": table({"__metadata__": 3, "a": entry}),
    }.items():
        files[f"{name}.safetensors"] = ("safetensors", content)
    return files


def _matlab() -> Files:
    """MATLAB files: cells inside cells, sizes that lie, data that swells."""

    def element(kind: int, body: bytes, size: int | None = None) -> bytes:
        return struct.pack("<II", kind, len(body) if size is None else size) + body + bytes(-len(body) % 8)

    def matrix(sizes: tuple[int, ...], values: bytes, name: bytes = b"exp", kind: int = 6) -> bytes:
        flags = element(6, struct.pack("<II", kind, 0))
        return flags + element(5, struct.pack(f"<{len(sizes)}i", *sizes)) + element(1, name) + values

    top = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    cell = b""
    for _ in range(3000):
        cell = element(14, matrix((1, 1), cell, b"", 1))
    numbers = element(9, bytes(400))
    packed = zlib.compress(element(14, matrix((1, 50), element(9, bytes(400)))) + _MB * 64)
    return {
        name: ("mat", top + content)
        for name, content in {
            "cells.mat": element(14, matrix((1, 1), cell, b"exp", 1)),
            "vast.mat": element(14, matrix((1 << 30, 1 << 30), numbers)),
            "minus.mat": element(14, matrix((-1, -50), numbers)),
            "short.mat": element(14, matrix((1, 50), element(9, bytes(8), 400))),
            "size.mat": element(14, matrix((1, 50), numbers), 0xFFFFFFF0),
            "swells.mat": element(15, packed),
            "swells inside.mat": element(15, zlib.compress(element(14, matrix((1, 1 << 25), element(9, _MB * 64))))),
            "not packed.mat": element(15, bytes(64)),
            "many axes.mat": element(14, matrix((1,) * 30 + (50,), numbers)),
            "no axes.mat": element(14, matrix((), numbers)),
            "type.mat": element(14, matrix((1, 50), element(13, bytes(400)))),
        }.items()
    }


def write_made(folder: Path, good: dict[str, Path], canary: Path) -> list[tuple[str, Path]]:
    """Write all of them; (kind, path) for each. What runs would leave ``canary`` behind."""
    trap = b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."
    made = []
    for part in (_archives(good), _arrays(good, trap), _headers(good), _pickles(canary), _tensors(folder), _matlab()):
        for name, (kind, content) in part.items():
            path = folder / kind.replace(" ", "_") / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            made.append((kind, path))
    return made
