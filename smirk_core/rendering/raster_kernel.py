# SPDX-License-Identifier: Apache-2.0
"""Visibility on the CPU as a compiled loop, one picture a thread; the same rules as the torch version, to the bit.

A triangle is read, judged and drawn in one go, so that nothing but the picture is ever written to memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["gradient", "mixed", "visible"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_kernel: Any = None
_gradient_kernel: Any = None
_mix_kernel: Any = None


def visible(
    points: Floats,
    triangles: Ints,
    width: int,
    height: int,
    *,
    grid: float,
    far: float,
    cull: bool,
    near: float,
    perspective: bool,
) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """The nearest triangle of every pixel of every picture.

    Args:
        points: (B, V, 3) float32 or float64: u, v in pixels and depth.
        triangles: (F, 3) int64 into the points.
        width, height: of the pictures.
        grid: steps a pixel to which u and v are rounded.
        far: triangles that reach further from the picture are left out, px.
        cull: leave out triangles seen from behind.
        near: nearer than this is not seen; -inf keeps everything.
        perspective: 1/depth is linear in the picture, and no triangle with a corner nearer than ``near`` is drawn.

    Returns:
        triangle (B, H, W) int64, -1 where there is none; barycentric (B, H, W, 3) and depth (B, H, W) in the points'
        type, of the points as given (not rounded), 0 where there is nothing.

    Raises:
        ImportError: numba is not installed.
    """
    global _kernel
    if _kernel is None:
        _kernel = _compiled()
    shape = (len(points), height, width)
    winner = np.full(shape, -1, np.int64)
    weights, depth = np.zeros((*shape, 3), points.dtype), np.zeros(shape, points.dtype)
    _kernel(points, triangles, winner, weights, depth, grid, far, cull, near, perspective)
    return winner, weights, depth


def gradient(
    points: Floats,
    triangles: Ints,
    winner: Ints,
    weights: Floats,
    to_weights: Floats,
    to_depth: Floats,
    perspective: bool,
) -> Floats:
    """Carry gradients of weights and depth back to the points, one picture a thread, in the order of the pixels.

    Args:
        points, triangles: as for :func:`visible`; winner, weights: what it found.
        to_weights, to_depth: (B, H, W, 3) and (B, H, W) gradients.
        perspective: as it was drawn.

    Returns:
        (B, V, 3), in the points' type.
    """
    global _gradient_kernel
    if _gradient_kernel is None:
        _gradient_kernel = _compiled_gradient()
    total = np.zeros(points.shape, np.float64)
    _gradient_kernel(points, triangles, winner, weights, to_weights, to_depth, total, perspective)
    return total.astype(points.dtype)


def mixed(values: Floats, corners: Ints, weights: Floats) -> Floats:
    """(N, C) float32 attributes of vertices to (P, C) of points with corners (P, 3) int64 and weights (P, 3)."""
    global _mix_kernel
    if _mix_kernel is None:
        _mix_kernel = _compiled_mix()
    out = np.empty((len(corners), values.shape[1]), np.float32)
    _mix_kernel(values, corners, weights, out)
    return out


def _compiled_mix() -> Any:
    import numba

    @numba.njit(parallel=True, cache=True, error_model="numpy")
    def kernel(values, corners, weights, out):  # type: ignore[no-untyped-def]
        for p in numba.prange(len(corners)):
            i, j, k = corners[p, 0], corners[p, 1], corners[p, 2]
            a, b, c = weights[p, 0], weights[p, 1], weights[p, 2]
            for n in range(values.shape[1]):
                out[p, n] = a * values[i, n] + b * values[j, n] + c * values[k, n]

    return kernel


def _compiled_gradient() -> Any:
    import numba

    @numba.njit(parallel=True, cache=True, error_model="numpy")
    def kernel(points, triangles, winner, weights, to_weights, to_depth, total, perspective):  # type: ignore[no-untyped-def]
        height, width = winner.shape[1:]
        for b in numba.prange(len(winner)):
            for row in range(height):
                for column in range(width):
                    m = winner[b, row, column]
                    if m < 0:
                        continue
                    i, j, k = triangles[m, 0], triangles[m, 1], triangles[m, 2]
                    au, av = np.float64(points[b, i, 0]) - column, np.float64(points[b, i, 1]) - row
                    bu, bv = np.float64(points[b, j, 0]) - column, np.float64(points[b, j, 1]) - row
                    cu, cv = np.float64(points[b, k, 0]) - column, np.float64(points[b, k, 1]) - row
                    za, zb, zc = points[b, i, 2], points[b, j, 2], points[b, k, 2]
                    # A weight is an area over the sum of the three (areas over depths where perspective).
                    pa, pb, pc = bu * cv - bv * cu, cu * av - cv * au, au * bv - av * bu
                    if perspective:
                        pa, pb, pc = pa / za, pb / zb, pc / zc
                    whole = pa + pb + pc
                    wa, wb, wc = weights[b, row, column, 0], weights[b, row, column, 1], weights[b, row, column, 2]
                    far = np.float64(to_depth[b, row, column])
                    ga = to_weights[b, row, column, 0] + far * za
                    gb = to_weights[b, row, column, 1] + far * zb
                    gc = to_weights[b, row, column, 2] + far * zc
                    mean = wa * ga + wb * gb + wc * gc
                    ga, gb, gc = (ga - mean) / whole, (gb - mean) / whole, (gc - mean) / whole
                    da, db, dc = far * wa, far * wb, far * wc
                    if perspective:
                        da, db, dc = da - ga * pa / za, db - gb * pb / zb, dc - gc * pc / zc
                        ga, gb, gc = ga / za, gb / zb, gc / zc
                    total[b, i, 0] += gc * bv - gb * cv
                    total[b, i, 1] += gb * cu - gc * bu
                    total[b, j, 0] += ga * cv - gc * av
                    total[b, j, 1] += gc * au - ga * cu
                    total[b, k, 0] += gb * av - ga * bv
                    total[b, k, 1] += ga * bu - gb * au
                    total[b, i, 2] += da
                    total[b, j, 2] += db
                    total[b, k, 2] += dc

    return kernel


def _compiled() -> Any:
    import numba

    @numba.njit(error_model="numpy", inline="always")
    def upper(value, limit):  # type: ignore[no-untyped-def]
        """First whole number at or above a value, within 0..limit."""
        return int(max(0.0, min(limit, np.ceil(value))))

    @numba.njit(error_model="numpy", inline="always")
    def fits(u0, v0, u1, v1, u2, v2, width, height, far):  # type: ignore[no-untyped-def]
        """Whether a triangle may hold the centre of a pixel; comparisons with NaN say no."""
        low_u, high_u = min(u0, min(u1, u2)), max(u0, max(u1, u2))
        low_v, high_v = min(v0, min(v1, v2)), max(v0, max(v1, v2))
        return (
            np.ceil(low_u) < np.ceil(high_u)
            and np.ceil(low_v) < np.ceil(high_v)
            and high_u > 0
            and low_u <= width - 1
            and high_v > 0
            and low_v <= height - 1
            and low_u > -far
            and low_v > -far
            and high_u < far
            and high_v < far
        )

    @numba.njit(parallel=True, cache=True, error_model="numpy")
    def kernel(points, triangles, winner, weights, distance, grid, far, cull, near, perspective):  # type: ignore[no-untyped-def]
        height, width = winner.shape[1:]
        wide = float(width)
        for b in numba.prange(len(winner)):
            nearest = np.full((height, width), np.inf)
            count = points.shape[1]
            snapped = np.empty((count, 3))
            for i in range(count):
                snapped[i, 0] = np.rint(np.float64(points[b, i, 0]) * grid) / grid
                snapped[i, 1] = np.rint(np.float64(points[b, i, 1]) * grid) / grid
                snapped[i, 2] = points[b, i, 2]
            for m in range(len(triangles)):
                i, j, k = triangles[m, 0], triangles[m, 1], triangles[m, 2]
                u0, v0, z0 = snapped[i, 0], snapped[i, 1], snapped[i, 2]
                u1, v1, z1 = snapped[j, 0], snapped[j, 1], snapped[j, 2]
                u2, v2, z2 = snapped[k, 0], snapped[k, 1], snapped[k, 2]
                au, av, bu, bv = u1 - u0, v1 - v0, u2 - u0, v2 - v0
                area = au * bv - av * bu
                # v points down, so a triangle that is counter-clockwise from outside has a negative area here.
                if not (area < 0 or (area > 0 and not cull)):
                    continue
                if not fits(u0, v0, u1, v1, u2, v2, wide, float(height), far):
                    continue
                if not (np.isfinite(z0) and np.isfinite(z1) and np.isfinite(z2)):
                    continue
                if perspective:
                    if not (z0 > near and z1 > near and z2 > near):
                        continue
                    z0, z1, z2 = 1.0 / z0, 1.0 / z1, 1.0 / z2
                elif not max(z0, max(z1, z2)) >= near:
                    continue
                az, bz = z1 - z0, z2 - z0
                across, down = (az * bv - bz * av) / area, (bz * au - az * bu) / area
                at = z0 - across * u0 - down * v0
                # corners from top to bottom; a stable sort of three, as in the torch version
                if v1 < v0:
                    u0, v0, u1, v1 = u1, v1, u0, v0
                if v2 < v1:
                    u1, v1, u2, v2 = u2, v2, u1, v1
                    if v1 < v0:
                        u0, v0, u1, v1 = u1, v1, u0, v0
                long_left = (u2 - u0) * (v1 - v0) < (u1 - u0) * (v2 - v0)
                slope, above, below = (u2 - u0) / (v2 - v0), (u1 - u0) / (v1 - v0), (u2 - u1) / (v2 - v1)
                middle = int(np.ceil(v1))
                for row in range(upper(v0, float(height)), upper(v2, float(height))):
                    long = u0 + slope * (row - v0)
                    short = u0 + above * (row - v0) if row < middle else u1 + below * (row - v1)
                    low, high = (long, short) if long_left else (short, long)
                    for column in range(upper(low, wide), upper(high, wide)):
                        depth = at + across * column + down * row
                        if perspective:
                            depth = 1.0 / depth
                        # Triangles come in the order of their numbers, so the lowest keeps a tie.
                        if depth >= near and depth < nearest[row, column]:
                            nearest[row, column] = depth
                            winner[b, row, column] = m
            for row in range(height):
                for column in range(width):
                    m = winner[b, row, column]
                    if m < 0:
                        continue
                    i, j, k = triangles[m, 0], triangles[m, 1], triangles[m, 2]
                    au, av = points[b, i, 0] - column, points[b, i, 1] - row
                    bu, bv = points[b, j, 0] - column, points[b, j, 1] - row
                    cu, cv = points[b, k, 0] - column, points[b, k, 1] - row
                    x, y, z = bu * cv - bv * cu, cu * av - cv * au, au * bv - av * bu
                    total = x + y + z
                    x, y, z = x / total, y / total, z / total
                    if perspective:  # 1/depth, not depth, is linear in the picture
                        x, y, z = x / points[b, i, 2], y / points[b, j, 2], z / points[b, k, 2]
                        total = x + y + z
                        x, y, z = x / total, y / total, z / total
                    weights[b, row, column, 0], weights[b, row, column, 1], weights[b, row, column, 2] = x, y, z
                    distance[b, row, column] = x * points[b, i, 2] + y * points[b, j, 2] + z * points[b, k, 2]

    return kernel
