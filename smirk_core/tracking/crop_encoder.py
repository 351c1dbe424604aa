# SPDX-License-Identifier: Apache-2.0
"""Crops of faces through the encoder while frames are read: in batches, on a thread of its own."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoder.runtime import Encoder
from .crop import crop_transform
from .face_tracks import FaceTrack

__all__ = ["CropEncoder", "EncodedFaces"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
_BATCH = 8  # crops (150 kB each) that are encoded at once
_AHEAD = 4  # batches that may wait before reading does


@dataclass(frozen=True)
class EncodedFaces:
    """What the encoder said of M faces.

    Attributes:
        outputs: SMIRK's dictionary, float32 (M, size) each, and the encoder's extras.
        crops: (M, 3, 3) float64, frame pixels to crop pixels.
        vertices: (P,) of the head, the encoder's dense points; () where it has none.
    """

    outputs: dict[str, Floats]
    crops: Floats
    vertices: tuple[int, ...] = ()

    def of(self, track: FaceTrack) -> EncodedFaces:
        """The faces of one track, in the order of its ``seen`` frames."""
        rows = track.detections
        return replace(self, outputs={k: v[rows] for k, v in self.outputs.items()}, crops=self.crops[rows])


class CropEncoder:
    """Takes the faces of frame after frame; :meth:`finish` gives what the encoder said of them, in the same order."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._matrices: list[Floats] = []
        self._batch: list[Image] = []
        self._waiting: deque[Future[dict[str, Floats]]] = deque()
        self._done: list[dict[str, Floats]] = []
        self._pool = ThreadPoolExecutor(1, "encoder")

    def add(self, image: Image, faces: list[Floats]) -> None:
        """The faces of a frame: (H, W, 3) uint8 RGB and (478, 3) landmarks in its pixels each."""
        for face in faces:
            crop = crop_transform(face, self._encoder.crop_scale)
            self._matrices.append(crop.matrix)
            self._batch.append(crop.apply(image))
            if len(self._batch) == _BATCH:
                self._send()

    def _send(self) -> None:
        self._waiting.append(self._pool.submit(self._encoder.encode, np.stack(self._batch)))
        self._batch = []
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > _AHEAD):
            self._done.append(self._waiting.popleft().result())

    def finish(self) -> EncodedFaces:
        """Everything so far."""
        if self._batch:
            self._send()
        self._done += [future.result() for future in self._waiting]
        self._waiting.clear()
        sizes = self._encoder.outputs
        outputs = {
            k: np.concatenate([np.zeros((0, n), np.float32), *(d[k] for d in self._done)]) for k, n in sizes.items()
        }
        return EncodedFaces(outputs, np.array(self._matrices).reshape(-1, 3, 3), self._encoder.vertices)

    def close(self) -> None:
        """Give up what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
