# SPDX-License-Identifier: Apache-2.0
"""Pictures and clips with the landmarks that the product's detector finds in them, found once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smirk_core.export.atomic import atomic
from smirk_core.tracking.faces import create_detector
from smirk_core.tracking.media import open_media
from smirk_core.tracking.observations import Observations

__all__ = ["Seen", "load_portraits", "look", "look_at_clip"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Seen:
    """Pictures, alone or as the frames of a clip.

    Attributes:
        pictures: (H, W, 3) uint8 RGB each.
        landmarks: (N, 478, 3) pixels; NaN where no face was found.
        times: (N,) seconds in a clip; None for pictures that stand alone.
        detector: its name.
    """

    pictures: Sequence[Array]
    landmarks: Array
    times: Array | None
    detector: str

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """(N,) where a face was found."""
        return np.isfinite(self.landmarks[:, 0, 0])

    def part(self, rows: Array) -> Seen:
        """Some of the pictures, by index or mask."""
        rows = np.arange(len(self))[rows]
        times = None if self.times is None else self.times[rows]
        return Seen([self.pictures[i] for i in rows], self.landmarks[rows], times, self.detector)

    def observations(self, rows: slice = slice(None)) -> Observations:
        """As the clip solve takes them."""
        marks = self.landmarks[rows]
        times = np.arange(len(marks)) / 25.0 if self.times is None else self.times[rows]
        height, width = self.pictures[rows.start or 0].shape[:2]
        return Observations(times, marks, np.isfinite(marks[:, 0, 0]).astype(np.float32), width, height, self.detector)


def _detect(pictures: Sequence[Array], video: bool) -> tuple[Array, str]:
    marks = np.full((len(pictures), 478, 3), np.nan, np.float32)
    with create_detector(video=video) as detector:
        for row, picture in zip(marks, pictures, strict=True):
            faces = detector.detect(picture)
            if faces:
                row[:] = faces[0]
        return marks, detector.name


def look(pictures: Sequence[Array], cache: Path | None = None, times: Array | None = None) -> Seen:
    """Detect the largest face of every picture; ``times`` makes them frames of one clip."""
    if cache is None:
        marks, name = _detect(pictures, times is not None)
        return Seen(pictures, marks, times, name)
    digest = hashlib.sha256(b"clip" if times is not None else b"photos")
    for picture in pictures:
        digest.update(np.ascontiguousarray(picture).data)
    path = cache / f"landmarks-{digest.hexdigest()[:20]}.npz"
    if not path.is_file():
        marks, name = _detect(pictures, times is not None)
        with atomic(path) as temporary:
            np.savez(temporary, landmarks=marks, detector=np.array(name))
    with np.load(path, allow_pickle=False) as file:
        return Seen(pictures, file["landmarks"], times, str(file["detector"]))


def look_at_clip(path: Path, cache: Path | None = None) -> Seen:
    """All frames of a video."""
    frames = list(open_media(path).frames())
    return look([f.image for f in frames], cache, np.array([f.time for f in frames]))


def load_portraits(folder: Path, names: Sequence[str], side: int = 512) -> list[Array]:
    """(side, side or less, 3) uint8 portraits, made smaller with a good filter."""
    out = []
    for name in names:
        with Image.open(folder / name) as file:
            picture = file.convert("RGB")
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        out.append(np.asarray(picture))
    return out
