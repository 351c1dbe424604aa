# SPDX-License-Identifier: Apache-2.0
"""Turned and enlarged windows of a frame, and the small geometry of faces in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

__all__ = [
    "Window",
    "box_overlap",
    "distinct",
    "eye_line",
    "face_area",
    "landmark_box",
    "plausible",
    "quarter_turned",
    "search_windows",
    "turned_back",
]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

_WINDOW = 448  # pixels of a window's side; a face in the middle covers half of it
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer eye corners


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


def eye_line(face: Floats) -> Floats:
    """(2,) from the right outer eye corner to the left one."""
    return face[_LEFT_EYE, :2] - face[_RIGHT_EYE, :2]


def face_area(face: Floats) -> float:
    box = landmark_box(face)
    return float((box[2] - box[0]) * (box[3] - box[1]))


@dataclass(frozen=True)
class Window:
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
        if _WINDOW / self.side < 0.5 and min(image.shape[:2]) > 2:  # halve first, so that shrinking averages
            height, width = image.shape[0] // 2, image.shape[1] // 2
            image = np.asarray(PIL.Image.fromarray(image[: 2 * height, : 2 * width]).reduce(2))
            return Window((self.x - 0.5) / 2, (self.y - 0.5) / 2, self.side / 2, self.roll).cut(image)
        matrix = self.matrix
        turn = np.linalg.inv(matrix[:, :2])  # window pixels to frame pixels
        start = -turn @ matrix[:, 2]
        corners = np.array([[0, 0], [_WINDOW, 0], [0, _WINDOW], [_WINDOW, _WINDOW]]) @ turn.T + start
        low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
        high = np.minimum(np.ceil(corners.max(axis=0)) + 3, (image.shape[1], image.shape[0])).astype(int)
        if (high <= low).any():
            return np.zeros((_WINDOW, _WINDOW, 3), dtype=np.uint8)
        part = PIL.Image.fromarray(image[low[1] : high[1], low[0] : high[0]])  # Pillow copies what it is given
        start = start - low + 0.5 - turn @ (0.5, 0.5)  # Pillow counts from the edges of pixels, not their centres
        values = (turn[0, 0], turn[0, 1], start[0], turn[1, 0], turn[1, 1], start[1])
        affine, bilinear = PIL.Image.Transform.AFFINE, PIL.Image.Resampling.BILINEAR
        return np.asarray(part.transform((_WINDOW, _WINDOW), affine, values, bilinear))

    def back(self, landmarks: Floats) -> Floats:
        """Landmarks in window pixels to frame pixels."""
        m = self.matrix
        out = np.empty_like(landmarks)
        out[:, :2] = (landmarks[:, :2] - m[:, 2]) @ np.linalg.inv(m[:, :2]).T
        out[:, 2] = landmarks[:, 2] * (self.side / _WINDOW)
        return out

    @staticmethod
    def around(landmarks: Floats) -> Window:
        """A window with the face upright in its middle half."""
        box = landmark_box(landmarks)
        eyes = landmarks[_LEFT_EYE] - landmarks[_RIGHT_EYE]
        side = 2.0 * max(box[2] - box[0], box[3] - box[1], 8.0)
        roll = math.atan2(eyes[1], eyes[0])
        return Window(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2, float(side), roll)


def search_windows(width: int, height: int) -> Iterator[Window]:
    """Windows in which to look for a face, the likely ones first."""
    x, y, long = (width - 1) / 2, (height - 1) / 2, float(max(width, height))
    yield Window(x, y, 2.0 * long)  # a face that fills the frame
    yield Window(x, y, 1.4 * long)
    for degrees in (90, -90, 180, 45, -45):
        yield Window(x, y, 1.2 * long, math.radians(degrees))
    for parts in (2, 3, 5, 8):
        side = max(long / parts, 64.0)
        if side >= long:
            break
        columns = max(math.ceil((width - side) / (0.6 * side)) + 1, 1)
        rows = max(math.ceil((height - side) / (0.6 * side)) + 1, 1)
        xs = np.linspace(side / 2, width - side / 2, columns) if columns > 1 else [width / 2]
        ys = np.linspace(side / 2, height - side / 2, rows) if rows > 1 else [height / 2]
        for row in ys:
            for column in xs:
                yield Window(float(column) - 0.5, float(row) - 0.5, 1.1 * side)


def plausible(face: Floats, image: Image) -> bool:
    """Whether a face is large enough to mean something and its middle lies in the frame."""
    left, top, right, bottom = (float(v) for v in landmark_box(face))
    x, y = (left + right) / 2, (top + bottom) / 2
    return 0 <= x < image.shape[1] and 0 <= y < image.shape[0] and min(right - left, bottom - top) >= 8


def distinct(faces: list[Floats]) -> list[Floats]:
    """The faces without repetitions: a later one that covers an earlier one is the same face."""
    kept: list[Floats] = []
    for face in faces:
        box = landmark_box(face)
        if all(box_overlap(box, landmark_box(other)) < 0.3 for other in kept):
            kept.append(face)
    return kept


def quarter_turned(image: Image, quarters: int) -> Image:
    """The image turned counter-clockwise by quarters of a turn, C-contiguous."""
    if quarters % 4 == 0:
        return image
    turns = (PIL.Image.Transpose.ROTATE_90, PIL.Image.Transpose.ROTATE_180, PIL.Image.Transpose.ROTATE_270)
    return np.asarray(PIL.Image.fromarray(image).transpose(turns[quarters % 4 - 1]))  # faster than NumPy


def turned_back(face: Floats, quarters: int, width: int, height: int) -> Floats:
    """Landmarks of ``quarter_turned(image, quarters)`` as landmarks of the image, which is width x height."""
    x, y, z = face[:, 0], face[:, 1], face[:, 2]
    places = ((x, y), (width - 1 - y, x), (width - 1 - x, height - 1 - y), (y, height - 1 - x))
    return np.stack([*places[quarters % 4], z], axis=1).astype(face.dtype)
