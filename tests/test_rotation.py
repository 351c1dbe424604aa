# SPDX-License-Identifier: Apache-2.0
"""Rotations: round trips, stored matrices, half turns, signs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from smirk_core.heads.rotation import (
    continuous_quaternions,
    matrix_from_rotvec,
    quaternion_from_rotvec,
    rotvec_from_matrix,
)

FIXTURE = json.loads((Path(__file__).parent / "data" / "flame_forward.json").read_text())["rodrigues"]
VECTORS = arrays(np.float64, (5, 3), elements=st.floats(-7, 7))


def test_stored_matrices():
    np.testing.assert_allclose(matrix_from_rotvec(np.array(FIXTURE["in"])), FIXTURE["out"], atol=1e-6)


def test_worked_number():
    """(0, 0.5, 0) turns a face that looks along +z towards +x."""
    turned = matrix_from_rotvec(np.array([0.0, 0.5, 0.0])) @ np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(turned, [np.sin(0.5), 0.0, np.cos(0.5)], atol=1e-12)


@given(VECTORS)
@example(np.zeros((5, 3)))
@example(np.full((5, 3), 1e-9))
@example(np.tile([np.pi, 0.0, 0.0], (5, 1)))
def test_matrices_are_rotations_and_equal_scipys(vectors):
    matrices = matrix_from_rotvec(vectors)
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-12)
    np.testing.assert_allclose(matrices, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-11)


@given(VECTORS)
@example(np.tile([0.0, np.pi - 1e-7, 0.0], (5, 1)))
@example(np.tile([1e-7, 0.0, 0.0], (5, 1)))
def test_vector_to_matrix_and_back(vectors):
    matrices = matrix_from_rotvec(vectors)
    back = rotvec_from_matrix(matrices)
    assert np.linalg.norm(back, axis=1).max() <= np.pi + 1e-9
    np.testing.assert_allclose(matrix_from_rotvec(back), matrices, atol=1e-9)


@given(VECTORS)
def test_short_vectors_come_back_as_they_were(vectors):
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True) / 3.0, 1.0)
    np.testing.assert_allclose(rotvec_from_matrix(matrix_from_rotvec(vectors)), vectors, atol=1e-8)


@given(VECTORS)
def test_quaternions_are_unit_and_turn_alike(vectors):
    q = quaternion_from_rotvec(vectors)
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(
        Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix(), matrix_from_rotvec(vectors), atol=1e-11
    )


@given(arrays(np.float64, (20, 3), elements=st.floats(-3.1, 3.1)), st.integers(0, 2**20 - 1))
def test_neighbouring_quaternions_never_lie_on_opposite_sides(vectors, flips):
    q = quaternion_from_rotvec(vectors)
    signs = np.where([(flips >> i) & 1 for i in range(20)], -1.0, 1.0)[:, None]
    continuous = continuous_quaternions(q * signs)
    assert ((continuous[1:] * continuous[:-1]).sum(axis=1) >= 0).all()
    np.testing.assert_allclose(np.abs((continuous * q).sum(axis=1)), 1.0, atol=1e-12)
    np.testing.assert_array_equal(continuous[0], (q * signs)[0])


def test_inputs_stay_untouched():
    q = quaternion_from_rotvec(np.array([[0.0, 0.0, 3.0], [0.0, 0.0, -3.0]]))
    copy = q.copy()
    continuous_quaternions(q)
    np.testing.assert_array_equal(q, copy)


@given(VECTORS)
def test_torch_gives_the_same(vectors):
    torch = pytest.importorskip("torch")
    result = matrix_from_rotvec(torch.tensor(vectors))
    np.testing.assert_allclose(result.numpy(), matrix_from_rotvec(vectors), atol=1e-13)


def test_torch_gradient_through_zero():
    torch = pytest.importorskip("torch")
    for start in (np.zeros((1, 3)), np.array([[1e-8, 0, 0]]), np.array([[0.4, -0.2, 1.0]])):
        vector = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(matrix_from_rotvec, (vector,))
