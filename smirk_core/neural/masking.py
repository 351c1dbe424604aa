# SPDX-License-Identifier: Apache-2.0
"""The masked photo that the generator gets: surroundings, a few pixels of skin, and holes.

Everything runs on the images' device, batched, with random numbers from one ``torch.Generator``. Source:
specification, section 5. Where the original transfers pixels of skin that one of the two meshes hides, we leave them
out; ``faithful=True`` keeps the original behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..rendering.rasterizer import Fragments
from .mesh_render import vertex_normals

__all__ = ["SurfacePoints", "compose", "dilate", "hull_mask", "points_on", "sample_surface", "seen", "transfer"]

_FACING = 0.05  # a triangle counts as facing the camera while the z of its normal is below this
_DIRECTIONS = 360  # support directions of a hull; the error is below 1 / 26,000 of its size


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a mesh that can be found again on another pose of it.

    Attributes:
        triangle: (B, N) int64, row of the triangles.
        barycentric: (B, N, 3).
    """

    triangle: Tensor
    barycentric: Tensor


def hull_mask(points: Tensor, width: int, height: int) -> Tensor:
    """(B, N, 2) pixels to a (B, 1, H, W) bool mask, True inside their convex hull (corners cut to whole pixels)."""
    points = points.trunc()
    angle = torch.arange(_DIRECTIONS, device=points.device, dtype=points.dtype) * (2 * torch.pi / _DIRECTIONS)
    directions = torch.stack([angle.cos(), angle.sin()])
    support = (points @ directions).amax(1)[:, None] + 1e-3  # (B, 1, D): how far the hull reaches each way
    across, down = directions
    row = torch.arange(height, device=points.device, dtype=points.dtype)
    # Each direction bounds every row of pixels on its left or on its right; directions straight up and down bound rows.
    flat = across.abs() < 1e-6
    reach = support - row[:, None] * down  # (B, H, D)
    limit = reach / torch.where(flat, 1.0, across)
    right = torch.where(~flat & (across > 0), limit, torch.inf).amin(-1, keepdim=True)
    left = torch.where(~flat & (across < 0), limit, -torch.inf).amax(-1, keepdim=True)
    open_ = (~flat | (reach >= 0)).all(-1, keepdim=True)
    column = torch.arange(width, device=points.device, dtype=points.dtype)
    return (open_ & (column >= left) & (column <= right))[:, None]


def sample_surface(
    projected: Tensor, triangles: Tensor, weights: Tensor, count: int, generator: torch.Generator | None = None
) -> SurfacePoints:
    """Random points on the triangles that face the camera, by picture area times region weight.

    Args:
        projected: (B, V, 3) crop coordinates.
        triangles: (F, 3) int64.
        weights: (F,) of the regions.
        count: points a picture.
        generator: of the random numbers, on the points' device.
    """
    batch, device = len(projected), projected.device
    normals = vertex_normals(projected, triangles)
    facing = normals[..., 2][:, triangles].mean(-1) < _FACING
    a, b, c = (projected[:, triangles[:, k], :2] for k in range(3))
    area = 0.5 * ((b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0]).abs()
    chance = area * facing * weights
    chance = torch.where(chance.sum(1, keepdim=True) > 0, chance, torch.ones_like(chance))  # a face turned right away
    triangle = torch.multinomial(chance, count, replacement=True, generator=generator)
    u, v = torch.rand(2, batch, count, device=device, dtype=projected.dtype, generator=generator).unbind(0)
    over = u + v > 1
    u, v = torch.where(over, 1 - u, u), torch.where(over, 1 - v, v)
    return SurfacePoints(triangle, torch.stack([1 - u - v, u, v], -1))


def points_on(projected: Tensor, triangles: Tensor, points: SurfacePoints) -> Tensor:
    """(B, N, 3) where surface points are on a mesh (B, V, 3), in its coordinates."""
    corners = triangles[points.triangle]  # (B, N, 3)
    batch = torch.arange(len(projected), device=projected.device)[:, None, None]
    return (projected[batch, corners] * points.barycentric[..., None]).sum(2)


def _pixels(places: Tensor, size: int) -> Tensor:
    """(B, N, 3) crop coordinates to (B, N) flat pixel numbers of a square picture, clamped to it."""
    whole = (0.5 * (1 + places[..., :2].nan_to_num()) * size).trunc().clamp(0, size - 1).to(torch.int64)
    return whole[..., 1] * size + whole[..., 0]


def seen(places: Tensor, fragments: Fragments, tolerance: float = 0.05) -> Tensor:
    """(B, N) bool: which points (B, N, 3), crop coordinates, are in the picture and not behind what is drawn there.

    ``tolerance`` in crop units of depth: about 7 mm at the usual scale, more than a slanted pixel is deep and less
    than a nose.
    """
    size = fragments.triangle.shape[-1]
    pixel = _pixels(places, size)
    depth = fragments.depth.reshape(len(places), -1).gather(1, pixel)
    drawn = fragments.covered.reshape(len(places), -1).gather(1, pixel)
    inside = (places[..., :2].abs() <= 1).all(-1)
    return inside & (~drawn | (places[..., 2] <= depth + tolerance))


def transfer(image: Tensor, source: Tensor, target: Tensor, keep: Tensor | None = None) -> Tensor:
    """Carry the colours at ``source`` points to ``target`` points of an empty picture.

    Args:
        image: (B, C, S, S).
        source, target: (B, N, 3) crop coordinates of the same surface points on two meshes.
        keep: (B, N) bool, points to carry; all where not given.

    Returns:
        (B, C, S, S), 0 where no point landed. Of several points on one pixel the first wins, on every device.
    """
    batch, channels, size, _ = image.shape
    count = source.shape[1]
    to, order = _pixels(target, size), torch.arange(count, device=image.device).expand(batch, -1)
    if keep is not None:
        order = torch.where(keep, order, count)
    first = torch.full((batch, size * size), count, dtype=torch.int64, device=image.device)
    first = first.scatter_reduce(1, to, order, "amin")
    colours = image.reshape(batch, channels, -1).gather(2, _pixels(source, size)[:, None].expand(-1, channels, -1))
    colours = torch.cat([colours, torch.zeros_like(colours[..., :1])], dim=2)
    return colours.gather(2, first[:, None].expand(-1, channels, -1)).reshape(batch, channels, size, size)


def dilate(mask: Tensor, radius: int) -> Tensor:
    """(B, 1, H, W) bool, grown by a square of 2 radius + 1 pixels."""
    side = 2 * radius + 1  # rows, then columns: the same square for a tenth of the work
    rows = max_pool2d(mask.float(), (1, side), stride=1, padding=(0, radius))
    return max_pool2d(rows, (side, 1), stride=1, padding=(radius, 0)) > 0


def compose(
    image: Tensor,
    hull: Tensor,
    rendered: Tensor,
    extra: Tensor | None = None,
    *,
    radius: int = 10,
    noise: float = 0.05,
    holes: float = 0.01,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The generator's second input.

    Args:
        image: (B, 3, H, W) photo in [0, 1].
        hull: (B, 1, H, W) bool, True inside the face.
        rendered: (B, 1, H, W) bool, True where the mesh was drawn.
        extra: (B, 3, H, W) colours of :func:`transfer`, 0 where there is none.
        radius: by which the face is grown.
        noise: standard deviation of the factor on each extra colour; its mean is 1.
        holes: chance of each pixel to be the middle of an 11 x 11 hole in the extra colours.
        generator: of the random numbers.

    Returns:
        (B, 3, H, W), detached; values may pass 1.
    """
    masked = image * ~(dilate(hull, radius) | rendered)
    if extra is not None:
        spots = extra
        if noise > 0:
            normal = torch.randn(spots.shape, device=spots.device, dtype=spots.dtype, generator=generator)
            spots = spots * (1 + noise * normal)
        if holes > 0:
            chance = torch.rand(hull.shape, device=spots.device, generator=generator)
            spots = spots * ~dilate(chance < holes, 5)
        masked = torch.where(spots > 0, spots, masked)
    return masked.detach()
