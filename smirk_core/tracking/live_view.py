# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a clip is read: now and then a small picture of the frame with the faces marked in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ..errors import SmirkError
from .face_windows import landmark_box
from .media import Frame

__all__ = ["LiveView", "cut_face", "marked"]

Floats = npt.NDArray[np.floating[Any]]
_WIDTH = 480  # pixels of a preview's longer side
_EVERY = 0.2  # seconds between two previews
_DOT, _BOX = (64, 255, 128), (255, 176, 32)


def marked(image: npt.NDArray[np.uint8], faces: Sequence[Floats], longest: int = _WIDTH) -> Image.Image:
    """A small copy of a frame with a box and the landmarks of each face.

    Args:
        image: (H, W, 3) uint8.
        faces: (478, 3) each, in pixels of the frame, centre of the top-left pixel at 0.
        longest: pixels of the longer side; smaller frames keep their size.
    """
    picture = Image.fromarray(image)
    scale = min(longest / max(picture.size), 1.0)
    if scale < 1:
        size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
    ratio = np.array(picture.size) / (image.shape[1], image.shape[0])
    draw = ImageDraw.Draw(picture)
    for face in faces:
        points = (np.asarray(face)[:, :2] + 0.5) * ratio - 0.5
        points = points[np.isfinite(points).all(axis=1)].clip(-1e4, 1e4)
        if len(points):
            left, top, right, bottom = (float(v) for v in landmark_box(points))
            draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline=_BOX, width=2)
            draw.point([(round(x), round(y)) for x, y in points.tolist()], fill=_DOT)
    return picture


def cut_face(image: npt.NDArray[np.uint8], face: Floats, size: int = 128) -> Image.Image:
    """A square picture of one face with some hair and chin around it, (size, size)."""
    left, top, right, bottom = (float(v) for v in landmark_box(face))
    half = 0.75 * max(right - left, bottom - top, 2.0)
    x, y = (left + right) / 2 + 0.5, (top + bottom) / 2 + 0.5
    low = np.floor([x - half, y - half]).astype(int)
    side = max(int(np.ceil(2 * half)), 1)
    inside = np.clip([low[0], low[1], low[0] + side, low[1] + side], 0, [*image.shape[1::-1]] * 2)
    part = Image.fromarray(image[inside[1] : inside[3], inside[0] : inside[2]])
    scale = size / side
    part = part.resize((max(round(part.width * scale), 1), max(round(part.height * scale), 1)))
    square = Image.new("RGB", (size, size), (24, 24, 24))
    square.paste(part, (round((inside[0] - low[0]) * scale), round((inside[1] - low[1]) * scale)))
    return square


class LiveView:
    """Writes a picture of the frame in hand into a folder, five a second at most: an array (H, W, 3) uint8 as ``.npy``.

    An array, because whoever shows it may have nothing to decode picture files with.

    Called with every frame, as :data:`smirk_core.tracking.tracker.Watcher`. The file appears whole or not at all, under
    two names in turn, so that whoever reads the last one is not disturbed.

    Args:
        folder: where the pictures go.
        tell: called with the path, the frame's number and the count of faces, after each picture.
        clock: seconds.

    Raises:
        SmirkError: the folder is not there.
    """

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str, int, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not folder.is_dir():
            raise SmirkError(f"There is no folder {folder} for the preview.")
        self._folder, self._tell, self._clock = folder, tell, clock
        self._next, self._count = clock(), 0

    def __call__(self, frame: Frame, faces: Sequence[Floats]) -> None:
        """Write a picture if it is time for one; a full disk or a locked file costs the picture, never the track."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _EVERY
        path = self._folder / f"preview-{'ab'[self._count % 2]}.npy"
        temporary = path.with_suffix(".part")
        try:
            with temporary.open("wb") as file:
                np.save(file, np.asarray(marked(frame.image, faces)), allow_pickle=False)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            return
        self._count += 1
        self._tell(str(path), frame.index, len(faces))
