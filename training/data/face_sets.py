# SPDX-License-Identifier: Apache-2.0
"""Sets of real faces: items by number, each a photo, a video or a person, and a picture with landmarks for each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError, TrainingError

from .landmark_files import fan_frames, mediapipe_frames
from .prepared import Prepared

__all__ = ["Face", "FaceSet", "Photo", "PhotoSet", "PreparedSet", "SampleError", "Video", "VideoSet"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
_MISCOUNT = 1  # frames by which containers and decoders disagree


class SampleError(SmirkError):
    """One item cannot be used; the message is the reason under which it is counted."""


@dataclass(frozen=True)
class Face:
    """A picture with one face.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        mediapipe: (478, 2 or 3) pixels, origin at the centre of the top-left pixel.
        fan: (68, 2) likewise, or None where nobody looked for them.
    """

    picture: Image
    mediapipe: Floats
    fan: Floats | None = None


class FaceSet(Protocol):
    """Faces by number."""

    name: str

    def __len__(self) -> int: ...

    def read(self, item: int, dice: np.random.Generator) -> Face:
        """A face of an item; which of several, the dice say. Raises :class:`SampleError`."""
        ...


class PreparedSet:
    """Faces that ``python -m training.data.prepare`` has stored; an item is a photo, a video or a person.

    Args:
        path: the prepared folder.
        part: "all", or "train" and "held_out", nine tenths and one tenth of the items; whose face falls where depends
            on its name alone, so that it stays there when faces are added.
    """

    def __init__(self, path: str, part: str = "all") -> None:
        if part not in ("all", "train", "held_out"):
            raise TrainingError(f"The part of a set is all, train or held_out, not '{part}'.")
        self.name = Path(path).name
        self._faces = Prepared(Path(path))
        self._rows = [
            rows for group, rows in self._faces.groups.items() if part == "all" or (part == "held_out") == _held(group)
        ]
        if not self._rows:
            raise TrainingError(f"{path} has too few faces for a part '{part}'.")

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, item: int, dice: np.random.Generator) -> Face:
        """See :class:`FaceSet`."""
        row = int(dice.choice(self._rows[item]))
        arrays = self._faces.arrays
        try:
            picture = self._faces.picture(row)
        except (OSError, ValueError, SyntaxError) as error:
            raise SampleError("the stored picture is damaged") from error
        return Face(picture, arrays["mediapipe"][row], arrays["fan"][row] if arrays["fan_known"][row] else None)


def _held(group: str) -> bool:
    return hashlib.blake2b(group.encode(), digest_size=2).digest()[0] % 10 == 0


@dataclass(frozen=True)
class Photo:
    """A photo, its MediaPipe landmarks (``.npy``), and FAN landmarks without suffix, or None."""

    picture: Path
    mediapipe: Path
    fan: Path | None = None


class PhotoSet:
    """Photos with landmark files; an item is a person or a photo.

    Args:
        name: for reports.
        items: the photos of each item.
    """

    def __init__(self, name: str, items: Sequence[Sequence[Photo]]) -> None:
        self.name, self._items = name, [tuple(photos) for photos in items]

    def __len__(self) -> int:
        return len(self._items)

    def read(self, item: int, dice: np.random.Generator) -> Face:
        """See :class:`FaceSet`."""
        from smirk_core.tracking.pictures import load_picture

        photo = self._items[item][int(dice.integers(len(self._items[item])))]
        if not photo.mediapipe.exists():
            raise SampleError("no landmark file")
        points = _reason(lambda: mediapipe_frames(photo.mediapipe), "damaged landmark file")[0]
        fan = None if photo.fan is None else _reason(lambda: fan_frames(photo.fan or Path()), "damaged FAN file")
        picture = _reason(lambda: load_picture(photo.picture)[0], "unreadable picture")
        return Face(picture, points, fan[0] if fan is not None and len(fan) else None)


@dataclass(frozen=True)
class Video:
    """A video, its MediaPipe landmarks (frames, 478, 3), and FAN landmarks without suffix, or None."""

    file: Path
    mediapipe: Path
    fan: Path | None = None


class VideoSet:
    """Videos with landmark files; each reading gives a random frame."""

    def __init__(self, name: str, items: Sequence[Video]) -> None:
        self.name, self._items = name, list(items)

    def __len__(self) -> int:
        return len(self._items)

    def read(self, item: int, dice: np.random.Generator) -> Face:
        """See :class:`FaceSet`."""
        video = self._items[item]
        if not video.mediapipe.exists():
            raise SampleError("no landmark file")
        points = _reason(lambda: _remembered(video.mediapipe, video.mediapipe.stat().st_mtime_ns), "damaged landmarks")
        index = int(dice.integers(len(points)))
        picture, declared = _reason(lambda: _frame(video.file, index), "unreadable video")
        if declared is not None and abs(declared - len(points)) > _MISCOUNT:
            # Landmark scripts that leave out frames without a face give every later frame a wrong face.
            raise SampleError("the landmark file has not one row for each frame of its video")
        fan = None if video.fan is None else _reason(lambda: fan_frames(video.fan or Path()), "damaged FAN file")
        return Face(picture, points[index], None if fan is None or index >= len(fan) else fan[index])


@lru_cache(maxsize=64)
def _remembered(path: Path, stamp: int) -> Floats:
    """Landmarks of a video, kept: reading them anew for each frame would take longer than the frame. float32."""
    del stamp
    return mediapipe_frames(path).astype(np.float32)


def _frame(path: Path, index: int) -> tuple[Image, int | None]:
    from smirk_core.tracking.media import open_media

    media = open_media(path)
    frames = media.frames(start=index, end=index + 1)
    try:
        return next(iter(frames)).image, media.info.frame_count
    except StopIteration as error:
        raise SampleError("no such frame") from error
    finally:
        getattr(frames, "close", lambda: None)()


def _reason(read: Any, reason: str) -> Any:
    """What ``read`` gives; its errors become a :class:`SampleError` with a reason that can be counted."""
    try:
        return read()
    except SampleError:
        raise
    except (SmirkError, OSError, ValueError) as error:
        raise SampleError(reason) from error
