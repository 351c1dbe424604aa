# SPDX-License-Identifier: Apache-2.0
"""A take: the parameters of one face over time and where they came from. The only thing that crosses into Blender."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .errors import TakeError
from .heads.parameters import frame_groups
from .safe_npz import read_arrays

__all__ = ["SCHEMA", "Take", "TakeInfo", "load_take"]

SCHEMA = 1
_LARGEST = 1e9  # of any number in a file
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TakeInfo:
    """The header of a take; everything in it is plain JSON.

    Attributes:
        source: path of the photo, video or (first file of the) sequence as given; "" for synthetic takes.
        kind: "photo", "video" or "sequence".
        rate: frames per second of the source (average where it varies); 0 for a photo.
        width, height: upright frame size in pixels.
        face: number of the face in the source, 0 for the first.
        head, head_digest: which head the parameters belong to.
        encoder, encoder_digest: which encoder took part; "none" where none did.
        solve: settings of the solve; {} where it was off.
        filters: the filter layers that made ``filtered`` from ``raw``, in order.
        software: program and version that wrote the take.
        start: time in seconds in the source at which the take starts.
        rotation: degrees clockwise by which stored pixels are turned to be upright.
        notes: free text, e.g. "cancelled after 120 of 400 frames".
        schema: version of this layout.
    """

    source: str = ""
    kind: str = "video"
    rate: float = 25.0
    width: int = 0
    height: int = 0
    face: int = 0
    head: str = ""
    head_digest: str = ""
    encoder: str = "none"
    encoder_digest: str = ""
    solve: Mapping[str, Any] = field(default_factory=dict)
    filters: tuple[Mapping[str, Any], ...] = ()
    software: str = ""
    start: float = 0.0
    rotation: int = 0
    notes: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Take:
    """Parameters over time.

    Attributes:
        info: header.
        times: (N,) seconds from the start of the source, strictly increasing.
        identity: (K,) identity coefficients, one set for the whole take.
        raw: group name -> (N, size) as solved (groups of :mod:`smirk_core.heads.parameters`).
        filtered: the same groups after ``info.filters``; the very same arrays where there is no filter.
        network: what the encoder said of every frame in which the face was seen, unchanged: ``times`` (S,) of those
            frames, ``crop`` (S, 3, 3) frame pixels to crop pixels, and SMIRK's outputs by their names, each (S, size);
            empty where no encoder took part.
    """

    info: TakeInfo
    times: Floats
    identity: Floats
    raw: Mapping[str, Floats]
    filtered: Mapping[str, Floats]
    network: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, vector in (("times", self.times), ("identity", self.identity)):
            if vector.ndim != 1 or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
                raise TakeError(f"'{name}' of the take must be a row of finite numbers.")
        n = len(self.times)
        if n == 0:
            raise TakeError("A take needs at least one frame.")
        if n > 1 and not (np.diff(self.times) > 0).all():
            raise TakeError("The time stamps of a take must increase.")
        sizes = frame_groups(-1)
        for layer in (self.raw, self.filtered):
            for name, values in layer.items():
                if name not in sizes:
                    raise TakeError(f"Unknown parameter group '{name}' in the take.")
                width = sizes[name]
                if values.ndim != 2 or len(values) != n or (width >= 0 and values.shape[1] != width):
                    raise TakeError(
                        f"Group '{name}' has shape {values.shape}; expected ({n}, {width if width >= 0 else 'E'})."
                    )
                if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
                    raise TakeError(f"Group '{name}' of the take holds values that are not finite.")

        rows = {len(values) if values.ndim else -1 for values in self.network.values()}
        if len(rows) > 1 or any(values.dtype.kind not in "fiu" for values in self.network.values()):
            raise TakeError("The encoder's outputs in the take do not fit together.")

    def __len__(self) -> int:
        return len(self.times)

    def parameters(self, *, raw: bool = False) -> dict[str, Floats]:
        """All groups for :func:`smirk_core.heads.decode.decode`, identity repeated for every frame."""
        groups = dict(self.raw if raw else self.filtered)
        groups["identity"] = np.broadcast_to(self.identity, (len(self), len(self.identity)))
        return groups

    def with_filtered(self, filtered: Mapping[str, Floats], filters: tuple[Mapping[str, Any], ...]) -> Take:
        """The same take with another filter stack applied; ``raw`` is untouched."""
        return replace(self, filtered=dict(filtered), info=replace(self.info, filters=filters))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write ``NAME.take.npz`` (no pickle). The file appears whole or not at all.

        Raises:
            TakeError: the folder cannot be written or the disk is full.
        """
        path = Path(path)
        temporary: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
                temporary = Path(file.name)
                file.write(self.to_bytes())
            temporary.chmod(0o644)
            temporary.replace(path)
        except OSError as error:
            raise TakeError(f"Cannot write the take {path}: {error.strerror or error}.") from error
        finally:  # also when a Ctrl-C comes in between
            if temporary is not None:
                temporary.unlink(missing_ok=True)
        return path

    def to_bytes(self, *, compressed: bool = True) -> bytes:
        """The contents of the take's file: a zip of arrays, no pickle. Compressing takes ten times as long."""
        header = json.dumps(asdict(self.info), ensure_ascii=False, sort_keys=True)
        arrays: dict[str, Any] = {"header": np.array(header), "times": self.times, "identity": self.identity}
        for prefix, layer in (("raw", self.raw), ("filtered", self.filtered), ("network", self.network)):
            arrays |= {f"{prefix}/{k}": v for k, v in layer.items()}
        buffer = io.BytesIO()
        (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes, name: str = "The data") -> Take:
        """Read :meth:`to_bytes` back; ``name`` is what messages call it.

        Raises:
            TakeError: damaged, not a take, or written by a newer version.
        """
        return _read(io.BytesIO(data), name)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Take:
        """Read a take file; see :func:`load_take`."""
        return load_take(path)


def load_take(path: str | os.PathLike[str]) -> Take:
    """Read a take file of this or an older schema.

    Raises:
        TakeError: missing, damaged, not a take, or written by a newer version.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a folder, or a device or pipe that never ends
        raise TakeError(f"{path} is not a take file.")
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except FileNotFoundError as error:
        raise TakeError(f"There is no take file {path}.") from error
    except OSError as error:
        raise TakeError(f"Cannot read the take {path}: {error.strerror or error}.") from error


def _read(file: BinaryIO, name: str) -> Take:
    try:
        arrays = read_arrays(file)
        header = dict(json.loads(str(arrays.pop("header")[()])))
        times, identity = arrays.pop("times"), arrays.pop("identity")
    except (ValueError, TypeError, LookupError, RecursionError) as error:  # the archive, then what JSON can raise
        raise TakeError(f"{name} is not a take file, or it is damaged.") from error
    schema = header.get("schema", 0)
    if isinstance(schema, int) and schema > SCHEMA:
        raise TakeError(
            f"{name} was written by a newer version ({header.get('software', 'unknown')}); update to open it."
        )
    info = _info(header)
    for key, values in {**arrays, "times": times, "identity": identity}.items():
        if values.dtype.kind == "f" and not (np.abs(values) < _LARGEST).all():  # NaN is not less either
            raise TakeError(f"{name} is damaged: '{key}' holds values that are not finite, or that no face has.")
    raw = {k.removeprefix("raw/"): v for k, v in arrays.items() if k.startswith("raw/")}
    filtered = {k.removeprefix("filtered/"): v for k, v in arrays.items() if k.startswith("filtered/")}
    network = {k.removeprefix("network/"): v for k, v in arrays.items() if k.startswith("network/")}
    return Take(info, times, identity, raw, filtered or raw, network)


def _info(header: Mapping[str, Any]) -> TakeInfo:
    """The header as read from a file, its types checked; keys of other versions are left alone.

    Raises:
        TakeError: a value is of the wrong kind.
    """
    values: dict[str, Any] = {}
    for name, default in asdict(TakeInfo()).items():
        value = header.get(name, default)
        if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(v, dict) for v in value):
            value = tuple(value)
        if not isinstance(value, int | float if isinstance(default, float) else type(default)):
            raise TakeError(f"The header of the take is damaged: '{name}' is of type {type(value).__name__}.")
        if isinstance(value, int | float) and not -_LARGEST < value < _LARGEST:  # also where it is not a number
            raise TakeError(f"The header of the take is damaged: '{name}' is out of range.")
        if not _is_shallow(value):
            raise TakeError(f"The header of the take is damaged: '{name}' is nested too deeply.")
        values[name] = value
    return TakeInfo(**{**values, "rate": float(values["rate"]), "start": float(values["start"])})


def _is_shallow(value: Any, levels: int = 16) -> bool:
    """Whether JSON is nested less than ``levels`` deep; what is deeper breaks those who copy or print it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels > 0 and all(_is_shallow(v, levels - 1) for v in inner)
