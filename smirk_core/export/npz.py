# SPDX-License-Identifier: Apache-2.0
"""A take as plain arrays for NumPy: curves and, where asked for, decoded vertices, joints and landmarks."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ..heads.contour import fan_landmarks
from ..heads.decode import decode, landmark_points
from ..heads.head_model import HeadModel
from ..take import Take
from .atomic import atomic
from .curves import curves_of

__all__ = ["write_npz"]


def write_npz(
    take: Take,
    head: HeadModel,
    path: str | os.PathLike[str],
    *,
    vertices: bool = False,
    raw: bool = False,
    chunk: int = 64,
) -> Path:
    """Write ``path``, readable with ``np.load(allow_pickle=False)``.

    Arrays: ``times`` (N,), ``names`` (W + 7,), ``curves`` (N, W + 7), ``identity`` (K,), one (N, size) array per group
    of parameters as ``groups/NAME``; with ``vertices`` also ``vertices`` (N, V, 3), ``joints`` (N, 5, 3) in metres,
    ``triangles`` (F, 3), ``landmarks`` (N, 478, 3) of MediaPipe; on FLAME ``landmarks_mediapipe`` (N, 105, 3) and
    ``landmarks_fan`` (N, 68, 3) with the outline that follows the yaw, where the head has them.

    Raises:
        TakeError: the take was made with another head. ExportError: the file cannot be written.
    """
    curves = curves_of(take, head, raw=raw)
    arrays: dict[str, Any] = {
        "times": curves.times,
        "names": np.array(curves.names),
        "curves": curves.table,
        "identity": take.identity,
        **{f"groups/{k}": v for k, v in (take.raw if raw else take.filtered).items()},
    }
    if vertices:
        parameters = take.parameters(raw=raw)
        parts: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        for start in range(0, len(take), chunk):
            some = {k: v[start : start + chunk] for k, v in parameters.items()}
            posed = decode(head, some)
            parts["vertices"].append(posed.vertices)
            parts["joints"].append(posed.joints)
            for name, key in (("landmarks", "mediapipe_478"), ("landmarks_mediapipe", "mediapipe_105")):
                if key in head.landmarks and (key == "mediapipe_478" or "mediapipe_478" not in head.landmarks):
                    parts[name].append(landmark_points(head, posed.vertices, head.landmarks[key]))
            if head.contour is not None:
                parts["landmarks_fan"].append(fan_landmarks(head, posed.vertices, some))
        arrays |= {k: np.concatenate(v) for k, v in parts.items()}
        arrays["triangles"] = head.triangles
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return Path(path)
