# SPDX-License-Identifier: Apache-2.0
"""Rotation vectors, matrices and quaternions, batched, for NumPy and torch alike (array API standard).

Convention: a rotation vector is axis times angle in radians, right-handed. (0, 0.5, 0) turns a face that looks
along +z towards +x, its own left. Quaternions are (w, x, y, z), Blender's order.
"""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
import numpy.typing as npt

__all__ = ["continuous_quaternions", "matrix_from_rotvec", "quaternion_from_rotvec", "rotvec_from_matrix"]

Array = Any  # an array of NumPy or torch; the array API has no public type for it
Floats = npt.NDArray[np.floating[Any]]


def _half_angle(rotvec: Array) -> tuple[Array, Array]:
    """cos(angle / 2) and sin(angle / 2) / angle, smooth through zero. rotvec (..., 3) -> two (..., 1)."""
    xp = array_api_compat.array_namespace(rotvec)
    square = xp.sum(rotvec * rotvec, axis=-1, keepdims=True)
    tiny = square < 1e-12
    angle = xp.sqrt(xp.where(tiny, xp.ones_like(square), square))
    cosine = xp.where(tiny, 1.0 - square / 8.0, xp.cos(angle / 2.0))
    ratio = xp.where(tiny, 0.5 - square / 48.0, xp.sin(angle / 2.0) / angle)
    return cosine, ratio


def quaternion_from_rotvec(rotvec: Array) -> Array:
    """(..., 3) rotation vectors to (..., 4) unit quaternions (w, x, y, z)."""
    xp = array_api_compat.array_namespace(rotvec)
    cosine, ratio = _half_angle(rotvec)
    return xp.concat([cosine, ratio * rotvec], axis=-1)


def matrix_from_rotvec(rotvec: Array) -> Array:
    """(..., 3) rotation vectors to (..., 3, 3) matrices that act on columns (Rodrigues' formula)."""
    xp = array_api_compat.array_namespace(rotvec)
    q = quaternion_from_rotvec(rotvec)
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return xp.reshape(xp.stack(rows, axis=-1), (*rotvec.shape[:-1], 3, 3))


def rotvec_from_matrix(matrix: Floats) -> Floats:
    """(..., 3, 3) rotation matrices to (..., 3) rotation vectors of angle at most pi (NumPy only).

    Goes through the largest quaternion component (Shepperd's method), so that it is exact near half turns.
    """
    m = np.asarray(matrix)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    trace = xx + yy + zz
    best = np.stack([trace, xx, yy, zz], axis=-1).argmax(axis=-1)[..., None]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    candidates = np.stack(
        [
            np.stack([1 + trace, wx, wy, wz], axis=-1),
            np.stack([wx, 1 + 2 * xx - trace, xy, xz], axis=-1),
            np.stack([wy, xy, 1 + 2 * yy - trace, yz], axis=-1),
            np.stack([wz, xz, yz, 1 + 2 * zz - trace], axis=-1),
        ],
        axis=-2,
    )
    q: Floats = np.take_along_axis(candidates, best[..., None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    ratio = np.where(sine > 1e-9, angle / np.where(sine > 1e-9, sine, 1.0), 2.0)
    return q[..., 1:] * ratio


def continuous_quaternions(quaternions: Floats) -> Floats:
    """(N, 4) quaternions with signs chosen so that neighbours are never on opposite sides of the sphere."""
    q = np.array(quaternions, copy=True)
    if len(q) > 1:
        flips = np.cumprod(np.where((q[1:] * q[:-1]).sum(axis=1) < 0, -1.0, 1.0))
        q[1:] *= flips[:, None]
    return q
