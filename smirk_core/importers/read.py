# SPDX-License-Identifier: Apache-2.0
"""Parameter files of others as plain arrays: a file, or a folder of frames, of any suffix in ``SUFFIXES``.

Everything goes through loaders that run nothing of what they read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoder.checkpoint import read_tensors
from ..errors import TakeError
from ..heads.safe_pickle import load_npy, load_npz, load_pickle, read_bytes
from ..progress import Progress, silent
from .dialects import known_names
from .mat import read_mat

__all__ = ["SUFFIXES", "Record", "natural_key", "read_records"]

SUFFIXES = (".npz", ".npy", ".pkl", ".pickle", ".mat", ".pt", ".pth")
_MOST_FILES = 1_000_000
_MOST_LEVELS = 8
_MOST_VISITS = 200_000  # of tables and lists in one file


@dataclass(frozen=True)
class Record:
    """Arrays that were found together: one frame, or many.

    Attributes:
        where: file or folder, for messages.
        arrays: by their names in the file; only those that some dialect knows, and real numbers.
        others: names of what else was there.
        number: the frame number in the name of the file, where it has one.
    """

    where: str
    arrays: Mapping[str, npt.NDArray[Any]]
    others: frozenset[str] = field(default_factory=frozenset)
    number: int | None = None


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts ``frame2`` before ``frame10``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((0, int(p)) if p.isdigit() and len(p) < 20 else (1, p) for p in parts)


def read_records(path: Path, progress: Progress = silent) -> list[Record]:
    """What a parameter file, or a folder of them, holds, in order of time.

    A file holds one record, or a list of them (one a frame). A folder holds one file a frame, in natural order; or
    one ``.npy`` for each parameter (``exp.npy``, ``pose.npy``, …), which together are one record; or one such folder
    a frame.

    Raises:
        TakeError: there is nothing to read, or it is damaged. AssetError: a file asks for what is not allowed.
    """
    if not path.is_dir():
        return _read_file(path)
    entries = sorted((e for e in path.iterdir() if not e.name.startswith(".")), key=lambda e: natural_key(e.name))
    files = [e for e in entries if e.is_file() and e.suffix.lower() in SUFFIXES]
    folders = [e for e in entries if e.is_dir()]
    if any(e.stem in known_names() for e in files if e.suffix.lower() == ".npy"):
        return [_read_folder(path, files)]
    frames = files or folders
    if not frames:
        raise TakeError(f"There are no parameter files ({', '.join(SUFFIXES)}) in {path}.")
    if len(frames) > _MOST_FILES:
        raise TakeError(f"{path} holds {len(frames)} files; {_MOST_FILES} are the most.")
    records: list[Record] = []
    for index, entry in enumerate(frames):
        progress("Reading", index, len(frames))
        if entry.is_file():
            records += _read_file(entry)
            continue
        inside = sorted((e for e in entry.iterdir() if e.suffix.lower() == ".npy"), key=lambda e: e.name)
        if any(e.stem in known_names() for e in inside):  # other folders (pictures, meshes) lie beside the frames
            records.append(_read_folder(entry, inside))
    progress("Reading", len(frames), len(frames))
    if not records:
        raise TakeError(f"There are no parameter files ({', '.join(SUFFIXES)}) in {path}.")
    return records


def _number(path: Path) -> int | None:
    found = re.findall(r"[0-9]+", path.stem if path.is_file() else path.name)
    return int(found[-1]) if found and len(found[-1]) < 10 else None


def _read_folder(folder: Path, files: list[Path]) -> Record:
    arrays = {f.stem: load_npy(f) for f in files if f.suffix.lower() == ".npy" and f.stem in known_names()}
    return Record(str(folder), _real(arrays, str(folder)), number=_number(folder))


def _read_file(path: Path) -> list[Record]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        value: Any = load_npz(path)
    elif suffix == ".npy":
        value = load_npy(path)
    elif suffix in (".pkl", ".pickle"):
        value = load_pickle(path)
    elif suffix in (".pt", ".pth"):
        value = read_tensors(path)
    elif suffix == ".mat":
        try:
            value = read_mat(read_bytes(path), known_names())
        except ValueError as error:
            raise TakeError(f"Cannot read {path}: {error}.") from error
    else:
        raise TakeError(f"Cannot read {path.name}: parameter files end in {', '.join(SUFFIXES)}.")
    found = _unfold(value)
    records = [Record(str(path), _real(f, str(path)), frozenset(f), _number(path)) for f in found]
    if not records:
        raise TakeError(f"{path} holds no parameters by name; a dictionary of arrays is needed.")
    return records


def _unfold(value: Any, levels: int = _MOST_LEVELS, visits: Iterator[int] | None = None) -> list[dict[str, Any]]:
    """Dictionaries of parameters inside whatever a file holds: alone, in a list, or one under each frame's name."""
    visits = visits or iter(range(_MOST_VISITS))
    if next(visits, None) is None:  # a few bytes can nest lists that hold each other ten times over
        raise TakeError("The file nests more tables than there can be frames.")
    if levels == 0:
        return []
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.item() if value.ndim == 0 else list(value.flat)
    if isinstance(value, list | tuple):
        return [record for item in value for record in _unfold(item, levels - 1, visits)]
    if not isinstance(value, Mapping):
        return []
    flat = {k: _plain(v) for k, v in value.items() if isinstance(k, str)}
    if flat.keys() & known_names():
        return [flat]
    inside = sorted(
        ((str(k), v) for k, v in value.items() if not isinstance(v, str)), key=lambda kv: natural_key(kv[0])
    )
    found = [record for _, item in inside for record in _unfold(item, levels - 1, visits)]
    return found or ([flat] if flat else [])


def _plain(value: Any) -> Any:
    """A value as an array where it is numbers; lists of numbers too, as JSON-minded people store them."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        value = value.item()
    if isinstance(value, list | tuple) and 0 < len(value) <= 1000 and all(isinstance(v, int | float) for v in value):
        return np.array(value, dtype=np.float64)
    return value


def _real(values: Mapping[str, Any], where: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays that some dialect knows, checked to be finite real numbers."""
    arrays = {}
    for name, value in values.items():
        if name not in known_names() or not isinstance(value, np.ndarray):
            continue
        if value.dtype.kind not in "fiu" or not value.size or not np.isfinite(value).all():
            raise TakeError(f"'{name}' in {where} is not an array of finite numbers.")
        arrays[name] = value
    return arrays
