# SPDX-License-Identifier: Apache-2.0
"""Prepared faces on disk: crops as JPEG, landmarks as plain arrays, in shards that are written whole or not at all.

A folder of prepared faces holds ``prepared.json`` (settings) and shards of three files each::

    faces-00000.jpgs    JPEG files, one after the other
    faces-00000.npz     start (N + 1,) int64          where each JPEG starts in the .jpgs file, and where the last ends
                        mediapipe (N, 478, 3) float32 landmarks, pixels of the stored crop (z in the unit of x)
                        fan (N, 68, 2) float32        FAN landmarks likewise; fan_known (N,) bool, False where unknown
                        place (N, 3) float64          (k, x, y): stored = k * frame pixel + (x, y)
                        source (N,) int32             row in ``sources``, texts: paths relative to the folder prepared
                        group (N,) text               whose face; faces of one group count as one item
                        frame (N,) int32, time (N,) float64   of a video; -1 and 0 of a photo
    faces-00000.json    what was looked at: source -> bytes, time stamp, faces found, rejections by reason

No pickles. Pixel origin at the centre of the top-left pixel; the crop has the size and margin of ``prepared.json``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from smirk_core.errors import TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.safe_npz import read_arrays

__all__ = ["FORMAT", "SETTINGS", "Looked", "Prepared", "PreparedFace", "Settings", "read_settings", "write_shard"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
FORMAT = "smirk-faces-1"
SETTINGS = "prepared.json"
_SHAPES: dict[str, tuple[int, ...]] = {
    "mediapipe": (478, 3), "fan": (68, 2), "fan_known": (), "place": (3,), "source": (), "group": (), "frame": (),
    "time": (),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How faces are stored.

    Attributes:
        size: pixels of the largest stored crop; smaller faces are stored smaller, never enlarged.
        margin: side of the crop over the mean side of the landmarks' box. A crop of scale s <= margin can be cut from
            it without loss.
        every: step between the frames of videos.
        quality: of the JPEGs.
    """

    size: int = 384
    margin: float = 2.0
    every: int = 1
    quality: int = 92


@dataclass(frozen=True)
class PreparedFace:
    """One face.

    Attributes:
        picture: JPEG file.
        mediapipe: (478, 3) landmarks in pixels of the picture.
        place: (k, x, y), stored = k * frame pixel + (x, y).
        source: path relative to the prepared folder. group: whose face it is.
        frame, time: of a video; -1 and 0 of a photo.
        fan: (68, 2) or None.
    """

    picture: bytes
    mediapipe: Floats
    place: tuple[float, float, float]
    source: str
    group: str
    frame: int = -1
    time: float = 0.0
    fan: Floats | None = None


@dataclass
class Looked:
    """What came of one photo or video: its size and stamp, faces found, rejections by reason."""

    bytes: int
    stamp: int
    faces: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def reject(self, reason: str) -> None:
        """Count a picture or frame that gave no face."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1


def write_shard(folder: Path, number: int, faces: list[PreparedFace], looked: Mapping[str, Looked]) -> None:
    """Write a shard; its ``.json`` comes last, and without it the others do not count.

    Raises:
        ExportError: the folder cannot be written.
    """
    stem = folder / f"faces-{number:05d}"
    sources = sorted({f.source for f in faces})
    row = {name: i for i, name in enumerate(sources)}
    count = len(faces)
    blank = np.zeros((68, 2), np.float32)
    arrays = {
        "start": np.concatenate([[0], np.cumsum([len(f.picture) for f in faces])]).astype(np.int64),
        "mediapipe": np.array([f.mediapipe for f in faces], np.float32).reshape(count, 478, 3),
        "fan": np.array([blank if f.fan is None else f.fan for f in faces], np.float32).reshape(count, 68, 2),
        "fan_known": np.array([f.fan is not None for f in faces], bool),
        "place": np.array([f.place for f in faces], np.float64).reshape(count, 3),
        "source": np.array([row[f.source] for f in faces], np.int32),
        "sources": np.array(sources, "U"),
        "group": np.array([f.group for f in faces], "U"),
        "frame": np.array([f.frame for f in faces], np.int32),
        "time": np.array([f.time for f in faces], np.float64),
    }
    with atomic(stem.with_suffix(".jpgs")) as path, path.open("wb") as file:
        file.writelines(f.picture for f in faces)
    with atomic(stem.with_suffix(".npz")) as path, path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    with atomic(stem.with_suffix(".json")) as path:
        path.write_text(json.dumps({name: vars(entry) for name, entry in looked.items()}, indent=1), encoding="utf-8")


def read_settings(folder: Path) -> Settings:
    """The settings of a folder of prepared faces.

    Raises:
        TrainingError: it is none, or of another version.
    """
    path = folder / SETTINGS
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        if words.pop("format") != FORMAT:
            raise ValueError("format")
        return Settings(int(words["size"]), float(words["margin"]), int(words["every"]), int(words["quality"]))
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder} holds no prepared faces (no {SETTINGS}); "
            f"prepare a folder of images or videos with: python -m training.data.prepare FOLDER -o PREPARED"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{path} is damaged or of another version than {FORMAT}; prepare the faces anew."
        ) from error


def shards(folder: Path) -> list[Path]:
    """The finished shards of a folder, without suffix, in order."""
    return [p.with_suffix("") for p in sorted(folder.glob("faces-*.json"))]


def looked_at(folder: Path) -> dict[str, Looked]:
    """Everything that finished shards have looked at, by source; damaged records count as not looked at."""
    found: dict[str, Looked] = {}
    for stem in shards(folder):
        try:
            words = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
            found |= {name: Looked(**entry) for name, entry in words.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            continue
    return found


class Prepared:
    """The faces of a prepared folder, read when they are asked for.

    Args:
        folder: as written by ``python -m training.data.prepare``.

    Attributes:
        arrays: of all shards together, see the module; ``shard`` (N,) says where a face is.

    Raises:
        TrainingError: the folder holds no prepared faces, or a shard is damaged; the line says which.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, read_settings(folder)
        self._stems = shards(folder)
        parts = [_read_shard(stem) for stem in self._stems]
        kept = [p for p in parts if len(p["source"])]
        if not kept:
            raise TrainingError(f"{folder} holds no faces: all pictures were rejected; its report.txt says why.")
        self.arrays: dict[str, npt.NDArray[Any]] = {n: np.concatenate([p[n] for p in kept]) for n in _SHAPES}
        self.arrays["shard"] = np.concatenate([np.full(len(p["source"]), i) for i, p in enumerate(parts)])
        self.arrays["start"] = np.concatenate([p["start"][:-1] for p in kept])
        self.arrays["end"] = np.concatenate([p["start"][1:] for p in kept])
        self.sources: list[str] = [str(p["sources"][row]) for p in kept for row in p["source"]]

    def __len__(self) -> int:
        return len(self.sources)

    def picture(self, index: int) -> Image:
        """The stored crop of a face, (H, W, 3) uint8 RGB.

        Raises:
            OSError: its shard is damaged or gone.
        """
        path = self._stems[int(self.arrays["shard"][index])].with_suffix(".jpgs")
        start, end = int(self.arrays["start"][index]), int(self.arrays["end"][index])
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
        with Pillow.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return np.array(picture.convert("RGB"), np.uint8, order="C")

    @property
    def groups(self) -> dict[str, npt.NDArray[np.integer[Any]]]:
        """Rows of the faces of each group, in the order of first appearance."""
        return _grouped(tuple(self.arrays["group"].tolist()))


@lru_cache(maxsize=8)
def _grouped(names: tuple[str, ...]) -> dict[str, npt.NDArray[np.integer[Any]]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {name: np.array(r) for name, r in rows.items()}


def _read_shard(stem: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        arrays = read_arrays(stem.with_suffix(".npz"))
        count = len(arrays["source"])
        for name, shape in _SHAPES.items():
            if arrays[name].shape != (count, *shape):
                raise ValueError(name)
        start, source = arrays["start"], arrays["source"]
        if start.shape != (count + 1,) or (np.diff(start) <= 0).any() or start[0] != 0:
            raise ValueError("start")
        if start[-1] != stem.with_suffix(".jpgs").stat().st_size or not np.isfinite(arrays["mediapipe"]).all():
            raise ValueError("size")
        if count and (source.min() < 0 or source.max() >= len(arrays["sources"])):
            raise ValueError("sources")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"The shard {stem.name} of {stem.parent} is damaged ({error}); delete its three files and prepare again."
        ) from error
    return arrays


def encode(picture: Image, quality: int) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG, colours at full resolution."""
    stream = io.BytesIO()
    Pillow.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def write_settings(folder: Path, settings: Settings) -> None:
    """Write ``prepared.json``."""
    with atomic(folder / SETTINGS) as path:
        path.write_text(json.dumps({"format": FORMAT} | vars(settings), indent=1) + "\n", encoding="utf-8")


def counts(looked: Iterable[Looked]) -> tuple[int, dict[str, int]]:
    """Faces found, and rejections by reason, the most frequent first."""
    faces, reasons = 0, dict[str, int]()
    for entry in looked:
        faces += entry.faces
        for reason, number in entry.rejected.items():
            reasons[reason] = reasons.get(reason, 0) + number
    return faces, dict(sorted(reasons.items(), key=lambda item: -item[1]))
