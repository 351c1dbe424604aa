# SPDX-License-Identifier: Apache-2.0
"""Batched triangle rasterisation in torch: visibility without gradient, barycentric coordinates and depth with it.

Convention: pixel (row r, column c) has its centre at u = c, v = r, v down, as in :mod:`smirk_core.rendering.raster`;
SMIRK's crop coordinates x, y in [-1, 1] are u = (x + 1) W / 2 - 0.5, v = (y + 1) H / 2 - 0.5. Depth grows away from
the camera. A pixel is covered by the half-open (top-left) rule: triangles that share an edge neither both cover a
pixel nor leave one between them, and both back ends for visibility agree on every pixel.

Method: each triangle is cut into its pixel rows and each row into its pixels by ``repeat_interleave``; the nearest
depth wins by a scatter-minimum, then the lowest triangle number among equals. Both are order-free, so the result is
the same on every run and device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BACKENDS", "Fragments", "interpolate", "pixels_from_crop", "rasterize"]

_GRID = 65536.0  # vertices are snapped to 1/65536 px, as in raster.py: slopes stay finite whatever is given
_FAR = 65536.0  # triangles that reach further from the picture than this (px) are left out
_CHUNK = 1 << 24  # candidate pixels handled at once


@dataclass(frozen=True)
class Fragments:
    """What each pixel of a batch of pictures sees.

    Attributes:
        triangle: (B, H, W) int64, row of the triangles; -1 where nothing is. No gradient.
        barycentric: (B, H, W, 3) weights of that triangle's corners; 0 where nothing is.
        depth: (B, H, W) in the unit of the points' third column; 0 where nothing is.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        """(B, H, W) bool, True where a triangle is seen."""
        return self.triangle >= 0


def pixels_from_crop(points: Tensor, width: int, height: int) -> Tensor:
    """(..., 3) crop coordinates (x, y in [-1, 1], y down, and depth) to pixels: (-1, -1) is (-0.5, -0.5)."""
    import torch

    u = (points[..., 0] + 1) * (width / 2) - 0.5
    v = (points[..., 1] + 1) * (height / 2) - 0.5
    return torch.stack([u, v, points[..., 2]], dim=-1)


def rasterize(
    points: Tensor,
    triangles: Tensor,
    width: int,
    height: int,
    *,
    cull: bool = False,
    near: float | None = 0.0,
    perspective: bool = False,
    backend: str = "auto",
) -> Fragments:
    """Find the nearest triangle in every pixel of every picture.

    Args:
        points: (B, V, 3) float: u, v in pixels and depth, smaller is nearer.
        triangles: (F, 3) int, shared by the batch; counter-clockwise seen from outside where ``cull`` is used.
        width, height: size of the pictures in pixels.
        cull: leave out triangles seen from behind.
        near: leave out what is nearer than this: single pixels for an orthographic camera, and for a perspective one
            every triangle with a corner that near, because it has no picture. None keeps everything.
        perspective: the depth is a perspective camera's, and weights are those of the surface in space (the camera's
            (u, v) = f (x, y) / depth). Needs ``near`` >= 0.
        backend: ``torch`` runs anywhere; ``numba`` is a compiled loop for the CPU; ``pytorch3d`` is that library,
            whose rules differ on pixels that lie exactly on an edge; ``auto`` is numba where it is installed and the
            points are on the CPU, else torch.

    Returns:
        The visible triangle, its weights and depth. Gradients flow to ``points`` through weights and depth of the
        visible surface, not through silhouettes. Triangles that are degenerate, not finite or further than 65536 px
        away are left out.

    Raises:
        ValueError: shapes are wrong, the picture has no pixel, or the back end is unknown.
        ImportError: the back end asked for is not installed.
    """
    import torch

    if points.ndim != 3 or points.shape[-1] != 3 or not points.is_floating_point():
        raise ValueError(f"points: expected (B, V, 3) floats, got {tuple(points.shape)} {points.dtype}")
    if triangles.ndim != 2 or triangles.shape[-1] != 3 or triangles.is_floating_point():
        raise ValueError(f"triangles: expected (F, 3) integers, got {tuple(triangles.shape)} {triangles.dtype}")
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels has none")
    if perspective and (near is None or near < 0):
        raise ValueError("a perspective picture needs near >= 0")
    if backend == "auto":
        backend = "numba" if points.device.type == "cpu" and _has_numba() else "torch"
    if backend not in BACKENDS:
        raise ValueError(f"no back end '{backend}'; there are auto, {', '.join(BACKENDS)}")
    triangles = triangles.to(device=points.device, dtype=torch.int64)
    if backend == "numba" and points.numel() and points.dtype in (torch.float32, torch.float64):
        if points.requires_grad and torch.is_grad_enabled():
            return Fragments(*_numba_function().apply(points, triangles, width, height, cull, near, perspective))
        return _fragments_numba(points, triangles, width, height, cull, near, perspective)
    with torch.no_grad():
        shape = (points.shape[0], height, width)
        if points.shape[0] and len(triangles) and points.shape[1]:
            winner = BACKENDS[backend](points.detach(), triangles, width, height, cull, near, perspective)
        else:
            winner = torch.full(shape, -1, dtype=torch.int64, device=points.device)
    return _resolve(points, triangles, winner, perspective)


def interpolate(fragments: Fragments, triangles: Tensor, attributes: Tensor) -> Tensor:
    """Carry attributes from corners to pixels, with gradients to both the attributes and the weights.

    Args:
        fragments: result of :func:`rasterize`.
        triangles: (F, 3) int into the attributes: the mesh's own, or a table per corner of the same length (UVs).
        attributes: (B, V, C), or (V, C) shared by the batch.

    Returns:
        (B, H, W, C), 0 where nothing is seen.
    """
    import torch

    batch, height, width = fragments.triangle.shape
    picture, seen = _seen(fragments.triangle)
    corners = triangles.to(device=attributes.device, dtype=torch.int64)[fragments.triangle.reshape(-1)[seen]]
    values = attributes[corners] if attributes.ndim == 2 else attributes[picture[:, None], corners]
    weights = fragments.barycentric.reshape(-1, 3)[seen].to(attributes.dtype)
    mixed = torch.einsum("pk,pkc->pc", weights, values)
    out = torch.zeros(batch * height * width, attributes.shape[-1], dtype=mixed.dtype, device=mixed.device)
    return out.index_copy(0, seen, mixed).reshape(batch, height, width, attributes.shape[-1])


def _seen(triangle: Tensor) -> tuple[Tensor, Tensor]:
    """Picture number and flat pixel number of all pixels that see something, each (P,)."""
    flat = (triangle.reshape(-1) >= 0).nonzero()[:, 0]
    return flat // (triangle.shape[1] * triangle.shape[2]), flat


def _resolve(points: Tensor, triangles: Tensor, winner: Tensor, perspective: bool) -> Fragments:
    """Weights and depth of the visible triangles (B, H, W), differentiable with respect to the points."""
    import torch

    batch, height, width = winner.shape
    picture, seen = _seen(winner)
    inside = seen % (height * width)
    pixel = torch.stack([inside % width, inside // width], dim=-1).to(points.dtype)
    corners = points[picture[:, None], triangles[winner.reshape(-1)[seen]]]  # (P, 3, 3)
    a, b, c = ((corners[:, k, :2] - pixel) for k in range(3))
    # Twice the areas of the triangles between the pixel and each edge; their shares are the weights.
    areas = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=-1)
    weights = areas / areas.sum(-1, keepdim=True)
    if perspective:  # 1/depth, not depth, is linear in the picture
        weights = weights / corners[..., 2]
        weights = weights / weights.sum(-1, keepdim=True)
    depth = (weights * corners[..., 2]).sum(-1)
    count = batch * height * width
    full = torch.zeros(count, 3, dtype=points.dtype, device=points.device).index_copy(0, seen, weights)
    far = torch.zeros(count, dtype=points.dtype, device=points.device).index_copy(0, seen, depth)
    return Fragments(winner, full.reshape(batch, height, width, 3), far.reshape(batch, height, width))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _corners(points: Tensor, triangles: Tensor) -> Tensor:
    """(B * F, 3, 3) corners, snapped to the grid, in double precision where the device has it."""
    import torch

    exact = points.to(torch.float32 if points.device.type == "mps" else torch.float64)
    exact = torch.cat([torch.round(exact[..., :2] * _GRID) / _GRID, exact[..., 2:]], dim=-1)
    return exact[:, triangles].reshape(-1, 3, 3)


def _fit(corners: Tensor, width: int, height: int, cull: bool, near: float | None, perspective: bool) -> Tensor:
    """Numbers of the triangles that may cover a pixel."""
    u, v, z = corners.unbind(-1)
    # v points down, so a triangle that is counter-clockwise from outside has a negative area here.
    area = (u[:, 1] - u[:, 0]) * (v[:, 2] - v[:, 0]) - (v[:, 1] - v[:, 0]) * (u[:, 2] - u[:, 0])
    low_u, high_u, low_v, high_v = u.amin(1), u.amax(1), v.amin(1), v.amax(1)
    fine = (area < 0) if cull else (area != 0)
    fine &= (low_u.ceil() < high_u.ceil()) & (low_v.ceil() < high_v.ceil())
    fine &= (high_u > 0) & (low_u <= width - 1) & (high_v > 0) & (low_v <= height - 1)
    fine &= (low_u > -_FAR) & (low_v > -_FAR) & (high_u < _FAR) & (high_v < _FAR)
    fine &= z.isfinite().all(1)
    if near is not None:
        fine &= (z > near).all(1) if perspective else (z.amax(1) >= near)
    return fine.nonzero()[:, 0]


def _visible_torch(
    points: Tensor, triangles: Tensor, width: int, height: int, cull: bool, near: float | None, perspective: bool
) -> Tensor:
    import torch

    corners, count = _corners(points, triangles), len(triangles)
    kept = _fit(corners, width, height, cull, near, perspective)
    corners = corners[kept]
    pixels = points.shape[0] * width * height
    nearest = torch.full((pixels,), torch.inf, dtype=corners.dtype, device=points.device)
    winner = torch.full((pixels,), count, dtype=torch.int64, device=points.device)
    spans = _spans(corners, width, height)
    total = spans[3].cumsum(0)
    at, across, down = _depth_planes(corners, perspective)
    first = (kept // count) * (width * height)

    def candidates(low: int, high: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pixel, triangle and depth of each pixel of a range of spans."""
        owner, row, start, size = (s[low:high] for s in spans)
        owner, row, start = (x.repeat_interleave(size) for x in (owner, row, start))
        begin = (size.cumsum(0) - size).repeat_interleave(size)
        column = start + torch.arange(len(start), device=points.device) - begin
        depth = at[owner] + across[owner] * column + down[owner] * row
        if perspective:
            depth = 1 / depth
        pixel = first[owner] + row * width + column
        if near is not None:
            keep = depth >= near
            pixel, owner, depth = pixel[keep], owner[keep], depth[keep]
        return pixel, kept[owner] % count, depth

    steps = torch.arange(0, int(total[-1]) if len(total) else 0, _CHUNK, device=points.device)[1:]
    cuts = [0, *torch.searchsorted(total, steps).tolist(), len(total)]
    pieces = [(a, b) for a, b in pairwise(cuts) if a < b]
    for piece in pieces:
        pixel, _, depth = candidates(*piece)
        nearest.scatter_reduce_(0, pixel, depth, "amin")
    for piece in pieces:
        pixel, triangle, depth = candidates(*piece)
        best = depth <= nearest[pixel]
        winner.scatter_reduce_(0, pixel[best], triangle[best], "amin")
    winner[winner == count] = -1
    return winner.reshape(-1, height, width)


def _depth_planes(corners: Tensor, perspective: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Depth (or 1/depth) of each triangle as (value at pixel (0, 0), per column, per row), each (M,)."""
    u, v, z = corners.unbind(-1)
    if perspective:
        z = 1 / z
    au, av, bu, bv = u[:, 1] - u[:, 0], v[:, 1] - v[:, 0], u[:, 2] - u[:, 0], v[:, 2] - v[:, 0]
    az, bz = z[:, 1] - z[:, 0], z[:, 2] - z[:, 0]
    area = au * bv - av * bu
    across, down = (az * bv - bz * av) / area, (bz * au - az * bu) / area
    return z[:, 0] - across * u[:, 0] - down * v[:, 0], across, down


def _spans(corners: Tensor, width: int, height: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Runs of covered pixels as (triangle, row, first column, count), each (S,).

    A triangle is two halves, above and below its middle corner, each between the long edge and a short one. Where an
    edge crosses a row is computed from that edge's upper end alone, so it is the same in both of its triangles.
    """
    import torch

    v, order = corners[..., 1].sort(dim=1, stable=True)
    u = corners[..., 0].gather(1, order)
    (top, middle, bottom), (v0, v1, v2) = u.unbind(1), v.unbind(1)
    # A horizontal edge gets an infinite or undefined slope here and no rows below, so it is never used.
    slopes = (bottom - top) / (v2 - v0), (middle - top) / (v1 - v0), (bottom - middle) / (v2 - v1)
    long_left = (bottom - top) * (v1 - v0) < (middle - top) * (v2 - v0)
    cuts = v.ceil().clamp(0, height).to(torch.int64)
    first = torch.cat([cuts[:, 0], cuts[:, 1]])
    rows = torch.cat([cuts[:, 1] - cuts[:, 0], cuts[:, 2] - cuts[:, 1]])
    used = (rows > 0).nonzero()[:, 0]
    first, rows = first[used], rows[used]
    owner = used % len(corners)
    long = [x[owner] for x in (top, v0, slopes[0])]
    short = [torch.cat(pair)[used] for pair in ((top, middle), (v0, v1), slopes[1:])]
    left = long_left[owner]
    half = torch.arange(len(rows), device=rows.device).repeat_interleave(rows)
    row = torch.arange(len(half), device=rows.device) + (first - (rows.cumsum(0) - rows))[half]

    def crossing(one: list[Tensor], other: list[Tensor]) -> Tensor:
        """First column at or right of the edge in every row, within 0..width."""
        column, begin, slope = (torch.where(left, a, b)[half] for a, b in zip(one, other, strict=True))
        return (column + slope * (row - begin)).ceil().clamp(0, width).to(torch.int64)

    start = crossing(long, short)
    size = crossing(short, long) - start
    filled = (size > 0).nonzero()[:, 0]
    return owner[half[filled]], row[filled], start[filled], size[filled]


def _has_numba() -> bool:
    from importlib.util import find_spec

    return find_spec("numba") is not None


def _fragments_numba(
    points: Tensor, triangles: Tensor, width: int, height: int, cull: bool, near: float | None, perspective: bool
) -> Fragments:
    """All of it in the compiled loop; no gradients."""
    import torch

    from .raster_kernel import visible

    double = points.dtype == torch.float64
    places = points.detach().cpu().to(torch.float64 if double else torch.float32).contiguous()
    found = visible(
        places.numpy(), triangles.cpu().contiguous().numpy(), width, height, grid=_GRID, far=_FAR, cull=cull,
        near=-float("inf") if near is None else near, perspective=perspective,
    )  # fmt: skip
    winner, weights, depth = (torch.from_numpy(x).to(points.device) for x in found)
    return Fragments(winner, weights.to(points.dtype), depth.to(points.dtype))


@lru_cache(maxsize=1)
def _numba_function() -> Any:
    """The compiled loop with its gradient, made when torch is there."""
    import torch
    from torch.autograd.function import once_differentiable

    class Visible(torch.autograd.Function):
        @staticmethod
        def forward(ctx, points, triangles, width, height, cull, near, perspective):  # type: ignore[override]
            found = _fragments_numba(points, triangles, width, height, cull, near, perspective)
            ctx.save_for_backward(points, triangles, found.triangle, found.barycentric)
            ctx.perspective = perspective
            ctx.mark_non_differentiable(found.triangle)
            return found.triangle, found.barycentric, found.depth

        @staticmethod
        @once_differentiable
        def backward(ctx, _, to_weights, to_depth):  # type: ignore[override]
            from .raster_kernel import gradient

            points, triangles, winner, weights = (t.cpu().contiguous().numpy() for t in ctx.saved_tensors)
            shares, depths = (g.to("cpu").contiguous().numpy() for g in (to_weights, to_depth))
            back = gradient(points, triangles, winner, weights, shares, depths, ctx.perspective)
            return torch.from_numpy(back).to(ctx.saved_tensors[0].device), None, None, None, None, None, None

    return Visible


def _visible_numba(
    points: Tensor, triangles: Tensor, width: int, height: int, cull: bool, near: float | None, perspective: bool
) -> Tensor:
    return _fragments_numba(points, triangles, width, height, cull, near, perspective).triangle


def _visible_pytorch3d(
    points: Tensor, triangles: Tensor, width: int, height: int, cull: bool, near: float | None, perspective: bool
) -> Tensor:
    import torch
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore[reportMissingImports]
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    if width != height:
        raise ValueError("the pytorch3d back end draws square pictures")
    # Its x points left and its y up, both in [-1, 1], and it drops what has a negative depth.
    shift = 0.0 if near is None else near
    depth = points[..., 2] - shift
    if near is None:
        depth = depth - depth.amin() + 1
    x = 1 - (2 * points[..., 0] + 1) / width
    y = 1 - (2 * points[..., 1] + 1) / height
    meshes = Meshes(torch.stack([x, y, depth], -1), triangles[None].expand(points.shape[0], -1, -1))
    options: dict[str, Any] = {"perspective_correct": perspective, "cull_backfaces": cull}
    found = rasterize_meshes(meshes, image_size=height, blur_radius=0.0, faces_per_pixel=1, **options)[0][..., 0]
    return torch.where(found >= 0, found % len(triangles), found)


BACKENDS: dict[str, Callable[..., Tensor]] = {
    "torch": _visible_torch,
    "numba": _visible_numba,
    "pytorch3d": _visible_pytorch3d,
}
