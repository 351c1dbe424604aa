# SPDX-License-Identifier: Apache-2.0
"""The reduced head equals the decoder, and its Jacobian equals finite differences."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from smirk_core.tracking.landmark_model import LandmarkModel, left_jacobian

BASE = matrix_from_rotvec(np.array([0.1, 0.5, -0.2]))


@pytest.fixture(params=["joints by identity", "lids with features of their own", "joints by identity and expression"])
def head(toy_head: HeadModel, request: pytest.FixtureRequest) -> HeadModel:
    if request.param.startswith("lids"):
        return dataclasses.replace(toy_head, corrective_features=np.array([36, 37, 39], np.int32))
    return dataclasses.replace(toy_head, joints_follow_expression=request.param.endswith("expression"))


@pytest.fixture
def case(head: HeadModel) -> tuple[LandmarkModel, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    landmarks = LandmarkModel(head, head.landmarks["mediapipe_105"])
    unknowns = 0.25 * rng.normal(size=(4, landmarks.layout.size))
    return landmarks, rng.normal(size=head.identity_size), unknowns


def test_points_equal_the_decoders(head: HeadModel, case: tuple[LandmarkModel, np.ndarray, np.ndarray]) -> None:
    landmarks, identity, x = case
    layout = landmarks.layout
    groups = {name: x[:, layout[name]] for name in ("expression", "eyelids", "jaw", "eyes")}
    groups["rotation"] = rotvec_from_matrix(matrix_from_rotvec(x[:, 0:3]) @ BASE)
    groups["identity"] = np.repeat(identity[None], len(x), axis=0)
    points = landmark_points(head, decode(head, groups).vertices, head.landmarks["mediapipe_105"])
    camera = np.stack([np.exp(x[:, 3]), x[:, 4], x[:, 5]], axis=1)
    expected = np.swapaxes(project(points, camera)[..., :2], 1, 2)
    found, _, _ = landmarks.evaluate(identity, x, BASE)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_jacobian_of_the_unknowns(case: tuple[LandmarkModel, np.ndarray, np.ndarray]) -> None:
    landmarks, identity, x = case
    _, slopes, _ = landmarks.evaluate(identity, x, BASE, jacobian=True)
    assert slopes is not None
    for k, h in ((k, 2e-3) for k in range(x.shape[1])):
        step = h * np.eye(x.shape[1])[k]
        ahead, behind = (landmarks.evaluate(identity, x + s * step, BASE)[0].astype(float) for s in (1, -1))
        np.testing.assert_allclose(slopes[..., k], (ahead - behind) / (2 * h), atol=2e-4)


def test_jacobian_of_the_identity(case: tuple[LandmarkModel, np.ndarray, np.ndarray]) -> None:
    landmarks, identity, x = case
    _, _, slopes = landmarks.evaluate(identity, x, BASE, jacobian=True, with_identity=True)
    assert slopes is not None
    for k in range(len(identity)):
        step = 0.1 * np.eye(len(identity))[k]
        ahead, behind = (landmarks.evaluate(identity + s * step, x, BASE)[0].astype(float) for s in (1, -1))
        np.testing.assert_allclose(slopes[..., k], (ahead - behind) / 0.2, atol=1e-5)


@pytest.mark.parametrize("length", [0.0, 1e-6, 1e-3, 1.0, 3.0])
def test_left_jacobian(length: float) -> None:
    rotvec = length * np.array([0.48, -0.6, 0.64])
    jacobian = left_jacobian(rotvec)
    for k in range(3):
        step = 1e-6 * np.eye(3)[k]
        turn = matrix_from_rotvec(rotvec + step) @ matrix_from_rotvec(rotvec - step).T
        np.testing.assert_allclose(jacobian[:, k], rotvec_from_matrix(turn) / 2e-6, atol=1e-6)
