# SPDX-License-Identifier: Apache-2.0
"""The outline of the face that follows the yaw: stored rows, and points that lie where the outline is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.errors import AssetError
from smirk_core.heads.contour import contour_rows, fan_landmarks
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.flame import load_flame
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import matrix_from_rotvec

# Computed by the official code for a root turned about y (specification, section 2.4).
STORED = {
    -120: 78, -90: 78, -60: 78, -40: 78, -39: 78, -20: 59, -10: 49, -1: 40, -0.4: 0, 0: 0, 0.4: 0, 1: 1, 10: 10,
    20: 20, 39: 39, 40: 39, 60: 39, 90: 39, 120: 39,
}  # fmt: skip


@pytest.fixture(scope="module")
def head(flame_file: Path) -> HeadModel:
    return load_flame(flame_file)


def test_rows_equal_the_stored_ones():
    yaw = np.radians(list(STORED))
    rotations = matrix_from_rotvec(np.stack([np.zeros_like(yaw), yaw, np.zeros_like(yaw)], axis=1))
    for dtype in (np.float64, np.float32):
        assert contour_rows(rotations.astype(dtype)).tolist() == list(STORED.values())


@given(st.floats(-89, 89), st.floats(-0.4, 0.4), st.floats(-3, 3))
def test_rows_are_the_rounded_yaw_whatever_pitch_and_roll(degrees, pitch, roll):
    """Of R = Ry(yaw) Rx(pitch) Rz(roll) at no roll the formula gives the yaw; a roll must not take it off the table."""
    turns = np.array([[0, np.radians(degrees), 0], [pitch, 0, 0], [0, 0, roll]])
    y, x, z = matrix_from_rotvec(turns)
    row = int(contour_rows((y @ matrix_from_rotvec(np.zeros((1, 3))))[:1])[0])
    whole = round(float(np.clip(degrees, -39, 39)))
    if abs(abs(degrees) % 1 - 0.5) > 1e-6:
        assert row == (whole if whole >= 0 else 39 - whole)
    assert 0 <= int(contour_rows((y @ x @ z)[None])[0]) <= 78


def naive(head: HeadModel, vertices: np.ndarray, row: int) -> np.ndarray:
    """The 68 points of one head, one at a time."""
    assert head.contour is not None
    points = []
    for k in range(17):
        corners = head.triangles[head.contour.triangles[row, k]]
        points.append(sum(head.contour.barycentric[row, k, c] * vertices[corners[c]] for c in range(3)))
    fixed = landmark_points(head, vertices[None], head.landmarks["ibug_51"])[0]
    return np.concatenate([points, fixed])


def test_points_equal_one_at_a_time(head):
    degrees = np.array([-60, -12.2, 0, 7.6, 39, 80])
    groups = {
        "rotation": np.radians(np.stack([0 * degrees, degrees, 0 * degrees], axis=1)),
        "jaw": np.random.default_rng(0).normal(0, 0.1, (6, 3)),
    }
    vertices = decode(head, groups).vertices
    points = fan_landmarks(head, vertices, groups)
    assert points.shape == (6, 68, 3) and points.dtype == np.float32
    for frame, row in enumerate((78, 51, 0, 8, 39, 39)):
        np.testing.assert_allclose(points[frame], naive(head, vertices[frame], row), atol=1e-7)


def test_the_neck_counts_and_missing_groups_are_rest(head):
    vertices = np.broadcast_to(head.template, (3, *head.template.shape))
    turn = np.radians([[0, 10.0, 0]] * 3)
    both = fan_landmarks(head, vertices, {"rotation": turn, "neck": turn})
    np.testing.assert_array_equal(both, fan_landmarks(head, vertices, {"rotation": 2 * turn}))
    rest = fan_landmarks(head, vertices, {})
    np.testing.assert_array_equal(rest, fan_landmarks(head, vertices, {"rotation": 0 * turn, "neck": None}))
    assert np.abs(both - rest)[:, :17].max() > 1e-3 and np.array_equal(both[:, 17:], rest[:, 17:])


def test_torch_gives_the_same(head):
    torch = pytest.importorskip("torch")
    groups = {"rotation": np.array([[0.1, 0.4, 0.0], [0.0, -0.3, 0.2]]), "neck": np.array([[0.0, 0.1, 0.0]] * 2)}
    vertices = decode(head, groups).vertices
    points = fan_landmarks(head, torch.tensor(vertices), {k: torch.tensor(v) for k, v in groups.items()})
    np.testing.assert_allclose(points.numpy(), fan_landmarks(head, vertices, groups), atol=1e-7)


def test_without_the_embedding_the_error_names_the_file(head):
    bare = dataclasses.replace(head, contour=None)
    with pytest.raises(AssetError, match=r"landmark_embedding\.npy"):
        fan_landmarks(bare, head.template[None], {})
