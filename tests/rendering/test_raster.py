# SPDX-License-Identifier: Apache-2.0
"""The rasteriser against pictures that are known without it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from smirk_core.rendering.raster import coverage, interpolate, rasterize


def _front(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Turn every triangle to face the viewer (negative area with v down)."""
    a, b, c = (points[triangles[:, k], :2] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return np.where((area > 0)[:, None], triangles[:, ::-1], triangles)


def _flat(points: np.ndarray, depth: float = 0.0) -> np.ndarray:
    return np.concatenate([points, np.full((len(points), 1), depth)], axis=1)


def test_the_worked_triangle_of_the_docstring() -> None:
    points = np.array([[0, 0, 5], [0, 2, 5], [2, 0, 5]], float)
    raster = rasterize(points, np.array([[0, 1, 2]]), 4, 4)
    expected = np.zeros((4, 4), bool)
    expected[0, 0] = expected[0, 1] = expected[1, 0] = True
    assert (raster.covered == expected).all()
    assert (raster.depth[expected] == 5).all()
    assert np.isinf(raster.depth[~expected]).all()
    assert raster.barycentric[0, 0] == pytest.approx([1, 0, 0])
    assert raster.barycentric[1, 0] == pytest.approx([0.5, 0.5, 0])


def test_a_triangle_equals_the_half_plane_test_in_every_pixel() -> None:
    rng = np.random.default_rng(4)
    row, column = np.mgrid[:40, :50]
    for _ in range(30):
        points = rng.uniform(-10, 60, (3, 3))
        triangles = _front(points, np.array([[0, 1, 2]]))
        a, b, c = points[triangles[0], :2]
        inside = np.ones((40, 50), bool)
        for p, q in ((a, b), (b, c), (c, a)):
            inside &= (q[0] - p[0]) * (row - p[1]) - (q[1] - p[1]) * (column - p[0]) < 0
        assert (rasterize(points, triangles, 50, 40).covered == inside).all()


def test_a_sphere_is_a_disc_with_the_depth_of_a_sphere(ball: tuple[np.ndarray, np.ndarray]) -> None:
    points, triangles = ball
    seen = points * [40, -40, -40] + [63.5, 63.5, 0]
    raster = rasterize(seen, triangles, 128, 128)
    row, column = np.mgrid[:128, :128]
    away = np.hypot(row - 63.5, column - 63.5)
    assert raster.covered[away < 39].all()
    assert not raster.covered[away > 40].any()
    middle = away < 35
    assert np.abs(raster.depth[middle] + np.sqrt(1600 - away[middle] ** 2)).max() < 1.0


def test_a_closed_convex_surface_is_hit_exactly_once_from_either_side(ball: tuple[np.ndarray, np.ndarray]) -> None:
    points, triangles = ball
    rng = np.random.default_rng(0)
    for _ in range(10):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.linalg.det(turn)
        seen = points @ turn.T * [45, -45, -45] + [*rng.uniform(50, 60, 2), 0]
        front = coverage(seen, triangles, 110, 110)
        back = coverage(seen, triangles[:, ::-1], 110, 110)
        assert front.max() == 1
        assert (front == back).all()
        assert (coverage(seen, triangles, 110, 110, cull=False) == 2 * front).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.5, 1 / 7]))
def test_a_triangulated_square_has_no_gap_and_no_double_hit(seed: int, grid: float) -> None:
    rng = np.random.default_rng(seed)
    # Corners on a coarse grid put vertices and edges exactly on pixel centres, where the top-left rule decides.
    inner = np.round(rng.uniform(2, 30, (60, 2)) / grid) * grid
    corners = np.array([[2, 2], [30, 2], [2, 30], [30, 30]], float)
    points = np.unique(np.concatenate([corners, inner]), axis=0)
    triangles = _front(points, Delaunay(points).simplices)
    hits = coverage(_flat(points), triangles, 33, 33)
    expected = np.zeros((33, 33), int)
    expected[2:30, 2:30] = 1
    assert (hits == expected).all()


def test_the_nearer_triangle_wins_whatever_the_order() -> None:
    square = np.array([[0, 0], [0, 9], [9, 9], [9, 0]], float)
    points = np.concatenate([_flat(square, 3.0), _flat(square, -2.0), _flat(square, -1.0)])
    quads = np.array([[0, 1, 2], [0, 2, 3]])
    layers = [quads, quads + 4, quads + 8]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        raster = rasterize(points, np.concatenate([layers[k] for k in order]), 9, 9)
        assert (raster.depth == -2).all()
        assert (raster.triangle // 2 == order.index(1)).all()


def test_crossing_triangles_are_split_where_their_depths_cross() -> None:
    square = np.array([[0, 0], [0, 20], [20, 20], [20, 0]], float)
    rising = np.concatenate([square, square[:, :1]], axis=1)
    falling = np.concatenate([square, 20 - square[:, :1]], axis=1)
    quads = np.array([[0, 1, 2], [0, 2, 3]])
    raster = rasterize(np.concatenate([falling, rising]), np.concatenate([quads, quads + 4]), 20, 20)
    column = np.broadcast_to(np.arange(20), (20, 20))
    assert (raster.triangle[column < 10] >= 2).all()
    assert (raster.triangle[column > 10] < 2).all()
    assert raster.depth == pytest.approx(np.minimum(column, 20 - column), abs=1e-4)


def test_equal_depth_gives_the_lower_number() -> None:
    points = np.array([[0, 0, 1], [0, 9, 1], [9, 0, 1]], float)
    raster = rasterize(points, np.array([[0, 1, 2], [0, 1, 2]]), 9, 9)
    assert set(np.unique(raster.triangle)) == {-1, 0}


def test_back_faces_are_culled_only_when_asked() -> None:
    points = np.array([[0, 0, 1], [9, 0, 1], [0, 9, 1]], float)
    triangles = np.array([[0, 1, 2]])
    assert not rasterize(points, triangles, 9, 9).covered.any()
    assert rasterize(points, triangles, 9, 9, cull=False).covered.any()


def test_interpolation_reproduces_linear_functions(ball: tuple[np.ndarray, np.ndarray]) -> None:
    points, triangles = ball
    seen = points * [40, -40, -40] + [63.2, 64.7, 0]
    raster = rasterize(seen, triangles, 128, 128)
    values = interpolate(raster, triangles, np.stack([seen[:, 0], seen[:, 1], 2 * seen[:, 0] - seen[:, 1] + 3], axis=1))
    row, column = np.mgrid[:128, :128]
    on = raster.covered
    assert values[on] == pytest.approx(np.stack([column, row, 2 * column - row + 3], axis=-1)[on], abs=1e-3)
    assert (values[~on] == 0).all()
    assert raster.barycentric[on].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert raster.barycentric[on].min() > -1e-3


def test_values_per_corner_may_jump_across_an_edge() -> None:
    points = _flat(np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float))
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    raster = rasterize(points, triangles, 10, 10)
    corners = np.array([[7.0], [9.0]])
    values = interpolate(raster, np.array([[0, 0, 0], [1, 1, 1]]), corners)[..., 0]
    assert values[raster.triangle == 0] == pytest.approx(7)
    assert values[raster.triangle == 1] == pytest.approx(9)


@pytest.mark.parametrize("offset", [(-1000, 0), (0, 1000), (5000, -5000), (1e30, 0), (np.nan, 0), (0, np.inf)])
def test_a_mesh_outside_gives_an_empty_picture(
    offset: tuple[float, float], ball: tuple[np.ndarray, np.ndarray]
) -> None:
    points, triangles = ball
    with np.errstate(all="ignore"):
        seen = points * 40 + [*offset, 0]
    raster = rasterize(seen, triangles, 64, 64)
    assert not raster.covered.any()
    assert (raster.barycentric == 0).all()


def test_a_mesh_half_outside_shows_its_other_half(ball: tuple[np.ndarray, np.ndarray]) -> None:
    points, triangles = ball
    seen = points * [40, -40, -40] + [0, 30, 0]
    small = rasterize(seen, triangles, 20, 60)
    moved = rasterize(seen + np.array([50, 50, 0]), triangles, 128, 128)
    assert (small.triangle == moved.triangle[50:110, 50:70]).all()


def test_degenerate_triangles_are_nowhere() -> None:
    points = np.array([[1, 1, 0], [5, 5, 0], [9, 9, 0], [5, 5, 0], [np.nan, 0, 0]])
    triangles = np.array([[0, 1, 2], [1, 1, 1], [1, 3, 2], [0, 1, 4]])
    for cull in (True, False):
        assert not rasterize(points, triangles, 12, 12, cull).covered.any()


def test_an_empty_mesh_is_an_empty_picture() -> None:
    raster = rasterize(np.zeros((0, 3)), np.zeros((0, 3), int), 5, 4)
    assert raster.triangle.shape == (4, 5)
    assert not raster.covered.any()


def test_very_many_pixels_are_worked_off_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from smirk_core.rendering import raster as module

    rng = np.random.default_rng(1)
    points = rng.uniform(-5, 45, (300, 3))
    triangles = rng.integers(0, 300, (200, 3))
    whole = rasterize(points, triangles, 40, 40)
    monkeypatch.setattr(module, "_CHUNK", 500)
    pieces = rasterize(points, triangles, 40, 40)
    assert (whole.triangle == pieces.triangle).all()
    assert (whole.depth == pieces.depth).all()


@pytest.mark.parametrize(
    ("points", "triangles", "size"),
    [
        (np.zeros((3, 2)), np.zeros((1, 3), int), (4, 4)),
        (np.zeros((3, 3)), np.zeros((1, 4), int), (4, 4)),
        (np.zeros((3, 3)), np.zeros((1, 3), int), (0, 4)),
    ],
)
def test_wrong_shapes_are_refused(points: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"expected|pixels"):
        rasterize(points, triangles, *size)
