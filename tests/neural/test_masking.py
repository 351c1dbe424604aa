# SPDX-License-Identifier: Apache-2.0
"""Masking: the specification's composition, hulls against SciPy, sampling statistics, transfer, hidden skin."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.neural import masking  # noqa: E402
from smirk_core.neural.masking import SurfacePoints  # noqa: E402
from smirk_core.rendering.rasterizer import pixels_from_crop, rasterize  # noqa: E402


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_composition_of_the_specification():
    image = torch.full((1, 3, 64, 64), 0.5)
    hull = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    hull[..., 30:34, 30:34] = True
    rendered = torch.zeros_like(hull)
    rendered[..., :5, :5] = True
    extra = torch.zeros(1, 3, 64, 64)
    extra[..., 32, 32] = 0.25
    out = masking.compose(image, hull, rendered, extra, radius=10, noise=0, holes=0)
    assert int((out[0, 0] == 0).sum()) == 600
    for place, value in {(19, 19): 0.5, (20, 20): 0.0, (43, 43): 0.0, (44, 44): 0.5, (32, 32): 0.25}.items():
        assert float(out[0, 1][place]) == value


def test_noise_and_holes_have_the_stated_strength():
    extra = torch.full((4, 3, 128, 128), 0.5)
    full = torch.ones(4, 1, 128, 128, dtype=torch.bool)
    noisy = masking.compose(torch.ones_like(extra), full, full, extra, noise=0.05, holes=0, generator=seeded())
    assert abs(float(noisy.mean()) - 0.5) < 1e-3 and abs(float(noisy.std()) - 0.025) < 1e-3
    holed = masking.compose(torch.ones_like(extra), full, full, extra, noise=0, holes=0.01, generator=seeded())
    left = float((holed > 0).float().mean())
    assert abs(left - 0.99**121) < 0.03
    assert torch.equal(holed[:, 0] > 0, holed[:, 2] > 0)


def test_the_mask_carries_no_gradient():
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    none = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    assert not masking.compose(image, none, none, image * 0.5, holes=0).requires_grad


def test_hull_is_the_convex_hull():
    from scipy.spatial import Delaunay

    rng = np.random.default_rng(0)
    points = rng.uniform(10, 50, (2, 30, 2))
    mask = masking.hull_mask(torch.tensor(points), 64, 60)[:, 0].numpy()
    row, column = np.mgrid[:60, :64]
    for b in range(2):
        inside = Delaunay(np.trunc(points[b])).find_simplex(np.stack([column, row], -1).reshape(-1, 2)) >= 0
        assert (mask[b] != inside.reshape(60, 64)).sum() <= 2  # pixels exactly on the outline
        assert mask[b].sum() > 500


def plane(flip: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Two triangles of a square, twice as large in picture area the second; both face the camera unless flipped."""
    vertices = torch.tensor([[[-0.8, -0.8, 0.0], [-0.8, 0.0, 0.0], [0.0, -0.8, 0.0], [0.0, 0.8, 0.0], [0.8, 0.0, 0.0]]])
    triangles = torch.tensor([[0, 1, 2], [2, 3, 4]])
    return vertices, triangles.flip(1) if flip else triangles


def test_points_fall_by_area_and_weight_on_what_faces_the_camera():
    vertices, triangles = plane()
    weights = torch.tensor([1.0, 0.5])
    points = masking.sample_surface(vertices, triangles, weights, 20000, seeded())
    a, b, c = (vertices[0, triangles[:, k], :2] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs()
    share = area * weights / (area * weights).sum()
    assert abs(float((points.triangle == 0).float().mean()) - float(share[0])) < 0.015
    torch.testing.assert_close(points.barycentric.sum(-1), torch.ones(1, 20000))
    assert points.barycentric.min() >= 0
    # uniform over a triangle: every weight has mean 1/3
    torch.testing.assert_close(points.barycentric.mean((0, 1)), torch.full((3,), 1 / 3), atol=0.01, rtol=0)
    back, _ = plane()
    mixed = torch.cat([triangles[:1], triangles[1:].flip(1)])
    only = masking.sample_surface(back, mixed, torch.ones(2), 500, seeded())
    assert (only.triangle == 0).all()


def test_the_same_mesh_transfers_onto_itself_and_a_shift_moves_the_colours():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64) + 0.1
    vertices, triangles = plane()
    points = masking.sample_surface(vertices, triangles, torch.ones(2), 800, seeded())
    here = masking.points_on(vertices, triangles, points)
    same = masking.transfer(image, here, here)
    drawn = same > 0
    assert 300 < drawn[0, 0].sum() <= 800 and torch.equal(same[drawn], image[drawn])
    moved = masking.transfer(image, here, here + torch.tensor([8 / 32, 0, 0]))
    torch.testing.assert_close(moved[..., 8:], same[..., :-8])


def test_the_first_of_several_points_wins():
    image = torch.arange(1.0, 17).reshape(1, 1, 4, 4)
    source = torch.tensor([[[-0.9, -0.9, 0], [0.9, 0.9, 0], [0.9, -0.9, 0]]])
    target = torch.zeros(1, 3, 3)
    assert float(masking.transfer(image, source, target).max()) == 1
    keep = torch.tensor([[False, True, True]])
    assert float(masking.transfer(image, source, target, keep).max()) == 16
    assert float(masking.transfer(image, source, target, ~keep & False).max()) == 0


def test_hidden_skin_is_not_seen():
    """Two squares, one behind the other: a point on the far one is seen only where the near one does not cover it."""
    near = torch.tensor([[-0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0]])
    far = near * 1.8 + torch.tensor([0, 0, 0.6])
    vertices = torch.cat([near, far])[None]
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3], [4, 5, 6], [6, 5, 7]])
    fragments = rasterize(pixels_from_crop(vertices, 64, 64), triangles, 64, 64)
    points = SurfacePoints(
        torch.tensor([[2, 2, 0]]), torch.tensor([[[0.02, 0.49, 0.49], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]]])
    )
    places = masking.points_on(vertices, triangles, points)
    assert masking.seen(places, fragments).tolist() == [[False, True, True]]
    outside = places + torch.tensor([2.0, 0, 0])
    assert not masking.seen(outside, fragments).any()


def test_random_numbers_repeat_with_their_seed():
    vertices, triangles = plane()
    a, b, c = (masking.sample_surface(vertices, triangles, torch.ones(2), 50, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(a.barycentric, b.barycentric) and not torch.equal(a.barycentric, c.barycentric)
