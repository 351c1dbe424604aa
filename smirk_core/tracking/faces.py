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
from .face_windows import (
    Window,
    box_overlap,
    distinct,
    eye_line,
    face_area,
    landmark_box,
    plausible,
    quarter_turned,
    search_windows,
    turned_back,
)

__all__ = ["FaceDetector", "SearchingDetector", "create_detector"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

_SETTLE = 5  # passes until the crop that a tracker takes of a still picture no longer moves
_CAPACITY = 4  # faces looked for even where one is wanted, to know the largest
_RECOUNT = 30  # frames between two counts of the faces in the picture
_REMEMBER = 30  # frames for which a lost face is looked for at its last place
_SEARCH_SHARE = 5  # windows searched per frame while no face is known
_STEADY = 0.004  # of the eye distance; see SearchingDetector._upright


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
    enough: int = 1,
    model: str | os.PathLike[str] | None = None,
) -> SearchingDetector:
    """A face detector on MediaPipe, offline.

    Args:
        backend: "facemesh" (mediapipe up to 0.10.21), "landmarker" (``face_landmarker.task``), or "auto".
        max_faces: how many faces :meth:`FaceDetector.detect` returns at most, the largest first.
        video: whether the images passed are frames of one clip. Otherwise each image stands alone and is looked at
            more thoroughly.
        enough: search windows for small faces until so many have been found; more than one takes more time.
        model: path of ``face_landmarker.task`` for the landmarker.

    Raises:
        AssetError: MediaPipe or the model file is missing or unfit.
    """
    return SearchingDetector(make_graph(backend, model), max_faces, video, enough)


@dataclass
class _Known:
    """A face that was seen: where, and how many frames ago."""

    landmarks: Floats
    age: int = 0


class SearchingDetector:
    """A back end of :mod:`smirk_core.tracking.face_graphs`, the search around it, and the memory between frames."""

    def __init__(self, graph: FaceGraph, max_faces: int, video: bool, enough: int = 1) -> None:
        if max_faces < 1:
            raise ValueError(f"max_faces must be 1 or more, not {max_faces}")
        self.name = graph.name
        self._graph = graph
        self._wanted, self._capacity, self._video = max_faces, max(max_faces, _CAPACITY), video
        self._enough = min(max(enough, 1), max_faces)  # faces at which searching ends
        self._frame = 0
        self._known: list[_Known] = []
        self._followed: _Known | None = None  # the face that the near graph is tracking
        self._quarters = 0  # turns counter-clockwise that frames get before they are looked at as a whole
        self._crowd, self._missed = 1, 0  # faces in the frame, and counts in a row that found fewer
        self._queue: list[Window] = []  # windows still to be searched in this round

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
        return sorted(found, key=face_area, reverse=True)[: self._wanted]

    def _alone(self, image: Image) -> list[Floats]:
        """Faces of an image that has no neighbours."""
        found = self._all_upright(image, distinct(self._graph.look(image, self._capacity)))
        if len(found) < self._enough:
            found = self._search(image, list(_windows(image)), found)
        return found

    def _next(self, image: Image) -> list[Floats]:
        """Faces of the next frame of the clip."""
        found = [face for face in self._whole(image) if not self._contradicts(face)]
        for known in self._known:
            box = landmark_box(known.landmarks)
            if any(box_overlap(landmark_box(face), box) > 0.2 for face in found):
                continue
            again = self._again(image, known)
            if again is not None:
                found = distinct([*found, again])
        if len(found) < self._enough:
            if not self._queue:
                self._queue = list(_windows(image))
            share = _SEARCH_SHARE if not found else 1
            share = len(self._queue) if self._frame == 0 else share
            batch, self._queue = self._queue[:share], self._queue[share:]
            found = self._search(image, batch, found)
        if found:
            self._turn_to(max(found, key=face_area))
        self._remember(found)
        self._frame += 1
        return found

    def _whole(self, image: Image) -> list[Floats]:
        """Faces in the frame as a whole, which is turned where the first face does not stand upright in it."""
        found = self._in_frame(image)
        if found and not self._known:
            better = self._upright(image, max(found, key=face_area))
            if better is None:
                return []
            if self._turn_to(better):
                found = self._in_frame(image)
        return found

    def _turn_to(self, face: Floats) -> bool:
        """Turn the coming frames so that this face stands upright in them; whether that is a change."""
        eyes = eye_line(face)
        roll = math.atan2(eyes[1], eyes[0]) / (math.pi / 2)
        if abs((roll - self._quarters + 2) % 4 - 2) < 0.7:  # heads tilt; only what is nearly a quarter counts
            return False
        self._quarters = round(roll) % 4
        self._graph.forget("frame")
        return True

    def _contradicts(self, face: Floats) -> bool:
        """Whether a face that was just seen now stands on its head: a wrong fit."""
        box, eyes = landmark_box(face), eye_line(face)
        for known in self._known:
            if known.age < 3 and box_overlap(box, landmark_box(known.landmarks)) > 0.2:
                return float(eyes @ eye_line(known.landmarks)) < 0
        return False

    def _in_frame(self, image: Image) -> list[Floats]:
        """Faces in the frame as a whole: as many as there are known to be are tracked; now and then they are counted.

        Asking for more than there are would be slow and unsteady: MediaPipe then runs its detector on every frame.
        """
        turned = quarter_turned(image, self._quarters)
        counted: list[Floats] = []
        counting = self._frame % _RECOUNT == 0
        if counting:
            counted = distinct(self._graph.look(turned, self._capacity))
            if len(counted) > self._crowd:
                self._crowd, self._missed = len(counted), 0
                self._graph.forget("frame")
        found: list[Floats] = []
        for _ in range(1 if self._known else _SETTLE):
            found = distinct(self._graph.track(turned, self._crowd, "frame"))
            if not found:
                break
        if counting and len(found) < self._crowd:
            self._missed += 1
            if self._missed > 1:
                self._crowd, self._missed = max(len(found), 1), 0
                self._graph.forget("frame")  # the tracker of fewer faces still remembers where they were before
        found = distinct([*found, *counted])
        return [turned_back(face, self._quarters, image.shape[1], image.shape[0]) for face in found]

    def _again(self, image: Image, known: _Known) -> Floats | None:
        """A face that the whole frame did not show, looked for around its last place."""
        window = Window.around(known.landmarks)
        cut = window.cut(image)
        found: list[Floats] = []
        for _ in range(1 if self._followed is known else 3):  # the first pass may start from another face's place
            found = self._graph.track(cut, 1, "near")
        self._followed = known if found else None
        if not found:
            return None
        face = window.back(found[0])
        ratio = math.sqrt(face_area(face) / max(face_area(known.landmarks), 1e-6))
        return face if 0.5 < ratio < 2.0 and plausible(face, image) else None

    def _upright(self, image: Image, face: Floats) -> Floats | None:
        """The face settled, turned the way it fits best; ``None`` where no face holds.

        MediaPipe fits upside-down faces the wrong way up without a word. What gives them away is that such landmarks
        wander when the window is shifted a little: measured over 42 portraits in 8 turns, right ones by at most .005
        of the eye distance, wrong ones by .005 to .1 with a median of .02.
        """
        held = self._settle(image, face)
        if held is not None and held[1] < _STEADY:
            return held[0]
        window = Window.around(face)
        for quarters in (2, 1, -1):
            turned = Window(window.x, window.y, 1.2 * window.side, window.roll + quarters * math.pi / 2)
            for look in self._graph.look(turned.cut(image), 1):
                other = self._settle(image, turned.back(look))
                if other is not None and (held is None or other[1] < held[1]):
                    held = other
            if held is not None and held[1] < _STEADY:
                break
        return None if held is None else held[0]

    def _all_upright(self, image: Image, faces: list[Floats]) -> list[Floats]:
        settled = [self._upright(image, face) for face in faces]
        return distinct([face for face in settled if face is not None])

    def _settle(self, image: Image, face: Floats) -> tuple[Floats, float] | None:
        """The landmarks that tracking a still image ends at, and how far they wander; ``None`` where no face holds."""
        start = landmark_box(face)
        self._graph.forget("near")
        self._followed = None
        for _ in range(_SETTLE):
            window = Window.around(face)
            found = self._graph.track(window.cut(image), 1, "near")
            if not found:
                return None
            face = window.back(found[0])
        if box_overlap(start, landmark_box(face)) < 0.3 or not plausible(face, image):
            return None
        others = [face]
        for shift, zoom, roll in ((0.03, 1.05, 0.1), (-0.03, 0.95, -0.1)):
            around = Window.around(face)
            window = Window(around.x + shift * around.side, around.y, zoom * around.side, around.roll + roll)
            cut = window.cut(image)
            found = self._graph.track(cut, 1, "near") and self._graph.track(cut, 1, "near")
            if not found:
                return face, math.inf
            others.append(window.back(found[0]))
        spread = np.stack(others)[..., :2]
        wander = np.linalg.norm(spread - spread.mean(axis=0), axis=-1).mean()
        return face, float(wander / max(float(np.linalg.norm(eye_line(face))), 1e-6))

    def _search(self, image: Image, windows: list[Window], found: list[Floats]) -> list[Floats]:
        """``found`` and what the windows show besides, until that is enough."""
        for window in windows:
            seen = [window.back(face) for face in self._graph.look(window.cut(image), self._capacity)]
            fresh = distinct([*found, *(face for face in seen if plausible(face, image))])[len(found) :]
            found = distinct([*found, *self._all_upright(image, fresh)])
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


def _windows(image: Image) -> Iterator[Window]:
    return search_windows(image.shape[1], image.shape[0])
