# SPDX-License-Identifier: Apache-2.0
"""The turns of a head on the bones of any character, whatever way these bones point at rest.

Convention: a turn R of head space (x to the subject's left, y up, z out of the face) is the turn D = F R F^T of the
armature, where the columns of F are head space's axes in the armature's. A bone with the rest matrix B (3 x 3, its
axes as columns) has to turn by L = B^T D B in its own frame. For a bone that stands upright in a face that looks along
the armature's -y, L is R itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.rotation import continuous_quaternions, quaternion_from_rotvec, rotvec_from_matrix

__all__ = ["EULER_ORDERS", "axis_angle_from_matrix", "euler_from_matrix", "face_axes", "local_turns", "quaternions"]

Floats = npt.NDArray[np.floating[Any]]
EULER_ORDERS: tuple[str, ...] = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def face_axes(up: Floats, left: Floats | None = None) -> Floats:
    """(3, 3) F: columns are the face's left, up and front in an armature's axes, each along one of its axes.

    Args:
        up: (3,) where the world's up points in the armature; rounded to the nearest axis.
        left: (3,) roughly from the right eye to the left one; the armature's +x where not given, as in characters
            that look along -y (z up) and along +z (y up).
    """
    up_axis = _nearest_axis(np.asarray(up, np.float64), None)
    wanted = np.array([1.0, 0.0, 0.0]) if left is None or not np.any(left) else np.asarray(left, np.float64)
    left_axis = _nearest_axis(wanted, up_axis)
    return np.stack([left_axis, up_axis, np.cross(left_axis, up_axis)], axis=1)


def _nearest_axis(vector: Floats, across: Floats | None) -> Floats:
    """The signed axis nearest to ``vector``, not along ``across``."""
    strength = np.abs(vector) if across is None else np.where(np.abs(across) > 0.5, -1.0, np.abs(vector))
    best = int(strength.argmax())
    axis = np.zeros(3)
    axis[best] = -1.0 if vector[best] < 0 else 1.0
    return axis


def local_turns(turns: Floats, rest: Floats, axes: Floats) -> Floats:
    """(N, 3, 3) turns of head space to (N, 3, 3) turns in the frame of a bone.

    Args:
        turns: (N, 3, 3) matrices R.
        rest: (3, 3) or (4, 4) rest matrix of the bone in its armature; its scale is taken out.
        axes: (3, 3) F of :func:`face_axes`.
    """
    basis = np.asarray(rest, np.float64)[:3, :3]
    basis = basis / np.linalg.norm(basis, axis=0)
    change = basis.T @ axes
    return change @ np.asarray(turns, np.float64) @ change.T


def quaternions(matrices: Floats) -> Floats:
    """(N, 3, 3) to (N, 4) quaternions w, x, y, z with continuous signs."""
    return continuous_quaternions(quaternion_from_rotvec(rotvec_from_matrix(matrices)))


def axis_angle_from_matrix(matrices: Floats) -> Floats:
    """(N, 3, 3) to (N, 4) angle in radians and unit axis; the axis of no turn is y, as in Blender.

    The axis never flips from one frame to the next: the angle turns negative instead.
    """
    vectors = rotvec_from_matrix(matrices)
    angle = np.linalg.norm(vectors, axis=1)
    still = angle < 1e-9
    axis = np.where(still[:, None], [0.0, 1.0, 0.0], vectors / np.where(still, 1.0, angle)[:, None])
    flips = np.ones(len(axis))
    flips[1:] = np.cumprod(np.where((axis[1:] * axis[:-1]).sum(axis=1) < 0, -1.0, 1.0))
    return np.concatenate([(flips * angle)[:, None], flips[:, None] * axis], axis=1)


def euler_from_matrix(matrices: Floats, order: str) -> Floats:
    """(N, 3, 3) to (N, 3) angles about x, y and z in radians, without jumps of a whole turn from frame to frame.

    Convention: Blender's. ``XYZ`` turns about x first, that is, R = Rz Ry Rx. Of the two triples that make the same
    turn, the one with the middle angle within a quarter turn is taken.

    Raises:
        ValueError: unknown order.
    """
    if order not in EULER_ORDERS:
        raise ValueError(f"unknown order {order!r}")
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0  # even permutations turn the usual way
    m = np.asarray(matrices, np.float64)
    angles = np.zeros((len(m), 3))
    angles[:, j] = np.arcsin(np.clip(-sign * m[:, k, i], -1, 1))
    angles[:, i] = np.arctan2(sign * m[:, k, j], m[:, k, k])
    angles[:, k] = np.arctan2(sign * m[:, j, i], m[:, i, i])
    return np.unwrap(angles, axis=0)
