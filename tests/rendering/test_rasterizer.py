# SPDX-License-Identifier: Apache-2.0
"""The torch rasteriser: coverage against NumPy's, analytic pictures, edges, gradients, bad input."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from smirk_core.rendering import raster

torch = pytest.importorskip("torch")

from smirk_core.rendering.rasterizer import Fragments, interpolate, pixels_from_crop, rasterize  # noqa: E402

BACKENDS = ["torch"] + (["numba"] if importlib.util.find_spec("numba") else [])


def sphere(rings: int = 48, sectors: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere: vertices (V, 3) with y up and z towards the viewer, triangles counter-clockwise from outside."""
    theta = np.linspace(0, np.pi, rings + 1)[:, None]
    phi = np.linspace(0, 2 * np.pi, sectors, endpoint=False)[None]
    points = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], -1)
    a = np.arange(rings * sectors).reshape(rings, sectors)
    right = np.roll(a, -1, axis=1)
    faces = np.concatenate(
        [
            np.stack([a, a + sectors, right], -1).reshape(-1, 3),
            np.stack([right, a + sectors, right + sectors], -1).reshape(-1, 3),
        ]
    )
    return points.reshape(-1, 3), faces


def picture_of(points: np.ndarray, scale: float, width: int, height: int) -> np.ndarray:
    """Orthographic pixels and depth of points in a frame with y up and z towards the viewer."""
    return np.stack(
        [scale * points[:, 0] + (width - 1) / 2, -scale * points[:, 1] + (height - 1) / 2, 5 - points[:, 2]], -1
    )


def random_mesh(seed: int, batch: int, count: int, size: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-8, 72, (batch, count, 1, 3))
    points = centres + rng.normal(0, size, (batch, count, 3, 3))
    points[..., 2] += 200
    return points.reshape(batch, -1, 3), np.arange(3 * count).reshape(-1, 3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cull", [False, True])
@pytest.mark.parametrize("size", [1.0, 6.0, 40.0])
def test_sees_what_numpy_sees(backend, cull, size):
    points, triangles = random_mesh(3, 3, 150, size)
    points = points.astype(np.float32)
    found = rasterize(torch.from_numpy(points), torch.from_numpy(triangles), 61, 47, cull=cull, backend=backend)
    for b in range(3):
        truth = raster.rasterize(points[b], triangles, 61, 47, cull=cull)
        np.testing.assert_array_equal(found.triangle[b].numpy(), truth.triangle)
        seen = truth.covered
        assert seen.sum() > 20
        np.testing.assert_allclose(found.depth[b].numpy()[seen], truth.depth[seen], rtol=2e-5)
        wide = np.abs(truth.barycentric).max(-1) < 2  # slivers magnify float32's rounding
        np.testing.assert_allclose(found.barycentric[b].numpy()[wide], truth.barycentric[wide], atol=2e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_edges_cover_each_pixel_exactly_once(backend):
    """Corners and edges that run exactly through pixel centres belong to one triangle and no other."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(0, 25, 3.0), np.arange(0, 25, 3.0)), -1)
    inner = rng.integers(-2, 3, grid[1:-1, 1:-1].shape) * 0.5
    grid[1:-1, 1:-1] += inner
    n = grid.shape[0]
    points = np.concatenate([grid.reshape(-1, 2), np.ones((n * n, 1))], 1)
    a = np.arange(n * n).reshape(n, n)[:-1, :-1].ravel()
    triangles = np.concatenate([np.stack([a, a + n, a + 1], -1), np.stack([a + 1, a + n, a + n + 1], -1)])
    hits = torch.zeros(24, 24, dtype=torch.int64)
    for k in range(len(triangles)):
        one = rasterize(torch.tensor(points)[None], torch.tensor(triangles[k : k + 1]), 24, 24, backend=backend)
        hits += one.covered[0]
    assert (hits == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_closed_surface_has_as_many_fronts_as_backs(backend):
    points, triangles = sphere(20, 40)
    points = torch.tensor(picture_of(points, 20.0, 64, 64))[None]
    front = rasterize(points, torch.tensor(triangles), 64, 64, cull=True, backend=backend)
    back = rasterize(points, torch.tensor(triangles[:, ::-1].copy()), 64, 64, cull=True, backend=backend)
    assert torch.equal(front.covered, back.covered) and front.covered.sum() > 1000
    both = rasterize(points, torch.tensor(triangles), 64, 64, backend=backend)
    assert torch.equal(both.triangle, front.triangle)
    assert (front.depth < back.depth)[front.covered].all()


def test_a_sphere_is_a_sphere():
    points, triangles = sphere(96, 192)
    scale, size = 40.0, 96
    fragments = rasterize(
        torch.tensor(picture_of(points, scale, size, size))[None], torch.tensor(triangles), size, size
    )
    row, column = np.mgrid[:size, :size]
    x, y = (column - (size - 1) / 2) / scale, -(row - (size - 1) / 2) / scale
    radius = x**2 + y**2
    assert (fragments.covered[0].numpy() == (radius < 1))[np.abs(np.sqrt(radius) - 1) > 0.02].all()
    inside = radius < 0.9
    z = np.sqrt(np.where(inside, 1 - radius, 0))
    np.testing.assert_allclose(5 - fragments.depth[0].numpy()[inside], z[inside], atol=2e-3)
    normals = interpolate(fragments, torch.tensor(triangles), torch.tensor(points))[0].numpy()
    np.testing.assert_allclose(normals[inside], np.stack([x, y, z], -1)[inside], atol=3e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_perspective_weights_are_those_of_the_surface(backend):
    """Interpolated positions in space project onto the very pixel they are seen in."""
    rng = np.random.default_rng(1)
    space = np.array([[-2, -1.5, 2.0], [2.5, -1, 6], [0, 2, 3], [-2, 1, 9], [2, 2, 8.0], [0, -3, 7]])
    space = space[None] + rng.normal(0, 0.1, (2, 6, 3))
    focal, size = 40.0, 64
    pixels = np.concatenate([focal * space[..., :2] / space[..., 2:] + size / 2, space[..., 2:]], -1)
    triangles = torch.tensor([[0, 1, 2], [3, 4, 5]])
    found = rasterize(torch.tensor(pixels), triangles, size, size, perspective=True, backend=backend)
    seen = found.covered
    assert seen.sum() > 500 and set(found.triangle.unique().tolist()) == {-1, 0, 1}
    position = interpolate(found, triangles, torch.tensor(space))
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    again = focal * position[..., :2] / position[..., 2:] + size / 2
    wanted = torch.stack([column, row], -1).expand(2, -1, -1, -1).double()
    torch.testing.assert_close(again[seen], wanted[seen], atol=1e-9, rtol=0)
    torch.testing.assert_close(found.depth[seen], position[..., 2][seen])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("perspective", [False, True])
def test_gradients_are_right(perspective, backend):
    points = torch.tensor(
        [[[1.2, 0.7, 2.0], [8.3, 1.9, 3.0], [3.4, 8.6, 2.5], [9.1, 9.3, 4.0]]], dtype=torch.float64, requires_grad=True
    )
    triangles = torch.tensor([[0, 2, 1], [1, 2, 3]])
    attributes = torch.randn(1, 4, 2, dtype=torch.float64, requires_grad=True)

    def look(points, attributes):
        found = rasterize(points, triangles, 10, 10, perspective=perspective, backend=backend)
        return interpolate(found, triangles, attributes), found.depth

    assert torch.autograd.gradcheck(look, (points, attributes))
    image, _ = look(points, attributes)
    image.sum().backward()
    assert points.grad.abs().sum() > 0 and points.grad.isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_cannot_be_drawn_is_left_out(backend):
    good = [[2.0, 2.0, 3.0], [2.0, 12.0, 3.0], [12.0, 2.0, 3.0]]
    bad = {
        "behind": [[0.0, 0.0, -1.0], [0.0, 30.0, -1.0], [30.0, 0.0, -1.0]],
        "a line": [[0.0, 0.0, 1.0], [8.0, 8.0, 1.0], [16.0, 16.0, 1.0]],
        "a point": [[5.0, 5.0, 1.0]] * 3,
        "not a number": [[float("nan"), 0.0, 1.0], [0.0, 30.0, 1.0], [30.0, 0.0, 1.0]],
        "endless": [[float("inf"), 0.0, 1.0], [0.0, 30.0, 1.0], [30.0, 0.0, 1.0]],
        "no depth": [[0.0, 0.0, float("nan")], [0.0, 30.0, 1.0], [30.0, 0.0, 1.0]],
        "outside": [[100.0, 0.0, 1.0], [100.0, 30.0, 1.0], [130.0, 0.0, 1.0]],
    }
    alone = rasterize(torch.tensor([good]), torch.tensor([[0, 1, 2]]), 16, 16, backend=backend)
    assert 40 < alone.covered.sum() < 70
    for name, corners in bad.items():
        points = torch.tensor([corners + good])
        found = rasterize(points, torch.tensor([[3, 4, 5], [0, 1, 2]]), 16, 16, backend=backend)
        assert torch.equal(found.triangle, alone.triangle), name
        assert found.depth.isfinite().all() and found.barycentric.isfinite().all(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_near_cuts_pixels_of_an_orthographic_picture_and_triangles_of_a_perspective_one(backend):
    points = torch.tensor([[[0.0, 0.0, -2.0], [0.0, 20.0, -2.0], [20.0, 0.0, 6.0]]])
    triangles = torch.tensor([[0, 1, 2]])
    cut = rasterize(points, triangles, 20, 20, backend=backend)
    whole = rasterize(points, triangles, 20, 20, near=None, backend=backend)
    assert 0 < cut.covered.sum() < whole.covered.sum()
    assert (whole.depth[whole.covered & ~cut.covered] < 0).all() and (cut.depth[cut.covered] >= 0).all()
    assert not rasterize(points, triangles, 20, 20, near=0.1, perspective=True, backend=backend).covered.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mesh_larger_than_the_picture_fills_it(backend):
    points = torch.tensor([[[-900.0, -900.0, 1.0], [-900.0, 3000.0, 1.0], [3000.0, -900.0, 1.0]]])
    found = rasterize(points, torch.tensor([[0, 1, 2]]), 33, 17, backend=backend)
    assert found.covered.all() and found.triangle.shape == (1, 17, 33)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("batch", "vertices", "faces"), [(0, 3, 1), (2, 0, 0), (2, 3, 0)])
def test_nothing_gives_empty_pictures(backend, batch, vertices, faces):
    points = torch.zeros(batch, vertices, 3, requires_grad=True)
    triangles = torch.zeros(faces, 3, dtype=torch.int64)
    found = rasterize(points, triangles, 5, 4, backend=backend)
    assert found.triangle.shape == (batch, 4, 5) and not found.covered.any()
    assert interpolate(found, triangles, torch.zeros(batch, vertices, 2)).shape == (batch, 4, 5, 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pictures_of_a_batch_do_not_mix_and_repeat_to_the_bit(backend):
    points, triangles = random_mesh(8, 4, 80, 9.0)
    points, triangles = torch.from_numpy(points).float(), torch.from_numpy(triangles)
    together = rasterize(points, triangles, 40, 40, backend=backend)
    again = rasterize(points, triangles, 40, 40, backend=backend)
    for b in range(4):
        alone = rasterize(points[b : b + 1], triangles, 40, 40, backend=backend)
        for name in ("triangle", "barycentric", "depth"):
            assert torch.equal(getattr(together, name)[b], getattr(alone, name)[0])
            assert torch.equal(getattr(together, name), getattr(again, name))


@pytest.mark.skipif(len(BACKENDS) < 2, reason="numba is not installed")
@pytest.mark.parametrize("perspective", [False, True])
def test_the_compiled_loop_sees_the_same_to_the_bit(perspective):
    points, triangles = random_mesh(11, 2, 400, 7.0)
    points, triangles = torch.from_numpy(points), torch.from_numpy(triangles)
    a, b = (rasterize(points, triangles, 64, 64, perspective=perspective, backend=k) for k in ("torch", "numba"))
    assert torch.equal(a.triangle, b.triangle) and a.covered.sum() > 3000


@pytest.mark.skipif(len(BACKENDS) < 2, reason="numba is not installed")
@pytest.mark.parametrize("perspective", [False, True])
def test_the_compiled_loop_has_the_same_weights_and_gradients(perspective):
    points, triangles = random_mesh(12, 2, 150, 9.0)
    triangles = torch.from_numpy(triangles)
    pull = torch.randn(2, 40, 40, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    results = []
    for backend in ("torch", "numba"):
        given = torch.from_numpy(points).requires_grad_()
        found = rasterize(given, triangles, 40, 40, perspective=perspective, backend=backend)
        ((found.barycentric * pull[..., :3]).sum() + (found.depth * pull[..., 3]).sum()).backward()
        results.append((found.barycentric.detach(), found.depth.detach(), given.grad))
        assert not found.triangle.requires_grad
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def test_of_equal_depth_the_first_triangle_wins():
    points = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 9.0, 1.0], [9.0, 0.0, 1.0]]])
    for backend in BACKENDS:
        found = rasterize(points, torch.tensor([[0, 1, 2], [0, 1, 2]]), 8, 8, backend=backend)
        assert set(found.triangle.unique().tolist()) <= {-1, 0}


def test_crop_coordinates_are_pixel_centres():
    corners = torch.tensor([[[-1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [1 / 224, 1 / 224, 2.0]]])
    expected = torch.tensor([[[-0.5, -0.5, 2.0], [223.5, 223.5, 2.0], [112.0, 112.0, 2.0]]])
    torch.testing.assert_close(pixels_from_crop(corners, 224, 224), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": torch.zeros(3, 3)}, r"expected \(B, V, 3\)"),
        ({"points": torch.zeros(1, 3, 3, dtype=torch.int64)}, "floats"),
        ({"triangles": torch.zeros(1, 4, dtype=torch.int64)}, r"expected \(F, 3\)"),
        ({"width": 0}, "has none"),
        ({"backend": "magic"}, "no back end"),
        ({"perspective": True, "near": None}, "near"),
    ],
)
def test_wrong_use_is_refused(change, message):
    usual = {"points": torch.zeros(1, 3, 3), "triangles": torch.zeros(1, 3, dtype=torch.int64), "width": 4, "height": 4}
    with pytest.raises(ValueError, match=message):
        rasterize(**{**usual, **change})


def test_another_library_is_asked_for_by_name():
    if importlib.util.find_spec("pytorch3d") is None:
        with pytest.raises(ImportError):
            rasterize(torch.zeros(1, 3, 3), torch.zeros(1, 3, dtype=torch.int64), 4, 4, backend="pytorch3d")
        return
    points, triangles = random_mesh(5, 2, 60, 8.0)
    points, triangles = torch.from_numpy(points).float(), torch.from_numpy(triangles)
    ours, theirs = (rasterize(points, triangles, 48, 48, backend=k) for k in ("torch", "pytorch3d"))
    assert isinstance(theirs, Fragments) and (ours.triangle == theirs.triangle).float().mean() > 0.999


@pytest.mark.skipif(len(BACKENDS) < 2, reason="numba is not installed")
def test_the_compiled_mixture_is_the_weighted_sum():
    from smirk_core.rendering.raster_kernel import mixed

    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(30, 5)).astype(np.float32), rng.random((200, 3)).astype(np.float32)
    corners = rng.integers(0, 30, (200, 3))
    np.testing.assert_allclose(
        mixed(values, corners, weights), np.einsum("pk,pkc->pc", weights, values[corners]), atol=2e-6
    )
    assert mixed(values, corners[:0], weights[:0]).shape == (0, 5)
