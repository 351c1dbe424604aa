# SPDX-License-Identifier: Apache-2.0
"""Meshes with known pictures, and a head small enough to render in milliseconds."""

from __future__ import annotations

import numpy as np
import pytest

from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding


def sphere(rows: int = 24, columns: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A closed unit sphere, (V, 3) and (F, 3) counter-clockwise from outside."""
    theta = np.linspace(0, np.pi, rows + 1)[1:-1, None]
    phi = np.arange(columns)[None] * (2 * np.pi / columns)
    ring = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], axis=-1)
    points = np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    grid = np.arange((rows - 1) * columns).reshape(rows - 1, columns)
    a, b, c, d = grid[:-1], np.roll(grid, -1, 1)[:-1], grid[1:], np.roll(grid, -1, 1)[1:]
    top, bottom = np.full(columns, len(points) - 2), np.full(columns, len(points) - 1)
    first, last = grid[0], grid[-1]
    return points, np.concatenate([
        np.stack([a, c, d], axis=-1).reshape(-1, 3),
        np.stack([a, d, b], axis=-1).reshape(-1, 3),
        np.stack([top, first, np.roll(first, -1)], axis=-1),
        np.stack([bottom, np.roll(last, -1), last], axis=-1),
    ])  # fmt: skip


@pytest.fixture(scope="session")
def ball() -> tuple[np.ndarray, np.ndarray]:
    return sphere()


@pytest.fixture(scope="session")
def egg_head() -> HeadModel:
    """An egg of 0.1 m with two eyeballs in front, one expression (wider) and a skeleton."""
    points, triangles = sphere(20, 28)
    eye_points, eye_triangles = sphere(8, 12)
    n, m = len(points), len(eye_points)
    skin = points * [0.075, 0.1, 0.09] + [0, -0.02, -0.06]
    eyes = [eye_points * 0.013 + [x, 0.0, 0.022] for x in (0.031, -0.031)]
    vertices = np.concatenate([skin, *eyes]).astype(np.float32)
    faces = np.concatenate([triangles, eye_triangles + n, eye_triangles + n + m])
    polygons = np.concatenate([faces, np.full((len(faces), 1), -1)], axis=1).astype(np.int32)
    count = len(vertices)
    regressor = np.zeros((5, count), np.float32)
    regressor[:3, :n] = 1 / n
    regressor[3, n : n + m] = regressor[4, n + m :] = 1 / m
    weights = np.zeros((count, 5), np.float32)
    weights[:n, 0] = weights[n : n + m, 3] = weights[n + m :, 4] = 1
    wider = np.zeros((1, count, 3), np.float32)
    wider[0, :n, 0] = 0.3 * vertices[:n, 0]
    materials = np.concatenate([np.zeros(len(triangles), np.int32), np.ones(2 * len(eye_triangles), np.int32)])
    places = np.linspace(0, len(triangles) - 1, 90).astype(int)  # all over the egg
    marks = LandmarkEmbedding(places, np.full((90, 3), 1 / 3, np.float32), np.ones(90, np.float32))
    return HeadModel(
        name="egg", digest="egg", template=vertices, polygons=polygons, identity_basis=0.5 * wider,
        expression_basis=wider, expression_names=("wider",), eyelid_basis=np.zeros((2, count, 3), np.float32),
        corrective_basis=np.zeros((0, count, 3), np.float32), corrective_features=np.zeros(0, np.int32),
        joint_names=("root", "neck", "jaw", "left_eye", "right_eye"), joint_parents=(-1, 0, 1, 1, 1),
        joint_regressor=regressor, skinning_weights=weights, uvs=np.zeros((1, 2), np.float32),
        polygon_uvs=np.where(polygons < 0, -1, 0).astype(np.int32), polygon_materials=materials,
        material_names=("skin", "eye_white"), regions={}, landmarks={"mediapipe_478": marks},
    )  # fmt: skip
