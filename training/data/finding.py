# SPDX-License-Identifier: Apache-2.0
"""One process's share of preparing faces: look for the face of each photo and frame, judge it, cut it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError

from .prepared import Looked, PreparedFace, Settings, encode, write_shard

__all__ = ["PICTURES", "VIDEOS", "Finder", "Job", "stamp", "stored"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
PICTURES = frozenset({".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"})
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv", ".gif"})
_IRISES = (468, 473)


@dataclass(frozen=True)
class Job:
    """What all processes need to know.

    Attributes:
        folder: of the photos and videos. output: where prepared faces go.
        settings: of the storage.
        smallest: distance of the irises in frame pixels below which a face is too small to learn from.
        outside: share of the landmarks that may lie outside the frame.
        fan: folder with FAN landmarks, ``<stem>.npy`` (faces, 68, 2) or a ``<stem>.pkl`` list per frame, or None.
        groups: file name -> whose face it is; a file of its own where it is not named.
        detector: back end of the face detector.
    """

    folder: Path
    output: Path
    settings: Settings
    smallest: float = 24.0
    outside: float = 0.25
    fan: Path | None = None
    groups: tuple[tuple[str, str], ...] = ()
    detector: str = "auto"


def stored(image: Image, landmarks: Floats, settings: Settings) -> tuple[Image, Floats, tuple[float, float, float]]:
    """Cut a face out.

    Args:
        image: (H, W, 3) uint8 frame. landmarks: (478, 3) frame pixels.

    Returns:
        The crop (S, S, 3), black outside the frame; the landmarks in it; (k, x, y) with stored = k * frame + (x, y).
    """
    from PIL import Image as Pillow

    points = np.asarray(landmarks, np.float64)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    middle, side = (low + high) / 2, (high - low).mean() * settings.margin
    corner = np.floor(middle - side / 2).astype(int)
    width = max(int(np.ceil(side)), 2)
    canvas = np.zeros((width, width, 3), np.uint8)
    height, across = image.shape[:2]
    x0, y0 = max(corner[0], 0), max(corner[1], 0)
    x1, y1 = min(corner[0] + width, across), min(corner[1] + width, height)
    if x1 > x0 and y1 > y0:
        canvas[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]] = image[y0:y1, x0:x1]
    size = min(settings.size, width)
    if size < width:  # with anti-aliasing: large faces would flicker otherwise
        canvas = np.asarray(Pillow.fromarray(canvas).resize((size, size), Pillow.Resampling.LANCZOS), np.uint8)
    k = size / width
    x, y = (float(v) for v in (0.5 - corner) * k - 0.5)
    moved = points * k
    moved[:, :2] += (x, y)
    return canvas, moved, (k, x, y)


class Finder:
    """One process: a detector for photos, made when it is first needed, and one for each video."""

    def __init__(self, job: Job) -> None:
        self.job, self._photos = job, None
        self._groups = dict(job.groups)

    def close(self) -> None:
        """Free the detector."""
        if self._photos is not None:
            self._photos.close()

    def _detector(self) -> Any:
        from smirk_core.tracking.faces import create_detector

        if self._photos is None:
            self._photos = create_detector(self.job.detector, video=False)
        return self._photos

    def shard(self, number: int, names: Sequence[str]) -> dict[str, Looked]:
        """Look at photos or at a video and write what was found."""
        faces, looked = list[PreparedFace](), dict[str, Looked]()
        for name in names:
            entry = looked[name] = stamp(self.job.folder / name)
            try:
                is_video = Path(name).suffix.lower() in VIDEOS
                for face in self._video(name, entry) if is_video else self._photo(name, entry):
                    faces.append(face)
                    entry.faces += 1
            except SmirkError as error:
                entry.reject(f"cannot be read: {str(error).replace(str(self.job.folder / name), 'it')}")
        write_shard(self.job.output, number, faces, looked)
        return looked

    def _photo(self, name: str, entry: Looked) -> Iterator[PreparedFace]:
        from smirk_core.tracking.pictures import load_picture

        image, _ = load_picture(self.job.folder / name)
        if min(image.shape[:2]) < 32:
            entry.reject("picture below 32 pixels")
            return
        face = self._cut(image, self._detector().detect(image), name, entry, self._fan(name))
        if face:
            yield face

    def _video(self, name: str, entry: Looked) -> Iterator[PreparedFace]:
        from smirk_core.tracking.faces import create_detector
        from smirk_core.tracking.media import open_media

        fan = self._fan(name)
        media = open_media(self.job.folder / name)
        with create_detector(self.job.detector, video=True) as detector:
            for frame in media.frames(step=self.job.settings.every):
                found = detector.detect(frame.image)
                here = None if fan is None or frame.index >= len(fan) else fan[frame.index]
                face = self._cut(frame.image, found, name, entry, None if here is None else [here])
                if face:
                    # The number of the frame is kept with each face, so that a frame without a face shifts nothing.
                    yield PreparedFace(**(vars(face) | {"frame": frame.index, "time": frame.time}))

    def _fan(self, name: str) -> Any:
        """FAN landmarks of a file: of its faces, or of each frame; None where there are none."""
        if self.job.fan is None:
            return None
        from .landmark_files import fan_frames

        return fan_frames((self.job.fan / name).with_suffix(""))

    def _cut(self, image: Image, found: list[Floats], name: str, entry: Looked, fan: Any) -> PreparedFace | None:
        if not found:
            entry.reject("no face")
            return None
        landmarks = found[0]
        eyes = float(np.linalg.norm(landmarks[_IRISES[0], :2] - landmarks[_IRISES[1], :2]))
        width = float(np.ptp(landmarks[:, 0]))
        if not np.isfinite(landmarks).all():
            entry.reject("landmarks are not finite")
        elif max(eyes, 0.4 * width) < self.job.smallest:  # in profile the eyes are close; the face is as large
            entry.reject(f"face too small (eyes less than {self.job.smallest:g} pixels apart)")
        elif _inside(landmarks, image) < 1 - self.job.outside:
            entry.reject(f"face cut off by the frame (more than {self.job.outside:.0%} outside)")
        else:
            picture, points, place = stored(image, landmarks, self.job.settings)
            known = None
            if fan is not None and len(fan):
                known = _nearest(np.asarray(fan, np.float64), landmarks)
                known = None if known is None else known * place[0] + place[1:]
            group = self._groups.get(Path(name).name, name)
            data = encode(picture, self.job.settings.quality)
            return PreparedFace(data, points, place, name, group, fan=known)
        return None


def _inside(landmarks: Floats, image: Image) -> float:
    within = (landmarks[:, :2] >= 0).all(1) & (landmarks[:, :2] <= np.array(image.shape[1::-1]) - 1).all(1)
    return float(within.mean())


def _nearest(faces: Floats, landmarks: Floats) -> Floats | None:
    """Of several faces' FAN landmarks those that lie on this face; None where none does."""
    middle, extent = landmarks[:, :2].mean(0), float(np.ptp(landmarks[:, :2], axis=0).mean())
    away = np.linalg.norm(faces.mean(1) - middle, axis=1)
    best = int(np.argmin(np.where(np.isfinite(away), away, np.inf)))
    return faces[best] if away[best] < 0.4 * extent else None


def stamp(path: Path) -> Looked:
    """An entry for a file that nobody has looked at, with its size and time stamp."""
    try:
        facts = path.stat()
        return Looked(facts.st_size, facts.st_mtime_ns)
    except OSError:
        return Looked(-1, -1)
