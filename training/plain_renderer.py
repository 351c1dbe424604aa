# SPDX-License-Identifier: Apache-2.0
"""A second renderer for tests: what an encoder finds must not hang on the one that it was taught with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smirk_core.neural.face_model import FaceModel
from smirk_core.rendering import raster

__all__ = ["numpy_picture"]

Array = npt.NDArray[Any]


def numpy_picture(face: FaceModel, projected: Array, vertices: Array) -> Tensor:
    """The grey head of ``face``, drawn without torch and lit by one lamp instead of five.

    Args:
        projected: (V, 3) crop coordinates and depth.
        vertices: (V, 3) metres, turned.

    Returns:
        (3, S, S) in [0, 1].
    """
    size, triangles = face.renderer.size, face.renderer.triangles.numpy()
    keep = face.renderer.vertices.numpy()
    points = np.column_stack([(projected[keep, :2] + 1) * (size / 2) - 0.5, projected[keep, 2]])
    seen = raster.rasterize(points, triangles, size, size)
    corners = vertices[keep][triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(keep), 3))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    light = raster.interpolate(seen, triangles, normals.astype(np.float32)) @ np.array([0.2, 0.3, 0.93])
    grey = np.where(seen.covered, light.clip(0, 1) * 0.75, 0.35)
    return torch.from_numpy(np.repeat(grey[None], 3, 0).astype(np.float32))
