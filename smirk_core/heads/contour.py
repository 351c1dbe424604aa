# SPDX-License-Identifier: Apache-2.0
"""FLAME's 68 landmarks of the iBUG/FAN scheme, with the outline of the face that wanders as the head turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import array_api_compat

from ..errors import AssetError
from .decode import landmark_points, pose_rotations
from .head_model import HeadModel

__all__ = ["contour_rows", "fan_landmarks"]

Array = Any
_LAST = 39  # degrees: the table knows no more


def contour_rows(rotation: Array) -> Array:
    """Rows of the contour table for head rotations (specification, section 2.4).

    Convention: yaw = atan2(-R20, sqrt(R00^2 + R10^2)), positive towards the subject's left; rows 0..39 are 0..39
    degrees (and more), rows 40..78 are -1..-39 (and less). The square root
    folds angles beyond 90 degrees, as in the original.

    Args:
        rotation: (N, 3, 3) of the head against the camera: root times neck.

    Returns:
        (N,) int.
    """
    xp = array_api_compat.array_namespace(rotation)
    size = xp.sqrt(rotation[:, 0, 0] ** 2 + rotation[:, 1, 0] ** 2)
    degrees = xp.atan2(-rotation[:, 2, 0], size) * (180.0 / 3.141592653589793)
    whole = xp.astype(xp.round(xp.clip(degrees, -2.0 * _LAST, 1.0 * _LAST)), xp.int64)
    back = xp.where(whole < -_LAST, xp.full_like(whole, 2 * _LAST), _LAST - whole)
    return xp.where(whole < 0, back, whole)


def fan_landmarks(model: HeadModel, vertices: Array, parameters: Mapping[str, Array]) -> Array:
    """The 68 points on posed vertices: 17 of the outline for the yaw of the head, then 51 fixed ones.

    Args:
        model: a FLAME head with its landmark embedding.
        vertices: (N, V, 3) from :func:`.decode.decode`.
        parameters: the groups they were decoded from; ``rotation`` and ``neck`` count.

    Returns:
        (N, 68, 3) metres.

    Raises:
        AssetError: the head came without ``landmark_embedding.npy``.
    """
    contour, fixed = model.contour, model.landmarks.get("ibug_51")
    if contour is None or fixed is None:
        raise AssetError(
            f"The head {model.name} has no FAN landmarks: landmark_embedding.npy of SMIRK's assets folder was not "
            "found beside the model or among your imported files."
        )
    xp = array_api_compat.array_namespace(vertices)
    device = array_api_compat.device(vertices)
    given = {
        k: xp.astype(xp.asarray(parameters[k], device=device), vertices.dtype)
        for k in ("rotation", "neck")
        if parameters.get(k) is not None
    }
    local = pose_rotations(given, vertices, vertices.shape[0])
    rows = contour_rows(local[:, 0, ...] @ local[:, 1, ...])
    triangles = xp.take(xp.asarray(contour.triangles, device=device), rows, axis=0)  # (N, 17)
    weights = xp.astype(xp.take(xp.asarray(contour.barycentric, device=device), rows, axis=0), vertices.dtype)
    corners = xp.asarray(model.triangles, device=device)
    batch = xp.reshape(xp.arange(vertices.shape[0], device=device), (-1, 1))
    outline = None
    for k in range(3):
        index = xp.reshape(xp.take(corners[:, k], xp.reshape(triangles, (-1,)), axis=0), triangles.shape)
        part = vertices[batch, index] * weights[..., k, None]
        outline = part if outline is None else outline + part
    return xp.concat([outline, landmark_points(model, vertices, fixed)], axis=1)
