# SPDX-License-Identifier: Apache-2.0
"""What MediaPipe's own face scores say of a picture, in ARKit's order: for comparison, never as truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.tracking.face_graphs import find_face_landmarker, make_graph

__all__ = ["mediapipe_scores"]

Array = npt.NDArray[Any]


def mediapipe_scores(image: Array | Sequence[Array], path: Path | None = None) -> Array:
    """MediaPipe's scores in ARKit's order, (N, 52); a row of NaN where it finds no face.

    Args:
        image: (N, S, S, 3) uint8 RGB, or pictures of several sizes.
        path: of ``face_landmarker.task`` where it is not in its usual places.

    Raises:
        AssetError: MediaPipe or its model file is missing or does not start.
    """
    model = find_face_landmarker(path)
    make_graph("landmarker", model).close()  # checks the version; imports MediaPipe quietly
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python.core.base_options import BaseOptions  # type: ignore[import-untyped]
    from mediapipe.tasks.python.vision import face_landmarker  # type: ignore[import-untyped]

    options = face_landmarker.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()), output_face_blendshapes=True
    )
    out = np.full((len(image), len(ARKIT_INDEX)), np.nan)
    with face_landmarker.FaceLandmarker.create_from_options(options) as task:
        for row, pixels in zip(out, image, strict=True):
            found = task.detect(Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(pixels)))
            for score in found.face_blendshapes[0] if found.face_blendshapes else ():
                if score.category_name in ARKIT_INDEX:
                    row[ARKIT_INDEX[score.category_name]] = score.score
    return out
