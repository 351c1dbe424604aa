# SPDX-License-Identifier: Apache-2.0
"""Faces of a frame as 478 landmarks in full-frame pixels, small, tilted and tightly cropped ones included.

MediaPipe's face detector sees the frame at 128 pixels: it misses faces that are small, lying or that fill the frame.
Where it does, the frame is searched through windows (enlarged, padded, turned), and a face that was seen is looked
for again around its last place, upright and at a good size.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .face_graphs import FaceGraph, make_graph

__all__ = ["FaceDetector", "SearchingDetector", "box_overlap", "create_detector", "landmark_box"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

_WINDOW = 448  # pixels of a window's side; a face in the middle covers half of it
_SETTLE = 5  # passes until the crop that a tracker takes of a still picture no longer moves
_CAPACITY = 4  # faces looked for even where one is wanted, to know the largest
_RECOUNT = 30  # frames between two counts of the faces in the picture
_REMEMBER = 30  # frames for which a lost face is looked for at its last place
_SEARCH_SHARE = 5  # windows searched per frame while no face is known
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer eye corners


class FaceDetector(Protocol):
    """Finds faces; frames are passed in the order of time."""

    name: str

    def detect(self, image: Image) -> list[Floats]:
        """Faces of an (H, W, 3) uint8 RGB image, the largest first.

        Returns:
            (478, 3) float32 per face, in pixels of the image: origin at the centre of the top-left pixel, x right,
            y down, z in the unit of x, smaller is nearer.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> FaceDetector: ...

    def __exit__(self, *_: object) -> None: ...


def create_detector(
    backend: str = "auto",
    max_faces: int = 1,
    video: bool = True,
    *,
    all_faces: bool = False,
    model: str | os.PathLike[str] | None = None,
) -> SearchingDetector:
    """A face detector on MediaPipe, offline.

    Args:
        backend: "facemesh" (mediapipe up to 0.10.21), "landmarker" (``face_landmarker.task``), or "auto".
        max_faces: how many faces :meth:`FaceDetector.detect` returns at most, the largest first.
        video: whether the images passed are frames of one clip. Otherwise each image stands alone and is looked at
            more thoroughly.
        all_faces: search for further small faces even where one has been found; takes more time.
        model: path of ``face_landmarker.task`` for the landmarker.

    Raises:
        AssetError: MediaPipe or the model file is missing or unfit.
    """
    return SearchingDetector(make_graph(backend, model), max_faces, video, all_faces)


def landmark_box(landmarks: Floats) -> Floats:
    """(4,) left, top, right, bottom of (L, 2+) landmarks."""
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])


def box_overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


@dataclass(frozen=True)
class _Window:
    """A turned square of the frame: centre and side in frame pixels, roll in radians clockwise on the screen."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    @property
    def matrix(self) -> Floats:
        """(2, 3) frame pixels to window pixels."""
        k, middle = _WINDOW / self.side, (_WINDOW - 1) / 2
        c, s = k * math.cos(self.roll), k * math.sin(self.roll)
        return np.array(
            [[c, s, middle - c * self.x - s * self.y], [-s, c, middle + s * self.x - c * self.y]], dtype=np.float64
        )

    def cut(self, image: Image) -> Image:
        """The window's pixels, (448, 448, 3), black outside the frame."""
        import cv2  # comes with MediaPipe

        matrix = self.matrix
        if _WINDOW / self.side < 0.5 and min(image.shape[:2]) > 2:  # halve first, so that shrinking averages
            height, width = image.shape[0] // 2, image.shape[1] // 2
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
            return _Window((self.x - 0.5) / 2, (self.y - 0.5) / 2, self.side / 2, self.roll).cut(image)
        return np.asarray(cv2.warpAffine(image, matrix, (_WINDOW, _WINDOW), flags=cv2.INTER_LINEAR), dtype=np.uint8)

    def back(self, landmarks: Floats) -> Floats:
        """Landmarks in window pixels to frame pixels."""
        m = self.matrix
        out = np.empty_like(landmarks)
        out[:, :2] = (landmarks[:, :2] - m[:, 2]) @ np.linalg.inv(m[:, :2]).T
        out[:, 2] = landmarks[:, 2] * (self.side / _WINDOW)
        return out

    @staticmethod
    def around(landmarks: Floats) -> _Window:
        """A window with the face upright in its middle half."""
        box = landmark_box(landmarks)
        eyes = landmarks[_LEFT_EYE] - landmarks[_RIGHT_EYE]
        side = 2.0 * max(box[2] - box[0], box[3] - box[1], 8.0)
        roll = math.atan2(eyes[1], eyes[0])
        return _Window(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2, float(side), roll)


def _search_windows(width: int, height: int) -> Iterator[_Window]:
    """Windows in which to look for a face, the likely ones first."""
    x, y, long = (width - 1) / 2, (height - 1) / 2, float(max(width, height))
    yield _Window(x, y, 2.0 * long)  # a face that fills the frame
    yield _Window(x, y, 1.4 * long)
    for degrees in (90, -90, 180, 45, -45):
        yield _Window(x, y, 1.2 * long, math.radians(degrees))
    for parts in (2, 3, 5):
        side = max(long / parts, 64.0)
        if side >= long:
            break
        columns = max(math.ceil((width - side) / (0.6 * side)) + 1, 1)
        rows = max(math.ceil((height - side) / (0.6 * side)) + 1, 1)
        xs = np.linspace(side / 2, width - side / 2, columns) if columns > 1 else [width / 2]
        ys = np.linspace(side / 2, height - side / 2, rows) if rows > 1 else [height / 2]
        for row in ys:
            for column in xs:
                yield _Window(float(column) - 0.5, float(row) - 0.5, 1.1 * side)


@dataclass
class _Known:
    """A face that was seen: where, and how many frames ago."""

    landmarks: Floats
    age: int = 0


class SearchingDetector:
    """A back end of :mod:`smirk_core.tracking.face_graphs`, the search around it, and the memory between frames."""

    def __init__(self, graph: FaceGraph, max_faces: int, video: bool, all_faces: bool = False) -> None:
        if max_faces < 1:
            raise ValueError(f"max_faces must be 1 or more, not {max_faces}")
        self.name = graph.name
        self._graph = graph
        self._wanted, self._capacity, self._video = max_faces, max(max_faces, _CAPACITY), video
        self._enough = max_faces if all_faces else 1  # faces at which searching ends
        self._frame = 0
        self._known: list[_Known] = []
        self._followed: _Known | None = None  # the face that the near graph is tracking
        self._crowd = 0  # frames for which several faces are expected
        self._queue: list[_Window] = []  # windows still to be searched in this round

    def __enter__(self) -> SearchingDetector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the models; to be called before the interpreter ends."""
        self._graph.close()

    def detect(self, image: Image) -> list[Floats]:
        """See :meth:`FaceDetector.detect`."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
        image = np.ascontiguousarray(image)
        found = self._next(image) if self._video else self._alone(image)
        return sorted(found, key=_area, reverse=True)[: self._wanted]

    def _alone(self, image: Image) -> list[Floats]:
        """Faces of an image that has no neighbours."""
        found = _distinct(self._graph.look(image, self._capacity))
        if len(found) < self._enough:
            found = self._search(image, list(_windows(image)), found)
        settled = []
        for face in found:
            self._graph.forget("near")
            settled.append(self._settle(image, face))
        return _distinct([face for face in settled if face is not None])

    def _next(self, image: Image) -> list[Floats]:
        """Faces of the next frame of the clip."""
        found = self._whole(image)
        for known in self._known:
            box = landmark_box(known.landmarks)
            if any(box_overlap(landmark_box(face), box) > 0.2 for face in found):
                continue
            again = self._again(image, known)
            if again is not None:
                found = _distinct([*found, again])
        if len(found) < self._enough:
            found = self._continue_search(image, found)
        self._remember(found)
        self._frame += 1
        return found

    def _whole(self, image: Image) -> list[Floats]:
        """Faces in the frame as a whole: one is tracked cheaply; now and then they are counted."""
        counted: list[Floats] = []
        if self._frame % _RECOUNT == 0:
            counted = _distinct(self._graph.look(image, self._capacity))
            if len(counted) > 1:
                self._crowd = 2 * _RECOUNT
        faces = self._capacity if self._crowd else 1
        passes = 1 if self._known else _SETTLE
        found: list[Floats] = []
        for _ in range(passes):
            found = _distinct(self._graph.track(image, faces, "frame"))
            if not found:
                break
        if self._crowd:
            self._crowd = 2 * _RECOUNT if len(found) > 1 else self._crowd - 1
            if not self._crowd:
                self._graph.forget("frame")  # the tracker of one face still remembers where it was before the crowd
        return _distinct([*found, *counted])

    def _again(self, image: Image, known: _Known) -> Floats | None:
        """A face that the whole frame did not show, looked for around its last place."""
        window = _Window.around(known.landmarks)
        cut = window.cut(image)
        found: list[Floats] = []
        for _ in range(1 if self._followed is known else 3):  # the first pass may start from another face's place
            found = self._graph.track(cut, 1, "near")
        self._followed = known if found else None
        if not found:
            return None
        face = window.back(found[0])
        ratio = math.sqrt(_area(face) / max(_area(known.landmarks), 1e-6))
        return face if 0.5 < ratio < 2.0 and _plausible(face, image) else None

    def _settle(self, image: Image, face: Floats) -> Floats | None:
        """The landmarks that tracking a still image ends at; ``None`` where no face holds."""
        start = landmark_box(face)
        for _ in range(_SETTLE):
            window = _Window.around(face)
            found = self._graph.track(window.cut(image), 1, "near")
            if not found:
                return None
            face = window.back(found[0])
        return face if box_overlap(start, landmark_box(face)) > 0.3 and _plausible(face, image) else None

    def _continue_search(self, image: Image, found: list[Floats]) -> list[Floats]:
        """Search all windows in the first frame, a few in each later one."""
        if not self._queue:
            self._queue = list(_windows(image))
        share = _SEARCH_SHARE if not found else 1
        count = len(self._queue) if self._frame == 0 else share
        batch, self._queue = self._queue[:count], self._queue[count:]
        new = self._search(image, batch, found)
        checked = [self._settle(image, face) for face in new[len(found) :]]
        self._followed = None
        return _distinct([*found, *(face for face in checked if face is not None)])

    def _search(self, image: Image, windows: list[_Window], found: list[Floats]) -> list[Floats]:
        """``found`` and what the windows show besides, until that is enough."""
        for window in windows:
            seen = [window.back(face) for face in self._graph.look(window.cut(image), self._capacity)]
            found = _distinct([*found, *(face for face in seen if _plausible(face, image))])
            if len(found) >= self._enough:
                break
        return found

    def _remember(self, found: list[Floats]) -> None:
        """Pair the faces with those known; forget those that have been away for long."""
        rest = list(found)
        for known in self._known:
            box = landmark_box(known.landmarks)
            overlaps = [box_overlap(box, landmark_box(face)) for face in rest]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] > 0.2:
                known.landmarks, known.age = rest.pop(best), 0
            else:
                known.age += 1
        self._known = [k for k in self._known if k.age <= _REMEMBER] + [_Known(face) for face in rest]


def _area(face: Floats) -> float:
    box = landmark_box(face)
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _windows(image: Image) -> Iterator[_Window]:
    return _search_windows(image.shape[1], image.shape[0])


def _plausible(face: Floats, image: Image) -> bool:
    """Whether a face is large enough to mean something and its middle lies in the frame."""
    left, top, right, bottom = (float(v) for v in landmark_box(face))
    x, y = (left + right) / 2, (top + bottom) / 2
    return 0 <= x < image.shape[1] and 0 <= y < image.shape[0] and min(right - left, bottom - top) >= 8


def _distinct(faces: list[Floats]) -> list[Floats]:
    """The faces without repetitions: a later one that covers an earlier one is the same face."""
    kept: list[Floats] = []
    for face in faces:
        box = landmark_box(face)
        if all(box_overlap(box, landmark_box(other)) < 0.3 for other in kept):
            kept.append(face)
    return kept
