# SPDX-License-Identifier: Apache-2.0
"""The landmark detector on single pictures, both back ends, without tracking from one picture to the next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .mediapipe_points import TASK_FILE

__all__ = ["BACKENDS", "Backend", "PictureDetector"]

Floats = npt.NDArray[np.floating[Any]]
Backend = Literal["facemesh", "task"]
BACKENDS: tuple[Backend, ...] = ("facemesh", "task")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MediaPipe writes its start-up notes straight to file descriptor 2."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


class PictureDetector:
    """Landmarks of the largest face of a picture.

    Args:
        backend: ``facemesh`` (the models inside the 0.10.21 wheel) or ``task`` (``face_landmarker.task``).
        task_file: the landmarker file for ``task``.
    """

    def __init__(self, backend: Backend = "facemesh", task_file: Path = TASK_FILE) -> None:
        self.backend = backend
        with _quiet():
            if backend == "facemesh":
                from mediapipe.python.solutions.face_mesh import FaceMesh

                self._mesh: Any = FaceMesh(
                    static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.3
                )
            else:
                from mediapipe.tasks.python import BaseOptions, vision

                options = vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_path=str(task_file)),
                    num_faces=1,
                    min_face_detection_confidence=0.3,
                )
                self._mesh = vision.FaceLandmarker.create_from_options(options)
            self(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, picture: npt.NDArray[np.uint8]) -> Floats | None:
        """(H, W, 3) uint8 RGB to (478, 3) float32 pixels (u, v, z; z like u, smaller is nearer), or None.

        Pixel origin at the centre of the top-left pixel.
        """
        picture = np.ascontiguousarray(picture)
        if self.backend == "facemesh":
            faces = self._mesh.process(picture).multi_face_landmarks
            found = faces[0].landmark if faces else None
        else:
            import mediapipe as mp

            faces = self._mesh.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)).face_landmarks
            found = faces[0] if faces else None
        if found is None:
            return None
        height, width = picture.shape[:2]
        points = np.array([(p.x, p.y, p.z) for p in found], np.float32)
        return (points * [width, height, width] - [0.5, 0.5, 0.0]).astype(np.float32)

    def close(self) -> None:
        """Free the detector; the task back end must be closed before the interpreter ends."""
        self._mesh.close()

    def __enter__(self) -> PictureDetector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
