# SPDX-License-Identifier: Apache-2.0
"""Turns of a head in the frames of other bones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smirk_core.retarget.turns import (
    EULER_ORDERS,
    axis_angle_from_matrix,
    euler_from_matrix,
    face_axes,
    local_turns,
    quaternions,
)

Z_UP = face_axes(np.array([0.0, 0, 1]))


def some_turns(count: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return Rotation.from_rotvec(np.cumsum(0.15 * rng.standard_normal((count, 3)), axis=0)).as_matrix()


def test_axes_of_the_usual_characters():
    assert np.array_equal(Z_UP, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # looks along -y
    assert np.array_equal(face_axes(np.array([0.02, 0.99, -0.1])), np.eye(3))  # y up: looks along +z
    turned = face_axes(np.array([0.0, 0, 1]), left=np.array([0.05, 0.4, 0.1]))  # z up, left eye towards +y
    assert np.array_equal(turned[:, 2], [1, 0, 0])
    for axes in (Z_UP, turned):
        assert np.linalg.det(axes) == pytest.approx(1)


def test_an_upright_bone_turns_as_the_head_does():
    upright = Z_UP  # its own axes are head space
    turns = some_turns()
    assert np.allclose(local_turns(turns, upright, Z_UP), turns)


def test_any_bone_turns_the_character_the_same_way():
    """What a bone carries ends up turned by D, wherever the bone points."""
    turns = some_turns()
    for seed in range(5):
        rest = 3.0 * Rotation.random(random_state=seed).as_matrix()  # scaled, as after an import in centimetres
        local = local_turns(turns, rest, Z_UP)
        plain = rest / 3.0
        assert np.allclose(plain @ local @ plain.T, Z_UP @ turns @ Z_UP.T)


@pytest.mark.parametrize("order", EULER_ORDERS)
def test_euler_angles_are_blenders(order):
    turns = some_turns()
    angles = euler_from_matrix(turns, order)
    for row, turn in zip(angles, turns, strict=True):
        by_axis = {a: Rotation.from_euler(a, row["xyz".index(a)]).as_matrix() for a in "xyz"}
        first, second, third = (by_axis[a] for a in order.lower())
        assert np.allclose(third @ second @ first, turn)


def test_euler_angles_do_not_jump():
    yaw = np.linspace(0, 3 * np.pi, 60)
    angles = euler_from_matrix(Rotation.from_euler("z", yaw[:, None]).as_matrix(), "XYZ")
    assert np.allclose(angles[:, 2], yaw)
    with pytest.raises(ValueError, match="order"):
        euler_from_matrix(np.eye(3)[None], "XYX")


def test_quaternions_and_axis_angles_mean_the_same_turn():
    turns = some_turns()
    q = quaternions(turns)
    assert np.allclose(Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix(), turns)
    assert ((q[1:] * q[:-1]).sum(axis=1) > 0).all()
    a = axis_angle_from_matrix(turns)
    assert np.allclose(Rotation.from_rotvec(a[:, :1] * a[:, 1:]).as_matrix(), turns)
    still = axis_angle_from_matrix(np.eye(3)[None])
    assert np.array_equal(still, [[0, 0, 1, 0]])
