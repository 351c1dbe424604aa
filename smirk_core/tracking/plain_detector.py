# SPDX-License-Identifier: Apache-2.0
"""Faces the way SMIRK's demo looks for them: every frame on its own, no search, no memory, low thresholds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .face_graphs import FaceGraph, make_graph

__all__ = ["PlainDetector", "create_plain_detector"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
_CONFIDENCE = 0.1  # of detection and presence, as in SMIRK's demo


class PlainDetector:
    """A :class:`smirk_core.tracking.faces.FaceDetector` that asks MediaPipe once a frame, in its image mode."""

    def __init__(self, graph: FaceGraph, max_faces: int = 1, notes: tuple[str, ...] = ()) -> None:
        self.name, self.notes = graph.name, notes
        self._graph, self._faces = graph, max_faces

    def detect(self, image: Image) -> list[Floats]:
        """Faces of an (H, W, 3) uint8 RGB image in MediaPipe's order, (478, 3) float32 pixels each."""
        return self._graph.look(np.ascontiguousarray(image), self._faces)

    def close(self) -> None:
        """Free the models."""
        self._graph.close()

    def __enter__(self) -> PlainDetector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create_plain_detector(
    backend: str = "auto", max_faces: int = 1, *, model: str | os.PathLike[str] | None = None
) -> PlainDetector:
    """A detector with the settings of SMIRK's demo: FaceLandmarker in image mode, confidences 0.1.

    Args:
        backend: "auto": the landmarker, or, where its model file is missing, the older facemesh with a note of it.
        max_faces: 1 in the demo.
        model: path of ``face_landmarker.task``.

    Raises:
        AssetError: MediaPipe or the model file is missing or unfit.
    """
    notes: tuple[str, ...] = ()
    if backend == "auto":
        try:
            return PlainDetector(make_graph("landmarker", model, _CONFIDENCE), max_faces)
        except AssetError:
            if model is not None:
                raise
            notes = (
                "face_landmarker.task is missing, so faces were found by MediaPipe's facemesh and crops differ "
                "slightly from those of SMIRK's demo",
            )
    return PlainDetector(make_graph(backend, model, _CONFIDENCE), max_faces, notes)
